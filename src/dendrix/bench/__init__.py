"""`dendrix bench`: dendrix beside its peers, in one run, after their results were found equal."""

from .run import run as run
