import sys

import pytest
import torch

from dendrix.data import digits
from dendrix.data.images.digits import latency_code


def test_a_row_by_hand():
    image = torch.tensor([[[16.0, 0.0], [8.0, 1.0]]])  # white and black, then grey and nearly black
    spikes = latency_code(image, row_steps=4)[0]
    expected = torch.zeros(8, 2)
    expected[0, 0] = expected[4 + 2, 0] = expected[4 + 3, 1] = 1  # round(0.5 * 3) = 2, round(15 / 16 * 3) = 3
    assert torch.equal(spikes, expected)


def test_latency_keeps_the_order_of_greys():
    image = torch.arange(1.0, 17.0).reshape(1, 1, 16)
    first = latency_code(image, row_steps=16)[0].argmax(0)
    assert (first[1:] <= first[:-1]).all()
    assert first[-1] == 0
    assert len(first.unique()) == 15


def test_splits_are_disjoint_fixed_and_balanced():
    splits, again = digits(), digits()
    assert [len(part) for part in splits] == [1071, 362, 364]
    for part, same in zip(splits, again, strict=True):
        assert torch.equal(torch.stack(list(part.x)), torch.stack(list(same.x)))
        counts = part.y.bincount(minlength=10)
        assert counts.max() - counts.min() <= 0.1 * counts.max()
    seen = [x.numpy().tobytes() for part in splits for x in part.x]
    assert len(seen) == 1797
    assert not torch.equal(digits(seed=1).test.y, splits.test.y)


def test_shape_and_every_pixel_at_most_once():
    data = digits(row_steps=5).valid
    x = torch.stack(list(data.x))
    assert x.shape[1:] == (40, 8)
    per_pixel = x.reshape(len(x), 8, 5, 8).sum(2)
    assert per_pixel.max() == 1
    assert data.labels == tuple("0123456789")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[train\]"):
        digits()


def test_one_step_per_row_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        digits(row_steps=1)
