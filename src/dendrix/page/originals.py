"""Activations of the network that a converted one was made from."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..layers import QCFS
from ..models import Converted


@torch.no_grad()
def activations(network: Converted, image: Tensor) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Activations of the original network, from the weights of the converted one: one step in which neurons are their activations.

    A neuron with threshold theta replaces QCFS with L levels, theta / L * clip(floor(x L / theta + 1/2), 0, L), or a ReLU clipped at theta.

    Args:
        network: the converted network.
        image: one image, [1, C, H, W], 0 to 1.
    Returns:
        by the path of the layer, its activation and the threshold of each neuron, which broadcasts to it, [H, W, C] both.
    """
    original = network.config.untrained()
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}

    def hook(path: str) -> Any:
        activation = original.get_submodule(path)
        levels = activation.levels if isinstance(activation, QCFS) else None

        def replace(module: Any, inputs: tuple[Any, ...], given: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
            x = inputs[0]
            theta = module.v_threshold
            theta = theta.reshape(-1, *[1] * (x.dim() - 3)) if theta.dim() else theta
            y = torch.minimum(x.clamp_min(0), theta)
            if levels is not None:
                y = theta / levels * (x * levels / theta + 0.5).floor().clamp(0, levels)
            found[path] = (_last(y[0, 0]), _last(theta.expand_as(y[0, 0])))
            return y, given[1]

        return replace

    handles = [network.network.body.get_submodule(path).register_forward_hook(hook(path)) for path in network.network.layers]
    try:
        network(network.encode(image, 1))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _last(values: Tensor) -> NDArray[Any]:
    """Channels last, as in integer networks; a vector becomes [1, 1, C]."""
    array = values.double().numpy()
    return np.moveaxis(array, 0, -1) if array.ndim == 3 else array.reshape(1, 1, -1)
