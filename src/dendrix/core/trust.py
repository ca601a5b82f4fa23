"""Classes named in files: imported only from packages and files that the user trusts."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..errors import InputError, UntrustedError
from .foreign import reason

Trust = str | Path | None
"""Name of a package, or path of a Python file, that may be imported and run."""


def class_path(kind: type) -> str:
    """Return the name `module:Class` of a class. For a class of the main script, the module is the name of its file."""
    module = kind.__module__
    if module == "__main__" and (file := getattr(sys.modules["__main__"], "__file__", None)):
        module = Path(file).stem
    return f"{module}:{kind.__qualname__}"


def trusted(path: str, trust: Trust) -> Any:
    """Return the class or function with the name `module:Name`, if the user trusts its module and that module defines it.

    What a trusted module only imports is not accepted: a file that names `my_nets:os.system` must not obtain it. The caller checks the kind
    of the object before it calls it with arguments of the file.

    Args:
        path: name from `class_path`.
        trust: package that contains the module, or Python file that defines or imports the class.
    Raises:
        UntrustedError: `trust` is None or another package or file.
        InputError: the trusted module does not define the name, or cannot be imported.
    """
    module = path.partition(":")[0]
    allowed = None if trust is None else str(trust)
    if allowed is not None and is_file(allowed):
        file = import_file(Path(allowed))
        if Path(allowed).stem == module.rpartition(".")[2]:
            return _named(file, path)
        for found in vars(file).values():  # its imports were executed with it
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
        raise InputError(
            f"{path}: expected a class that {module.__name__} defines, got '{name}', which it does not define. Was it renamed?"
        )
    return found


def is_file(name: str | Path) -> bool:
    """Return whether a name is that of a Python file and not of a package."""
    return str(name).endswith(".py")


def import_file(path: Path) -> ModuleType:
    """Import a Python file as a module with the name of the file, once. Its folder is added to `sys.path`, as for `python FILE`.

    Raises:
        FileNotFoundError: the file does not exist.
        InputError: it is not valid Python, or raises an error.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a Python file, but it does not exist. Check the path.")
    for module in list(sys.modules.values()):  # it may have been imported under another name
        if Path(getattr(module, "__file__", None) or "").resolve() == path:
            return module
    if path.stem in sys.modules:
        raise InputError(f"{path}: expected a file name that differs from those of imported modules, got '{path.stem}'. Rename the file.")
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
