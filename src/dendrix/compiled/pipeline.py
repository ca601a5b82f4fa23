"""Shorter compilation by numba.

- A loop that is called by other compiled loops is translated to machine code only inside these, where numba does so for every function on
  its own as well. It is optimised on its own: the loops that it is inlined into are up to five times slower otherwise.
- An assignment between slices of different shapes raises an error without the two shapes: the text of numba's own error, which is put
  together from strings, takes longer to compile than most loops.
- The garbage collector waits: what the compiler makes lives until it ends, and each collection walks through all objects of the process.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen, compiler
from numba.extending import overload
from numba.np import arrayobj

_Compiler: Any = compiler.Compiler
_Library: Any = codegen.JITCodeLibrary
_arrays: Any = arrayobj


class Whole(_Compiler):  # type: ignore[misc]
    """Compiles a loop that is called from Python."""

    def compile_extra(self, function: Any) -> Any:
        """Compile the function; numba holds its lock of all compilations."""
        with _short_errors(), _no_collection():
            return super().compile_extra(function)


class Part(Whole):
    """Compiles a loop for loops that call it. It has no machine code of its own and cannot be called from Python."""

    def compile_extra(self, function: Any) -> Any:
        """Compile the function as far as its callers need it."""
        self.state.library = _Intermediate(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


class _Intermediate(_Library):  # type: ignore[misc]
    """Code in the intermediate language of LLVM, for the loops that it is linked to."""

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def codegen(self) -> Any:
        return _NoEnvironment


class _NoEnvironment:
    """Takes the place of the generator of machine code where numba sets the environment of a function in it."""

    @staticmethod
    def set_env(name: str, environment: Any) -> None:
        """Set nothing: there is no machine code."""


def _raise_shapes(source: Any, target: Any) -> None:
    """Raise the error of an assignment between slices of different shapes."""


@overload(_raise_shapes)
def _raise_shapes_compiled(source: Any, target: Any) -> Any:  # noqa: ARG001 - the names must be the same
    def short(source: Any, target: Any) -> None:  # noqa: ARG001
        raise ValueError("cannot assign slice from input of different size")

    return short


@contextmanager
def _short_errors() -> Iterator[None]:
    outside = getattr(_arrays, "raise_with_shape_context", None)  # from numba 0.62 on
    _arrays.raise_with_shape_context = _raise_shapes
    try:
        yield
    finally:
        _arrays.raise_with_shape_context = outside


@contextmanager
def _no_collection() -> Iterator[None]:
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
