"""QCFS and LSQ against the published modules, and what they promise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.layers import LSQ, QCFS, ClippedReLU
from support.paths import FIXTURES


@pytest.fixture(scope="module")
def pack() -> dict[str, Tensor]:
    with np.load(FIXTURES / "dynconf_conversion.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items() if array.dtype.kind == "f" and array.ndim}


def run(layer: nn.Module, x: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(upstream)
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize("mode", ["reference", "auto"])
@pytest.mark.parametrize(("mask", "release", "dthreshold"), [("input", "new", 21.814604), ("level", "old", 36.633934)])
def test_qcfs_equals_both_releases(pack: dict[str, Tensor], mask: str, release: str, dthreshold: float, mode: str) -> None:
    layer = QCFS(levels=4, threshold=1.5, mask=mask)
    with use_kernels(mode):
        y, dx = run(layer, pack["in_x"], pack["in_upstream"])
    assert_close(y, pack[f"ref_qcfs_{release}_y"], rtol=0, atol=2e-7)
    assert_close(dx, pack[f"port_qcfs_{release}_dx_closed"], rtol=0, atol=0)
    # The parameter stands behind a softplus, whose derivative is a sigmoid.
    found = layer.raw_threshold.grad / torch.sigmoid(layer.raw_threshold.detach())
    assert_close(found.item(), dthreshold, rtol=1e-4, atol=0)


def test_lsq_equals_the_release(pack: dict[str, Tensor]) -> None:
    layer = LSQ(bits=2, step=0.4)
    y, dx = run(layer, pack["in_x"], pack["in_upstream"])
    assert_close(y, pack["ref_lsq_y"], rtol=0, atol=2e-7)
    assert_close(dx, pack["ref_lsq_dx"], rtol=0, atol=0)
    found = layer.raw_step.grad / torch.sigmoid(layer.raw_step.detach())
    assert_close(found.item(), pack["ref_lsq_dscale"].item(), rtol=1e-4, atol=0)


def test_lsq_rounds_ties_to_even_and_qcfs_rounds_them_up() -> None:
    halves = torch.tensor([0.25, 0.75, 1.25])
    lsq, qcfs = LSQ(bits=2, step=0.5), QCFS(levels=3, threshold=1.5)
    assert_close(lsq(halves) / lsq.step, torch.tensor([0.0, 2.0, 2.0]))
    assert_close(qcfs(halves) / qcfs.threshold * 3, torch.tensor([1.0, 2.0, 3.0]))


@settings(deadline=None)
@given(st.integers(1, 32), st.floats(0.01, 100), st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20))
def test_qcfs_gives_levels_in_order(levels: int, threshold: float, values: list[float]) -> None:
    layer = QCFS(levels, threshold)
    x = torch.tensor(values).sort().values
    y = layer(x).detach()
    share = y / layer.threshold.detach() * levels
    assert_close(share, share.round(), rtol=0, atol=1e-4)
    assert (y >= 0).all()
    assert (y <= layer.threshold * (1 + 1e-6)).all()
    assert (y.diff() >= 0).all()


@pytest.mark.parametrize("layer", [QCFS(4, 1.0), LSQ(2, 0.3)], ids=["QCFS", "LSQ"])
def test_thresholds_stay_positive_in_training(layer: nn.Module) -> None:
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    for _ in range(50):
        optimiser.zero_grad()
        layer(torch.full((4, 8), 3.0)).sum().backward()
        optimiser.step()
    assert 0 < layer.threshold.item() < 0.5


def test_a_clipped_relu_has_a_ceiling_for_each_channel() -> None:
    x = torch.tensor([[-1.0, -1.0], [0.5, 0.5], [3.0, 3.0]])
    assert_close(ClippedReLU(torch.tensor([1.0, 2.0]))(x), torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.0, 2.0]]))
    assert_close(ClippedReLU(torch.tensor([1.0, 2.0]))(x[..., None, None])[..., 0, 0], ClippedReLU(torch.tensor([1.0, 2.0]))(x))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"levels: expected a whole number in \[1, inf\), got 0"):
        QCFS(0)
    with pytest.raises(ValueError, match=r"threshold: expected a number in \(0, inf\)"):
        QCFS(4, 0.0)
    with pytest.raises(ValueError, match="mask: expected one of input, level"):
        QCFS(4, mask="both")
    with pytest.raises(ValueError, match=r"bits: expected a whole number in \[1, 24\], got 0"):
        LSQ(0)
    with pytest.raises(ValueError, match=r"step: expected a number in \(0, inf\)"):
        LSQ(2, -1.0)
    for layer in (QCFS(4), LSQ(2), ClippedReLU()):
        with pytest.raises(TypeError, match="expected a floating dtype"):
            layer(torch.ones(2, 3, dtype=torch.int64))
