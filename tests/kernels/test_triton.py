"""The Triton kernels: right in the interpreter, accepted by the compiler, and on a GPU the same as the loop."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dendrix.core import use_kernels
from dendrix.layers.rwkv.wkv import wkv
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF
from dendrix.neurons.base import Neuron
from dendrix.neurons.nir import NIRNeuron

triton = pytest.importorskip("triton", reason="needs Triton, which PyTorch brings on Linux with CUDA: pip install triton")

NEURONS = [IF(37), LIF(37, v_reset=0.0, detach_reset=False), PLIF(37), CubaLIF(37), AdLIF(37), LI(37)]
NEURONS += [NIRNeuron(37, q=0.7, c=0.1, v_reset=0.2, detach_reset=False), NIRNeuron(37, alpha=0.5, g=0.7, p=0.4, v_reset=None, fires=">=")]


class Hopper:
    """A driver without a device."""

    def get_current_target(self) -> Any:
        return triton.backends.compiler.GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return device


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What launches compile for a GPU that is not there; they run nothing."""
    found: list[Any] = []

    def launch(kernel: Any, grid: tuple[int, ...]) -> Callable[..., None]:
        return lambda *args, **options: found.append(kernel.warmup(*args, grid=grid, **options))

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(type(triton.runtime.driver), "active", Hopper())
    monkeypatch.setattr(triton.JITFunction, "__getitem__", launch)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("file", ["triton_interpreter.py", "triton_wkv_interpreter.py"])
def test_kernels_equal_the_rules_in_the_interpreter(file: str) -> None:
    """In a process of its own: the interpreter must be on before Triton is imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", str(Path(__file__).with_name(file))]
    ran = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("surrogate", "dtype", "batch", "steps", "columns"), [("ATan", torch.float32, 1, 1, 1), ("Sigmoid", torch.bfloat16, 3, 70, 200)]
)
@pytest.mark.parametrize(
    ("rule", "states", "parameters"),
    [("li_step", 1, 1), ("lif_step", 1, 1), ("cuba_lif_step", 2, 2), ("adlif_step", 3, 4), ("membrane_step", 1, 5), ("synapse_step", 2, 8)],
)
@pytest.mark.slow
def test_kernels_compile_for_cuda_without_fused_multiply_add(
    rule: str,
    states: int,
    parameters: int,
    surrogate: str,
    dtype: torch.dtype,
    batch: int,
    steps: int,
    columns: int,
    compiled: list[Any],
) -> None:
    """A fused multiply-add would round once where the reference rounds twice, and a spike could differ."""
    from dendrix.kernels.scan import cuda as scan

    x, valid = torch.zeros(batch, steps, columns, dtype=dtype), torch.ones(batch, steps, dtype=torch.bool)
    start, params = torch.zeros(states, batch, columns), torch.zeros(parameters, columns)
    hard = surrogate == "ATan"
    variant = (rule, [hard, hard, not hard], [1.0, 0.0, 1.0, 2.0], surrogate, 64)
    y, end, marks = scan.forward(x, start, params, valid, *variant)
    scan.backward(x, marks, params, valid, y, end, *variant)
    assert len(compiled) == 2
    for kernel in compiled:
        assert kernel.asm["cubin"]
        assert "fma.rn.f32" not in kernel.asm["ptx"]


@pytest.mark.parametrize(("batch", "steps", "columns"), [(1, 1, 1), (3, 70, 200)])
@pytest.mark.slow
def test_wkv_compiles_for_cuda(batch: int, steps: int, columns: int, compiled: list[Any]) -> None:
    from dendrix.kernels.wkv import cuda as kernels

    k, valid = torch.zeros(batch, steps, columns), torch.ones(batch, steps, dtype=torch.bool)
    params, start = torch.zeros(2, columns), torch.zeros(3, batch, columns)
    y, end, marks = kernels.forward(k, k, params, start, valid, 64)
    kernels.backward(k, k, params, marks, valid, y, end[:2], 64)
    assert len(compiled) == 2
    assert all(kernel.asm["cubin"] for kernel in compiled)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("masked", [False, True])
def test_wkv_on_a_gpu_equals_the_loop(masked: bool) -> None:
    given = [torch.randn(5, 70, 37), torch.randn(5, 70, 37), torch.rand(37) + 0.05, torch.randn(37)]
    leaves = [part.cuda().requires_grad_() for part in given]
    valid = torch.rand(5, 70, device="cuda") > 0.3 if masked else None
    results = []
    for mode in ("reference", "required"):
        with use_kernels(mode):
            y, state = wkv(*leaves, None, valid)
        results.append([y, *state, *torch.autograd.grad(y.square().sum() + state.aa.sum(), leaves)])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layer", NEURONS, ids=lambda layer: type(layer).__name__)
def test_gpu_equals_the_loop(layer: Neuron, masked: bool) -> None:
    layer = layer.cuda()
    x = torch.randn(5, 23, layer.size, device="cuda", requires_grad=True)
    valid = torch.rand(5, 23, device="cuda") > 0.3 if masked else None
    leaves = [x, *layer.parameters()]

    def run() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        y, state = layer(x, None, valid)
        outputs = [y, *state]
        generator = torch.Generator("cuda").manual_seed(1)
        grads = [torch.randn(out.shape, device="cuda", generator=generator) for out in outputs]
        return outputs, list(torch.autograd.grad(outputs, leaves, grads))

    with use_kernels("reference"):
        expected, expected_grads = run()
    with use_kernels("required"):
        found, found_grads = run()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(found_grads, expected_grads, rtol=1e-4, atol=1e-5)
