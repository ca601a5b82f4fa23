"""Compilation of the engines that only the page has: `make page`."""

from pathlib import Path

from ..deploy.compile import PLAIN, SIMD, WASM, zig

_HERE = Path(__file__).parent
ENGINES = _HERE / "web" / "engines"
BUILDS = {
    "text.wasm": ("text.c", PLAIN, "-O3"),
    "text_simd.wasm": ("text.c", SIMD, "-O3"),
    "codes.wasm": ("codes.c", PLAIN, "-O2", "-ffp-contract=off"),
}
"""Source and options of every engine, by its file."""


def build_engine(target: Path, name: str) -> None:
    """Compile an engine.

    Args:
        target: the file to write.
        name: one of `BUILDS`.
    """
    source, *options = BUILDS[name]
    deploy = _HERE.parent / "deploy"
    zig([*WASM, *options, f"-I{deploy / 'web'}", f"-I{deploy / 'c'}", "-o", target, _HERE / "c" / source])


if __name__ == "__main__":
    for built in BUILDS:
        build_engine(ENGINES / built, built)
