"""DCLS-Delays (arXiv 2306.17670) on the Google Speech Commands: the published protocol and a clean one."""

from functools import partial

from .side_by_side import side_by_side

reproduce = partial(side_by_side, "gsc-delays")
