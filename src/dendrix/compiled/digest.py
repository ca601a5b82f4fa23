"""Digests of loops by content: everything that goes into their machine code, and not the file and line."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype)


def digest(*values: Any) -> str:
    """Return a hexadecimal SHA-256 of functions and constants.

    A function counts with its code, its defaults and the values of all globals that it names, and so do the functions among these.

    Raises:
        TypeError: a function uses a global of a kind that has no content, such as an object of a class.
    """
    return hashlib.sha256(repr([_content(value, ()) for value in values]).encode()).hexdigest()


def _content(value: Any, above: tuple[Callable[..., Any], ...]) -> Any:
    if hasattr(value, "_defn"):  # an intrinsic of numba, made by a function that may use any part of its module
        made = value._defn
        return "intrinsic", made.__name__, _source(sys.modules[made.__module__]), [cell.cell_contents for cell in made.__closure__ or ()]
    if hasattr(value, "py_func"):  # compiled by numba
        return "loop", _content(value.py_func, above), _content(dict(value.targetoptions), above)
    if isinstance(value, FunctionType):
        return _function(value, above)
    if isinstance(value, CodeType):
        parts = value.co_code, value.co_names, value.co_varnames, value.co_freevars, value.co_argcount
        return "code", *parts, [_content(constant, above) for constant in value.co_consts]
    if isinstance(value, ModuleType):
        return "module", value.__name__, getattr(value, "__version__", None) or _source(value)
    if isinstance(value, dict | set | frozenset):
        items = value.items() if isinstance(value, dict) else value
        return type(value).__name__, sorted(repr(_content(item, above)) for item in items)
    if isinstance(value, tuple | list):
        return type(value).__name__, [_content(item, above) for item in value]
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, type | BuiltinFunctionType | np.ufunc):
        return "name", getattr(value, "__module__", "numpy"), value.__name__
    if isinstance(value, _CONSTANTS):
        return type(value).__name__, repr(value)
    raise TypeError(
        f"{value!r}: expected numbers, arrays, modules and functions among the globals of a compiled loop. Pass it as an argument."
    )


def _function(function: FunctionType, above: tuple[Callable[..., Any], ...]) -> Any:
    if function in above:
        return "recursion", above.index(function)
    above = (*above, function)
    named = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    # Without keyword-only defaults the digest is that of earlier versions, whose loops need no second compilation.
    parts = [function.__code__, function.__defaults__, closure, named, *filter(None, [function.__kwdefaults__])]
    return "function", function.__module__, function.__qualname__, [_content(part, above) for part in parts]


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _source(module: ModuleType) -> bytes | None:
    """A loop that names a module of ours may use any part of it."""
    return Path(module.__file__).read_bytes() if module.__file__ and module.__file__.endswith(".py") else None
