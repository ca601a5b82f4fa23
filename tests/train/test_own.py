"""A network and data of the caller's own: trained, resumed, evaluated, recorded, metered, loaded; and what is refused."""

import copy
import errno
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dendrix
from dendrix import LI, LIF, Sequential, Stateful
from dendrix.core.files import locked
from dendrix.data import ImageDataset, Splits, as_dataset
from dendrix.errors import DivergedError, InputError, InputTypeError
from dendrix.exits import Guarantee
from dendrix.exits import fit as fit_policy
from dendrix.models import Decision
from dendrix.runs import evaluate_run, meter_run, open_run, record_run, write_report
from dendrix.train import Budget, ImageBudget, SequenceOptim, fit
from support.own_nets import CLASSES, Bumps, Cnn, Net, bumps

OWN = Path(__file__).parents[1] / "support" / "own_nets.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `Net` on bursts."""
    folder = tmp_path_factory.mktemp("own") / "run"
    torch.manual_seed(0)
    network = Net()
    fit(network, bumps(80, 0), bumps(30, 1), folder=folder, labels=CLASSES, dt_ms=10.0, epochs=25, batch_size=10, lr=0.02, quiet=True)
    weights = dendrix.run_folder.read_checkpoint(folder, network=Net()).model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())  # it has the best weights
    return folder


@pytest.fixture(scope="module")
def data(run: Path) -> Path:
    x, y, lengths = bumps(40, 2)
    np.savez(run.parent / "test.npz", x=x, y=y, lengths=lengths, dt_ms=10.0)
    return run.parent / "test.npz"


def test_a_run_of_an_own_network_is_like_any_other(run: Path, data: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["data"] == {"name": "memory", "items": 80}
    assert record["progress"]["best_accuracy"] > 0.6
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]
    opened = open_run(run, data=data, trust="support")
    scores = opened.score()
    assert scores.accuracy > 0.6
    assert evaluate_run(run, data=data, trust="support") == scores
    recorded = record_run(opened)
    assert recorded.outputs.shape == (40, 30, 3)
    policy = fit_policy(recorded, goal=Guarantee(eps=0.2, delta=0.2), fallback=True)
    assert policy.model == recorded.model
    assert meter_run(run, data, inputs=8, trust="support").report.rates
    page = write_report(run, run.parent / "report.html", data=data, trust="support").read_text()
    assert "of 40 validation items" in page
    assert "Histogram of the delays" in page
    with pytest.raises(InputError, match=r"this run was trained on arrays in memory\. Give --data FILE\.npz"):
        open_run(run, "valid", trust="support")


def test_the_same_seed_gives_the_same_run_also_after_a_kill(tmp_path: Path) -> None:
    def trained(folder: Path, **options: Any) -> dict[str, Any]:
        torch.manual_seed(0)
        return fit(Net(), bumps(60, 0), folder=folder, epochs=3, batch_size=20, dt_ms=10.0, quiet=True, **options)

    whole = trained(tmp_path / "whole")

    class KilledError(Exception):
        pass

    def killing(*_: object) -> Iterator[object]:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dendrix.train.sequence.learner.SequenceLearner.validate", killing)
        with pytest.raises(KilledError):
            trained(tmp_path / "part")
    assert not (tmp_path / "part").exists()
    with pytest.MonkeyPatch.context() as patch:
        from dendrix.run_folder.state import Run

        save = Run.save

        def last(run: Run, tensors: dict[str, Tensor]) -> None:
            save(run, tensors)
            if run.progress.epoch == 2:
                raise KilledError

        patch.setattr(Run, "save", last)
        with pytest.raises(KilledError):
            trained(tmp_path / "part")
    with pytest.raises(FileExistsError, match="Continue it with --resume"):
        trained(tmp_path / "part")
    resumed = trained(tmp_path / "part", resume=True)
    assert resumed["progress"] == whole["progress"]
    assert (tmp_path / "part" / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


class Once(nn.Module):
    """Answers once, [B, K]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean(1))


@pytest.mark.parametrize("network", [Once(), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))], ids=["once", "per step"])
def test_plain_modules_train(network: nn.Module, tmp_path: Path) -> None:
    record = fit(network, bumps(60, 0), folder=tmp_path / "run", epochs=2, lr=0.02, quiet=True)
    assert 0 <= record["progress"]["best_accuracy"] <= 1


def test_an_answer_at_once_gets_everything_but_exits(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(30 * 4, 3))
    x, y, _ = bumps(60, 0)
    fit(network, (x, y), folder=tmp_path / "run", labels=CLASSES, epochs=1, quiet=True)
    opened = open_run(tmp_path / "run", data=_saved(tmp_path / "whole.npz", *bumps(20, 3)[:2]))
    assert opened.score().accuracy_over_time == [opened.score().accuracy]
    with pytest.raises(InputError, match=r"expected a network with outputs after every step, .* return outputs \[B, T, K\]"):
        record_run(opened)


def _saved(path: Path, x: Tensor, y: Tensor) -> Path:
    np.savez(path, x=x, y=y)
    return path


def test_images_train_and_a_folder_is_read_again(tmp_path: Path) -> None:
    x = torch.randint(80, (60, 3, 8, 8), dtype=torch.uint8)
    y = torch.arange(60) % 2
    x[y == 1, :, :4] += 170
    record = fit(Cnn(), (x, y), folder=tmp_path / "run", labels=("dark", "bright"), epochs=4, batch_size=10, lr=0.05, quiet=True)
    assert record["progress"]["best_accuracy"] > 0.9
    opened = open_run(tmp_path / "run", data=_saved(tmp_path / "more.npz", x[:10], y[:10]), trust=OWN.parent / "own_nets.py")
    assert isinstance(opened.data, ImageDataset)


def test_sources_splits_and_torch_data_sets_are_taken(tmp_path: Path) -> None:
    fit(Net(), Bumps(40), folder=tmp_path / "source", epochs=1, quiet=True)
    assert json.loads((tmp_path / "source" / "run.json").read_text())["recipe"]["data"] == {"name": "own_nets:Bumps", "count": 40}
    splits = Bumps(40).load()
    assert isinstance(splits, Splits)
    fit(Net(), splits, folder=tmp_path / "splits", epochs=1, quiet=True)
    x, y, _ = bumps(40, 0)
    pairs = torch.utils.data.TensorDataset(x, y)
    fit(Net(), pairs, validation=pairs, folder=tmp_path / "torch", epochs=1, quiet=True)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    fit(Net(), tmp_path / "data.npz", folder=tmp_path / "file", epochs=1, quiet=True)
    assert len(open_run(tmp_path / "file", "valid", trust="support").data) == 4  # a tenth, by class


class Hides(Stateful):
    """Keeps a count of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.calls = nn.Linear(4, 3), 0

    def forward(self, x: Tensor, state: object = None, valid: Tensor | None = None) -> tuple[Tensor, object]:
        self.calls += 1
        return self.linear(x) + self.calls, ()


class LooksAhead(Stateful):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor, state: object = None, valid: Tensor | None = None) -> tuple[Tensor, object]:
        return self.linear(x.flip(1)), ()


class Returns(nn.Module):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.linear, self.value = nn.Linear(4, 3), value

    def forward(self, x: Tensor) -> object:
        return self.value


class Computes(nn.Module):
    """A linear layer, and then a function."""

    def __init__(self, then: Callable[[Tensor], object] = lambda y: y) -> None:
        super().__init__()
        self.linear, self.then = nn.Linear(4, 3), then

    def forward(self, x: Tensor) -> object:
        return self.then(self.linear(x))


class Overwrites(Computes):
    def forward(self, x: Tensor) -> object:
        return super().forward(x.mul_(2))


class Mute(Computes):
    def arguments(self) -> int:
        return 3


class Uncopied(Computes):
    def __deepcopy__(self, memo: object) -> None:
        raise RuntimeError("no\ncopy")


class Unpaired(Stateful):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor, state: object = None, valid: Tensor | None = None) -> Tensor:
        return self.linear(x)


class Unstarted(nn.Module):
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Hides(), "network: expected the same outputs for the same inputs, but a second call differs"),
        (LooksAhead(), "network: expected a sequence in two parts to give the outputs of the whole"),
        (Returns({"outputs": 3}), r"network: expected outputs, or a pair \(outputs, state\), got dict"),
        (nn.Linear(4, 2), r"network: expected outputs \[4, 30, 3\] or \[4, 3\] for inputs \[4, 30, 4\] and 3 classes, got \[4, 30, 2\]"),
        (nn.Sequential(nn.Linear(4, 4), nn.Flatten()), r"network: expected outputs .*, got \[4, 120\]"),
        (nn.Flatten(), "network: expected at least one parameter to train, but Flatten has none"),
        (nn.Linear(4, 3).requires_grad_(False), "network: expected at least one parameter to train"),
        (nn.Linear(4, 3, device="meta"), "network: expected parameters with numbers, got some on the device meta"),
        (nn.Linear(4, 3).double(), "network: expected outputs for inputs .* of torch.float32, got RuntimeError.* dtype"),
        (nn.Linear(4, 3, dtype=torch.complex64), "network: expected outputs for inputs .* of torch.float32, got RuntimeError"),
        (Computes(lambda y: y.to(torch.complex64)), "network: expected outputs of a floating dtype, got torch.complex64"),
        (Computes(lambda y: y > 0), "network: expected outputs of a floating dtype, got torch.bool"),
        (Computes(lambda y: ()), r"network: expected outputs, or a pair \(outputs, state\), got tuple"),
        (Computes(lambda y: ((y, 1), 2)), r"network: expected outputs, or a pair \(outputs, state\), got tuple"),
        (Computes(lambda y: [y]), r"network: expected outputs, or a pair \(outputs, state\), got list"),
        (Computes(lambda y: y.detach()), "network: expected outputs that depend on its parameters, got a loss without a gradient"),
        (Computes(lambda y: 1 / 0), "network: expected outputs for inputs .*, got ZeroDivisionError: division by zero"),
        (Computes(lambda y: y @ y), "network: expected outputs for inputs .*, got RuntimeError"),
        (Computes(lambda y: y.transpose(0, 1)), r"network: expected outputs .*, got \[30, 4, 3\]"),
        (Computes(lambda y: y + torch.rand(1)), "or draws random numbers in evaluation mode"),
        (Overwrites(), "network: expected inputs that stay as they are, but it writes into them"),
        (Unpaired(), r"network: expected a pair \(outputs, state\), as a Stateful returns it, got Tensor"),
        (Unstarted(), r"network: expected a torch.nn.Module whose constructor has called super\(\).__init__\(\), got Unstarted"),
        (Mute(), "Mute: expected arguments\\(\\) to return a dict of constructor arguments by name, got 3"),
        (Uncopied(), "network: expected a module that copy.deepcopy copies, got RuntimeError: no copy"),
        (nn.Linear, "network: expected a torch.nn.Module .* got the class Linear"),
        (None, "network: expected a torch.nn.Module .* got NoneType"),
        (torch.relu, "network: expected a torch.nn.Module .* got builtin_function_or_method"),
    ],
)
def test_networks_that_cannot_be_trained_are_refused_before_anything_is_written(network: nn.Module, message: str, tmp_path: Path) -> None:
    x, y, _ = bumps(60, 0)
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        fit(network, (x, y), folder=tmp_path / "run", quiet=True)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(labels=("a", "b")), "y: expected classes 0 to 1, .* got 0 to 2"),
        (dict(epochs=1.5), "epochs: expected a whole number"),
        (dict(batch_size=0), "batch_size: expected a"),
        (dict(budget=ImageBudget()), "budget: expected Budget for these data, got ImageBudget"),
        (dict(validation=0.0), "validation: expected data, or a share"),
        (dict(validation=(torch.zeros(2, 5, 3), [0, 1])), "validation: expected sequences of 4 channels"),
        (dict(seed=-1), "seed: expected"),
        (dict(early=2.0), "early: expected"),
        (dict(seed="a"), "seed: expected a whole number"),
        (dict(dt_ms=None), "dt_ms: expected a number"),
        (dict(decision="mean"), "decision: expected a dendrix.models.Decision, got 'mean'"),
        (dict(quiet="no"), "quiet: expected True or False"),
        (dict(folder=None), "folder: expected a path, got None"),
        (dict(folder="a\0b"), "folder: expected a path"),
        (dict(validation=1), r"validation: expected data, or a share of the training data in \(0, 1\), got 1"),
        (dict(validation=True), "validation: expected data, or a share"),
        (dict(validation=None), "validation: expected data, or a share"),
        (dict(validation=(torch.zeros(0, 5, 4), [])), "validation: y: expected the class of at least one item, got none"),
        (dict(validation=(torch.full((1, 5, 4), torch.nan), [0])), "validation: x, item 0: expected finite numbers"),
        (dict(test=3), "test: data: expected"),
        (dict(labels="abc"), "labels: expected a list of the names of all classes, got 'abc'"),
        (dict(labels={"a", "b", "c"}), "labels: expected a list"),
        (dict(labels=3), "labels: expected a list"),
        (dict(labels=["a", "a", "b"]), "labels: expected at least one name, and different ones, got a, a, b"),
        (dict(labels=[]), "labels: expected at least one name"),
    ],
)
def test_bad_settings_are_one_sentence(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        fit(Net(), bumps(60, 0), **{"folder": tmp_path / "run", "quiet": True, **options})
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


class Loads:
    """A source that loads and says of itself what it is told to."""

    def __init__(self, loaded: object = None, said: object = None) -> None:
        self.loaded, self.said = loaded, said

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return Bumps(40).load() if self.loaded is None else self.loaded

    def to_dict(self) -> object:
        return {"name": "here:Loads"} if self.said is None else self.said


PART = as_dataset(bumps(30, 0), labels=CLASSES)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Loads(3), r"data: expected load\(\) to return dendrix.data.Splits, got int"),
        (Loads((PART, PART, PART)), r"data: expected load\(\) to return dendrix.data.Splits, got tuple"),
        (Loads(RuntimeError("cable\ncut")), r"data: expected load\(\) to return the splits, got RuntimeError: cable cut\."),
        (Loads(said=[]), r"data: expected to_dict\(\) to return a dict with a name, got \[\]"),
        (
            Loads(said={"name": "a:b", "x": object()}),
            r"recipe: expected fields, and their to_dict\(\), as plain JSON values, got TypeError",
        ),
        (Loads(said={"name": "a:b", "x": float("nan")}), "recipe: expected fields, .* got ValueError"),
        (Loads, "data: expected .* or a Source, which has load and to_dict, got the class Loads"),
        (Splits(PART, None, None), "valid: expected Dataset, got NoneType"),
        (Splits(PART, as_dataset((torch.zeros(2, 3, 8, 8), [0, 1])), PART), "valid: expected Dataset, got ImageDataset"),
        (Splits(PART, as_dataset((torch.zeros(2, 5, 3), [0, 1]), labels=CLASSES), PART), "valid: expected channels .* 4, got 3"),
        (Splits(PART, as_dataset(bumps(30, 0)), PART), "valid: expected classes as the training data have them"),
        (Splits((1, 2), (1, 2), (1, 2)), "data: expected sequences or images, got tuple"),
    ],
)
def test_bad_sources_are_one_sentence(source: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        fit(Net(), source, folder=tmp_path / "run", quiet=True)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_network_stays_usable_and_untouched_by_a_training_that_fails(tmp_path: Path) -> None:
    network = Net()
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(DivergedError):
        fit(network, bumps(60, 0), folder=tmp_path / "run", optim=SequenceOptim(lr=1e30, clip=None), epochs=5, batch_size=10, quiet=True)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    fit(network, bumps(60, 0), folder=tmp_path / "run", epochs=1, quiet=True)
    assert not any(module._forward_hooks for module in network.modules())
    assert pickle.loads(pickle.dumps(network)).hidden == network.hidden


def test_a_folder_in_use_or_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="new folder, but it exists"):
        fit(Net(), bumps(40, 0), folder=tmp_path / "mine", quiet=True)
    with pytest.raises(FileExistsError, match="expected an unfinished run"):
        fit(Net(), bumps(40, 0), folder=tmp_path / "mine", resume=True, quiet=True)
    (tmp_path / "used").mkdir()
    with locked(tmp_path / "used"), pytest.raises(BlockingIOError, match="but one does"):
        fit(Net(), bumps(40, 0), folder=tmp_path / "used", resume=True, quiet=True)
    with pytest.raises(NotADirectoryError):
        fit(Net(), bumps(40, 0), folder=tmp_path / "mine" / "notes.txt" / "run", quiet=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fit(Net(), bumps(40, 0), folder=tmp_path / "full", quiet=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "notes.txt", "used"]


def test_a_hugging_face_data_set_trains(tmp_path: Path) -> None:
    x, y, lengths = bumps(60, 0)
    table = {"spikes": [row[:count].tolist() for row, count in zip(x, lengths, strict=True)], "label": y.tolist(), "speaker": ["a"] * 60}
    data = datasets.Dataset.from_dict(table).cast_column("label", datasets.ClassLabel(names=list(CLASSES))).train_test_split(0.5, seed=0)
    options = dict(columns=("spikes", "label"), folder=tmp_path / "run", dt_ms=10.0, epochs=2, quiet=True)
    record = fit(Net(), data["train"], data["test"], **options)
    assert record["recipe"]["data"] == {"name": "memory", "items": 30}
    assert dendrix.run_folder.read_checkpoint(tmp_path / "run", network=Net()).labels == CLASSES


def test_images_have_no_decision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="decision: expected none for images"):
        fit(Cnn(), (torch.zeros(8, 3, 8, 8), [0, 1] * 4), folder=tmp_path / "run", decision=Decision("sum"), quiet=True)


def test_divergence_and_settings_of_recipes(tmp_path: Path) -> None:
    network = Sequential(nn.Linear(4, 8), LIF(8), nn.Linear(8, 3), LI(3))
    optim = SequenceOptim(lr=1e30, clip=None)
    with pytest.raises(DivergedError, match="Training diverged at step"):
        fit(network, bumps(60, 0), folder=tmp_path / "run", optim=optim, budget=Budget(epochs=5, batch_size=10), quiet=True)
    assert not (tmp_path / "run").exists()
