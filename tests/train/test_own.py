"""A network and data of the caller's own: trained, resumed, evaluated, recorded, metered, loaded; and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dendrix
from dendrix import LI, LIF, Sequential, Stateful
from dendrix.data import ImageDataset, Splits
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


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Hides(), "network: expected the same outputs for the same inputs, but a second call differs"),
        (LooksAhead(), "network: expected a sequence in two parts to give the outputs of the whole"),
        (Returns({"outputs": 3}), r"network: expected outputs, or a pair \(outputs, state\), got dict"),
        (nn.Linear(4, 2), r"network: expected outputs \[4, 30, 3\] or \[4, 3\] for inputs \[4, 30, 4\] and 3 classes, got \[4, 30, 2\]"),
        (nn.Flatten(), r"network: expected outputs .*, got \[4, 120\]"),
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
    ],
)
def test_bad_settings_are_one_sentence(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, InputTypeError), match=message):
        fit(Net(), bumps(60, 0), folder=tmp_path / "run", quiet=True, **options)
    assert list(tmp_path.iterdir()) == []


def test_images_have_no_decision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="decision: expected none for images"):
        fit(Cnn(), (torch.zeros(8, 3, 8, 8), [0, 1] * 4), folder=tmp_path / "run", decision=Decision("sum"), quiet=True)


def test_divergence_and_settings_of_recipes(tmp_path: Path) -> None:
    network = Sequential(nn.Linear(4, 8), LIF(8), nn.Linear(8, 3), LI(3))
    optim = SequenceOptim(lr=1e30, clip=None)
    with pytest.raises(DivergedError, match="Training diverged at step"):
        fit(network, bumps(60, 0), folder=tmp_path / "run", optim=optim, budget=Budget(epochs=5, batch_size=10), quiet=True)
    assert not (tmp_path / "run").exists()
