"""Whole networks, each built from one frozen configuration."""

from .decision import Decision as Decision
from .delay_net import DelayNet as DelayNet
from .delay_net import DelayNetConfig as DelayNetConfig
from .delay_net import published_shd as published_shd
from .dendritic_net import DendriticNet as DendriticNet
from .dendritic_net import DendriticNetConfig as DendriticNetConfig

MODELS = {"delay_net": (DelayNetConfig, DelayNet), "dendritic_net": (DendriticNetConfig, DendriticNet)}
"""Configuration and network by the name that a checkpoint carries."""
