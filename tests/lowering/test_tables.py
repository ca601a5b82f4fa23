"""Tables of a lowered network: which edges keep inputs and which keep sums, and how large the state is."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dendrix.core import State
from dendrix.deploy import streaming
from dendrix.errors import InputError
from dendrix.layers import DelayLinear, Recurrent, Sequential, freeze
from dendrix.lowering.layers import lower
from dendrix.lowering.tables import sliding, tables
from dendrix.neurons import LI, LIF


def lowered(granularity: str, taps_ms: float = 4.0, size: int = 8) -> list:
    layer = DelayLinear(3, size, taps_ms, 1.0, granularity=granularity)
    return lower(freeze(Sequential(layer, LIF(size), nn.Linear(size, 2), LI(2)).eval()))


@pytest.mark.parametrize(("granularity", "late"), [("synaptic", 0), ("axonal", 1), ("dendritic", 0)])
def test_a_line_holds_inputs_where_their_delay_is_that_of_all_their_synapses(granularity: str, late: int) -> None:
    torch.manual_seed(0)
    found = tables(lowered(granularity))
    assert found.edges[:, 0].tolist() == [late, 1]  # without delays, inputs arrive at once
    width = 3 if late else 8
    # Two numbers per neuron, and lines of 2 * taps - 1 rows.
    assert len(found.rest) == 2 * (8 + 2) + (2 * 5 - 1) * width + 8
    assert len(found.weights) == 3 * 8 + 8 * 2


def test_feedback_arrives_a_step_later() -> None:
    net = Sequential(nn.Linear(3, 4), Recurrent(LIF(4), nn.Linear(4, 4)), nn.Linear(4, 2)).eval()
    found = tables(lower(net))
    assert found.layers[:, 6].tolist() == [1, -1]
    assert found.edges[1, 4] == 2  # taps
    assert (found.places[found.edges[1, 6] : found.edges[1, 6] + 4] >= 4).all()


def test_places_take_two_bytes_where_they_fit() -> None:
    assert tables(lowered("synaptic")).places.dtype == np.uint16
    assert tables(lowered("synaptic", 250.0, 300)).places.dtype == np.uint32


def test_synapses_of_a_neuron_are_filled_up_to_whole_groups() -> None:
    torch.manual_seed(0)
    first = lowered("synaptic")[0]
    weight, start = sliding(first, 32)
    assert weight.shape == start.shape == (8, 8)
    assert not weight[:, 3:].any()
    delay = first.synapses.delay[:, :, 0]
    assert np.array_equal(start[:, :3], np.arange(3) * 36 + 4 - delay)


class _Doubled(Sequential):
    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        return super().forward(2 * x, state, valid)


class _Negated(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return -super().forward(x)


@pytest.mark.parametrize(
    "net", [_Doubled(nn.Linear(3, 4), LIF(4), nn.Linear(4, 2)), Sequential(_Negated(3, 4), LIF(4), nn.Linear(4, 2))], ids=["whole", "part"]
)
def test_a_forward_of_its_own_is_not_passed_over(net: Sequential) -> None:
    with pytest.raises(InputError, match="got a forward of its own"):
        lower(net.eval())
    assert streaming(net) is net
