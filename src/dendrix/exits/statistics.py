"""Lazy access to scipy, which fits with a guarantee, thresholds per step, and reports need."""

from types import ModuleType

from ..errors import MissingExtraError


def require_scipy() -> ModuleType:
    """Import scipy with its statistics and its optimisers.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import scipy.optimize
        import scipy.stats
    except ImportError as missing:
        raise MissingExtraError(
            "Fits and reports of exit rules need scipy, which is not installed: pip install dendrix[exits]."
        ) from missing
    found: ModuleType = scipy
    return found
