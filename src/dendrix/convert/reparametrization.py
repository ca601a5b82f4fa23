"""Copies of networks in which pruned, normalised and otherwise parametrized weights are plain parameters."""

import copy

from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm


def copy_with_plain_weights(network: nn.Module) -> nn.Module:
    """Copy a network, and bake in all weights that `torch.nn.utils` computes at each call, by parametrizations or by hooks."""
    # Hooks leave the weights that they computed behind as attributes, with a graph that deepcopy refuses.
    computed = [value for module in network.modules() for value in vars(module).values() if isinstance(value, Tensor) and value.grad_fn]
    own = copy.deepcopy(network, {id(value): value.detach().clone() for value in computed})
    for module in own.modules():
        _bake(module)
    return own


def _bake(module: nn.Module) -> None:
    if parametrize.is_parametrized(module):
        # Not by torch's remove_parametrizations: that changes the class, which the copy shares with the original.
        names = [name for name, _ in module.get_submodule("parametrizations").named_children()]
        weights = {name: nn.Parameter(getattr(module, name).detach().clone()) for name in names}
        module.__class__ = parametrize.type_before_parametrizations(module)
        del module.parametrizations
        for name, weight in weights.items():
            module.register_parameter(name, weight)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
        elif isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)


def has_hooks(module: nn.Module) -> bool:
    """Whether a call of the module runs forward hooks or forward pre-hooks."""
    return bool(module._forward_hooks or module._forward_pre_hooks)
