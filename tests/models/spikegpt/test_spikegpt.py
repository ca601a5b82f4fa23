"""SpikeGPT: equal to the released code, parallel and token by token alike, and its switches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from dendrix.core import detach, rows
from dendrix.models.spikegpt.l2_wrap import l2_wrap
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig, published_46m, published_216m
from dendrix.models.spikegpt.released import load_released
from support.paths import FIXTURES

HERE = FIXTURES / "spikegpt_tiny_active.npz"


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) if file[name].dtype.kind in "fiu" else str(file[name]) for name in file.files}


def part(fixture: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in fixture.items() if name.startswith(prefix)}


def loss_of(model: SpikeGPT, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    logits, _ = model(x)
    return l2_wrap(cross_entropy(logits.flatten(0, 1), y.flatten()), logits), logits


def expect_parity(fixture: dict[str, Any]) -> None:
    model = load_released(part(fixture, "param/"))
    loss, logits = loss_of(model, fixture["x"], fixture["y"])
    assert_close(logits, fixture["logits"], rtol=0, atol=5e-6)
    assert abs(loss.item() - fixture["loss"].item()) < 5e-6
    loss.backward()
    for name, expected in part(fixture, "grad/").items():
        found = model.get_parameter(name).grad
        found = torch.zeros_like(expected) if found is None else found
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max(), name
    streamed, state = [], None
    for token in fixture["x"][:1].T:
        y, state = model.step(token, state)
        streamed.append(y[0])
    assert_close(torch.stack(streamed), fixture["rnn/fix_both"], rtol=0, atol=5e-6)


def test_equals_the_released_code() -> None:
    expect_parity(arrays(HERE))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["active", "default", "rwkvinit"])
def test_equals_the_released_code_whole(shared: Path, name: str) -> None:
    expect_parity(arrays(shared / "fixtures" / f"spikegpt_tiny_{name}.npz"))


@pytest.mark.shared
def test_thirty_steps_of_training(shared: Path) -> None:
    fixture = arrays(shared / "fixtures" / "spikegpt_trace.npz")
    model = load_released(part(fixture, "param0/"))
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-4, betas=(0.9, 0.99), eps=4e-9)
    for step, tokens in enumerate(fixture["seqs"]):
        optimizer.param_groups[0]["lr"] = fixture["lr"][step].item()
        loss, _ = loss_of(model, tokens[:, :-1], tokens[:, 1:])
        assert abs(loss.item() - fixture["loss"][step].item()) < 5e-6
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    for name, expected in part(fixture, "param_end/").items():
        assert_close(model.state_dict()[name], expected, rtol=0, atol=5e-6)


def test_the_faults_of_the_released_generator_can_be_switched_on() -> None:
    fixture = arrays(HERE)
    weights, x = part(fixture, "param/"), fixture["x"][:1]
    for options, name in (({"binary_embedding": False}, "rnn/shipped"), ({"halve_stream": True}, "rnn/fix_both")):
        config = SpikeGPTConfig(50, 64, 2, dropout=0.0, **options)
        # Two blocks are too few to be halved: that switch changes nothing yet.
        assert_close(load_released(weights, config)(x)[0][0], fixture[name], rtol=0, atol=5e-6)
    deep = [SpikeGPT(SpikeGPTConfig(50, 64, 8, dropout=0.0, halve_stream=halved)).eval() for halved in (False, True)]
    with torch.no_grad():
        for block in deep[0].blocks:
            block.ln1.weight.mul_(8)  # so that neurons fire
            block.ln2.weight.mul_(8)
    deep[1].load_state_dict(deep[0].state_dict())
    assert (deep[0](x)[0] - deep[1](x)[0]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("spikes", "dtype"), [("output", torch.float32), ("output", torch.float64), ("input", torch.float64), ("none", torch.float64)]
)
@pytest.mark.parametrize("layers", [2, 8, 18])
def test_parallel_chunks_and_single_tokens_are_the_same(layers: int, spikes: Any, dtype: torch.dtype) -> None:
    model = lively(SpikeGPTConfig(50, 32, layers, spikes)).to(dtype)
    tokens = torch.randint(0, 50, (2, 24))
    with torch.no_grad():
        whole, end = model(tokens)
        first, state = model(tokens[:, :10])
        second, state = model(tokens[:, 10:], detach(state))
        assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-6)
        state, single = None, []
        for token in tokens.T:
            y, state = model.step(token, state)
            single.append(y)
        assert_close(torch.stack(single, 1), whole, rtol=0, atol=1e-6)
    assert sum(part.numel() for part in leaves(state)) == sum(part.numel() for part in leaves(end))


@pytest.mark.parametrize("spikes", ["output", "input", "none"])
def test_padding_and_other_rows_change_nothing(spikes: Any) -> None:
    model = lively(SpikeGPTConfig(50, 32, 2, spikes)).double()
    tokens = torch.randint(0, 50, (3, 12))
    valid = torch.ones(3, 12, dtype=torch.bool)
    valid[0, :5] = valid[1, 7:] = False
    with torch.no_grad():
        padded, state = model(tokens, None, valid)
        for row in range(3):
            alone, after = model(tokens[row : row + 1, valid[row]])
            assert_close(padded[row, valid[row]], alone[0], rtol=0, atol=1e-6)
            for ours, theirs in zip(leaves(rows(state, torch.tensor([row]))), leaves(after), strict=True):
                assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert not padded[~valid].any()


def test_spike_input_feeds_every_product_of_a_block_with_bits() -> None:
    model = lively(SpikeGPTConfig(50, 32, 3, "input"))
    seen: list[tuple[str, Tensor]] = []
    for name, module in model.blocks.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda _, given, __, name=name: seen.append((name, given[0])))
    model(torch.randint(0, 50, (2, 20)))
    assert len(seen) == 3 * 7
    for name, given in seen:
        assert ((given == 0) | (given == 1)).all(), name
    assert any(0 < given.mean() < 1 for _, given in seen)


def test_the_way_weights_begin() -> None:
    silent = SpikeGPT(SpikeGPTConfig(50, 32, 2, start="rwkv"))
    assert not silent.blocks[1].att.key.weight.any()
    assert silent.emb.weight.abs().max() < 1e-2
    loss, _ = loss_of(silent, torch.randint(0, 50, (2, 8)), torch.randint(0, 50, (2, 8)))
    loss.backward()
    moved = {name for name, p in silent.named_parameters() if p.grad is not None and p.grad.any() and p.dim() == 2}
    assert moved == {"emb.weight", "head.weight", *[f"blocks.{i}.{m}.weight" for i in range(2) for m in ("att.output", "ffn.value")]}


def test_published_sizes() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in SpikeGPT(published_216m()).parameters())
        small = sum(p.numel() for p in SpikeGPT(published_46m(5458)).parameters())
    assert round(count / 1e6, 2) == 215.40
    assert round(small / 1e6, 2) == 46.55


def test_channel_first_and_no_blocks() -> None:
    for config in (SpikeGPTConfig(20, 8, 2, channel_first=True), SpikeGPTConfig(20, 8, 0), SpikeGPTConfig(20, 8, 1)):
        model = SpikeGPT(config).eval()
        again = load_released(model.state_dict())
        tokens = torch.randint(0, 20, (2, 5))
        assert torch.equal(model(tokens)[0], again(tokens)[0])
    assert "blocks.0.ffnPre.key.weight" in SpikeGPT(SpikeGPTConfig(20, 8, 2, channel_first=True)).state_dict()


def test_a_file_of_weights_loads(tmp_path: Path) -> None:
    model = SpikeGPT(SpikeGPTConfig(20, 8, 2)).eval()
    torch.save({f"module.{name}": tensor for name, tensor in model.state_dict().items()}, tmp_path / "model.pth")
    tokens = torch.randint(0, 20, (2, 5))
    assert torch.equal(load_released(tmp_path / "model.pth")(tokens)[0], model(tokens)[0])


def test_bad_weights(tmp_path: Path) -> None:
    weights = dict(SpikeGPT(SpikeGPTConfig(20, 8, 2)).state_dict())
    weights["more"] = weights.pop("head.weight")
    with pytest.raises(ValueError, match=r"head\.weight is missing; more is extra"):
        load_released(weights)
    with pytest.raises(ValueError, match=r"emb\.weight"):
        load_released({"x": torch.zeros(2)})
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="tensors by name"):
        load_released(tmp_path / "other.pth")
    torch.save(Unwanted(), tmp_path / "code.pth")
    with pytest.raises(ValueError, match="cannot be read as one"):
        load_released(tmp_path / "code.pth")


class Unwanted:
    """A pickle that would run code of its own when it is loaded."""


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        (torch.tensor([[50]]), ValueError, "expected 0 to 49, got 50"),
        (torch.tensor([[-1]]), ValueError, "got -1"),
        (torch.tensor([[1.0]]), TypeError, "expected int64"),
        (torch.zeros(1, 0, dtype=torch.long), ValueError, "Axis T is empty"),
    ],
)
def test_bad_tokens(tokens: Tensor, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SpikeGPT(SpikeGPTConfig(50, 8, 1))(tokens)


def test_state_of_another_model_or_batch() -> None:
    model, other = (SpikeGPT(SpikeGPTConfig(50, 8, layers)) for layers in (1, 2))
    tokens = torch.randint(0, 50, (2, 3))
    with pytest.raises(ValueError, match="expected one entry for each of 1 blocks, got 2"):
        model(tokens, other(tokens)[1])
    with pytest.raises(ValueError, match="state: expected"):
        model(tokens[:1], model(tokens)[1])


def lively(config: SpikeGPTConfig) -> SpikeGPT:
    """A network whose neurons fire from the start."""
    model = SpikeGPT(config).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear) and module is not model.head:
                module.weight.mul_(4)
    return model


def leaves(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in leaves(part)]


def test_fixture_is_described() -> None:
    assert json.loads(arrays(HERE)["config"])["L"] == 2


def test_released_weights_of_float64_stay_float64() -> None:
    weights = {name: tensor.double() + 1e-12 for name, tensor in SpikeGPT(SpikeGPTConfig(20, 8, 2)).state_dict().items()}
    model = load_released(weights)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name])
    tokens = torch.randint(0, 20, (1, 5))
    assert model(tokens)[0].dtype == torch.float64
    half = load_released({name: tensor.bfloat16() for name, tensor in weights.items()})
    assert {tensor.dtype for tensor in half.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("broken", [lambda x: x * 1j, lambda x: x * float("nan")])
def test_released_weights_that_are_no_finite_real_numbers_are_refused(broken: Any) -> None:
    weights = SpikeGPT(SpikeGPTConfig(20, 8, 2)).state_dict()
    weights["head.weight"] = broken(weights["head.weight"])
    with pytest.raises(ValueError, match=r"weights: expected finite real numbers, but .* head\.weight"):
        load_released(weights)
