"""Augmentation: what moves, what is taken from others, and what the right answer is then."""

import pytest
import torch

from dendrix.data import Batch
from dendrix.train.sequence.augmentation import mix, vary
from dendrix.train.sequence.recipe import SequenceAugment


def batch(rows: int = 40, steps: int = 12, channels: int = 3, classes: int = 2) -> Batch:
    """Rows that hold their own number, 1, 2, ..., over lengths of at least half of the steps."""
    lengths = torch.randint(steps // 2, steps + 1, (rows, 1))
    valid = torch.arange(steps) < lengths
    x = torch.arange(1.0, rows + 1).view(-1, 1, 1) * valid.unsqueeze(2).expand(-1, -1, channels)
    return Batch(x, valid, torch.arange(rows) % classes)


def test_without_augmentation_nothing_changes() -> None:
    one = batch()
    x, target = mix(one, SequenceAugment(), 5)
    assert torch.equal(x, one.x)
    assert torch.equal(target, torch.eye(5)[one.y])
    assert torch.equal(vary(one.x, SequenceAugment()), one.x)


def test_a_shift_in_time_moves_whole_rows() -> None:
    x = torch.arange(1.0, 6).view(1, 5, 1).expand(64, 5, 2).clone()
    moved = vary(x, SequenceAugment(shift_steps=2))
    expected = {tuple(torch.nn.functional.pad(x[0, :, 0], (s, -s)).tolist()) for s in range(-2, 3)}
    assert {tuple(row) for row in moved[:, :, 0].tolist()} == expected
    assert torch.equal(moved[:, :, 0], moved[:, :, 1])


def test_jitter_moves_every_entry_for_itself_and_loses_only_at_the_edge() -> None:
    x = torch.zeros(50, 20, 4)
    x[:, 5:15] = torch.randint(0, 4, (50, 10, 4)).float()
    before = x.clone()
    moved = vary(x, SequenceAugment(jitter_steps=3))
    assert torch.equal(x, before)
    assert torch.equal(moved.sum(1), x.sum(1))
    assert not moved[:, :2].any()
    assert not moved[:, 18:].any()
    single = torch.zeros(400, 9, 1)
    single[:, 4] = 2.0
    places = vary(single, SequenceAugment(jitter_steps=3)).nonzero()[:, 1]
    assert set(places.tolist()) == set(range(1, 8))
    assert (places - 4).float().mean().abs() < 0.4
    assert vary(torch.ones(99, 4, 1), SequenceAugment(jitter_steps=9)).sum() < 200


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_cutmix_shares_the_answer_by_the_steps_that_were_replaced(probability: float) -> None:
    one = batch(rows=400)
    before = one.x.clone()
    x, target = mix(one, SequenceAugment(cutmix=probability), 2)
    assert torch.equal(one.x, before)
    own = torch.arange(1.0, 401).view(-1, 1)
    foreign = (x[:, :, 0] != own) & one.valid
    assert not x[~one.valid].any()
    assert (x[one.valid] > 0).all()  # no padding is taken for sound
    share = foreign.sum(1) / one.valid.sum(1)
    assert abs((foreign.sum(1) > 0).float().mean() - probability) < 0.1
    assert share.max() > 0.9
    assert share[share > 0].min() < 0.2
    for row in range(400):
        took = x[row, :, 0][foreign[row]].unique()
        assert len(took) <= 1
        expected = torch.nn.functional.one_hot(one.y[row], 2) * (1 - share[row])
        if len(took):
            expected = expected + torch.nn.functional.one_hot(one.y[int(took) - 1], 2) * share[row]
            assert foreign[row].nonzero().flatten().diff().eq(1).all()  # one stretch
        torch.testing.assert_close(target[row], expected)


def test_blends_stay_in_their_class_and_take_half() -> None:
    one = batch(rows=60, steps=40, channels=8, classes=3)
    full = Batch(one.x.clamp(min=0) + one.x.amax((1, 2), keepdim=True) * (one.x == 0), torch.ones_like(one.valid), one.y)
    x, target = mix(full, SequenceAugment(blend=1.0), 3)
    assert torch.equal(target, torch.eye(3)[full.y])
    for row in range(60):
        values = x[row].unique()
        assert len(values) == 2
        assert {int(full.y[int(value) - 1]) for value in values} == {int(full.y[row])}
        assert 0.4 < (x[row] == row + 1).float().mean() < 0.6
    assert (mix(full, SequenceAugment(blend=0.5), 3)[0] != full.x).any(1).any(1).float().mean() < 0.8


def test_blended_clips_are_aligned_in_time_and_a_lone_one_stays() -> None:
    x = torch.zeros(3, 30, 5)
    x[0, 4:7], x[1, 20:23], x[2, 9] = 1.0, 1.0, 1.0
    blended = mix(Batch(x, torch.ones(3, 30, dtype=torch.bool), torch.tensor([0, 0, 1])), SequenceAugment(blend=1.0), 2)[0]
    assert torch.equal(blended, x)  # of the same shape, at the same place: no entry differs
    silent = Batch(torch.zeros(2, 5, 3), torch.ones(2, 5, dtype=torch.bool), torch.zeros(2, dtype=torch.long))
    assert not mix(silent, SequenceAugment(blend=1.0), 1)[0].any()


def test_the_seed_of_torch_decides() -> None:
    one, settings = batch(), SequenceAugment(shift_steps=2, jitter_steps=1, blend=0.5, cutmix=0.5)
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(vary(mix(one, settings, 2)[0], settings))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("setting", [{"blend": 1.1}, {"cutmix": -0.1}, {"shift_steps": -1}, {"jitter_steps": -1}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(setting))}: expected a (whole )?number in"):
        SequenceAugment(**setting)  # type: ignore[arg-type]
