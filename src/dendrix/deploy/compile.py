"""Compilation of the engine with ziglang, which needs no toolchain of the system: `make wasm`, and sizes of code for a board."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, MissingExtraError

_HERE = Path(__file__).parent
WASM = (
    "-target", "wasm32-freestanding", "-mcpu=generic+bulk_memory", "-std=c99", "-O2", "-nostdlib", "-DDX_TRACE", "-DDX_DEBUG=1",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
)  # fmt: skip
"""Options for the engine for WebAssembly: self-contained, with checks of pointers."""


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


def build_wasm(target: Path) -> None:
    """Compile the engine for WebAssembly."""
    zig([*WASM, f"-I{_HERE / 'web'}", f"-I{_HERE / 'c'}", "-o", target, _HERE / "web" / "wasm.c"])


TEXT_ENGINES = {"text.wasm": (), "text_simd.wasm": ("-mcpu=generic+bulk_memory+simd128",)}
"""Engines of language models, and the options that differ from `WASM`."""


def build_text_wasm(name: str, target: Path) -> None:
    """Compile an engine of `TEXT_ENGINES` for WebAssembly."""
    folders = (f"-I{_HERE / 'web'}", f"-I{_HERE / 'c'}")
    zig([*WASM, "-O3", *TEXT_ENGINES[name], *folders, "-o", target, _HERE / "web" / "text" / "text.c"])


if __name__ == "__main__":
    build_wasm(_HERE / "web" / "dendrix.wasm")
    for name in TEXT_ENGINES:
        build_text_wasm(name, _HERE / "web" / "text" / name)
