"""What is special to DelayNet: the published size, its causal form, and that padding and NaN are dealt with at the border."""

from dataclasses import replace

import pytest
import torch

from dendrix.layers import RecurrentDelay
from dendrix.models import Decision, DelayNet, DelayNetConfig, published_commands, published_shd

SMALL = DelayNetConfig(inputs=5, outputs=3, hidden=(7, 6), max_delay_ms=60.0, dropout=0.2)


def trainable(config: DelayNetConfig) -> int:
    return sum(p.numel() for p in DelayNet(config).parameters() if p.requires_grad)


def test_published_networks_have_their_published_numbers_of_parameters() -> None:
    assert trainable(published_shd()) == trainable(replace(published_shd(), padding="published")) == 214_016
    assert trainable(replace(published_commands(), kernel_count=1)) == 1_230_848
    assert trainable(published_commands()) == 2 * (1_230_848 - 3072) + 3072


def test_without_delays_only_the_weights_remain() -> None:
    weights = 5 * 7 + 7 * 6 + 6 * 3
    norm_and_tau = 2 * (7 + 6) + (7 + 6 + 3)
    assert trainable(SMALL) == 2 * weights + norm_and_tau
    for delays in ("random", "none"):
        assert trainable(DelayNetConfig(5, 3, (7, 6), delays=delays, max_delay_ms=60.0)) == weights + norm_and_tau


@pytest.mark.parametrize("neuron", ["lif", "adlif"])
@pytest.mark.parametrize("delays", ["learned", "none"])
@pytest.mark.parametrize("recurrent_ms", [None, 50.0])
def test_steps_and_chunks_give_what_the_whole_gives(neuron: str, delays: str, recurrent_ms: float | None) -> None:
    config = DelayNetConfig(5, 3, (7, 6), max_delay_ms=60.0, delays=delays, neuron=neuron, recurrent_delay_ms=recurrent_ms)
    model = DelayNet(config).double().eval()
    x = torch.rand(2, 20, 5, dtype=torch.float64)
    whole, _ = model(x)
    first, state = model(x[:, :8])
    second, _ = model(x[:, 8:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    state, outputs = None, []
    for x_t in x.unbind(1):
        y_t, state = model.step(x_t, state)
        outputs.append(y_t)
    torch.testing.assert_close(torch.stack(outputs, 1), whole)


def test_what_is_padding_never_matters() -> None:
    model = DelayNet(SMALL).double().eval()
    x = torch.rand(2, 20, 5, dtype=torch.float64)
    valid = torch.arange(20) < torch.tensor([[20], [12]])
    poisoned = x.masked_fill(~valid.unsqueeze(-1), torch.nan)
    outputs, _ = model(poisoned, valid=valid)
    alone, _ = model(x[1:, :12])
    torch.testing.assert_close(outputs[1:, :12], alone)
    assert (outputs[1, 12:] == 0).all()


def test_neurons_fire_from_the_start() -> None:
    model = DelayNet(SMALL).train()
    rates: list[float] = []
    for stage in (model.stages[2], model.stages[6]):
        stage.register_forward_hook(lambda _module, _inputs, result: rates.append(result[0].mean().item()))
    model(torch.rand(16, 40, 5))
    assert len(rates) == 2
    assert all(0.02 < rate < 0.6 for rate in rates)


def test_published_padding_lengthens_a_sequence_in_every_layer_and_cannot_be_continued() -> None:
    model = DelayNet(replace(published_shd(), padding="published")).eval()
    x = torch.rand(2, 20, 140)
    outputs, _ = model(x)
    assert outputs.shape == (2, 20 + 3 * 12, 20)
    evidence = Decision("softmax-sum", padded=True).evidence(model, x, torch.arange(20) < torch.tensor([[20], [12]]))
    torch.testing.assert_close(evidence, outputs.softmax(-1).cumsum(1))
    with pytest.raises(ValueError, match="no single step"):
        model.step(x[:, 0])
    with pytest.raises(ValueError, match=r"causal.* for a state or a valid mask"):
        model(x, None, torch.ones(2, 20, dtype=torch.bool))


def test_recurrent_delays_add_weights_and_delays_within_each_hidden_layer() -> None:
    plain = replace(SMALL, delays="none", surrogate="triangle", detach_reset=False, v_reset=None)
    recurrent = replace(plain, recurrent_delay_ms=60.0, recurrent_dropout=0.3)
    assert trainable(recurrent) - trainable(plain) == 7 * 7 + 6 * 6 + 7 + 6
    fixed = replace(recurrent, delays="random")
    assert trainable(fixed) == trainable(recurrent) - 7 - 6
    layers = [m for m in DelayNet(recurrent).modules() if isinstance(m, RecurrentDelay)]
    assert [(layer.taps, layer.dropout) for layer in layers] == [(7, 0.3), (7, 0.3)]
    with pytest.raises(ValueError, match="recurrent_delay_ms: expected a number"):
        replace(SMALL, recurrent_delay_ms=-1.0)
    with pytest.raises(ValueError, match="Did you mean 'triangle'"):
        replace(SMALL, surrogate="triangel")  # type: ignore[arg-type]


def test_nan_and_wrong_shapes_are_refused() -> None:
    model = DelayNet(SMALL)
    with pytest.raises(ValueError, match=r"x: expected finite numbers, got nan at index \[0, 3, 1\]"):
        model(torch.zeros(1, 9, 5).index_put((torch.tensor(0), torch.tensor(3), torch.tensor(1)), torch.tensor(torch.nan)))
    with pytest.raises(ValueError, match="x_t: expected finite numbers"):
        model.step(torch.full((1, 5), torch.inf))
    with pytest.raises(ValueError, match=r"C=5.*batch first"):
        model(torch.zeros(9, 1, 4))
    with pytest.raises(ValueError, match=r"inputs: expected a whole number in \[1, inf\), got 0"):
        DelayNetConfig(0, 3)
    with pytest.raises(ValueError, match="Did you mean 'learned'"):
        DelayNetConfig(5, 3, delays="lerned")  # type: ignore[arg-type]
