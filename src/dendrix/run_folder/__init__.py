"""A run on disk: the network, the record of what made it, and the state that resuming needs."""

from .checkpoint import Checkpoint as Checkpoint
from .checkpoint import expect_run as expect_run
from .checkpoint import load as load
from .checkpoint import load_checkpoint as load_checkpoint
from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import write_checkpoint as write_checkpoint
