"""Exceptions of dendrix.

    DendrixError
    ├── InputError (ValueError)           invalid argument, file or data
    │   ├── MisuseError                   invalid command line
    │   ├── NoCertificateError            guarantee that the data do not support
    │   └── UntrustedError                class named in a file without `trust`
    ├── InputTypeError (TypeError)        argument of the wrong type
    ├── DivergedError (RuntimeError)      training with values that are not finite
    ├── KernelError (RuntimeError)        required kernel that refuses, or unsupported operation of a kernel
    └── MissingExtraError (ImportError)   optional package that is not installed

Errors of the operating system (a missing file, a full disk) are `OSError`. Messages name the expected value, the actual value and a
remedy.
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
    """Invalid argument, file or data."""


class InputTypeError(DendrixError, TypeError):
    """Argument of the wrong type."""


class MisuseError(InputError):
    """Invalid command line."""


class NoCertificateError(InputError):
    """Guarantee that the data do not support; `needed` is the smallest number of inputs for which it is possible."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


class UntrustedError(InputError):
    """Class named in a file whose module is not trusted."""


class DivergedError(DendrixError, RuntimeError):
    """Training whose loss, gradients or neuron states are not finite."""


class KernelError(DendrixError, RuntimeError):
    """Required kernel that refuses its arguments, or an operation that kernels do not support."""


class MissingExtraError(DendrixError, ImportError):
    """Optional package that is not installed."""
