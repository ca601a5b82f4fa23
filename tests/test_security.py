"""No call in the sources that would execute what a file holds, and the pages that promise so."""

import ast
import re
from pathlib import Path

import pytest

import dendrix

ROOT = Path(__file__).parent.parent
FILES = sorted(Path(dendrix.__file__).parent.rglob("*.py"))
FORBIDDEN = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "marshal.load",
    "marshal.loads",
    "yaml.load",
    "shelve.open",
    "dill.load",
    "joblib.load",
}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """All calls of a file, with the name of what is called as it is written."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def option(call: ast.Call, name: str) -> object:
    return next((word.value.value for word in call.keywords if word.arg == name and isinstance(word.value, ast.Constant)), None)


def trouble(name: str, call: ast.Call) -> str | None:
    """What is wrong with a call, if anything."""
    if name in FORBIDDEN:
        return name
    if name == "torch.load" and option(call, "weights_only") is not True:
        return "torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and option(call, "allow_pickle"):
        return "np.load with allow_pickle"
    return "a shell" if option(call, "shell") is True else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(Path(dendrix.__file__).parent)))
def test_nothing_that_a_file_holds_is_executed(path: Path) -> None:
    assert [found for name, call in calls(path) if (found := trouble(name, call))] == []


def test_tar_archives_are_unpacked_with_the_filter_for_data() -> None:
    opened = [(path, call) for path in FILES for name, call in calls(path) if name.endswith(".extractall")]
    assert opened
    for path, call in opened:
        text = path.read_text()
        assert option(call, "filter") == "data" or "zipfile" in text, path


def test_the_tests_that_the_security_page_names_exist() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    named = set(re.findall(r"`(tests/[\w/.]+)`", page)) | {
        f"src/dendrix/{found}" for found in re.findall(r"`((?:core|serve|cli)/\w+\.py)`", page)
    }
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]
    options = set(re.findall(r"`--limits\.([\w-]+)`", page))
    from dendrix.serve.limits import Limits

    assert options <= {name.replace("_", "-") for name in Limits.__dataclass_fields__}
