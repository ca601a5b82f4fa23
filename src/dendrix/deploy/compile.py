"""Compilation of the engine with ziglang, which needs no toolchain of the system: `make wasm`, and sizes of code for a board."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, MissingExtraError

_HERE = Path(__file__).parent
WASM = (
    "-target", "wasm32-freestanding", "-std=c99", "-nostdlib", "-DDX_TRACE", "-DDX_DEBUG=1",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
)  # fmt: skip
"""Options for engines for WebAssembly: self-contained, with checks of pointers."""
PLAIN, SIMD = "-mcpu=generic+bulk_memory", "-mcpu=generic+bulk_memory+simd128"
"""Instructions of engines: those of all browsers, and vectors."""
BUILDS = {
    "dendrix.wasm": ("wasm.c", PLAIN, "-O2"),
    "dendrix_image.wasm": ("wasm_image.c", PLAIN, "-O3"),
    "dendrix_image_simd.wasm": ("wasm_image.c", SIMD, "-O3"),
    "words/words.wasm": ("words/words.c", PLAIN, "-O2"),
    "text/text.wasm": ("text/text.c", PLAIN, "-O3"),
    "text/text_simd.wasm": ("text/text.c", SIMD, "-O3"),
}
"""Source and options of every engine, by its file in the folder `web`."""


def zig(arguments: Sequence[str | Path]) -> None:
    """Compile C with `zig cc`.

    Raises:
        MissingExtraError: ziglang is not installed.
        InputError: the compiler refuses the code.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtraError("ziglang: expected the package that compiles C, got none. Install dendrix[dev].")
    done = subprocess.run([sys.executable, "-m", "ziglang", "cc", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"C: expected code that compiles, but {done.stderr.strip()[-2000:]}")


def build_wasm(target: Path, name: str = "dendrix.wasm") -> None:
    """Compile an engine for WebAssembly.

    Args:
        target: the file to write.
        name: one of `BUILDS`.
    """
    source, *options = BUILDS[name]
    zig([*WASM, *options, f"-I{_HERE / 'web'}", f"-I{_HERE / 'c'}", f"-I{_HERE / 'c' / 'words'}", "-o", target, _HERE / "web" / source])


if __name__ == "__main__":
    for built in BUILDS:
        build_wasm(_HERE / "web" / built, built)
