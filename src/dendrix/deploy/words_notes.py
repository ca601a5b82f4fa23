"""README of exported words."""

from .words import DeployedWords
from .words_layout import words_sizes


def words_readme(made: DeployedWords) -> str:
    """Text of the README of an export as C99."""
    size, encoder = words_sizes(made), made.deployed.encoder
    assert encoder is not None
    return f"""# Taught words in C99

Takes samples of 16 bits, mono, at {encoder.rate} Hz, and says which of these words was spoken: {", ".join(made.words) or "none yet"}. Whole
numbers only: no floating point, no heap, no library but `stdint.h` and `string.h`. Every number equals that of the reference in dendrix.

| | bytes |
|---|---|
| network (flash) | {size.network:,} |
| whitening and constants (flash) | {size.whitening:,} |
| words (flash) | {size.words:,} |
| background (flash), only to teach on the device | {size.background:,} |
| memory of a stream (RAM), with that of the network | {size.memory:,} |

## Use

    make            # gcc or clang; CC=arm-none-eabi-gcc for a board
    make test       # compares every frame, code, decision and threshold of the test vectors with the reference
    ./words < stream.raw

In a program, for a stream of speech:

    static uint64_t memory[(DW_SIZE + 7) / 8];
    dw_init(memory, sizeof memory, &words_tables, DX_RATE_HZ, DW_STREAM);
    for (size_t taken; count; samples += taken, count -= taken)
      if (dw_push(memory, samples, count, &taken) == DW_WORD) {{
        dw_found when;
        dw_match match;
        dw_decide(&words_tables, words_taught, DW_WORDS, dw_code(memory, &when), &match);
      }}

To teach a word on the device, keep the codes of some clips (`DW_CLIP`, `dw_stop`, `dw_code`) one after another in an array, and compute its
threshold:

    dw_word word = {{codes, "name", 3, 0, 0, 0}};
    dw_teach(memory, &word, &words_background, DW_SHARE_{round(made.rates[-1].rate * 1e6) if made.rates else 0});
"""


def words_web_readme(made: DeployedWords) -> str:
    """Text of the README of an export for WebAssembly."""
    encoder = made.deployed.encoder
    assert encoder is not None
    return f"""# Taught words in WebAssembly

Takes samples, mono, at {encoder.rate} Hz. `words.wasm` has no imports and holds the engine; `words.bin` holds the tables. Every number
equals that of the reference in dendrix. Words: {", ".join(made.words) or "none yet"}.

    import {{ Words }} from "./words.mjs";
    const words = await Words.load("words.wasm", "words.bin");
    const code = words.code(samples);                         // Float32Array or Int16Array of one clip
    console.log(words.decide(code.bits));                     // name, nearest, score, theta
    words.teach("hello", [first, second, third], 0.01);       // codes of clips
    const stream = words.stream((heard) => console.log(words.decide(heard.bits)));
    stream.push(samples);                                     // in pieces of any length

`node selftest.mjs` compares every frame, code, decision and threshold of the test vectors with the reference.
"""
