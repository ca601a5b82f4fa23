"""Files and packages are imported only when they are named, and problems of theirs are one sentence."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dendrix.core.trust import class_path, import_file, trusted
from dendrix.errors import InputError, UntrustedError


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in ("some_users_file", "some_recipe", "other"):
        sys.modules.pop(name, None)


def written(folder: Path, text: str) -> Path:
    (folder / "some_users_file.py").write_text(text)
    return folder / "some_users_file.py"


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    path = written(tmp_path, "class Net: pass")
    assert import_file(path) is import_file(path)
    kind = trusted("some_users_file:Net", path)
    assert class_path(kind) == "some_users_file:Net"
    assert trusted("some_users_file:Net", str(path)) is kind


def test_a_trusted_file_vouches_for_the_classes_that_it_imports(tmp_path: Path) -> None:
    written(tmp_path, "class Net: pass")
    (tmp_path / "some_recipe.py").write_text("from some_users_file import Net")
    assert class_path(trusted("some_users_file:Net", tmp_path / "some_recipe.py")) == "some_users_file:Net"
    with pytest.raises(UntrustedError, match="some_users_file:Other: expected a class that is trusted"):
        trusted("some_users_file:Other", tmp_path / "some_recipe.py")


@pytest.mark.parametrize("name", ["os.system", "Popen", "json.loads", "alias", "Net.made", "made"])
@pytest.mark.parametrize("trust", ["some_users_file", "some_users_file.py"])
def test_what_a_file_imports_or_makes_is_not_its_own(name: str, trust: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = "import json, os\nfrom subprocess import Popen\nfrom os import system as alias"
    written(tmp_path, f"{imports}\nclass Net:\n    made = 3\nmade = Net()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=f"expected a class that some_users_file defines, got '{name}'"):
        trusted(f"some_users_file:{name}", trust)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def recipe(:", r"some_users_file\.py, line 1: expected a Python file that can be imported, got SyntaxError"),
        ("1 / 0", r"expected a Python file that can be imported, got ZeroDivisionError: division by zero"),
        ("import no_such_package_at_all", "got ModuleNotFoundError"),
        ("import sys; sys.exit(3)", r"got SystemExit: 3\."),
        ("\0", r"some_users_file\.py(, line 1)?: expected a Python file that can be imported, got SyntaxError"),
    ],
)
def test_a_file_that_fails_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_file(written(tmp_path, text))
    assert "some_users_file" not in sys.modules


def test_a_file_that_is_not_there_or_hides_a_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a Python file, but it does not exist"):
        import_file(tmp_path / "absent.py")
    (tmp_path / "json.py").write_text("")
    with pytest.raises(InputError, match="expected a file name that differs from those of imported modules, got 'json'"):
        import_file(tmp_path / "json.py")


@pytest.mark.parametrize("trust", [None, "dendrix", "some", "some_users_file_too", "other.py"])
def test_only_what_is_trusted_is_imported(tmp_path: Path, trust: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "class Net: pass")
    (tmp_path / "other.py").write_text("Net = int")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UntrustedError, match=r"some_users_file:Net: expected a class that is trusted"):
        trusted("some_users_file:Net", trust)
    assert "some_users_file" not in sys.modules


def test_a_package_trusts_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trusted_package").mkdir()
    (tmp_path / "trusted_package" / "__init__.py").write_text("")
    (tmp_path / "trusted_package" / "nets.py").write_text("class Outer:\n    class Inner: pass")
    monkeypatch.syspath_prepend(tmp_path)
    assert trusted("trusted_package.nets:Outer.Inner", "trusted_package").__name__ == "Inner"
    with pytest.raises(InputError, match=r"expected a class that trusted_package\.nets defines, got 'Gone'"):
        trusted("trusted_package.nets:Gone", "trusted_package")
    with pytest.raises(InputError, match="expected a package that can be imported"):
        trusted("absent_package.nets:Net", "absent_package")
