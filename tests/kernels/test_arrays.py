import numpy as np
import pytest
import torch

from dendrix.kernels.numba.arrays import array, borrowed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_share_the_memory_of_a_tensor(dtype: torch.dtype) -> None:
    x = torch.nn.Parameter(torch.randn(3, 4, dtype=dtype))
    for view in (array(x), borrowed(x)):
        assert view.shape == (3, 4)
        assert np.array_equal(view, x.detach().numpy())
        view[1, 2] += 1
        assert view[1, 2] == x[1, 2].item()
    assert array(x.t()).flags.c_contiguous
    assert borrowed(x.t())[2, 1] == x[1, 2].item()


def test_a_borrowed_storage_stays_resizable() -> None:
    x = torch.randn(5)
    view = borrowed(x)
    x.untyped_storage().resize_(0)
    assert view.shape == (5,)
    fixed = torch.randn(5)
    array(fixed)
    with pytest.raises(RuntimeError, match="not resizable"):
        fixed.untyped_storage().resize_(0)


def test_a_borrowed_array_keeps_its_tensor_alive() -> None:
    view = borrowed(torch.ones(1000))
    torch.zeros(1000)
    assert view.sum() == 1000
