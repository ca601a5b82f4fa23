"""What conversion does to each part, and what it refuses."""

import copy
import json

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.convert import SpikingMaxPool, convert
from dendrix.layers import QCFS
from dendrix.neurons import IF, SignedIF
from support.networks import images, plain, residual, settled


def test_the_audit_tells_what_became_of_every_part() -> None:
    audit = convert(plain(), images()).audit
    assert [(entry.path, entry.kind, entry.action) for entry in audit.entries] == [
        ("0", "Conv2d", "kept"),
        ("1", "BatchNorm2d", "folded"),
        ("2", "QCFS", "replaced"),
        ("3", "Conv2d", "kept"),
        ("4", "BatchNorm2d", "folded"),
        ("5", "QCFS", "replaced"),
        ("6", "AvgPool2d", "kept"),
        ("7", "Flatten", "kept"),
        ("8", "Dropout", "removed"),
        ("9", "Linear", "kept"),
        ("10", "BatchNorm1d", "folded"),
        ("11", "QCFS", "replaced"),
        ("12", "Linear", "kept"),
    ]
    assert audit.entries[1].note == "into 0"
    assert audit.entries[2].threshold == pytest.approx(1.0)
    assert audit.entries[2].note == "SignedIF"
    assert json.loads(json.dumps(audit.to_dict()))["entries"][2]["action"] == "replaced"
    assert [line.split()[0] for line in str(audit).splitlines()[:2]] == ["path", "0"]
    assert [entry.path for entry in audit.with_action("removed")] == ["8"]


@pytest.mark.parametrize("build", [plain, residual], ids=["plain", "residual"])
def test_folding_changes_the_form_and_not_the_function(build: type[nn.Module]) -> None:
    ann, x = build().double(), images().double()
    folded, kept = (convert(ann, x, fold_batch_norm=fold) for fold in (True, False))
    assert not [module for module in folded.network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert not kept.audit.with_action("folded")
    currents = folded.network.encode(x, 6)
    assert_close(currents, kept.network.encode(x, 6))
    assert_close(folded.network(currents)[0], kept.network(currents)[0])


def test_functions_are_named_by_the_module_that_calls_them() -> None:
    inner = Functional(nn.functional.relu).eval()
    with pytest.raises(ValueError, match=r"1\.relu is a functional relu"):
        convert(nn.Sequential(nn.Identity(), inner).eval(), images())
    audit = convert(nn.Sequential(nn.Identity(), inner).eval(), images(), allow=["1.relu"]).audit
    assert [entry.path for entry in audit.entries] == ["0", "1.conv", "1.act", "1.relu", "1.flatten", "1.fc"]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_every_kind_of_layer_folds(bias: bool, affine: bool) -> None:
    ann = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, groups=1, bias=bias), nn.BatchNorm2d(4, affine=affine), QCFS(4, 1.0), nn.Flatten(),
        nn.Linear(36, 6, bias=bias), nn.BatchNorm1d(6, affine=affine), QCFS(4, 1.0),
    )  # fmt: skip
    for module in (ann[1], ann[5]):
        module.running_mean.normal_()
        module.running_var.uniform_(0.5, 2)
    ann, x = ann.double().eval(), images().double()
    folded, kept = (convert(ann, x, fold_batch_norm=fold).network for fold in (True, False))
    assert_close(folded(folded.encode(x, 5))[0], kept(kept.encode(x, 5))[0])


def test_the_network_itself_is_left_alone() -> None:
    ann = residual()
    before = copy.deepcopy(ann.state_dict())
    network = convert(ann, images()).network
    network.body.fc.weight.data.fill_(0)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert_close(dict(ann.state_dict()), dict(before), rtol=0, atol=0)
    assert all(parameter.requires_grad for parameter in ann.parameters())


@pytest.mark.parametrize(("neuron", "kind", "limit"), [("if", IF, None), ("signed", SignedIF, None), ("qffs", SignedIF, 4)])
def test_each_neuron_has_the_threshold_of_its_activation(neuron: str, kind: type[nn.Module], limit: float | None) -> None:
    ann = plain()
    ann[5].raw_threshold.data.fill_(2.0)
    layer = convert(ann, images(), neuron=neuron).network.body.get_submodule("5")
    assert type(layer) is kind
    assert layer.v_threshold == ann[5].threshold
    assert getattr(layer, "limit", None) == limit


def test_max_pooling_follows_the_decision() -> None:
    ann = plain(pool=nn.MaxPool2d)
    with pytest.raises(ValueError, match="6 is a MaxPool2d, and the maximum of spikes is not that of rates"):
        convert(ann, images())
    average = convert(ann, images(), max_pool="average")
    assert average.audit.with_action("averaged")[0].path == "6"
    assert isinstance(average.network.body.get_submodule("6"), nn.AvgPool2d)
    assert isinstance(convert(ann, images(), max_pool="spiking").network.body.get_submodule("6"), SpikingMaxPool)


def test_pooling_before_the_first_neuron_stays() -> None:
    ann = settled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), QCFS(4, 1.0), nn.Flatten(), nn.Linear(36, 5)))
    conversion = convert(ann, images())
    assert conversion.audit.entries[1].action == "kept"
    assert_close(conversion.network.prefix(images()[:1]).shape, torch.Size([1, 4, 3, 3]))


def test_the_spiking_maximum_is_that_of_the_sums() -> None:
    x = torch.randint(-1, 2, (2, 12, 3, 6, 6)).double()
    for pool in (nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1)):
        y, _ = SpikingMaxPool(pool)(x)
        sums = x.cumsum(1)
        expected = torch.stack([pool(total) for total in sums.unbind(1)], 1) - pool(torch.zeros(2, 3, 6, 6, dtype=x.dtype)).unsqueeze(1)
        assert_close(y.cumsum(1), expected)
        assert set(y.unique().tolist()) <= {-1.0, 0.0, 1.0}


class Functional(nn.Module):
    """A network whose activation is any function."""

    def __init__(self, function: object):
        super().__init__()
        self.conv, self.act, self.fc, self.function = nn.Conv2d(3, 4, 3), QCFS(4, 1.0), nn.Linear(144, 5), function

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.function(self.act(self.conv(x))).flatten(1))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (nn.functional.relu, "relu is a functional relu"),
        (torch.relu, "relu is a functional relu"),
        (torch.relu_, "relu_ is a functional relu"),
        (lambda x: x.relu(), "relu is a functional relu"),
        (lambda x: x.relu_(), "relu_ is a functional relu"),
        (lambda x: nn.functional.relu(x, inplace=True), "relu is a functional relu"),
        (nn.functional.gelu, "gelu is a function for which there is no spiking form"),
        (torch.sigmoid, "sigmoid is a function for which there is no spiking form"),
        (lambda x: x.softmax(1), "softmax is a function"),
        (lambda x: x * x, "mul is a function"),
        (lambda x: nn.functional.max_pool2d(x, 1), "max_pool2d is a functional maximum pooling: make it a module"),
    ],
)
def test_functions_without_a_spiking_form_are_named(function: object, name: str) -> None:
    ann = Functional(function).eval()
    with pytest.raises(ValueError, match=name):
        convert(ann, images())


@pytest.mark.parametrize("function", [lambda x: 2 * x, lambda x: x / 2 + 1, lambda x: torch.cat([x, x], 1)[:, 4:], lambda x: x.add_(1)])
def test_linear_functions_are_kept(function: object) -> None:
    ann = Functional(function).double().eval()
    x = images().double()
    network = convert(ann, x).network
    assert_close(network(network.encode(x, 4))[0].mean(1), ann(x))


def test_dropout_is_removed_and_one_that_never_rests_is_refused() -> None:
    sleeping = Functional(lambda x: nn.functional.dropout(x, training=False)).eval()
    assert convert(sleeping, images()).audit.with_action("removed")[0].path == "dropout"
    with pytest.raises(ValueError, match="they differ: it is random"):
        convert(Functional(nn.functional.dropout).eval(), images())


@pytest.mark.parametrize("module", [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.Sigmoid(), nn.Softmax(1), nn.LayerNorm(6)])
def test_modules_without_a_spiking_form_are_named_unless_allowed(module: nn.Module) -> None:
    ann = settled(nn.Sequential(nn.Conv2d(3, 4, 3), QCFS(4, 1.0), module, nn.Flatten(), nn.Linear(144, 5)))
    with pytest.raises(ValueError, match=f"2 is a {type(module).__name__}"):
        convert(ann, images())
    audit = convert(ann, images(), allow=["2"]).audit
    assert [entry.path for entry in audit.with_action("allowed")] == ["2"]


def test_every_problem_is_told_at_once() -> None:
    ann = settled(nn.Sequential(nn.Conv2d(3, 4, 3), QCFS(4, 1.0), nn.MaxPool2d(2), nn.ReLU(), nn.GELU(), nn.Flatten(), nn.Linear(36, 5)))
    with pytest.raises(ValueError, match=r"2 is a MaxPool2d.* 3 is a ReLU.* 4 is a GELU"):
        convert(ann, images())


def test_a_shared_activation_is_refused_unless_allowed() -> None:
    act = QCFS(4, 1.0)
    ann = settled(nn.Sequential(nn.Conv2d(3, 4, 3), act, nn.Conv2d(4, 4, 3), act, nn.Flatten(), nn.Linear(64, 5)))
    with pytest.raises(ValueError, match=r"^ann: .* spikes\. 1 is one activation used 2 times[^.]*\.$"):
        convert(ann, images())
    network = convert(ann, images(), allow=["1"]).network
    assert network.layers == ("1_0", "1_1")
    network(network.encode(images(), 2))


def test_in_place_sums_are_refused_where_they_reach_further() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act, self.fc = nn.Conv2d(3, 4, 3), QCFS(4, 1.0), nn.Linear(144, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.conv(x))
            y = x
            y += 1
            return self.fc((x + y).flatten(1))

    with pytest.raises(ValueError, match="something overwrites in place what is read later"):
        convert(Overwrites().eval(), images())


@pytest.mark.parametrize("raw", [-200.0, float("nan")])
def test_thresholds_that_are_not_positive_are_refused(raw: float) -> None:
    ann = plain()
    ann[5].raw_threshold.data.fill_(raw)
    with pytest.raises(ValueError, match="5: v_threshold: expected a number in \\(0, inf\\)"):
        convert(ann, images())


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced_is_named() -> None:
    ann = settled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(QCFS(4, 1.0), Branching()), nn.Flatten(), nn.Linear(144, 5)))
    with pytest.raises(ValueError, match=r"torch.fx can trace, but it cannot trace 1.1: "):
        convert(ann, images())
    assert convert(ann, images(), allow=["1.1"]).audit.with_action("allowed")[0].path == "1.1"


def test_two_inputs_are_refused_and_unused_ones_with_a_default_are_not() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = plain()

        def forward(self, x: Tensor, scale: Tensor) -> Tensor:
            return self.network(x * scale)

    class Unused(Two):
        def forward(self, x: Tensor, state: object = None) -> Tensor:  # type: ignore[override]
            return self.network(x)

    with pytest.raises(ValueError, match="expected one input, got x, scale"):
        convert(Two().eval(), images())
    assert convert(Unused().eval(), images()).network.layers == ("network.2", "network.5", "network.11")


def test_a_view_of_the_batch_size_is_refused() -> None:
    class View(Functional):
        def forward(self, x: Tensor) -> Tensor:
            count = x.size(0)
            return self.fc(self.act(self.conv(x)).view(count, -1))

    with pytest.raises(ValueError, match=r"depend on the size of the batch.*flatten\(1\)"):
        convert(View(None).eval(), images())


def test_other_bad_input_is_refused() -> None:
    half = plain()
    half[3].train()
    with pytest.raises(ValueError, match=r"3 is in training mode. Call ann.eval\(\) first"):
        convert(half, images())
    with pytest.raises(ValueError, match="expected activations to replace by neurons, got none"):
        convert(nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), images())
    with pytest.raises(ValueError, match=r"example: expected images that the network takes, got \[2, 1, 8, 8\]"):
        convert(plain(), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match=r"neuron: .*xpected one of if, qffs, signed"):
        convert(plain(), images(), neuron="lif")
    with pytest.raises(ValueError, match="1 is a BatchNorm2d without running statistics"):
        convert(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), QCFS(4, 1.0)).eval(), images())
    with pytest.raises(ValueError, match="allow: expected parts of the network, got 'relu9'"):
        convert(plain(), images(), allow=["relu9"])
