"""README of an exported language model."""

from ..models.spikegpt.network import SpikeGPTConfig


def _about(config: SpikeGPTConfig) -> str:
    return f"{config.layers} blocks of {config.width} channels and a vocabulary of {config.vocab_size:,}"


def text_readme(config: SpikeGPTConfig, is_bytes: bool, tables: int, memory: int) -> str:
    """Text of the README of an export to C."""
    takes = "A text" if is_bytes else "The numbers of the tokens of a text, separated by spaces,"
    return f"""# A spiking language model in C99

SpikeGPT with {_about(config)}. Whole numbers only: no floating point, no heap, no library but `stdint.h` and
`string.h`. Logits equal those of the reference in dendrix to the bit, on every machine, and so do texts of the same seed.

| | bytes |
|---|---|
| tables (flash) | {tables:,} |
| memory of a text (RAM), however long | {memory:,} |

## Use

    make            # gcc or clang
    make test       # compares the logits after every token of the test vectors with the reference
    ./text 200 800 7 < prompt.txt

{takes} on standard input is continued by 200 tokens, at a temperature of 800 thousandths and with the seed 7. In a program:

    static uint64_t memory[(DX_TEXT_SIZE + 7) / 8];
    dx_text_answer answer;
    dx_text_init(memory, sizeof memory, &dx_text_network, 800, 7);
    dx_text_push(memory, tokens, count);
    dx_text_result(memory, &answer);      /* answer.token, answer.logits */

Functions return 0 or a negative error, see `dendrix_text.h`. With `-DDX_DEBUG=1` null pointers are errors too.
"""


def text_web_readme(config: SpikeGPTConfig, is_bytes: bool) -> str:
    """Text of the README of an export for WebAssembly."""
    read = 'text.push("Once upon a time");' if is_bytes else "text.push(Uint16Array.from(tokens));"
    each = "piece of text.generate(200)" if is_bytes else "token of text.tokens(200)"
    return f"""# A spiking language model in WebAssembly

SpikeGPT with {_about(config)}. `text.wasm` and `text_simd.wasm` have no imports and hold the engine, the
second for machines with SIMD; `network.bin` holds the tables. Logits equal those of the reference in dendrix to the bit.

    import {{ TextNetwork }} from "./dendrix_text.mjs";
    const network = await TextNetwork.load(new URL("./", import.meta.url));
    const text = network.text({{ temperature: 0.8, seed: 7n }});
    {read}
    for (const {each}) ...

`node selftest.mjs` compares the logits after every token of the test vectors with the reference, with both engines.
"""


def text_npz_readme(config: SpikeGPTConfig, equations: str) -> str:
    """Text of the README of an export as arrays."""
    return f"""# A spiking language model as whole numbers

SpikeGPT with {_about(config)}. `network.npz` holds all numbers: the embedding after its norm [V, d]; for each
half of a block, the time mix or channel mix, its matrices [out, in] and vectors, such as `half0_key`; and the end with the head. Logits
times 65,536 are whole. `vectors.json` holds texts with continuations, and a checksum of the logits after every token: FNV-1a of 32-bit
numbers.

{equations.strip()}
"""
