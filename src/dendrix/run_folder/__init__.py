"""A run on disk: the network, the record of what made it, and the state that resuming needs."""

from .checkpoint import Checkpoint, expect_run, load, load_checkpoint, read_checkpoint, save, write_checkpoint
from .record import RunRecord, read_record

__all__ = [
    "Checkpoint",
    "RunRecord",
    "expect_run",
    "load",
    "load_checkpoint",
    "read_checkpoint",
    "read_record",
    "save",
    "write_checkpoint",
]
