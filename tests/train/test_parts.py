"""The small parts of training: schedules, augmentation, scores, data descriptions."""

from pathlib import Path

import pytest
import torch

from dendrix.data import Batch, LogMel, PublishedCochlea
from dendrix.models import Decision
from dendrix.train.metrics import score
from dendrix.train.schedule import cosine, one_cycle, set_rates
from dendrix.train.sequence.augmentation import vary
from dendrix.train.sequence.data import CommandsData, DigitsData, FsddData
from dendrix.train.sequence.recipe import SequenceAugment, SequenceOptim
from dendrix.train.sources import source_from_dict


def test_one_cycle_is_that_of_torch() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=101, cycle_momentum=False)
    for step in range(100):
        peak = 0.3 * 101 - 1  # torch counts the rising part in steps, from 0
        progress = 0.3 * step / peak if step <= peak else 0.3 + 0.7 * (step - peak) / (100 - peak)
        assert one_cycle(progress) == pytest.approx(optimizer.param_groups[0]["lr"], abs=4e-5)
        optimizer.step()
        reference.step()


@pytest.mark.parametrize("epochs", [37, 60, 100, 150])
def test_rates_that_move_with_the_epochs_are_those_of_torch(epochs: int) -> None:
    names = ("weights", "delays")
    ours = torch.optim.Adam([{"name": name, "params": [torch.nn.Parameter(torch.zeros(1))]} for name in names])
    weights, delays = (torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate) for rate in (1e-3, 0.1))
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(weights, max_lr=5e-3, total_steps=epochs),
        torch.optim.lr_scheduler.CosineAnnealingLR(delays, T_max=epochs),
    ]
    optim = SequenceOptim(lr=5e-3, delay_lr=0.1, moves="epoch", cycle_beta1=True)
    for epoch in range(epochs):
        set_rates(ours, optim, epoch / epochs, epochs)
        assert ours.param_groups[0]["lr"] == pytest.approx(weights.param_groups[0]["lr"], rel=1e-9)
        assert ours.param_groups[0]["betas"] == pytest.approx(weights.param_groups[0]["betas"], rel=1e-12)
        assert ours.param_groups[1]["lr"] == pytest.approx(delays.param_groups[0]["lr"], abs=1e-12)
        assert ours.param_groups[1]["betas"] == (0.9, 0.999)
        for optimizer, schedule in zip((weights, delays), schedules, strict=True):
            optimizer.step()
            schedule.step()


def test_delays_have_their_own_rate() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.Adam([{"name": "weights", "params": parameters[:1]}, {"name": "delays", "params": parameters[1:]}])
    set_rates(optimizer, SequenceOptim(lr=0.01, delay_lr=0.5), 0.3, 100)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.5 * cosine(0.3))
    assert (cosine(0.0), cosine(1.0)) == (1.0, 0.0)


def test_augmentation_moves_and_silences_each_row_by_itself() -> None:
    x = torch.arange(1.0, 7).expand(64, 5, 6).clone()
    same = x.clone()
    shifted = vary(x, SequenceAugment(shift_channels=2))
    expected = {tuple(torch.nn.functional.pad(x[0, 0], (s, -s)).tolist()) for s in range(-2, 3)}
    assert {tuple(row) for row in shifted[:, 0].tolist()} == expected
    assert (shifted == shifted[:, :1]).all()
    masked = vary(x, SequenceAugment(mask_channels=3))
    assert set((masked == 0).any(1).sum(1).tolist()) == {0, 1, 2, 3}
    quiet = vary(x, SequenceAugment(mask_steps=2))
    assert set((quiet == 0).all(2).sum(1).tolist()) == {0, 1, 2}
    assert torch.equal(vary(x, SequenceAugment()), x)
    assert torch.equal(x, same)


class Fixed(torch.nn.Module):
    """Answers with its input."""

    def forward(self, x: torch.Tensor, state: object = None, valid: object = None) -> tuple[torch.Tensor, object]:
        return x, state


def test_scores_count_sequences_and_hold_a_decision_after_its_end() -> None:
    zero, one = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0])
    x = torch.stack([torch.stack([zero, one, one]), torch.stack([one, zero, zero]), torch.stack([one, one, one])])
    valid = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
    batches = [Batch(x[:2], valid[:2], torch.tensor([1, 1])), Batch(x[2:], valid[2:], torch.tensor([0]))]
    scores = score(Fixed(), batches, Decision("last"))  # type: ignore[arg-type]
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.accuracy_over_time == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert scores.confusion == [[0, 1], [0, 2]]
    assert scores.loss == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize(
    "source",
    [
        DigitsData(row_steps=4),
        FsddData(LogMel(n_mels=7), root=Path("somewhere")),
        FsddData(PublishedCochlea(rms=1.0)),
        CommandsData(LogMel(rate=16_000), words=20),
    ],
)
def test_data_descriptions_survive_json(source: DigitsData | FsddData | CommandsData) -> None:
    assert source_from_dict(source.to_dict()) == source
