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
    except Exception as missing:
        raise MissingExtraError.of("Fits and reports of exit rules need", "scipy", "exits", missing) from missing
    found: ModuleType = scipy
    return found
