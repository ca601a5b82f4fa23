"""Networks described by data are built again and answer the same; classes of the user's are never imported unasked."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dendrix
from dendrix import LI, LIF, ATan, BatchNorm, DelayLinear, PerStep, Sequential, Stateful
from dendrix.errors import InputError, InputTypeError, UntrustedError
from dendrix.models import DelayNet, DelayNetConfig, SpikeGPT, SpikeGPTConfig
from dendrix.models.description import build, describe

MODULE = """
import torch
from torch import nn
from dendrix import DelayLinear, LI, LIF, Sequential, Stateful

class Net(Stateful):
    def __init__(self, hidden=4):
        super().__init__()
        self.hidden = hidden
        self.body = Sequential(DelayLinear(3, hidden, 30.0, 10.0), LIF(hidden), DelayLinear(hidden, 2, 30.0, 10.0), LI(2))

    def arguments(self):
        return {"hidden": self.hidden}

    def forward(self, x, state=None, valid=None):
        return self.body(x, state, valid)

class Plain(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(3, size)

    def forward(self, x):
        return self.linear(x)
"""


def round_trip(network: nn.Module) -> nn.Module:
    built = build(json.loads(json.dumps(describe(network), allow_nan=False)))
    built.load_state_dict(network.state_dict())
    return built.train(network.training)


def test_layers_of_dendrix_and_torch_are_built_again() -> None:
    network = Sequential(
        PerStep(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.AvgPool2d(2), nn.Flatten())),
        DelayLinear(16, 8, 40.0, 10.0, granularity="axonal"),
        BatchNorm(8),
        LIF(8, 20.0, 10.0, v_reset=0.0, spike=ATan(5.0)),
        nn.Linear(8, 3),
        LI(3, 20.0, 10.0),
    ).eval()
    x = torch.rand(2, 6, 1, 4, 4)
    torch.testing.assert_close(round_trip(network)(x)[0], network(x)[0], rtol=0, atol=0)


def test_networks_of_dendrix_are_built_again_inside_others() -> None:
    delays = Sequential(DelayNet(DelayNetConfig(3, 2, (4,), max_delay_ms=20.0)), LIF(2)).eval()
    x = torch.rand(2, 6, 3)
    torch.testing.assert_close(round_trip(delays)(x)[0], delays(x)[0], rtol=0, atol=0)
    language = Sequential(SpikeGPT(SpikeGPTConfig(7, 4, 1)), nn.Linear(7, 2)).eval()
    tokens = torch.randint(7, (2, 6))
    torch.testing.assert_close(round_trip(language)(tokens)[0], language(tokens)[0], rtol=0, atol=0)


def test_double_precision_survives_a_folder(tmp_path: Path) -> None:
    network = Sequential(nn.Linear(3, 4), LIF(4), nn.Linear(4, 2), LI(2)).double().eval()
    dendrix.save(network, tmp_path / "net")
    loaded = dendrix.load(tmp_path / "net")
    x = torch.rand(2, 5, 3, dtype=torch.float64)
    assert torch.equal(loaded(x)[0], network(x)[0])


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    """A file of the user's, which is forgotten afterwards."""
    path = tmp_path / "users_own_nets.py"
    path.write_text(MODULE)
    yield path
    sys.modules.pop("users_own_nets", None)


def net_of(path: Path, name: str, *arguments: int) -> nn.Module:
    from dendrix.core.trust import import_file

    return getattr(import_file(path), name)(*arguments)


def test_a_class_of_the_users_is_passed_or_trusted(module: Path, tmp_path: Path) -> None:
    network = net_of(module, "Net", 5).eval()
    dendrix.save(network, tmp_path / "net", labels=("a", "b"))
    x = torch.rand(2, 6, 3)
    expected = dendrix.layers.freeze(network)(x)[0]
    sys.modules.pop("users_own_nets")
    with pytest.raises(UntrustedError, match=r"users_own_nets:Net: expected a class that is trusted, got trust=None"):
        dendrix.load(tmp_path / "net")
    with pytest.raises(UntrustedError, match="got trust='numpy'"):
        dendrix.load(tmp_path / "net", trust="numpy")
    assert "users_own_nets" not in sys.modules  # nothing was imported unasked
    assert torch.equal(dendrix.load(tmp_path / "net", trust=module)(x)[0], expected)
    fresh = net_of(module, "Net", 5)
    assert torch.equal(dendrix.load(tmp_path / "net", network=fresh)(x)[0], expected)
    with pytest.raises(InputError, match=r"expected the weights of config\.json, but"):
        dendrix.load(tmp_path / "net", network=net_of(module, "Net", 6))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("users_own_nets:os.system", "expected a class that users_own_nets defines, got 'os.system'"),
        ("users_own_nets:Popen", "expected a class that users_own_nets defines, got 'Popen'"),
        ("subprocess:Popen", "expected a torch.nn.Module, or a function that returns one, to build"),
        ("users_own_nets:remove", "remove: expected no arguments for a function, got command"),
    ],
)
def test_a_description_calls_nothing_else_with_arguments_of_its_own(name: str, message: str, module: Path, tmp_path: Path) -> None:
    remove = "def remove(command):\n    os.system(command)\n"
    module.write_text(f"import os\nfrom subprocess import Popen\n{MODULE}\n{remove}")
    dendrix.save(net_of(module, "Net", 5), tmp_path / "net")
    config = tmp_path / "net" / "config.json"
    described = json.loads(config.read_text())
    described["network"] = {"class": name, "arguments": {"command": f"touch {tmp_path / 'called'}"}}
    config.write_text(json.dumps(described))
    with pytest.raises(InputError, match=message):
        dendrix.load(tmp_path / "net", trust=module)
    assert not (tmp_path / "called").exists()


def test_a_class_without_arguments_has_to_be_passed(module: Path, tmp_path: Path) -> None:
    network = net_of(module, "Plain", 2)
    dendrix.save(network, tmp_path / "net")
    with pytest.raises(InputError, match=r"Plain: expected constructor arguments, but none were saved, .* load\(folder, network=\.\.\.\)"):
        dendrix.load(tmp_path / "net", trust=module)
    x = torch.rand(1, 3)
    assert torch.equal(dendrix.load(tmp_path / "net", network=net_of(module, "Plain", 2))(x), network(x))


def test_a_class_inside_layers_of_dendrix_is_named(module: Path, tmp_path: Path) -> None:
    dendrix.save(Sequential(net_of(module, "Net", 5), nn.Identity()), tmp_path / "net")
    assert "users_own_nets:Net" in (tmp_path / "net" / "config.json").read_text()
    with pytest.raises(UntrustedError, match="users_own_nets:Net"):
        dendrix.load(tmp_path / "net")
    assert isinstance(dendrix.load(tmp_path / "net", trust=module), Sequential)


class Odd(Stateful):
    def arguments(self) -> dict[str, object]:
        return {"loss": torch.nn.functional.mse_loss}

    def forward(self, x: Tensor, state: object = None, valid: Tensor | None = None) -> tuple[Tensor, object]:
        return x, ()


def test_what_is_no_data_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="expected numbers, words, layers or dataclasses to save"):
        dendrix.save(Odd(), tmp_path / "net")
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"dendrix": "LIFF", "arguments": {}}, "LIFF: expected a layer of this version of dendrix"),
        ({"dendrix": "load_dcls", "arguments": {}}, "load_dcls: expected a layer"),
        ({"torch": "Sigmoids", "arguments": {}}, "Sigmoids: expected a supported layer of torch"),
        ({"torch": "Linear", "arguments": {"size": 3}}, "Linear: expected arguments that its constructor takes"),
        ({"surrogate": "Stateful", "arguments": {}}, "Stateful: expected a surrogate"),
        ({"kind": "LIF"}, "network: expected a description of a layer, got fields kind"),
        ({"config": "os:system", "arguments": {}}, "os:system: expected a class that is trusted"),
        ({"class": "dendrix.core.files:write_atomic", "arguments": {}}, "write_atomic: expected a torch.nn.Module to build"),
        ({"config": "dendrix.core.trust:import_file", "arguments": {"path": "x.py"}}, "import_file: expected a dataclass to build"),
        ({"class": 3}, "class: expected the name of a class, got 3"),
        ({"torch": "Linear", "arguments": [1]}, r"Linear: expected arguments by name, got \[1\]"),
        ({"dendrix": "Sequential", "arguments": {"*": 1}}, "Sequential: expected arguments by name"),
    ],
)
def test_edited_descriptions_are_refused(described: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, UntrustedError), match=message):
        build(described)
