import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.data import Dataset, ShuffledBatches, collate, loader

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=40)


def dataset(sizes: list[int], channels: int = 3) -> Dataset:
    x = [torch.full((size, channels), float(i + 1)) for i, size in enumerate(sizes)]
    return Dataset(x, torch.arange(len(sizes)) % 2, ("even", "odd"), 10.0)


@given(sizes=lengths, tail=st.integers(0, 5))
def test_collate_pads_at_the_end_and_marks_what_counts(sizes, tail):
    data = dataset(sizes)
    x, valid, y = collate([data[i] for i in range(len(data))], tail)
    assert x.shape == (len(sizes), max(sizes) + tail, 3)
    assert torch.equal(valid.sum(1), torch.tensor(sizes) + tail)
    assert (valid[:, 1:] <= valid[:, :-1]).all()
    for row, sequence in zip(x, data.x, strict=True):
        assert torch.equal(row[: len(sequence)], sequence)
        assert not row[len(sequence) :].any()
    assert torch.equal(y, data.y)


@given(sizes=lengths, batch_size=st.integers(1, 9), seed=st.integers(0, 99), pool=st.integers(1, 4))
def test_shuffled_batches_hold_every_item_once(sizes, batch_size, seed, pool):
    batches = list(ShuffledBatches(sizes, batch_size, seed, pool))
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert len(batches) == len(ShuffledBatches(sizes, batch_size, seed, pool))
    assert sum(len(batch) < batch_size for batch in batches) <= 1


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        batches = ShuffledBatches(list(range(1, 101)), 8, seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4)
    assert order(0, 3) != order(1, 3)


def test_pools_leave_less_padding_than_random_batches():
    sizes = torch.randint(10, 200, (640,)).tolist()

    def padded(pool):
        return sum(len(batch) * max(sizes[i] for i in batch) for batch in ShuffledBatches(sizes, 16, 0, pool))

    assert padded(8) < 0.7 * padded(1)


def test_loader_keeps_the_order_without_a_seed_and_shuffles_with_one():
    data = dataset(list(range(1, 24)))
    plain = [batch.x[:, 0, 0] for batch in loader(data, 5, tail_steps=2)]
    assert torch.equal(torch.cat(plain), torch.arange(1.0, 24.0))
    shuffled = torch.cat([batch.x[:, 0, 0] for batch in loader(data, 5, seed=0)])
    assert torch.equal(shuffled.sort().values, torch.arange(1.0, 24.0))
    assert not torch.equal(shuffled, torch.arange(1.0, 24.0))


def test_subset_takes_numbers_or_a_mask():
    data = dataset([2, 3, 4])
    assert [len(x) for x in data.subset(torch.tensor([2, 0])).x] == [4, 2]
    mask = data.subset(torch.tensor([False, True, True]))
    assert [len(x) for x in mask.x] == [3, 4]
    assert mask.y.tolist() == [1, 0]
    assert mask.labels == data.labels


def test_a_data_set_can_travel_to_a_worker():
    data = pickle.loads(pickle.dumps(dataset([2, 3])))
    assert len(data) == 2
    assert data.channels == 3


def test_bad_data_is_refused():
    with pytest.raises(ValueError, match="at least one sequence"):
        Dataset([], torch.zeros(0), (), 10.0)
    with pytest.raises(ValueError, match="N=2"):
        Dataset([torch.zeros(3, 1)] * 2, torch.zeros(3, dtype=torch.long), ("a",), 10.0)
    with pytest.raises(ValueError, match="C=1"):
        Dataset([torch.zeros(3, 1), torch.zeros(3, 2)], torch.zeros(2, dtype=torch.long), ("a",), 10.0)
    with pytest.raises(ValueError, match="expected classes 0 to 0"):
        Dataset([torch.zeros(3, 1)], torch.tensor([1]), ("a",), 10.0)
    with pytest.raises(ValueError, match="tail_steps"):
        collate([(torch.zeros(3, 1), torch.tensor(0))], -1)
    with pytest.raises(ValueError, match="batch_size"):
        ShuffledBatches([1], 0, 0)
