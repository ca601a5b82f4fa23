"""A decoder gives what its model gives, for one text or many, at once, in pieces or token by token."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import cat, rows
from dendrix.generate import Decoder
from dendrix.models.spikegpt import SpikeGPT, SpikeGPTSpec

KINDS = [
    dict(spikes="output"),
    dict(spikes="input"),
    dict(spikes="none"),
    dict(channel_first=True),
    dict(channel_first=True, spikes="input"),
]


def lively(vocab_size: int = 50, width: int = 32, layers: int = 3, **options: object) -> SpikeGPT:
    """A model whose neurons fire."""
    model = SpikeGPT(SpikeGPTSpec(vocab_size, width, layers, **options)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "emb" not in name:
                weight.mul_(4)
    return model


@pytest.fixture(params=KINDS, ids=str)
def model(request: pytest.FixtureRequest) -> SpikeGPT:
    return lively(**request.param)


def tokens(batch: int, length: int) -> Tensor:
    return torch.randint(0, 50, (batch, length))


@torch.no_grad()
def test_gives_the_logits_of_the_model(model: SpikeGPT) -> None:
    text = tokens(3, 40)
    assert_close(Decoder(model)(text)[0], model(text)[0], atol=1e-5, rtol=0)


def test_steps_continue_a_prompt(model: SpikeGPT) -> None:
    decoder, text = Decoder(model), tokens(2, 9)
    whole, _ = decoder(text)
    logits, state = decoder.prefill(text[:, :4])
    for t in range(4, 9):
        assert_close(logits, whole[:, t - 1], atol=1e-5, rtol=0)
        logits, state = decoder.step(text[:, t], state)
    assert_close(logits, whole[:, -1], atol=1e-5, rtol=0)


def test_padding_on_either_side_is_not_read(model: SpikeGPT) -> None:
    decoder, text = Decoder(model), tokens(2, 9)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[0, :4] = valid[1, 6:] = False
    logits, state = decoder.prefill(text, valid=valid)
    alone = [decoder.prefill(text[:1, 4:]), decoder.prefill(text[1:, :6])]
    assert_close(logits, torch.cat([found for found, _ in alone]), atol=1e-5, rtol=0)
    assert_close(state, cat([after for _, after in alone]), atol=1e-5, rtol=0)
    assert_close(rows(state, torch.tensor([1])), alone[1][1], atol=1e-5, rtol=0)
