"""Sampling: greedy, narrowed, as often as it should be, and the same with the same seed."""

import pytest
import torch

from dendrix.generate import Sampling, sample

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def shares(sampling: Sampling, count: int = 20_000) -> list[float]:
    drawn = sample(LOGITS.expand(count, -1), sampling, torch.Generator().manual_seed(0))
    return (torch.bincount(drawn, minlength=4) / count).tolist()


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(temperature=0), [1, 0, 0, 0]),
        (Sampling(temperature=1e-30), [1, 0, 0, 0]),
        (Sampling(temperature=0.5), [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]),
        (Sampling(top_k=2), [0.625, 0.375, 0, 0]),
        (Sampling(top_k=9), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(top_p=0.1), [1, 0, 0, 0]),
        (Sampling(top_p=0.7), [0.625, 0.375, 0, 0]),
        (Sampling(top_k=3, top_p=0.9), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        (Sampling(top_k=3, top_p=0.8), [0.625, 0.375, 0, 0]),
    ],
)
def test_draws_as_often_as_it_should(sampling: Sampling, expected: list[float]) -> None:
    for found, share in zip(shares(sampling), expected, strict=True):
        assert found == pytest.approx(share, abs=5 * (share * (1 - share) / 20_000) ** 0.5)


@pytest.mark.parametrize("sampling", [Sampling(top_k=5), Sampling(0.7, top_p=0.6), Sampling(1.3, 7, 0.8)])
def test_narrows_as_transformers_does(sampling: Sampling) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    scores = torch.randn(3, 50)
    warpers = [process.TemperatureLogitsWarper(sampling.temperature)]
    warpers += [process.TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    warpers += [process.TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    kept = scores
    for warper in warpers:
        kept = warper(None, kept)
    for row in range(3):
        drawn = sample(scores[row].expand(5000, -1), sampling)
        assert set(drawn.tolist()) <= set(kept[row].isfinite().nonzero().flatten().tolist())
        assert torch.bincount(drawn, minlength=50).argmax() == kept[row].argmax()


def test_the_same_seed_draws_the_same() -> None:
    scores = torch.randn(4, 30)
    first, second = (sample(scores, Sampling(), torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", -0.1), ("temperature", float("nan")), ("top_k", 0), ("top_p", 0), ("top_p", 1.5)]
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a number in"):
        Sampling(**{name: value})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="Did the training diverge"):
        sample(torch.tensor([[0.0, bad]]), Sampling())
