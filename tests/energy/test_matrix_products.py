"""How many weights a value meets, counted by hand."""

import pytest
import torch
from torch import nn

from dendrix.energy import Product, measure, products
from dendrix.layers import DelayLinear, DendriticSegments, PerStep, Recurrent, RecurrentDelay, Sequential, SparseLinear
from dendrix.layers.dendrites.active import ActiveDendrites
from dendrix.models import DendriticNet, DendriticNetConfig
from dendrix.neurons import LIF


def only(model: nn.Module, *batches: torch.Tensor):
    """The one layer of a report."""
    (layer,) = measure(model, batches).layers
    return layer


def test_linear() -> None:
    x = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]])
    layer = only(Sequential(nn.Linear(3, 5)), x)
    assert (layer.kind, layer.dense, layer.reached, layer.rate) == ("spikes", 4 * 15, 5 * 5, 5 / 12)
    assert layer.operations.acs == 25
    assert layer.operations.macs == 0


def test_numbers_need_all_products() -> None:
    layer = only(Sequential(nn.Linear(3, 5)), torch.tensor([[[1.0, 0.5, 0.0]]]))
    assert layer.kind == "numbers"
    assert layer.operations.macs == 15
    assert layer.operations.acs == 0


def test_a_padded_convolution_meets_fewer_weights_at_its_border() -> None:
    x = torch.zeros(2, 1, 3, 3)
    x[0, 0, 0, 0] = x[1, 0, 1, 1] = 0.7  # a corner is under 4 of the 9 places of the kernel, the centre under all
    layer = only(nn.Conv2d(1, 2, 3, padding=1), x)
    assert layer.kind == "spikes"
    assert layer.reached == 2 * 4 + 2 * 9
    assert layer.dense == 2 * 2 * (4 * 4 + 4 * 6 + 9)


@pytest.mark.parametrize(
    ("module", "size", "dense"),
    [
        (nn.Conv1d(2, 6, 3, groups=2), 7, 6 * 3 * 5),
        (nn.Conv1d(2, 6, 3, stride=2), 7, 2 * 6 * 3 * 3),
        (nn.Conv1d(2, 6, 3, dilation=2), 7, 2 * 6 * 3 * 3),
        (nn.ConvTranspose1d(2, 6, 3, stride=2), 7, 2 * 6 * 3 * 7),
    ],
)
def test_convolutions_of_all_kinds(module: nn.Module, size: int, dense: int) -> None:
    assert only(module, torch.randn(1, 2, size)).dense == dense


def test_a_delay_layer_sends_a_spike_once_through_each_synapse() -> None:
    x = torch.zeros(1, 6, 4)
    x[0, 1, 2] = x[0, 5, 0] = 1  # what the last one sends arrives after the end, and costs the same
    for granularity in ("synaptic", "axonal", "dendritic"):
        layer = only(DelayLinear(4, 3, 50, 10, kernel_count=2, granularity=granularity), x)
        assert layer.kind == "spikes"
        assert layer.reached == 2 * 3 * 2
        assert layer.dense == 6 * 4 * 3 * 2


def test_sparse_weights_and_segments() -> None:
    sparse = SparseLinear(4, 3, 0.5)
    with torch.no_grad():
        sparse.inputs.copy_(torch.tensor([[0, 1], [0, 2], [0, 1]]))
    x = torch.tensor([[[1.0, 0.0, 0.0, 1.0]]])
    layer = only(sparse, x)
    assert layer.reached == 3
    assert layer.dense == 6
    segments = DendriticSegments(4, 2, 2, 1)
    with torch.no_grad():
        segments.permanence.copy_(torch.tensor([[0.9, 0.8, 0.0, 0.0], [0.9, 0.0, 0.8, 0.0]]))
    layer = only(segments, x)
    assert layer.reached == 2
    assert layer.dense == 4


def test_feedback_counts_valid_steps_alone() -> None:
    model = Recurrent(LIF(3, v_threshold=0.1), nn.Linear(3, 3, bias=False))
    x, valid = torch.ones(2, 4, 3), torch.tensor([[True] * 4, [True, False, False, False]])
    report = measure(model, [(x, valid, torch.zeros(2))])
    (layer,) = report.layers
    assert report.steps == 5
    assert layer.dense == 5 * 9
    fired = model.eval()(x, None, valid)[0]
    assert layer.reached == 3 * fired.sum().item() > 0


def test_recurrent_delays_send_each_output_back_once() -> None:
    model = RecurrentDelay(LIF(3, v_threshold=0.1), 50, 10)
    layer = only(model, torch.ones(1, 5, 3))
    assert layer.kind == "spikes"
    assert layer.dense == 5 * 9


def test_active_dendrites_read_their_context() -> None:
    module = ActiveDendrites(4, 6, 2)
    (product,) = products(module, {"x": torch.ones(1, 2, 4), "context": torch.ones(1, 2, 6)}, None)
    assert product.weights == 48
    assert product.x.shape == (1, 2, 6)


def test_a_network_with_prototypes_compares_its_input_with_them() -> None:
    net = DendriticNet(DendriticNetConfig(inputs=6, outputs=2, hidden=(8,), segments=2, tasks=3, active=0.5))
    net.begin_task(torch.rand(4, 6))
    net.begin_task(torch.rand(4, 6))
    report = measure(net, [torch.rand(5, 1, 6)])
    assert {layer.name: layer.dense for layer in report.layers} == {
        "": 5 * 2 * 6,
        "hidden.0.linear": 5 * 8 * 3,
        "readout": 5 * 2 * 4,
    }


def test_what_the_meter_does_not_know_is_named_and_can_be_taught() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.ones(3, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.table

    model = Sequential(PerStep(Outer()))
    assert measure(model, [torch.ones(1, 2, 3)]).uncounted == ("stages.0.module",)

    @products.register
    def _outer(module: Outer, given: dict, y: torch.Tensor) -> tuple[Product, ...]:
        return (Product(given["x"], 1, y.shape[-1], module.table.numel(), y.shape[-1], 4),)

    report = measure(model, [torch.ones(1, 2, 3)])
    assert report.uncounted == ()
    assert report.layers[0].dense == 2 * 6
