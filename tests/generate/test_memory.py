"""States as rows: there and back, and of the size that the architecture says."""

import pytest
import torch

from dendrix.core import map_state
from dendrix.generate.memory import pack, rest, unpack
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig


@pytest.mark.parametrize("spikes", ["output", "input", "none"])
@pytest.mark.parametrize("channel_first", [False, True])
@torch.no_grad()
def test_there_and_back(spikes: str, channel_first: bool) -> None:
    model = SpikeGPT(SpikeGPTConfig(50, 8, 2, spikes=spikes, channel_first=channel_first)).eval()
    _, state = model(torch.randint(0, 50, (3, 5)))
    packed = pack(state, 3)
    again = unpack(packed, model.config)
    map_state(lambda a, b: torch.testing.assert_close(a, b, atol=0, rtol=0) or a, again, state)
    assert torch.equal(pack(again, 3), packed)
    tokens = torch.randint(0, 50, (2, 4))
    assert torch.equal(model(tokens, rest(model.config, 2))[0], model(tokens)[0])


def test_a_row_has_seven_numbers_for_every_channel_of_the_published_network() -> None:
    assert pack(rest(SpikeGPTConfig(50)), 1).shape == (1, 7 * 12 * 512)


def test_rows_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="expected rows of 28 numbers"):
        unpack(torch.zeros(1, 27), SpikeGPTConfig(50, 4, 1))
