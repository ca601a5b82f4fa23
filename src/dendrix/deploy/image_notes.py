"""README of an exported image network: what it is, how it is used, and its sizes."""

from .image_costs import image_sizes
from .image_deployed import DeployedImage


def image_readme(deployed: DeployedImage) -> str:
    """Text of the README."""
    size, (height, width, channels) = image_sizes(deployed), deployed.network.image
    rule = "none: every image runs all its steps" if deployed.rule is None else str(deployed.rule)
    return f"""# A spiking image network in C99

Takes images of {height} x {width} pixels with {channels} channel{"s" if channels > 1 else ""}, bytes in the order
[height][width][channels], and runs at most {deployed.network.presented} steps. Whole numbers only: no floating point, no heap, no
library but `stdint.h` and `string.h`. Outputs equal those of the reference in dendrix to the bit, on every machine.

| | bytes |
|---|---|
| tables (flash) | {size.tables:,} |
| memory of an image (RAM) | {size.memory:,} |

Labels: {", ".join(deployed.labels)}. Exit rule: {rule}.

## Use

    make            # gcc or clang; CC=arm-none-eabi-gcc for a board
    make test       # compares every step of the test vectors with the reference
    ./network < image.raw

`network` reads the {deployed.step:,} bytes of one image and prints `label`, `confidence`, `steps` and `stopped` as one line of JSON. In a
program:

    static uint64_t memory[(DX_SIZE + 7) / 8];
    dx_image_init(memory, sizeof memory, &dx_network);
    dx_image_push(memory, pixels, count);     /* in pieces of any length */
    dx_image_stop(memory);                    /* runs the steps until the exit rule is sure */
    dx_answer answer;
    dx_image_result(memory, &answer);

Functions return 0, 1 once the exit rule is sure, or a negative error, see `dendrix_decision.h`. With `-DDX_DEBUG=1` null pointers are
errors too.
"""


def image_web_readme(deployed: DeployedImage) -> str:
    """Text of the README of an export for WebAssembly."""
    height, width, channels = deployed.network.image
    return f"""# A spiking image network in WebAssembly

Takes images of {height} x {width} pixels with {channels} channel{"s" if channels > 1 else ""}, bytes in the order
[height][width][channels], and runs at most {deployed.network.presented} steps. The engine comes with and without SIMD, and has no imports;
`network.bin` holds the tables. Outputs equal those of the reference in dendrix to the bit. Labels: {", ".join(deployed.labels)}.

    import {{ Network }} from "./dendrix.mjs";
    const network = await Network.load("dendrix_image.wasm", "network.bin", "dendrix_image_simd.wasm"); // SIMD where there is
    const stream = network.stream();
    stream.push(pixels);            // Uint8Array, in pieces of any length
    stream.stop();                  // runs the steps; true if the exit rule was sure before the last one
    console.log(stream.result());   // label, confidence, steps, stopped
    stream.restart();               // for the next image

`node selftest.mjs` compares both engines with the reference at every step, and says how many images they classify in a second.
"""


def image_npz_readme(deployed: DeployedImage, equations: str) -> str:
    """Text of the README of an export as arrays."""
    return f"""# A spiking image network as whole numbers

`network.json` describes the stages; `network.npz` holds their arrays, such as `stage0_weight0` of the first edge, [in, kernel height,
kernel width, out / groups], and `centre`, which is subtracted from the bytes of an image [height, width, channels]. `vectors.npz` holds
test images, the accumulated outputs after every step, and answers (label, confidence times 65,536, steps, stopped). Labels:
{", ".join(deployed.labels)}.

{equations.strip()}
"""
