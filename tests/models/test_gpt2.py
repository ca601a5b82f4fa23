"""GPT-2 as the control: the network of transformers, whose state is the tokens that it reads anew."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models.gpt2 import GPT2, GPT2Config
from dendrix.models.spikegpt.network import SpikeGPT
from dendrix.recipes import spikegpt_small

pytest.importorskip("transformers")
SPEC = GPT2Config(256, width=16, layers=2, heads=2, context=8)


def tokens(count: int) -> torch.Tensor:
    return torch.randint(256, (2, count), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_the_state_is_what_it_has_read_and_the_oldest_tokens_make_room() -> None:
    model, x = GPT2(SPEC).eval(), tokens(12)
    assert torch.equal(model(x[:, :8])[0], model.inner(x[:, :8]).logits)
    state = None
    for t in range(12):
        logits, state = model.step(x[:, t], state)
        torch.testing.assert_close(logits, model(x[:, max(0, t - 7) : t + 1])[0][:, -1], rtol=0, atol=1e-6)
    assert torch.equal(state, x[:, -7:])


def test_a_folder_of_transformers_brings_it_back(tmp_path: Path) -> None:
    from dendrix.models.spikegpt.hf_files import load_language_model, load_network, save_language_model

    model = GPT2(SPEC).eval()
    save_language_model(tmp_path, model, byte_tokenizer())
    again, tokenizer = load_network(tmp_path)
    assert isinstance(again, GPT2)
    assert (again.config, again.training, tokenizer.get_vocab_size()) == (SPEC, False, 256)
    assert torch.equal(again(tokens(8))[0], model(tokens(8))[0])
    with pytest.raises(ValueError, match=r"expected a model of type 'spikegpt', but config\.json has type 'gpt2'"):
        load_language_model(tmp_path)


def test_it_is_of_the_size_of_the_networks_that_it_is_compared_with() -> None:
    control, model = spikegpt_small.gpt2().model, spikegpt_small.recipe().model
    sizes = [sum(p.numel() for p in network.parameters()) for network in (GPT2(control), SpikeGPT(model))]  # type: ignore[arg-type]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.03)


def test_what_does_not_fit() -> None:
    model = GPT2(SPEC)
    with pytest.raises(ValueError, match=r"expected at most 8, the context of this GPT-2, got 9\. Set --context 8"):
        model(tokens(9))
    with pytest.raises(ValueError, match="tokens: expected 0 to 255, got 3 to 256"):
        model(torch.tensor([[3, 256]]))
    with pytest.raises(ValueError, match="heads: expected a divisor of the width 16, got 3"):
        GPT2Config(256, width=16, heads=3)


def test_a_tied_head_and_other_initial_weights_come_back(tmp_path: Path) -> None:
    from dendrix.models.spikegpt.hf_files import load_network, save_language_model

    config = replace(SPEC, tied=True, init_std=0.2)
    model = GPT2(config).eval()
    assert model.inner.lm_head.weight is model.inner.transformer.wte.weight
    assert model.inner.transformer.wte.weight.std().item() == pytest.approx(0.2, rel=0.1)
    save_language_model(tmp_path, model, byte_tokenizer())
    again, _ = load_network(tmp_path)
    assert again.config == config
    assert torch.equal(again(tokens(8))[0], model(tokens(8))[0])
