"""What commands print for scripts."""

import json
import math
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as JSON on one line; infinity and NaN, which JSON does not know, become null."""
    print(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
