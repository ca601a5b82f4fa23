"""Operations of the same networks as counted by NeuroBench and by SpikingJelly."""

from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from ..energy import estimate, load_hardware, measure
from ..layers import PerStep, Sequential
from ..neurons import IF, LIF
from .harness import UnavailableError

Record = dict[str, Any]
_STEPS, _BATCH = 12, 8


def measured() -> Record:
    """Count a network with each library that is installed; one that is not has a reason instead."""
    found: Record = {}
    for name, count in (("neurobench", neurobench), ("spikingjelly", spikingjelly)):
        try:
            found[name] = {"version": version(name), "rows": count()}
        except (ImportError, UnavailableError) as error:  # also a dependency of theirs
            found[name] = {"refused": " ".join(str(error).split())}
    return found


def neurobench() -> list[Record]:
    """Effective operations, activation sparsity and footprint of a network of linear layers and LIF neurons.

    Raises:
        ImportError: NeuroBench is not installed.
    """
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    network = Sequential(nn.Linear(20, 30, bias=False), LIF(30, v_threshold=0.3), nn.Linear(30, 10, bias=False))
    x = torch.randn(_BATCH, _STEPS, 20).relu()  # half of the numbers are zero
    model = TorchModel(_Outputs(network))
    model.add_activation_module(_Spikes)
    data = DataLoader(TensorDataset(x, torch.zeros(_BATCH)), batch_size=_BATCH)
    metrics = [[Footprint], [SynapticOperations, ActivationSparsity]]
    theirs = Benchmark(model, data, [], [], metrics).run(quiet=True)
    operations, report = theirs["SynapticOperations"], measure(network, [x])
    bytes_ = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    return [
        _row("additions", operations["Effective_ACs"], report.operations.acs / _BATCH),
        _row("multiplications with a nonzero input", operations["Effective_MACs"], report.layers[0].reached / _BATCH),
        _row("multiplications of a dense machine", operations["Dense"], report.dense.macs / _BATCH),
        _row("sparsity of the spikes", theirs["ActivationSparsity"], 1 - report.rates[0].rate),
        _row("footprint, bytes", theirs["Footprint"], bytes_),
    ]


def spikingjelly() -> list[Record]:
    """Synaptic operations of two convolutions with spikes as inputs, away from the border and at it.

    Raises:
        ImportError: SpikingJelly is not installed.
    """
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter, estimate_lemaire_energy

    torch.manual_seed(0)
    sizes = (2, 3, 4)
    theirs = nn.Sequential(
        layer.Conv2d(*sizes[:2], 3, padding=1, bias=False, step_mode="m"),
        neuron.IFNode(v_threshold=0.5, v_reset=None, step_mode="m"),
        layer.Conv2d(*sizes[1:], 3, stride=2, padding=1, bias=False, step_mode="m"),
    )
    ours = Sequential(
        PerStep(nn.Conv2d(*sizes[:2], 3, padding=1, bias=False)),
        IF(3, v_threshold=0.5),
        PerStep(nn.Conv2d(*sizes[1:], 3, stride=2, padding=1, bias=False)),
    )
    with torch.no_grad():
        for place in (0, 2):
            ours.stages[place].get_parameter("module.weight").copy_(theirs[place].get_parameter("weight"))
    found = []
    everywhere = (torch.rand(_BATCH, _STEPS, 2, 8, 8) < 0.3).float()
    inner = torch.zeros_like(everywhere)
    inner[..., 2:6, 2:6] = everywhere[..., 2:6, 2:6]
    for where, x in (("away from the border", inner), ("everywhere", everywhere)):
        functional.reset_net(theirs)
        counter = SynOpCounter()
        with torch.no_grad(), DispatchCounterMode([counter]):
            theirs(x.transpose(0, 1))
        report = measure(ours, [x])
        found.append(_row(f"synaptic operations, spikes {where}", counter.get_total(), report.operations.acs))
    # One image, as they count the memory of a batch as one; away from the border and with stride one, where the equations are exact.
    first, image = nn.Sequential(*list(theirs)[:2]), inner[:1]
    functional.reset_net(first)
    energy = estimate_lemaire_energy(first, image.transpose(0, 1)).breakdown_pj
    terms = estimate(measure(Sequential(ours.stages[0], ours.stages[1]), [image]), load_hardware("lemaire-2022")).terms
    found.append(_row("energy of weights by Lemaire et al., pJ", energy["params_pj"], terms["weights"].high))
    found.append(_row("energy of potentials, pJ", energy["potential_pj"], terms["sums"].high + terms["states"].high))
    return found


def _row(what: str, theirs: float, ours: float) -> Record:
    return {"what": what, "theirs": float(theirs), "ours": float(ours)}


class _Spikes(nn.Module):
    """Place at which NeuroBench counts the spikes, because it does not support these neurons."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class _Outputs(nn.Module):
    """A network without its state, layer by layer."""

    def __init__(self, network: Sequential):
        super().__init__()
        self.first, self.neurons, self.last = network.stages
        self.seen = _Spikes()

    def forward(self, x: Tensor) -> Tensor:
        spikes, _ = self.neurons(self.first(x))
        outputs: Tensor = self.last(self.seen(spikes))
        return outputs


def table(found: Record) -> str:
    """The counts beside each other as a table in Markdown."""
    lines = ["| library | quantity | counted there | counted here |", "|---|---|---|---|"]
    for name, one in found.items():
        for row in one.get("rows", []):
            lines.append(f"| {name} {one['version']} | {row['what']} | {row['theirs']:,.6g} | {row['ours']:,.6g} |")
    refused = [f"{name} was not compared: {one['refused']}" for name, one in found.items() if "refused" in one]
    return "\n".join([*lines, *(["", *refused] if refused else [])])
