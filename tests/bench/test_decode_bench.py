"""The benchmark of decoding: what it says of known numbers, and the control that it compares with."""

from pathlib import Path

import pytest
import torch

from dendrix.bench import run
from dendrix.bench.decode import CONTEXTS, firing_rate, measured_runs, table
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.errors import InputError
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.neurons import NeuronConfig

SPEED = dict(
    size="1M", weights="int8", batch=16, parameters=923_648, tokens_per_second=1234.5, of_bound=0.71, read_gb_per_second=20.0,
    state_bytes=14_336, error=1e-6, gpt2_parameters=900_000, gpt2={"128": 1.5, "1024": 2.5}, gpt2_cache_bytes={"8192": 34_000_000},
    cost_of_context=1.01,
)  # fmt: skip
SPARSE = dict(size="1M", weights="int8", batch=1, rate=0.2, speedup=2.0, dense_of_bound=0.75, of_bound=1.5)


def test_the_table_leaves_out_what_was_not_measured() -> None:
    lines = table({"speeds": [SPEED], "sparse": [SPARSE]})
    assert "| 1M | int8 | 16 | 1,234 | 0.71 | 1.5 | 2.5 |  | 14 kB | 34 MB | 1.01 |" in lines
    assert "| 1M | int8 | 1 | 20% | 2.00 | 0.75 | 1.50 |" in lines


@pytest.mark.extended
def test_firing_rates_count_inputs_as_often_as_they_have_weights() -> None:
    model = SpikeGPT(SpikeGPTConfig(50, 16, 2, spikes="input", v_threshold=1e9)).eval()
    tokens = torch.randint(50, (1, 64))
    assert firing_rate(model, tokens) == 0
    assert firing_rate(SpikeGPT(SpikeGPTConfig(50, 16, 2, spikes="none")).eval(), tokens) > 0.5


@pytest.mark.extended
def test_trained_networks_are_measured_on_a_text(tmp_path: Path) -> None:
    network = SpikeGPT(SpikeGPTConfig(256, 16, 1, spikes="input", v_threshold=0.5, neurons=NeuronConfig(levels=2)))
    (tmp_path / "run").mkdir()
    save_language_model(tmp_path / "run", network, byte_tokenizer())
    found = measured_runs([tmp_path / "run"], True, lambda _: None)["sparse"]
    assert [(one["size"], one["batch"]) for one in found] == [("run", 1), ("run", 16)]
    assert all(0 < one["rate"] < 1 for one in found)


def test_runs_without_spikes_before_products_are_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    save_language_model(tmp_path / "run", SpikeGPT(SpikeGPTConfig(256, 16, 1)), byte_tokenizer())
    with pytest.raises(InputError, match=r'run: expected spikes="input", got "output"'):
        measured_runs([tmp_path / "run"], True, lambda _: None)
    with pytest.raises(InputError, match=r"runs: expected decode alone with them, got \['lif'\]"):
        run(("lif",), runs=(tmp_path / "run",))


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
def test_the_control_is_gpt2_with_a_full_cache(weights: str) -> None:
    pytest.importorskip("transformers")
    from dendrix.bench.gpt2 import CachedGPT2

    peer = CachedGPT2(50, 2, 30_000, weights, batch=3)
    assert peer.parameters == pytest.approx(30_000, rel=0.3)
    step = peer.step(min(CONTEXTS))
    assert step().shape == (3, 1, 50)
    assert torch.equal(step(), step())  # what a step adds to the cache is taken out again
