"""Packed weights: what they cost, what is refused, and that every reader of run folders opens them."""

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

import dendrix
from dendrix.core.files import read_json
from dendrix.errors import InputError
from dendrix.pretrained.packed import PACKED, Storage, pack_tensors, read_weights, unpack_tensors
from dendrix.run_folder.checkpoint import read_checkpoint
from dendrix.runs.packing import main, pack_run


@given(st.integers(1, 40), st.integers(26, 60), st.floats(-20, 4), st.integers(0, 2**32 - 1))
def test_int8_rounds_to_half_a_step_of_each_row_and_packs_again_to_the_same(rows: int, columns: int, size: float, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, 4, 10, generator=random) * 10**size
    weight[0] = 0
    packed = pack_tensors({"w": weight}, "int8")
    again = unpack_tensors(packed)["w"]
    most = weight.flatten(1).abs().amax(1)
    assert packed["w"].dtype == torch.int8
    assert again.dtype == torch.float32
    kept = ((again - weight) / (most / 127).clamp_min(1e-30)[:, None, None, None]).abs()
    rounded_to_zero = (weight < 0) & (weight > -0.5 * (most / 127)[:, None, None, None])
    assert (kept[~rounded_to_zero] <= 0.5001).all()
    assert (kept <= 1.0001).all()
    assert torch.equal(again < 0, weight < 0)  # a binary embedding is made of signs
    twice = pack_tensors({"w": again}, "int8")
    assert torch.equal(twice["w"], packed["w"])


def test_float16_and_delays_and_what_is_too_small_to_pack() -> None:
    state = {"w": torch.randn(32, 32), "delay": torch.arange(256.0), "b": torch.randn(2048), "few": torch.randn(3, 3), "n": torch.tensor(7)}
    packed = pack_tensors(state, "float16", {"delay"})
    assert {name: str(tensor.dtype) for name, tensor in packed.items()} == {
        "w": "torch.float16", "delay": "torch.uint8", "b": "torch.float32", "few": "torch.float32", "n": "torch.int64",
    }  # fmt: skip
    again = unpack_tensors(packed)
    assert all(torch.equal(again[name], state[name]) for name in ("delay", "b", "few", "n"))
    torch.testing.assert_close(again["w"], state["w"], rtol=2**-11, atol=0)


@pytest.mark.parametrize(
    ("state", "storage", "message"),
    [
        ({"w": torch.full((40, 40), 1e5)}, "float16", r"w: expected weights of at most 65,504 .* got 100000"),
        ({"w": torch.full((40, 40), float("nan"))}, "int8", "w: expected finite float32 weights"),
        ({"w": torch.zeros(40, 40, dtype=torch.int8)}, "int8", r"w: .* got torch\.int8"),
        ({"w.row_scale": torch.zeros(4)}, "int8", "under a name without"),
        ({"delay": torch.tensor([1.5])}, "int8", r"delay: expected delays of whole steps, 0 to 255, got 1\.5"),
        ({"delay": torch.tensor([256.0])}, "int8", "got 256 to 256"),
        ({"w": torch.zeros(40, 40)}, "int4", "storage"),
    ],
)
def test_what_cannot_be_packed_is_refused(state: dict[str, torch.Tensor], storage: Storage, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack_tensors(state, storage, {"delay"})


@pytest.mark.parametrize(
    "packed",
    [
        {"w": torch.zeros(4, 4, dtype=torch.int8)},
        {"w": torch.zeros(4, 4, dtype=torch.int8), "w.row_scale": torch.ones(3)},
        {"w": torch.zeros(4, 4, dtype=torch.int8), "w.row_scale": torch.ones(4, dtype=torch.float64)},
        {"w": torch.zeros((), dtype=torch.int8), "w.row_scale": torch.ones(0)},
        {"w.row_scale": torch.ones(4)},
        {"w": torch.zeros(4, 4), "w.row_scale": torch.ones(4)},
    ],
)
def test_an_incomplete_packed_file_is_refused(packed: dict[str, torch.Tensor]) -> None:
    with pytest.raises(InputError, match="Copy the file again"):
        unpack_tensors(packed)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    delays = dendrix.DelayLinear(40, 64, max_delay_ms=100, dt_ms=10)
    network = dendrix.Sequential(delays, dendrix.LIF(64), dendrix.DelayLinear(64, 4, max_delay_ms=100, dt_ms=10), dendrix.LI(4))
    dendrix.save(network, tmp_path / "run", labels=["a", "b", "c", "d"])
    return tmp_path / "run"


def test_a_packed_run_opens_as_any_other(run: Path, tmp_path: Path) -> None:
    size = pack_run(run, tmp_path / "packed", "float16")
    assert size == (tmp_path / "packed" / PACKED).stat().st_size < (run / "model.safetensors").stat().st_size / 2
    x = (torch.rand(2, 20, 40) < 0.2).float()
    packed, plain = dendrix.load(tmp_path / "packed"), dendrix.load(run)
    for name, tensor in plain.state_dict().items():  # spikes are not compared: a rounded weight may move one
        torch.testing.assert_close(packed.state_dict()[name], tensor, rtol=0 if "delay" in name else 2**-11, atol=0)
    assert packed(x)[0].isfinite().all()
    assert read_checkpoint(tmp_path / "packed").labels == ("a", "b", "c", "d")
    assert set(read_weights(tmp_path / "packed")) == set(read_weights(run))
    shutil.copy(run / "model.safetensors", tmp_path / "packed")  # a plain file comes first
    assert torch.equal(dendrix.load(tmp_path / "packed")(x)[0], dendrix.load(run)(x)[0])


def test_damage_is_named_with_the_file(run: Path, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "packed")
    save_file({"0.weight": torch.zeros(64, 40, 1, dtype=torch.int8)}, tmp_path / "packed" / PACKED)
    with pytest.raises(InputError, match=r"packed\.safetensors: expected the weights of config\.json, but 0\.weight: expected a float32"):
        dendrix.load(tmp_path / "packed")
    (tmp_path / "packed" / PACKED).write_bytes(b"cut")
    with pytest.raises(InputError, match=r"packed\.safetensors: expected the weights of"):
        dendrix.load(tmp_path / "packed")
    (tmp_path / "packed" / PACKED).unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors"):
        dendrix.load(tmp_path / "packed")


def test_the_command_packs_or_says_why_not(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), str(tmp_path / "new"), "int8"]) == 0
    assert "Packed" in capsys.readouterr().out
    assert main([str(run), str(tmp_path / "new")]) == 1
    assert "expected the name of a new folder" in capsys.readouterr().err
    assert main([str(run), str(tmp_path / "other"), "int4"]) == 2
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "other")]) == 1
    assert not (tmp_path / "other").exists()


def test_a_language_model_is_packed_too(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.data.text.tokenizers import byte_tokenizer
    from dendrix.models.spikegpt.hf_files import load_language_model, load_network, save_language_model
    from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig

    (tmp_path / "run").mkdir()
    network = SpikeGPT(SpikeGPTConfig(256, 32, 2)).eval()
    save_language_model(tmp_path / "run", network, byte_tokenizer())
    pack_run(tmp_path / "run", tmp_path / "packed", "int8")
    assert "auto_map" in read_json(tmp_path / "run" / "config.json")
    assert "auto_map" not in read_json(tmp_path / "packed" / "config.json")  # the code that it names is not copied
    model, tokenizer = load_language_model(tmp_path / "packed")
    again, _ = load_network(tmp_path / "packed")
    tokens = torch.tensor([tokenizer.encode("It was").ids])
    assert torch.equal(model(tokens).logits, again(tokens)[0])
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(
            again.state_dict()[name], tensor, rtol=0, atol=float(tensor.abs().max()) / 126
        )  # a whole step below zero
    assert torch.equal(again.emb.weight >= 0, network.emb.weight >= 0)
    (tmp_path / "packed" / PACKED).unlink()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors"):
        load_language_model(tmp_path / "packed")
