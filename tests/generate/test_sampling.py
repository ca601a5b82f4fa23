"""Sampling: greedy, narrowed, as often as it should be, and the same with the same seed."""

import pytest
import torch

from dendrix.generate import Sampler, Sampling, draw, sample

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
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_k", 0),
        ("top_p", 0),
        ("top_p", 1.5),
        ("min_p", 1.1),
        ("repetition_penalty", 0),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a number in"):
        Sampling(**{name: value})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="Did the training diverge"):
        sample(torch.tensor([[0.0, bad]]), Sampling())


def drawn_by(samplings: list[Sampling], logits: torch.Tensor, steps: int = 12) -> list[list[int]]:
    """Tokens of texts that are sampled together, each with a seed of its own."""
    samplers = [Sampler(each, logits.shape[2], [1, 2], [0], torch.Generator().manual_seed(i)) for i, each in enumerate(samplings)]
    return torch.stack([draw(logits[:, t], samplers) for t in range(steps)], 1).tolist()


def test_a_text_is_the_same_alone_and_in_company() -> None:
    samplings = [
        Sampling(),
        Sampling(0),
        Sampling(0.7, top_k=5),
        Sampling(1.5, top_p=0.8),
        Sampling(min_p=0.2),
        Sampling(repetition_penalty=1.5, logit_bias=((3, 4.0), (4, -4.0))),
        Sampling(0.9, 9, 0.9, 0.01, 1.2, 0.5, 0.5, ((1, 2.0),), 5),
    ]
    logits = 3 * torch.randn(len(samplings), 12, 40, generator=torch.Generator().manual_seed(0))
    together = drawn_by(samplings, logits)
    for i, sampling in enumerate(samplings):
        sampler = Sampler(sampling, 40, [1, 2], [0], torch.Generator().manual_seed(i))
        assert together[i] == [int(draw(logits[i : i + 1, t], [sampler])) for t in range(12)]


@pytest.mark.parametrize("penalty", [0.5, 1.7])
def test_repetition_penalty_is_that_of_transformers(penalty: float) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    logits, prompt = torch.randn(1, 30), [3, 3, 8, 29]
    expected = process.RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([prompt]), logits).argmax(1)
    assert draw(logits, [Sampler(Sampling(0, repetition_penalty=penalty), 30, prompt)]) == expected


def test_min_p_is_that_of_transformers() -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    logits = torch.randn(1, 30)
    kept = process.MinPLogitsWarper(0.3)(None, logits)[0].isfinite().nonzero().flatten().tolist()
    assert set(sample(logits.expand(3000, -1), Sampling(min_p=0.3)).tolist()) == set(kept)


def test_frequency_and_presence_count_the_new_text_only() -> None:
    sampler = Sampler(Sampling(0, frequency_penalty=1.0), 3, prompt=[0, 0, 0])
    logits = torch.tensor([[2.5, 1.2, 0.0]])
    assert [int(draw(logits, [sampler])) for _ in range(5)] == [0, 0, 1, 0, 1]  # 2.5, 1.5, 1.2 over 0.5, 0.5 over 0.2, 0.2 over -0.5
    sampler = Sampler(Sampling(0, presence_penalty=2.0), 3)
    assert [int(draw(logits, [sampler])) for _ in range(3)] == [0, 1, 0]


def test_a_bias_adds_to_the_logit_and_a_text_does_not_end_too_early() -> None:
    logits = torch.tensor([[5.0, 3.0, 1.0]])
    assert int(sample(logits, Sampling(0, logit_bias=((2, 4.5),)))) == 2
    sampler = Sampler(Sampling(0, min_tokens=2), 3, ends=[0])
    assert [int(draw(logits, [sampler])) for _ in range(3)] == [1, 1, 0]
    every = Sampler(Sampling(0, min_tokens=2), 3, ends=[0, 1, 2])
    assert int(draw(logits, [every])) in (0, 1, 2)


def test_what_a_sampler_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="logit_bias: expected token ids from 0 to 29, got 30"):
        Sampler(Sampling(logit_bias=((30, 1.0),)), 30)
    with pytest.raises(ValueError, match="ends: expected token ids"):
        Sampler(Sampling(), 30, ends=[-1])
    with pytest.raises(ValueError, match="expected no penalties"):
        sample(torch.zeros(1, 3), Sampling(presence_penalty=1))
