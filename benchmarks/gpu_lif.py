"""LIF forward and backward on a GPU: the Triton kernels beside the Python loop and, where it is installed, SpikingJelly's Triton kernels.

    python benchmarks/gpu_lif.py results.json

Each must first reproduce the loop's spikes and gradients, or it gets no number. Needs a CUDA device. No result of this script has
been published: it was written where there was none, and only its parts that need no GPU were tried.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dendrix.bench import peers
from dendrix.bench.harness import OURS, Case, Contender, Results, Step, measure
from dendrix.bench.inputs import cotangent, currents
from dendrix.core import ATan, use_kernels
from dendrix.core.dispatch import Mode
from dendrix.neurons import LIF

LOOP = "torch loop (unbind)"
SHAPES = [(100, 256, 256), (250, 128, 256), (1024, 8, 512)]


def neuron(size: int) -> LIF:
    """The equations shared with SpikingJelly: hard reset to 0, detached, arctangent of alpha 2, tau = 2 steps."""
    return LIF(size, decay=0.5, train_tau=False, v_reset=0.0, spike=ATan(2.0))


def step_of(forward: Callable[[Tensor], Tensor], T: int, B: int, C: int, time_first: bool) -> Step:
    """One forward and backward pass on the GPU, waited for, with results in the layout [B, T, C]."""
    x, g = currents(neuron(C), B, T).cuda(), cotangent(B, T, C).cuda()
    if time_first:
        x, g = x.transpose(0, 1).contiguous(), g.transpose(0, 1).contiguous()
    x.requires_grad_()

    def step() -> Results:
        y = forward(x)
        results = {"spikes": y.detach(), "grad x": torch.autograd.grad(y, x, g)[0]}
        torch.cuda.synchronize()
        return {name: result.transpose(0, 1) for name, result in results.items()} if time_first else results

    return step


def ours(mode: Mode) -> Callable[..., Step]:
    def build(T: int, B: int, C: int) -> Step:
        layer = neuron(C).cuda()

        def forward(x: Tensor) -> Tensor:
            with use_kernels(mode):
                return layer(x)[0]

        return step_of(forward, T, B, C, time_first=False)

    return build


def spikingjelly(T: int, B: int, C: int) -> Step:
    layer = peers.spikingjelly_lif(tau=2.0, alpha=2.0).cuda()

    def forward(x: Tensor) -> Tensor:
        layer.reset()
        return layer(x)

    return step_of(forward, T, B, C, time_first=True)


def main(target: Path) -> None:
    """Measure every shape and write the medians, in seconds and as ratios to ours, with the name of the device."""
    if not torch.cuda.is_available():
        sys.exit("gpu_lif: expected a CUDA device, found none. For the CPU kernels use `dendrix bench`.")
    os.environ["SJ_LIF_CUDA_IMPLEMENTATION"] = "triton"
    contenders = (
        Contender(LOOP, ours("reference")),
        Contender(OURS, ours("required"), LOOP),
        Contender("SpikingJelly (Triton)", spikingjelly, LOOP),
    )
    found = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, **peers.versions(), "cases": {}}
    for T, B, C in SHAPES:
        size = dict(T=T, B=B, C=C)
        outcome = measure(Case(f"lif-{T}", "", size, size, contenders, tolerance=1e-6, repeats=20))
        ratios = {name: t.ratio_to(outcome.timings[OURS]) for name, t in outcome.timings.items() if OURS in outcome.timings}
        seconds = {name: t.median for name, t in outcome.timings.items()}
        found["cases"][f"T{T} B{B} C{C}"] = dict(seconds=seconds, ratio_to_ours=ratios, errors=outcome.errors, refused=outcome.refused)
    target.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "gpu_lif.json"))
