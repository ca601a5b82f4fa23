"""What is done with a finished language model, for networks that are not the published one."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from dendrix.cli import main
from dendrix.models.spikegpt.network import SpikeGPT
from dendrix.runs.packing import main as pack

transformers = pytest.importorskip("transformers")

from dendrix.models.spikegpt.hf_files import load_classifier, load_network  # noqa: E402

FORMS = {
    "counts": "spikegpt-small:inputs --model.neurons.levels 4 --model.neurons.scales --loss.rate 0.1",
    "separate": "spikegpt-novels:inputs",
    "normed": "spikegpt-novels",
    "mixed": "spikegpt-novels:inputs --model.window 4 --model.decay-rank 2 --model.neurons.decays",
}
TINY = "--model.width 16 --model.layers 1 --budget.steps 2 --budget.every 2 --budget.context 16 --budget.batch-size 2 --no-report"


@pytest.fixture(scope="module", params=FORMS)
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network, packed."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text("a rose is a rose is a rose\n" * 300)
    options = f"{FORMS[request.param]} {TINY} --data.text {folder / 'text.txt'} --out {folder / 'run'} --json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder / "cache"))
        assert main(["train", *options.split()]) == 0
    assert pack([str(folder / "run"), str(folder / "packed"), "int8"]) == 0
    return folder / "packed"


def test_a_packed_network_is_the_trained_one_with_rounded_matrices(packed: Path) -> None:
    trained, found = (load_network(folder)[0] for folder in (packed.parent / "run", packed))
    assert isinstance(found, SpikeGPT)
    assert found.config == trained.config
    state = trained.state_dict()
    for name, weight in found.state_dict().items():
        assert (weight - state[name]).abs().max() <= state[name].abs().max() / 127


def test_it_is_opened_by_transformers(packed: Path) -> None:
    tokens = torch.tensor([list(b"a rose")])
    model = transformers.AutoModelForCausalLM.from_pretrained(packed.parent / "run")
    assert torch.equal(model(tokens).logits, load_network(packed.parent / "run")[0](tokens)[0])
    assert model.generate(tokens, max_new_tokens=3, do_sample=False).shape == (1, 9)


def test_its_energy_is_counted(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", str(packed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_it_is_fine_tuned_to_classify(packed: Path, tmp_path: Path) -> None:
    rows = [f"this one is {word}\t{label}" for word, label in [("warm", "good"), ("cold", "bad")] * 20]
    (tmp_path / "films.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    options = f"{tmp_path / 'films.tsv'} --model.pretrained {packed} --out {tmp_path / 'films'} --budget.epochs 1 --no-report"
    assert main(["lm", "finetune", *options.split()]) == 0
    network, labels, _, _ = load_classifier(tmp_path / "films")
    assert labels == ("bad", "good")
    assert network.config.neurons == load_network(packed)[0].config.neurons
    assert main(["evaluate", str(tmp_path / "films")]) == 0


def test_its_integer_form_is_written_or_refused(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["export", str(packed), "--to", "c", "--out", str(tmp_path / "net"), "--clips", "2"])
    if packed.parent.name.startswith("mixed"):
        assert code == 1
        assert "expected the published time mix for the integer form, got decay_rank=2, window=4" in capsys.readouterr().err
        assert not (tmp_path / "net").exists()
    else:
        assert code == 0
        done = subprocess.run(["make", "-C", str(tmp_path / "net"), "test"], check=True, capture_output=True, text=True)
        assert "2 texts equal" in done.stdout
