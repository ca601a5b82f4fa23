"""Classes that a file names: found only in packages and files that the user trusts, never imported unasked."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..errors import InputError, UntrustedError
from .foreign import reason

Trust = str | Path | None
"""The name of a package, or the path of a Python file, whose code may be imported and run."""


def class_path(kind: type) -> str:
    """Name a class as `module:Class`; for a class of a script that is run, the module is the name of its file."""
    module = kind.__module__
    if module == "__main__" and (file := getattr(sys.modules["__main__"], "__file__", None)):
        module = Path(file).stem
    return f"{module}:{kind.__qualname__}"


def trusted(path: str, trust: Trust) -> Any:
    """The class or function that `module:Name` names, if the user trusts its module and that is where it is defined.

    What a trusted module only imports is not its own: a file that names `my_nets:os.system` must not get it. The caller checks the kind
    before it calls what it got with arguments of the file.

    Args:
        path: as `class_path` gives it.
        trust: a package that the module belongs to, or a Python file that defines the class or imports it.
    Raises:
        UntrustedError: nothing is trusted, or another package or file.
        InputError: the trusted module does not define it, or cannot be imported.
    """
    module = path.partition(":")[0]
    allowed = None if trust is None else str(trust)
    if allowed is not None and is_file(allowed):
        file = import_file(Path(allowed))
        if Path(allowed).stem == module.rpartition(".")[2]:
            return _named(file, path)
        for found in vars(file).values():  # what the file imports has run with it
            if isinstance(found, type) and class_path(found) == path:
                return found
    elif allowed is not None and f"{module}.".startswith(f"{allowed}."):
        return _named(_imported(module), path)
    raise UntrustedError(
        f"{path}: expected a class that is trusted, got trust={allowed!r}. If you trust its code, pass the object itself, "
        f"or name its package or file: trust={module.partition('.')[0]!r} (--trust on the command line)."
    )


def _named(module: ModuleType, path: str) -> Any:
    name = path.partition(":")[2]
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part) if found is module or isinstance(found, type) else None
    if not isinstance(found, type | FunctionType) or (found.__module__, found.__qualname__) != (module.__name__, name):
        raise InputError(f"{path}: expected a class that {module.__name__} defines, but '{name}' is none. Was it renamed?")
    return found


def is_file(name: str | Path) -> bool:
    """Whether a name means a Python file, and not a package."""
    return str(name).endswith(".py")


def import_file(path: Path) -> ModuleType:
    """Import a Python file as the module of its name, as `python FILE` would find its imports; the same file is imported once.

    Raises:
        FileNotFoundError: it is not there.
        InputError: it is no Python, or fails while it is imported.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a Python file, which is not there. Check the path.")
    for module in list(sys.modules.values()):  # under whatever name it was imported before
        if Path(getattr(module, "__file__", None) or "").resolve() == path:
            return module
    if path.stem in sys.modules:
        raise InputError(f"{path}: expected a file name that is not that of an imported module, got '{path.stem}'. Rename the file.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: expected a Python file, but it cannot be imported. Check its name.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickle look their module up
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[path.stem]
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise InputError(f"{path}{line}: expected a Python file that can be imported, got {reason(error)}") from error
    return module


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{module}: expected a package that can be imported, got {reason(error)} Install it, or name its file.") from error
