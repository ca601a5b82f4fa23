"""A language model as a classifier: its outputs are the probabilities of the tokens after each prompt."""

import pytest
import torch

from dendrix.exits import Margin, fingerprint, record_outputs, run
from dendrix.models import PromptedClassifier, SpikeGPT, SpikeGPTConfig

PROMPTS = (torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6]))


def language_model() -> SpikeGPT:
    torch.manual_seed(0)
    return SpikeGPT(SpikeGPTConfig(11, width=8, layers=2, start="rwkv")).eval()


@torch.no_grad()
def test_outputs_are_those_of_the_model_after_each_prompt() -> None:
    model = language_model()
    x = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(1))
    found, _ = PromptedClassifier(model, PROMPTS).eval()(x)
    for label, prompt in enumerate(PROMPTS):
        whole = torch.cat([prompt.expand(3, -1), x], 1)
        expected = model(whole)[0].log_softmax(-1)[:, len(prompt) - 1 : -1].gather(-1, x.unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(found[..., label], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_exits_run_on_it_as_on_a_record() -> None:
    model = PromptedClassifier(language_model(), PROMPTS).eval()
    x = torch.randint(11, (20, 12), generator=torch.Generator().manual_seed(2))
    lengths = torch.arange(20) % 6 + 7
    valid = torch.arange(12) < lengths.unsqueeze(1)
    record = record_outputs(model, [(x, valid, torch.zeros(20, dtype=torch.int64))], "sum")
    rule = Margin(float(record.evidence().topk(2).values.diff().abs().median()))
    answers = run(model, x, rule, lengths=lengths, batch_size=4, block=3)
    early = (answers.steps < lengths).sum()
    assert 0 < early < 20
    evidence = record.evidence()[torch.arange(20), answers.steps - 1]
    torch.testing.assert_close(answers.evidence, evidence, atol=1e-4, rtol=0)


def test_the_prompts_belong_to_the_fingerprint() -> None:
    model = language_model()
    assert fingerprint(PromptedClassifier(model, PROMPTS)) != fingerprint(PromptedClassifier(model, (*PROMPTS[:2], torch.tensor([5, 7]))))


@torch.no_grad()
def test_padding_may_be_any_number() -> None:
    model = PromptedClassifier(language_model(), PROMPTS).eval()
    x, valid = torch.randint(11, (3, 7)), torch.arange(7) < torch.tensor([[7], [4], [1]])
    expected, _ = model(x, None, valid)
    for padding in (-1, 11):
        torch.testing.assert_close(model(x.where(valid, padding), None, valid)[0], expected, atol=0, rtol=0)


def test_refuses() -> None:
    model = PromptedClassifier(language_model(), PROMPTS)
    for unknown in (-1, 11):
        with pytest.raises(ValueError, match="expected 0 to 10, got"):
            model(torch.tensor([[3, unknown]]))
    with pytest.raises(TypeError, match=r"expected int64, got torch\.float32"):
        model(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="at least two, one for each class, got 1"):
        PromptedClassifier(language_model(), PROMPTS[:1])
    with pytest.raises(ValueError, match=r"prompt 1: expected \[P\], got \[0\]"):
        PromptedClassifier(language_model(), (PROMPTS[0], torch.zeros(0, dtype=torch.int64)))
