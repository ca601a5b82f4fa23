"""README of an exported network: what it is, how it is used, and its sizes."""

from .costs import Sizes, sizes
from .deployed import Deployed


def readme(deployed: Deployed) -> str:
    """Text of the README."""
    size, encoder = sizes(deployed), deployed.encoder
    takes = (
        f"samples of 16 bits, mono, at {encoder.rate} Hz" if encoder else f"frames of {deployed.network.inputs.channels} values of 16 bits"
    )
    per = "one sample" if encoder else "one value of a frame"
    rule = "none: every input runs to its end" if deployed.rule is None else str(deployed.rule)
    return f"""# A spiking network in C99

Takes {takes}; one step is {deployed.dt_ms:g} ms, and {deployed.tail} steps follow the end of an input. Whole numbers only: no floating
point, no heap, no library but `stdint.h` and `string.h`. Outputs equal those of the reference in dendrix to the bit, on every machine.

| | bytes |
|---|---|
| tables (flash) | {size.tables:,} |
| memory of a stream (RAM) | {size.memory:,} |

Labels: {", ".join(deployed.labels)}. Exit rule: {rule}.

## Use

    make            # gcc or clang; CC=arm-none-eabi-gcc for a board
    make test       # compares every step of the test vectors with the reference
    ./network < clip.raw

`network` reads {per} after another, little-endian, and prints `label`, `confidence`, `steps` and `stopped` as one
line of JSON. In a program:

    static uint64_t memory[(DX_SIZE + 7) / 8];
    dx_init(memory, sizeof memory, &dx_network, DX_RATE_HZ);
    while (dx_push(memory, values, count) == DX_MORE) {{ ... }}
    dx_stop(memory);
    dx_answer answer;
    dx_result(memory, &answer);

Functions return 0, 1 once the exit rule is sure, or a negative error, see `dendrix.h`. With `-DDX_DEBUG=1` null pointers are errors too.
"""


def web_readme(deployed: Deployed) -> str:
    """Text of the README of an export for WebAssembly."""
    encoder = deployed.encoder
    takes = f"samples, mono, at {encoder.rate} Hz" if encoder else f"frames of {deployed.network.inputs.channels} values"
    values = "Float32Array or Int16Array of samples" if encoder else "Int16Array of values"
    return f"""# A spiking network in WebAssembly

Takes {takes}; one step is {deployed.dt_ms:g} ms. `dendrix.wasm` has no imports and holds the engine; `network.bin` holds the tables.
Outputs equal those of the reference in dendrix to the bit. Labels: {", ".join(deployed.labels)}.

    import {{ Network }} from "./dendrix.mjs";
    const network = await Network.load("dendrix.wasm", "network.bin");
    const stream = network.stream();
    stream.push(values);            // {values}, in pieces of any length; true once the exit rule is sure
    stream.stop();                  // the input has ended
    console.log(stream.result());   // label, confidence, steps, stopped

An AudioWorklet, which cannot fetch, takes the compiled `WebAssembly.Module` and the bytes of the tables through `processorOptions` and
calls `new Network(module, bytes)`. `node selftest.mjs` compares every step of the test vectors with the reference.
"""


def npz_readme(deployed: Deployed, equations: str) -> str:
    """Text of the README of an export as arrays."""
    return f"""# A spiking network as whole numbers

`network.json` describes the layers; `network.npz` holds their arrays, such as `layer0_weight` [out, in, K] and `layer0_delay` in steps,
and those of the front end. `vectors.npz` holds test inputs, the accumulated outputs after every step, and answers (label, confidence times
65,536, steps, stopped). Labels: {", ".join(deployed.labels)}.

{equations.strip()}
"""


def library_properties() -> str:
    """`library.properties` of an Arduino library."""
    return """name=dendrix_network
version=1.0.0
author=dendrix
maintainer=dendrix
sentence=A spiking network in whole numbers.
paragraph=Exported by dendrix. No heap, no floating point, no dependencies.
category=Data Processing
url=https://arduino.cc
architectures=*
includes=dendrix_network.h
"""


def arduino_readme(deployed: Deployed, size: Sizes) -> str:
    """Text of the README of an Arduino library."""
    return f"""# A spiking network for Arduino and PlatformIO

Copy this folder into the `libraries` folder of the sketchbook, or into `lib` of a PlatformIO project, and open the example `listen`.
Tables take {size.tables:,} bytes of flash, a stream {size.memory:,} bytes of RAM. Labels: {", ".join(deployed.labels)}.
`extras/vectors.json` holds test vectors. The sketch was compiled with stand-ins of the board's libraries, and run on no board.
"""
