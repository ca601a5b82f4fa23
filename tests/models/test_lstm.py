"""The LSTM as a baseline: its state, its folder and its size."""

from pathlib import Path

import pytest
import torch

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.errors import InputError
from dendrix.models import LSTM, LSTMConfig, SpikeGPT
from dendrix.recipes import spikegpt_small

CONFIG = LSTMConfig(256, width=16, layers=2)


def tokens(count: int) -> torch.Tensor:
    return torch.randint(256, (2, count), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_text_in_pieces_is_read_as_a_whole() -> None:
    model, x = LSTM(CONFIG).eval(), tokens(12)
    whole, _ = model(x)
    first, state = model(x[:, :5])
    torch.testing.assert_close(torch.cat([first, model(x[:, 5:], state)[0]], 1), whole, rtol=0, atol=1e-6)
    state = None
    for t in range(12):
        logits, state = model.step(x[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=1e-6)


def test_biases_of_the_gates_of_cells_start_at_one() -> None:
    model = LSTM(CONFIG)
    assert torch.equal(model.inner.bias_ih_l1[16:32], torch.ones(16))


def test_a_folder_of_transformers_brings_it_back(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import load_language_model, load_network, save_language_model

    model = LSTM(CONFIG).eval()
    save_language_model(tmp_path, model, byte_tokenizer())
    again, tokenizer = load_network(tmp_path)
    assert isinstance(again, LSTM)
    assert (again.config, again.training, tokenizer.get_vocab_size()) == (CONFIG, False, 256)
    assert torch.equal(again(tokens(8))[0], model(tokens(8))[0])
    with pytest.raises(InputError, match=r"expected a model of type 'spikegpt', but config\.json has type 'dendrix-lstm'"):
        load_language_model(tmp_path)


def test_it_is_of_the_size_of_the_networks_that_it_is_compared_with() -> None:
    model, spiking = spikegpt_small.lstm().model, spikegpt_small.recipe().model
    assert isinstance(model, LSTMConfig)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (LSTM(model), SpikeGPT(spiking))]  # type: ignore[arg-type]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="tokens: expected 0 to 255, got 3 to 256"):
        LSTM(CONFIG)(torch.tensor([[3, 256]]))
    with pytest.raises(InputError, match="width: expected"):
        LSTMConfig(256, width=0)
