"""Rules that the tests follow themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PRIVATE = re.compile(r"""setattr\(\s*(?:[\w.]+,\s*["']_(?!_)|["'][\w.]+\._(?!_))|setitem\(\s*[\w.]*\._""")
CONFTEST = re.compile(r"^\s*(?:from|import) (?:tests\.)?conftest\b", re.MULTILINE)


def files() -> list[Path]:
    return sorted(path for path in TESTS.rglob("*.py") if path != Path(__file__).resolve())


@pytest.mark.parametrize("pattern", [PRIVATE, CONFTEST], ids=["private names are not patched", "nothing is imported from conftest"])
def test_no_file_breaks_the_rule(pattern: re.Pattern[str]) -> None:
    broken = {
        str(path.relative_to(TESTS)): found.group() for path in files() if (found := pattern.search(path.read_text(encoding="utf-8")))
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (PRIVATE, 'monkeypatch.setattr(study, "_EVERY", 2)'),
        (PRIVATE, 'monkeypatch.setattr("dendrix.data.cache._VERSION", 2)'),
        (PRIVATE, 'monkeypatch.setitem(study._NAMES, "a", 2)'),
        (CONFTEST, "from conftest import shared"),
    ],
)
def test_a_broken_rule_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_public_names_may_be_patched() -> None:
    for line in ('monkeypatch.setattr(study, "STEPS", 2)', 'monkeypatch.setattr(JITFunction, "__getitem__", launch)'):
        assert not PRIVATE.search(line)


@pytest.mark.slow
def test_folders_with_helpers_of_the_same_name_are_collected_together() -> None:
    files = ["tests/serve/test_logs.py", "tests/conformance/test_examples.py"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *files]
    found = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-2000:]
