"""Hardware models: energies of operations and memories, as small TOML files with their sources."""

from .files import hardware_names, load_hardware
from .model import ZERO, Hardware, Memory, OperationCosts, Range

__all__ = ["ZERO", "Hardware", "Memory", "OperationCosts", "Range", "hardware_names", "load_hardware"]
