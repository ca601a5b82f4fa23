"""Parameters that training drove far off: outputs and gradients stay finite, in the kernels and in the loops."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dendrix.core import use_kernels
from dendrix.layers import LSQ, QCFS
from dendrix.neurons import LI, LIF, PLIF, AdLIF, CubaLIF

MODULES: dict[str, Callable[[], nn.Module]] = {
    "LIF": lambda: LIF(64),
    "LIF scaled": lambda: LIF(64, scale_input=True),
    "LI": lambda: LI(64),
    "PLIF": lambda: PLIF(64),
    "CubaLIF": lambda: CubaLIF(64),
    "AdLIF": lambda: AdLIF(64),
    "QCFS input": lambda: QCFS(4),
    "QCFS level": lambda: QCFS(4, mask="level"),
    "LSQ": lambda: LSQ(2),
}


@pytest.mark.parametrize("mode", ["auto", "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e30, -200.0, -90.0, 90.0, 200.0])
@pytest.mark.parametrize("name", MODULES)
def test_gradients_stay_finite(name: str, value: float, dtype: torch.dtype, mode: str) -> None:
    module = MODULES[name]().to(dtype)
    moved = [p for key, p in module.named_parameters() if key.rpartition(".")[2] in ("log_tau", "w", "raw_threshold", "raw_step")]
    assert moved
    for parameter in moved:
        parameter.data.fill_(value)
    x = torch.randn(2, 80, 64, dtype=dtype, requires_grad=True)
    with use_kernels(mode):
        found = module(x)
        y = found if isinstance(found, torch.Tensor) else found[0]
        y.sum().backward()
    assert y.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in (x, *module.parameters()))
