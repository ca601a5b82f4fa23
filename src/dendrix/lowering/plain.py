"""Check that modules are called as their classes define it, so that a form without the modules may stand for the calls."""

import torch
from torch import fx, nn

from ..errors import InputError


def why_not_plain(network: nn.Module) -> tuple[str, str] | None:
    """Path of the first module whose call does more than a forward of dendrix or torch, and what it has; None if there is none.

    Parametrizations of `torch.nn.utils` count as plain: who reads the weight gets what they compute.
    """
    hooks = torch.nn.modules.module
    if hooks._global_forward_hooks or hooks._global_forward_pre_hooks:
        return "network", "global hooks"
    for path, part in network.named_modules():
        if "parametrizations" in path.split("."):
            continue
        name = f"{path or 'network'} ({type(part).__name__})"
        given = isinstance(part, fx.GraphModule) or str(type(part).forward.__module__).partition(".")[0] in ("dendrix", "torch")
        if "forward" in vars(part) or not given:
            return name, "a forward of its own"
        if part._forward_hooks or part._forward_pre_hooks:
            return name, "forward hooks"
    return None


def expect_plain(network: nn.Module) -> None:
    """Check that the modules of a network are called as their classes define it.

    Raises:
        InputError: a module has a forward of its own or hooks, which also compute weights with `torch.nn.utils.prune` and `weight_norm`.
    """
    if found := why_not_plain(network):
        path, has = found
        advice = (
            "Write it with parts of dendrix or torch" if "forward of" in has else "Remove them, and make pruned or normed weights plain"
        )
        raise InputError(f"{path}: expected a part that is called as dendrix or torch defines it, got {has}. {advice}.")
