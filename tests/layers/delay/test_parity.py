"""The delay layer in its published form against numbers of the authors' packages, see tests/fixtures/delays_shd_sig12.md."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from dendrix import accumulate, use_kernels
from dendrix.core import ATan
from dendrix.layers import BatchNorm, DelayLinear, Sequential, delay_kernel, load_dcls, rounded
from dendrix.neurons import LI, LIF
from support.paths import FIXTURES

FILE = FIXTURES / "delays_shd_sig12.npz"


@pytest.fixture(scope="module")
def numbers() -> dict[str, Tensor]:
    with np.load(FILE) as file:
        return {name: torch.from_numpy(file[name]) for name in file}


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def by_lag(kernel: Tensor) -> Tensor:
    """Taps [O, I, L] of a correlation to our kernel [L, I, O]: tap k reads the input L - 1 - k steps ago."""
    return kernel.flip(2).permute(2, 1, 0)


def network(numbers: dict[str, Tensor]) -> Sequential:
    decay = 1 - 1 / numbers["meta_tau"].item()
    model = Sequential(
        DelayLinear(14, 10, 250.0, 10.0, padding="published"),
        BatchNorm(10),
        LIF(10, decay=decay, train_tau=False, v_reset=0.0, spike=ATan(5.0)),
        DelayLinear(10, 6, 250.0, 10.0, padding="published"),
        LI(6, decay=decay, train_tau=False),
    )
    tensors = {f"model.{place}.{name}": numbers[f"l{n}_{name}"] for n, place in ((1, 0), (2, 4)) for name in ("weight", "P", "SIG")}
    start = dict(weight=numbers["bn_weight"], bias=numbers["bn_bias"], running_mean=torch.zeros(10), running_var=torch.ones(10))
    load_dcls(model, {**tensors, **{f"model.1.{name}": value for name, value in start.items()}})
    return model


class Run(NamedTuple):
    """What passes each stage, [B, T, C], and the loss."""

    stages: list[Tensor]
    evidence: Tensor
    loss: Tensor


def run(model: Sequential, x: Tensor, labels: Tensor) -> Run:
    stages = []
    for stage in model.stages:
        x, _ = stage(x)
        stages.append(x)
    evidence = accumulate(x, accumulation="softmax-sum")[:, -1]
    return Run(stages, evidence, torch.nn.functional.cross_entropy(evidence, labels))


@pytest.mark.parametrize("mode", ["reference", "auto"])
def test_training_step_and_gradients(numbers: dict[str, Tensor], mode: str) -> None:
    model = network(numbers)
    x = numbers["x"].transpose(1, 2).clone().requires_grad_()
    with use_kernels(mode):
        first, norm, spikes, second, membrane = (result := run(model, x, numbers["y"])).stages
        result.loss.backward()
    close(first, numbers["l1_conv"].transpose(0, 1))
    close(norm, numbers["l1_bn"].transpose(0, 1))
    assert torch.equal(spikes, numbers["l1_spk"].transpose(0, 1))
    close(second, numbers["l2_conv"].transpose(0, 1))
    close(membrane, numbers["l2_vseq"].transpose(0, 1))
    close(result.evidence, numbers["m"])
    close(result.loss, numbers["loss"])
    close(x.grad, numbers["grad_x"].transpose(1, 2))
    close(model.stages[1].weight.grad, numbers["grad_bn_weight"])
    close(model.stages[1].bias.grad, numbers["grad_bn_bias"])
    close(model.stages[1].running_mean, numbers["bn_running_mean"])
    close(model.stages[1].running_var, numbers["bn_running_var"])
    for n, layer in ((1, model.stages[0]), (2, model.stages[3])):
        close(layer.kernel(), by_lag(numbers[f"l{n}_kernel"]))
        close(layer.weight.grad, numbers[f"grad_l{n}_weight"])
        close(layer.delay.grad, -numbers[f"grad_l{n}_P"][0])  # delay = centre - P


@pytest.mark.parametrize("n", [1, 2])
def test_gradients_of_the_kernel_alone(numbers: dict[str, Tensor], n: int) -> None:
    weight = numbers[f"l{n}_weight"].clone().requires_grad_()
    delay = (12 - numbers[f"l{n}_P"][0]).requires_grad_()
    width = numbers[f"l{n}_SIG"][0].clone().requires_grad_()
    built = delay_kernel(weight, delay, width, 25, "gauss")
    grads = torch.autograd.grad(built, (weight, delay, width), by_lag(numbers[f"dense_dK{n}"]))
    for ours, name, sign in zip(grads, ("weight", "P", "SIG"), (1, -1, 1), strict=True):
        close(ours, sign * numbers[f"grad_l{n}_{name}"].view_as(ours))


def test_linear_interpolation(numbers: dict[str, Tensor]) -> None:
    built = delay_kernel(numbers["l1_weight"], 12 - numbers["l1_P"][0], torch.tensor(12.0), 25, "linear")
    close(built, by_lag(numbers["lin_kernel_v1"]))


@pytest.mark.parametrize("mode", ["reference", "auto"])
def test_rounded_evaluation(numbers: dict[str, Tensor], mode: str) -> None:
    model = network(numbers)
    x = numbers["x"].transpose(1, 2)
    run(model, x, numbers["y"])  # one training step gives the running statistics
    model.eval()
    with torch.no_grad(), rounded(model), use_kernels(mode):
        first, norm, spikes, second, membrane = (result := run(model, x, numbers["y"])).stages
        close(model.stages[0].kernel(), by_lag(numbers["eval_l1_kernel"]))
    assert torch.equal(model.stages[0].integer_delay(), numbers["delay_int"])
    close(first, numbers["eval_l1_conv"].transpose(0, 1))
    close(first, numbers["naive_eval_conv"].transpose(0, 1))
    close(norm, numbers["eval_l1_bn"].transpose(0, 1))
    assert torch.equal(spikes, numbers["eval_l1_spk"].transpose(0, 1))
    close(second, numbers["eval_l2_conv"].transpose(0, 1))
    close(membrane, numbers["eval_l2_vseq"].transpose(0, 1))
    close(result.evidence, numbers["eval_m"])
    close(result.loss, numbers["eval_loss"])
