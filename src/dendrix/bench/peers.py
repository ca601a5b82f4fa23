"""The other libraries, each optional: SpikingJelly, snnTorch, Norse and DCLS. No other file imports them."""

import copy
import warnings
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..models import VGG
from .harness import UnavailableError

PEERS = {"spikingjelly": "SpikingJelly", "snntorch": "snnTorch", "norse": "Norse", "DCLS": "DCLS"}


def versions() -> dict[str, str]:
    """Versions of the installed libraries."""
    found = {}
    for package, name in PEERS.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _load(module: str) -> Any:
    package = module.split(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Norse calls the deprecated torch.jit.script
            return import_module(module)
    except ImportError as error:
        raise UnavailableError(
            f"{PEERS[package]} is not installed ({error}). Run `make bench`, or pip install -r benchmarks/peers.txt."
        ) from error


def spikingjelly_converted(ann: VGG, batches: list[Tensor], like_ours: bool) -> Callable[[Tensor, int], Tensor]:
    """A ReLU network converted by SpikingJelly: a function of images and steps that returns outputs [B, T, K].

    Args:
        ann: in evaluation mode. Its first module, which normalises images, is not converted, because the converter accepts no division.
        batches: training images for the measurement of thresholds.
        like_ours: a threshold per channel, and membranes that start at half of it; otherwise a threshold per layer, and membranes at 0.
    """
    ann2snn = _load("spikingjelly.activation_based.ann2snn")
    reset = _load("spikingjelly.activation_based.functional").reset_net
    normalise, rest = ann.normalise, cast(Any, copy.deepcopy(ann))
    rest.normalise = nn.Identity()
    normalised = [normalise(images) for images in batches]
    recipe = ann2snn.RateCodingRecipe(normalised, mode="99.9%", channel_wise=like_ours, half_threshold=like_ours)
    network = ann2snn.Converter(recipe).convert(rest).eval()

    def run(images: Tensor, steps: int) -> Tensor:
        reset(network)
        with torch.no_grad():
            return torch.stack([network(normalise(images)) for _ in range(steps)], 1)

    return run


def spikingjelly_lif(tau: float, alpha: float, v_threshold: float = 1.0) -> Any:
    """SpikingJelly's multi-step LIF on [T, B, C] without input scaling: hard reset to 0, detached. Reset its state after each call."""
    neuron = _load("spikingjelly.activation_based.neuron")
    surrogate = _load("spikingjelly.activation_based.surrogate")
    return neuron.LIFNode(
        tau=tau,
        decay_input=False,
        v_threshold=v_threshold,
        v_reset=0.0,
        surrogate_function=surrogate.ATan(alpha=alpha),
        detach_reset=True,
        step_mode="m",
        store_v_seq=v_threshold > 1.0,
    )


def spikingjelly_dropout(p: float) -> Any:
    """SpikingJelly's multi-step dropout, with one mask per sample and neuron in its attribute `mask`."""
    return _load("spikingjelly.activation_based.layer").Dropout(p, step_mode="m")


def snntorch_lif(beta: float, alpha: float) -> Any:
    """snnTorch's Leaky with reset to zero, a step (x_t, mem) -> (spikes, mem)."""
    snntorch = _load("snntorch")
    return snntorch.Leaky(beta=beta, spike_grad=snntorch.surrogate.atan(alpha=alpha), reset_mechanism="zero")


def norse_lif(rate: float) -> Any:
    """Norse's LIFBoxCell, v <- v + rate * (x - v), reset not detached, triangle of width 1; a step (x_t, state) -> (spikes, state)."""
    norse = _load("norse.torch")
    return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=rate, method="triangle", alpha=1.0), dt=1.0)


def dcls_layer(weight: Tensor, delay: Tensor, width: float, taps: int) -> Any:
    """`Dcls1d` 'gauss' with the weights [C_out, C_in, K] and delays (steps) of a DelayLinear; unpadded, input [B, C_in, T]."""
    modules = _load("DCLS.construct.modules")
    layer = modules.Dcls1d(weight.shape[1], weight.shape[0], weight.shape[2], dilated_kernel_size=taps, bias=False, version="gauss")
    layer.weight.data.copy_(weight)
    layer.P.data.copy_((taps // 2 - delay).unsqueeze(0))
    layer.SIG.data.fill_(width)
    layer.SIG.requires_grad_(False)
    return layer
