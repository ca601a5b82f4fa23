"""A run folder gives back the network that was saved, or says in one sentence why it cannot."""

import errno
import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import dendrix
from dendrix.data import LogMel, encoder_to_dict
from dendrix.errors import InputError, InputTypeError
from dendrix.layers import rounded
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.run_folder.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, DelayNet]:
    model = DelayNet(DelayNetConfig(5, 3, (7, 6), max_delay_ms=60.0)).eval()
    write_checkpoint(tmp_path, Checkpoint(model, ("a", "b", "c"), encoder_to_dict(LogMel(n_mels=5)), Decision("max", tail_ms=20.0)))
    return tmp_path, model


def test_loaded_network_gives_the_outputs_of_the_saved_one_with_integer_delays(saved: tuple[Path, DelayNet]) -> None:
    folder, model = saved
    x = torch.rand(2, 15, 5)
    with torch.no_grad(), rounded(model):
        expected, _ = model(x)
    loaded = dendrix.load(folder)
    assert not loaded.training
    assert torch.equal(loaded(x)[0], expected)


def test_read_checkpoint_keeps_everything_and_can_train_on(saved: tuple[Path, DelayNet]) -> None:
    folder, model = saved
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.labels, checkpoint.decision) == (("a", "b", "c"), Decision("max", tail_ms=20.0))
    assert checkpoint.encoder == encoder_to_dict(LogMel(n_mels=5))
    for name, tensor in model.state_dict().items():
        assert torch.equal(checkpoint.model.state_dict()[name], tensor)
    assert not checkpoint.model.stages[0].rounded


def test_nothing_but_the_two_files_is_written(saved: tuple[Path, DelayNet]) -> None:
    folder, _ = saved
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def spoil(path: Path) -> None:
    tensors = load_file(path)
    tensors["stages.0.weight"][0] = torch.nan
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("damage", "error", "says"),
    [
        (lambda f: cut(f / "model.safetensors"), ValueError, "model.safetensors: expected the weights"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), ValueError, "model.safetensors: expected the weights"),
        (lambda f: cut(f / "config.json"), ValueError, "config.json: expected JSON"),
        (lambda f: (f / "config.json").write_text("[1]"), ValueError, "expected a JSON object, got list"),
        (lambda f: edit(f / "config.json", format=3), ValueError, "expected format 2, got 3"),
        (lambda f: edit(f / "config.json", model="delay_nat"), ValueError, "Did you mean 'delay_net'"),
        (lambda f: edit(f / "config.json", config={"inputs": 5, "colour": 1}), ValueError, "colour"),
        (lambda f: edit(f / "config.json", config={"inputs": 5, "outputs": 3}), ValueError, "size mismatch"),
        (
            lambda f: edit(f / "config.json", config={"inputs": 4, "outputs": 3}),
            ValueError,
            "encoder: expected 4 channels every 10.0 ms, got 5",
        ),
        (lambda f: edit(f / "config.json", encoder={"encoder": "LogMal"}), ValueError, "Did you mean 'LogMel'? Expected one of"),
        (lambda f: edit(f / "config.json", encoder={"encoder": "LogMel", "n_mels": "5"}), ValueError, "n_mels: expected a number"),
        (lambda f: edit(f / "config.json", labels=["a", "b"]), ValueError, "expected a list of 3 different names, got ['a', 'b']"),
        (lambda f: edit(f / "config.json", labels=["a", "b", "b"]), ValueError, "expected a list of 3 different names"),
        (lambda f: edit(f / "config.json", labels="abc"), ValueError, "expected a list of 3 different names, got 'abc'"),
        (
            lambda f: edit(f / "config.json", decision={"accumulation": "last", "tail_ms": -1}),
            ValueError,
            "tail_ms: expected a number in [0, inf), got -1",
        ),
        (lambda f: edit(f / "config.json", config={"inputs": 5, "outputs": 3, "hidden": [10**12]}), ValueError, "memory"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), ValueError, "config.json: expected JSON"),
        (lambda f: spoil(f / "model.safetensors"), ValueError, "but NaN or infinity is in stages.0.weight. Copy"),
        (lambda f: (f / "config.json").write_text('{"format": 2}'), ValueError, "expected the field 'model'"),
        (lambda f: (f / "model.safetensors").unlink(), FileNotFoundError, "has no model.safetensors"),
    ],
)
def test_damage_is_one_sentence(saved: tuple[Path, DelayNet], damage, error: type[Exception], says: str) -> None:
    folder, _ = saved
    damage(folder)
    with pytest.raises(error) as raised:
        read_checkpoint(folder)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("hidden", [[20_000_000], [10**13], [4] * 100_000])
def test_a_description_far_beyond_its_weights_takes_no_memory(saved: tuple[Path, DelayNet], hidden: list[int]) -> None:
    folder, _ = saved
    described = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", config={**described["config"], "hidden": hidden})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"network: expected one of about the memory of its weights, [\d,]+ bytes, got a far larger one"):
        dendrix.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # kB


def test_a_described_network_far_beyond_its_weights_is_refused(tmp_path: Path) -> None:
    dendrix.save(nn.Sequential(nn.Linear(3, 2)), tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"out_features": 2', '"out_features": 200000000'))
    with pytest.raises(ValueError, match="got a far larger one"):
        dendrix.load(tmp_path)


def test_a_name_that_comes_twice_is_refused(saved: tuple[Path, DelayNet]) -> None:
    folder, _ = saved
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"labels"', '"labels": ["x", "y", "z"], "labels"', 1))
    with pytest.raises(ValueError, match=r"config\.json: expected JSON, but it cannot be read \('labels' occurs twice\)"):
        dendrix.load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected a run folder .* does not exist"):
        dendrix.load(tmp_path / "nowhere")


def test_a_failed_write_leaves_the_old_file(saved: tuple[Path, DelayNet], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, model = saved
    before = (folder / "model.safetensors").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(folder, Checkpoint(model, ("a", "b", "c")))
    assert (folder / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_what_cannot_be_described_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    odd = nn.Linear(2, 2)
    nn.utils.parametrizations.weight_norm(odd)
    with pytest.raises(InputTypeError, match=r"expected plain weights to save, got parametrised ones\. Make them plain"):
        write_checkpoint(tmp_path, Checkpoint(nn.Sequential(odd), ()))
    assert not list(tmp_path.iterdir())


class Loops(nn.Linear):
    def arguments(self) -> dict[str, object]:
        values: list[object] = []
        values.append(values)
        return {"values": values}


class Remembers(nn.Linear):
    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}


def broken() -> nn.Module:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, float("nan"))
    return network


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (None, {}, r"network: expected a torch.nn.Module .* got NoneType"),
        (nn.Linear, {}, r"network: expected a torch.nn.Module .* got the class Linear"),
        (nn.Linear(2, 2).state_dict(), {}, r"network: expected a torch.nn.Module .* got OrderedDict"),
        (nn.Linear(2, 2, device="meta"), {}, "weight: expected a tensor with numbers to save, got Tensor"),
        (nn.LazyLinear(2), {}, "weight: expected a tensor with numbers to save, got UninitializedParameter"),
        (Remembers(2, 2), {}, "_extra_state: expected a tensor with numbers to save, got dict"),
        (Loops(2, 2), {}, "arguments: expected values that do not contain themselves"),
        (broken(), {}, "network: expected finite weights, got NaN or infinity in weight"),
        (nn.Linear(2, 2), dict(labels=3), "labels: expected a list of the names of all classes, got 3"),
        (nn.Linear(2, 2), dict(labels="ab"), "labels: expected a list of the names of all classes, got 'ab'"),
        (nn.Linear(2, 2), dict(labels=("a", "a")), "labels: expected at least one name, and different ones, got a, a"),
        (nn.Linear(2, 2), dict(encoder={}), r"encoder: expected a dendrix Encoder, got \{\}"),
        (nn.Linear(2, 2), dict(decision="mean"), "decision: expected a dendrix Decision, got 'mean'"),
        (nn.Linear(2, 2), dict(folder=None), "folder: expected a path, got None"),
        (nn.Linear(2, 2), dict(folder="a\0b"), "folder: expected a path"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(network: Any, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        dendrix.save(network, **{"folder": tmp_path / "net", **options})
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        (3, {}, "folder: expected a path, got 3"),
        (None, dict(network=nn.Linear), "network: expected a torch.nn.Module .* got the class Linear"),
        (None, dict(network="Linear"), "network: expected a torch.nn.Module .* got str"),
        (None, dict(network=nn.Linear(2, 2)), r"model\.safetensors: expected the weights of config\.json, but"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(saved: tuple[Path, DelayNet], folder: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        dendrix.load(saved[0] if folder is None else folder, **options)
    assert "\n" not in str(error.value)
