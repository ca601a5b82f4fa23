"""Errors of dendrix. `except DendrixError` catches all errors that dendrix raises on purpose.

    DendrixError
    ├── InputError (ValueError)           an argument, a file or data with an invalid value
    │   ├── MisuseError                   an invalid command line
    │   ├── NoCertificateError            too few data for the requested guarantee
    │   └── UntrustedError                a class named in a file that is not trusted
    ├── InputTypeError (TypeError)        an argument of the wrong type
    ├── DivergedError (RuntimeError)      a training with NaN or infinity
    ├── KernelError (RuntimeError)        a required kernel that refuses its input or does not support an operation
    └── MissingExtraError (ImportError)   an optional package that is not installed

Errors of the operating system (a missing file, a full disk) stay `OSError`. Every message states what was expected, what was passed, and
how to correct it.
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
    """Base class of the exceptions of dendrix."""


class InputError(DendrixError, ValueError):
    """An argument, a file or data with an invalid value."""


class InputTypeError(DendrixError, TypeError):
    """Argument of the wrong type."""


class MisuseError(InputError):
    """An invalid command line."""


class NoCertificateError(InputError):
    """Too few data for the requested guarantee; `needed` is the smallest number of inputs that is enough."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


class UntrustedError(InputError):
    """A class named in a file that is neither part of dendrix or torch nor trusted."""


class DivergedError(DendrixError, RuntimeError):
    """Training whose loss, gradients or neuron states are not finite."""


class KernelError(DendrixError, RuntimeError):
    """A required kernel that refuses its input or does not support an operation."""


class MissingExtraError(DendrixError, ImportError):
    """Optional package that is not installed or cannot be imported."""

    @classmethod
    def of(cls, purpose: str, package: str | None, extra: str, error: Exception) -> "MissingExtraError":
        """Return the error for a failed import. It names the package and, if that is installed, the cause of the failure.

        Args:
            purpose: beginning of the message, such as "Figures need".
            package: name of the package; None uses the module whose import failed.
            extra: the extra of dendrix that installs it.
            error: the exception of the import.
        """
        module = (getattr(error, "name", None) or "").partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and module
        name = package or module or "a package"
        if absent and module in (name, _MODULES.get(name)):
            return cls(f"{purpose} {name}, which is not installed: pip install dendrix[{extra}].")
        cause = " ".join(str(error).split())
        return cls(
            f"{purpose} {name}, which cannot be imported ({type(error).__name__}: {cause}). Repair it: pip install dendrix[{extra}]."
        )


_MODULES = {"Pillow": "PIL", "scikit-learn": "sklearn"}
"""Modules of packages whose name differs from that of the package."""
