"""The public names of every package are those of its `__all__`."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dendrix

SOURCE = Path(dendrix.__file__).parent
FOLDERS = sorted({path.parent for path in SOURCE.rglob("*.py")})


def name_of(folder: Path) -> str:
    return ".".join(("dendrix", *folder.relative_to(SOURCE).parts))


def code(package: ModuleType) -> list[ast.stmt]:
    """The statements of its `__init__.py` after the docstring."""
    assert package.__file__ is not None
    body = ast.parse(Path(package.__file__).read_text()).body
    return body[1:] if isinstance(body[0], ast.Expr) else body


def bound(package: ModuleType) -> set[str]:
    """The public names that its `__init__.py` defines, or takes from elsewhere in dendrix, and that are no modules."""
    names: set[str] = set()
    for statement in code(package):
        if isinstance(statement, ast.ImportFrom) and (statement.level or (statement.module or "").startswith("dendrix")):
            names.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names.update(target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.add(statement.target.id)
    return {name for name in names if not name.startswith("_") and not isinstance(getattr(package, name), ModuleType)}


@pytest.fixture(params=map(name_of, FOLDERS))
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_every_folder_of_modules_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").exists()


def test_all_lists_what_is_public(package: ModuleType) -> None:
    """A package below another one may be a docstring alone, and then has no names to list."""
    if package.__name__.count(".") > 1 and not code(package):
        return
    assert hasattr(package, "__all__"), f"{package.__name__} has no __all__: list its public names"
    assert len(set(package.__all__)) == len(package.__all__)
    assert not bound(package) - set(package.__all__)
    assert not [name for name in package.__all__ if not hasattr(package, name)]


def test_no_public_name_hides_a_module(package: ModuleType) -> None:
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    hidden = [name for name in modules.intersection(dir(package)) if not isinstance(getattr(package, name), ModuleType)]
    assert not hidden


def test_a_star_import_gives_just_these(package: ModuleType) -> None:
    names: dict[str, object] = {}
    exec(f"from {package.__name__} import *", names)
    given = {name for name, value in names.items() if name != "__builtins__" and not isinstance(value, ModuleType)}
    assert given == {name for name in getattr(package, "__all__", ()) if not isinstance(getattr(package, name), ModuleType)}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('"""A package."""\nfrom pathlib import Path\nfrom .a import run as run, _b\nfrom . import c as _c', {"run"}),
        ("def f(): ...\nclass G: ...\nx: int = 1\nY = _z = 2\nif True:\n    inner = 3", {"f", "G", "x", "Y"}),
        ('"""Nothing."""', set()),
    ],
)
def test_bound_names_are_found(source: str, names: set[str], tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text(source)
    package = ModuleType("package")
    package.__file__ = str(tmp_path / "__init__.py")
    vars(package).update(dict.fromkeys(("run", "f", "G", "x", "Y")))
    assert bound(package) == names


# Parts of dendrix that are imported by their full names: commands, and what the other parts use.
UNLISTED = {"__main__", "checks", "cli", "compiled", "folders", "kernels", "lowering", "progress"}


def test_every_part_is_reached_from_the_top() -> None:
    parts = {module.name for module in pkgutil.iter_modules(dendrix.__path__)} - UNLISTED
    assert {name for name in dendrix.__all__ if isinstance(getattr(dendrix, name), ModuleType)} == parts
    assert set(dendrix.__all__) <= set(dir(dendrix))


@pytest.mark.parametrize("name", sorted(dendrix.__all__))
def test_a_name_from_the_top_is_the_one_in_its_package(name: str) -> None:
    found = getattr(dendrix, name)
    if isinstance(found, ModuleType):
        assert found is importlib.import_module(f"dendrix.{name}")
    else:
        assert found is getattr(importlib.import_module(".".join(found.__module__.split(".")[:2])), name)


def test_names_load_at_their_first_use() -> None:
    """In a new process, where no other import has bound them."""
    use = "print(dendrix.layers.DelayLinear is dendrix.DelayLinear, dendrix.exits.fit)"
    code = f"import sys, dendrix; assert 'torch' not in sys.modules; {use}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.startswith("True <function fit")


def test_an_editor_completes_the_names_from_the_top() -> None:
    """Type checkers and editors read the stub; every name in it is exported by an alias to itself."""
    imports = [node for node in ast.parse((SOURCE / "__init__.pyi").read_text()).body if isinstance(node, ast.ImportFrom)]
    names = [alias for node in imports for alias in node.names]
    assert all(alias.asname == alias.name for alias in names)
    assert sorted(alias.name for alias in names) == sorted(dendrix.__all__)
