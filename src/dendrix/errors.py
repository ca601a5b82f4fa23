"""Errors of dendrix, so that `except DendrixError` catches every refusal of its own.

    DendrixError
    ├── InputError (ValueError)           an argument, a file or data that is not as expected
    │   ├── MisuseError                   a command line that cannot be understood
    │   ├── NoCertificateError            a guarantee that these data cannot give
    │   └── UntrustedError                a class that a file names and nobody trusted
    ├── InputTypeError (TypeError)        an argument of the wrong type
    ├── DivergedError (RuntimeError)      a training whose numbers are no longer finite
    ├── KernelError (RuntimeError)        a kernel that was required and refuses, or cannot do what was asked of it
    └── MissingExtraError (ImportError)   an optional package that is not installed

Errors of the operating system (a missing file, a full disk) stay `OSError`. Every message says what was expected, what came, and what
to do.
"""

__all__ = [
    "DendrixError",
    "DivergedError",
    "InputError",
    "InputTypeError",
    "KernelError",
    "MissingExtraError",
    "MisuseError",
    "NoCertificateError",
    "UntrustedError",
]


class DendrixError(Exception):
    """Base of all errors that dendrix raises on purpose."""


class InputError(DendrixError, ValueError):
    """An argument, a file or data that is not as expected."""


class InputTypeError(DendrixError, TypeError):
    """An argument of the wrong type."""


class MisuseError(InputError):
    """A command line that cannot be understood."""


class NoCertificateError(InputError):
    """A guarantee that these data cannot give; `needed` is the number of inputs that a certificate takes at least."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


class UntrustedError(InputError):
    """A class that a file names and nobody trusted."""


class DivergedError(DendrixError, RuntimeError):
    """A training whose loss, gradient or neuron states are no longer finite."""


class KernelError(DendrixError, RuntimeError):
    """A kernel that was required and refuses, or cannot do what was asked of it."""


class MissingExtraError(DendrixError, ImportError):
    """An optional package that is not installed, or that is broken."""

    @classmethod
    def of(cls, purpose: str, package: str | None, extra: str, error: Exception) -> "MissingExtraError":
        """The error for a failed import, which names the package and, where that is not simply absent, what it said.

        Args:
            purpose: who needs it, such as "Figures need".
            package: name of the package; None takes that of the module whose import failed.
            extra: the extra of dendrix that installs it.
            error: what the import raised.
        """
        module = (getattr(error, "name", None) or "").partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and module
        name = package or module or "a package"
        if absent and module in (name, _MODULES.get(name)):
            return cls(f"{purpose} {name}, which is not installed: pip install dendrix[{extra}].")
        said = " ".join(str(error).split())
        return cls(f"{purpose} {name}, which cannot be imported ({type(error).__name__}: {said}). Repair it: pip install dendrix[{extra}].")


_MODULES = {"Pillow": "PIL", "scikit-learn": "sklearn"}
"""Modules of packages that are called otherwise."""
