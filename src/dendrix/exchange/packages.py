"""Late import of `nir`, `nirtorch`, `h5py` and the ONNX packages."""

import importlib
from typing import Any

from ..errors import MissingExtraError

_EXTRAS = {"nir": "nir", "nirtorch": "nir", "h5py": "nir", "onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx"}


def require(package: str) -> Any:
    """Import an optional package.

    Raises:
        MissingExtraError: it is not installed or cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except Exception as missing:
        raise MissingExtraError.of("Exchange needs", package, _EXTRAS[package], missing) from missing
