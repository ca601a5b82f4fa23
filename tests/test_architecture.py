"""Parts import parts of lower floors only, optional dependencies stay optional, and importing stays light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dendrix

SOURCE = Path(dendrix.__file__).parent
LEVEL = {
    "errors": 0,
    "folders": 0,
    "checks": 1,
    "compiled": 1,
    "progress": 1,
    "core": 2,
    "pretrained": 2,
    "samples": 2,
    "neurons": 3,
    "data": 3,
    "sdr": 3,
    "plot": 3,
    "exits": 4,
    "layers": 4,
    "convert": 5,
    "lowering": 5,
    "kernels": 6,
    "models": 6,
    "energy": 7,
    "exchange": 7,
    "generate": 7,
    "run_folder": 7,
    "deploy": 8,
    "serve": 8,
    "teach": 8,
    "train": 8,
    "runs": 9,
    "sklearn": 9,
    "bench": 10,
    "page": 10,
    "recipes": 10,
    "reproduce": 11,
    "cli": 12,
    "__main__": 13,
}
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
FILES = sorted(SOURCE.rglob("*.py"))
TOP = SOURCE / "__init__.py"
TABLE = SOURCE / "core" / "dispatch.py"  # loads dendrix.kernels at the first look-up


def imported_parts(path: Path) -> set[str]:
    """The first-level parts of dendrix that a file imports, wherever in the file."""
    inside = path.relative_to(SOURCE).parent.parts
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = inside[: len(inside) - node.level + 1]
            target = (*base, *(node.module or "").split("."))
            names = [alias.name for alias in node.names] if not node.module and not base else [target[0]]
            parts.update(name for name in names if name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dendrix."):
            parts.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            parts.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("dendrix."))
    return parts


@pytest.mark.parametrize("path", [f for f in FILES if f not in (TOP, TABLE)], ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    own = relative.parts[0].removesuffix(".py")
    for part in imported_parts(path) - {own}:
        assert part in LEVEL, f"{relative} imports dendrix.{part}, which has no level: add it to LEVEL and docs/architecture.md"
        assert LEVEL[part] < LEVEL[own], f"{relative} (level {LEVEL[own]}) imports dendrix.{part} (level {LEVEL[part]})"


def test_every_part_has_a_level() -> None:
    parts = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} == set(LEVEL)


def test_the_page_lists_the_parts_at_their_levels() -> None:
    rows = re.findall(r"^\| ([\d.]+) \| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert [(float(level), part) for level, part, _ in rows] == sorted(((n, part) for part, n in LEVEL.items()), key=lambda row: row[0])


def test_the_page_names_the_folders_of_a_part() -> None:
    """Every folder inside a part stands in its row."""
    contents = dict(re.findall(r"^\| [\d.]+ \| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    for part in (SOURCE / name for name in LEVEL if (SOURCE / name).is_dir()):
        folders = {path.name for path in part.iterdir() if (path / "__init__.py").exists()} - {"numba"}
        assert folders <= set(re.findall(r"`(\w+)`", contents[part.name])), part.name


def test_only_the_kernel_table_imports_kernels() -> None:
    outside = [f for f in FILES if "kernels" not in f.relative_to(SOURCE).parts]
    users = [f for f in outside if "kernels" in imported_parts(f)]
    assert users == [TABLE]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_is_light() -> None:
    heavy = {"numba", "triton", "scipy", "sklearn", "matplotlib", "accelerate", "soundfile", "soxr", "tyro", "h5py", "pooch", "lz4"}
    heavy |= {"nir", "nirtorch", "onnx", "onnxscript", "onnxruntime"}
    assert not heavy & loaded_after("import dendrix, dendrix.layers, dendrix.neurons, dendrix.data, dendrix.models, dendrix.exchange")


def test_evaluate_and_info_load_without_the_extras() -> None:
    extras = ["accelerate", "matplotlib", "sklearn", "soundfile", "soxr", "scipy", "h5py", "pooch", "lz4"]
    absent = f"sys.modules.update(dict.fromkeys({extras}))"
    assert "dendrix.train.command" in loaded_after(f"{absent}; import dendrix.train.command")


def test_help_does_not_load_torch() -> None:
    assert "torch" not in loaded_after("import dendrix.cli")


@pytest.mark.parametrize("path", [f for f in FILES if f.name == "__init__.py"], ids=lambda f: str(f.relative_to(SOURCE)))
def test_packages_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_files_stay_small() -> None:
    long = {str(f.relative_to(SOURCE)): n for f in FILES if (n := len(f.read_text().splitlines())) > 400}
    assert not long
