"""Deployment of a run: quantised on training data, certified on the integer network, exported to every target."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.cli import main
from dendrix.core.files import write_json
from dendrix.data import Cochlea, EvenMel, LogMel, encoder_to_dict, read_wav
from dendrix.data.speech.integer_base import samples
from dendrix.deploy import IntegerNetwork
from dendrix.errors import InputError
from dendrix.exits import Guarantee, Margin, MaxProbability, MeanSteps, Pareto, Policy, fit
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from dendrix.runs import evaluate_run, open_run, predict, record_run
from dendrix.runs.deployment import Budget, DeployRun, export_run, fitting, prepare_run
from dendrix.train.sequence.data import FsddData

MEL = EvenMel(n_mels=12, dt_ms=20.0, window_ms=32.0, centred=True)


@pytest.fixture(scope="module")
def run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an untrained network on tones, whose read-out tells them apart by their spectra."""
    folder = tmp_path_factory.mktemp("runs") / "tones"
    folder.mkdir()
    torch.manual_seed(0)
    network = DelayNet(DelayNetConfig(12, 10, hidden=(24,), max_delay_ms=80.0, dt_ms=20.0))
    write_checkpoint(folder, Checkpoint(network, tuple("0123456789"), encoder_to_dict(MEL), Decision("mean", 60.0)))
    write_json(folder / "run.json", {"name": "tones", "recipe": {"data": FsddData(MEL, root=tones).to_dict()}})
    return folder


@pytest.fixture(scope="module")
def whole(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of its integer network."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    export_run(DeployRun(run), "run", folder)
    return folder


@pytest.mark.parametrize(
    ("to", "files"),
    [
        (
            "c",
            {"dendrix.c", "dendrix.h", "dendrix_decision.h", "model.c", "model.h", "main.c", "Makefile", "README.md", "LICENSE", "test",
             "policy.json"},
        ),
        (
            "wasm",
            {"dendrix.wasm", "network.bin", "dendrix.mjs", "dendrix.d.mts", "selftest.mjs", "vectors.json", "README.md", "LICENSE",
             "policy.json"},
        ),
        ("arduino", {"src", "examples", "extras", "library.properties", "library.json", "README.md", "LICENSE", "policy.json"}),
        ("npz", {"network.npz", "network.json", "vectors.npz", "README.md", "LICENSE", "policy.json"}),
    ],
)  # fmt: skip
def test_every_target_is_written(run: Path, to: str, files: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(run), "--to", to, "--out", str(tmp_path / "out"), "--exit", "mean-steps", "--steps", "5", "--json"]
    assert main(words) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    said = json.loads(capsys.readouterr().out)
    assert said["inputs"] == 10
    assert said["agreement"] >= 0.9
    assert said["memory_bytes"] > 1000
    assert said["policy"]["mean_steps"] <= 5


def test_the_integer_run_is_a_run_like_any_other(run: Path, whole: Path, tones: Path) -> None:
    network = load_checkpoint(whole).model
    assert isinstance(network, IntegerNetwork)
    assert evaluate_run(whole).accuracy == evaluate_run(run).accuracy
    record = record_run(open_run(whole, "valid"))
    assert record.outputs.dtype == torch.float64
    units = record.outputs[record.valid] / network.unit
    assert torch.equal(units, units.round())
    wave, rate = read_wav(tones / "0_tester_0.wav")
    assert predict(load_checkpoint(whole), wave, rate).label == predict(load_checkpoint(run), wave, rate).label


def test_a_run_that_hears_spikes(tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network on counts of the cochlea, from the float run to the integer run and to C."""
    ear, folder = Cochlea(rate=8_000, dt_ms=20.0, cells=24, group=2, f_max=3_000.0), tmp_path / "spikes"
    folder.mkdir()
    torch.manual_seed(0)
    network = DelayNet(DelayNetConfig(12, 10, hidden=(24,), max_delay_ms=80.0, dt_ms=20.0))
    write_checkpoint(folder, Checkpoint(network, tuple("0123456789"), encoder_to_dict(ear), Decision("mean", 60.0)))
    write_json(folder / "run.json", {"name": "spikes", "recipe": {"data": FsddData(ear, root=tones).to_dict()}})
    assert main(["export", str(folder), "--to", "run", "--out", str(tmp_path / "whole"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["agreement"] >= 0.8
    assert said["engine_bytes"] == 4600
    words = [
        "export",
        str(tmp_path / "whole"),
        "--to",
        "c",
        "--out",
        str(tmp_path / "c"),
        "--exit",
        "mean-steps",
        "--steps",
        "4",
        "--clips",
        "2",
    ]
    assert main(words) == 0
    assert (tmp_path / "c" / "dendrix_cochlea.h").exists()
    assert evaluate_run(tmp_path / "whole").accuracy == pytest.approx(evaluate_run(folder).accuracy, abs=0.2)


@pytest.mark.parametrize("goal", [Pareto(0.5), MeanSteps(4.0), Guarantee(0.9, 0.5)])
def test_the_policy_stops_the_engine_where_it_stops_the_record(run: Path, goal: object, tones: Path) -> None:
    ready = prepare_run(DeployRun(run, goal=goal))
    assert ready.policy is not None
    network, encoder = ready.deployed.network, ready.deployed.encoder
    for take in range(5, 10):
        wave, _ = read_wav(tones / f"1_tester_{take}.wav")
        answer = ready.deployed.answer(ready.deployed.totals(samples(wave)))
        x = torch.cat([encoder.encode(wave), torch.zeros(ready.deployed.tail, 12)])
        state, evidence = ready.policy.rule.init(1), torch.zeros(1, 10, dtype=torch.float64)
        for step, output in enumerate(network(x.unsqueeze(0))[0].unbind(1), 1):
            evidence = evidence + output
            stop, state = ready.policy.rule.step(evidence / step, state)
            if stop:
                break
        assert (answer.steps, answer.stopped, answer.label) == (step, bool(stop), int(evidence.argmax()))


def test_a_policy_of_the_float_network_is_refused(run: Path, tmp_path: Path) -> None:
    fit(record_run(open_run(run, "valid")), MaxProbability(1.0), MeanSteps(5.0)).save(tmp_path / "policy.json")
    with pytest.raises(InputError, match="model: expected"):
        prepare_run(DeployRun(run, policy=tmp_path / "policy.json"))


def test_a_policy_of_the_integer_network_is_taken(run: Path, whole: Path, tmp_path: Path) -> None:
    made = prepare_run(DeployRun(run, goal=MeanSteps(5.0)))
    made.policy.save(tmp_path / "policy.json")
    for folder in (run, whole):
        assert prepare_run(DeployRun(folder, policy=tmp_path / "policy.json")).deployed.rule == made.policy.rule
    fit(record_run(open_run(whole, "valid")), Margin(0.0), MeanSteps(5.0)).save(tmp_path / "margin.json")
    with pytest.raises(InputError, match="Margin, which has no integer form"):
        prepare_run(DeployRun(run, policy=tmp_path / "margin.json"))
    with pytest.raises(InputError, match="got both"):
        DeployRun(run, goal=Pareto(), policy=tmp_path / "policy.json")


def test_policies_come_back_from_their_file(run: Path, tmp_path: Path) -> None:
    made = prepare_run(DeployRun(run, goal=MeanSteps(5.0))).policy
    made.save(tmp_path / "policy.json")
    assert Policy.load(tmp_path / "policy.json") == made


def test_a_budget_chooses_the_bits(run: Path, tmp_path: Path) -> None:
    large = prepare_run(DeployRun(run)).costs
    tight = Budget(flash=large.tables_bytes + large.engine_bytes - 1, agreement=0.5)
    assert fitting(DeployRun(run), tight, tmp_path / "out").deployed.network.weight_bits == 4
    loose = Budget(flash=10**6, ram=10**6, agreement=0.5)
    assert fitting(DeployRun(run), loose, tmp_path / "out").deployed.network.weight_bits == 8


def test_a_budget_that_cannot_be_met_says_by_how_much(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(run), "--to", "c", "--out", str(tmp_path / "out"), "--max-flash", "1k", "--max-ram", "100"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "8 bits: flash" in said
    assert "4 bits: flash" in said
    assert "too many" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--eps", "0.1"], "expected a goal"),
        (["--exit", "pareto", "--steps", "3"], "expected the options of pareto"),
        (["--max-flash", "much"], "number of bytes"),
        (["--max-flash", "infk"], "number of bytes"),
        (["--clips", "99999999999"], "clips: expected a whole number in [1, 10000]"),
        (["--weights", "9"], "weights: expected"),
    ],
)
def test_options_that_do_not_fit(run: Path, words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--to", "c", "--out", str(tmp_path / "out"), *words]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        export_run(DeployRun(tmp_path / "nowhere"), "c", tmp_path)


def test_an_encoder_without_integer_form_is_named(run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(run, odd)
    encoder = encoder_to_dict(LogMel(n_mels=12, dt_ms=20.0, floor=1e-12))
    for name in ("config.json", "run.json"):
        content = json.loads((odd / name).read_text())
        (content if name == "config.json" else content["recipe"]["data"])["encoder"] = encoder
        write_json(odd / name, content)
    with pytest.raises(InputError, match="floor"):
        prepare_run(DeployRun(odd))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_program_says_what_the_reference_says(run: Path, tones: Path, tmp_path: Path) -> None:
    ready = export_run(DeployRun(run, goal=MeanSteps(5.0)), "c", tmp_path / "c")
    subprocess.run(
        "gcc -std=c99 -O2 -Wall -Wextra -Wconversion -pedantic -Werror *.c -o network", shell=True, check=True, cwd=tmp_path / "c"
    )
    subprocess.run(["make", "-s", "test"], check=True, cwd=tmp_path / "c", capture_output=True)
    for name in ("0_tester_3.wav", "1_tester_20.wav"):
        clip = samples(read_wav(tones / name)[0])
        said = subprocess.run(["./network"], cwd=tmp_path / "c", input=clip.astype("<i2").tobytes(), capture_output=True, check=True)
        found, answer = json.loads(said.stdout), ready.deployed.answer(ready.deployed.totals(clip))
        assert found["label"] == str(answer.label)
        assert (found["steps"], found["stopped"]) == (answer.steps, answer.stopped)
        assert found["confidence"] == pytest.approx(answer.confidence / 65536, abs=2e-6)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_sketch_compiles(run: Path, tmp_path: Path) -> None:
    export_run(DeployRun(run), "arduino", tmp_path / "library")
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "PDM.h").write_text(
        "struct Pdm { int available() { return 0; } int read(void *, int) { return 0; } void onReceive(void (*)()) {} "
        "int begin(int, unsigned) { return 1; } };\nstatic Pdm PDM;\n"
    )
    sketch = (tmp_path / "library" / "examples" / "listen" / "listen.ino").read_text()
    serial = (
        "#include <stdint.h>\nstruct S { void begin(int) {} template <class T> void print(T) {} template <class T> void println(T) {} };\n"
        "static S Serial;\nstatic void noInterrupts() {}\nstatic void interrupts() {}\n"
    )
    (tmp_path / "sketch.cpp").write_text(f"{serial}{sketch}\nint main() {{ setup(); loop(); return 0; }}\n")
    source = tmp_path / "library" / "src"
    subprocess.run(["gcc", "-std=c99", "-c", *map(str, source.glob("*.c"))], check=True, cwd=tmp_path)
    options = ["-Wall", "-Werror", f"-I{source}", f"-I{stubs}", "sketch.cpp", "dendrix.o", "model.o", "-o", "sketch"]
    subprocess.run(["g++", *options], check=True, cwd=tmp_path)
    subprocess.run(["./sketch"], check=True, cwd=tmp_path)


def test_arrays_run_by_the_equations(run: Path, tmp_path: Path) -> None:
    export_run(DeployRun(run, clips=2), "npz", tmp_path / "npz")
    arrays = np.load(tmp_path / "npz" / "network.npz")
    described = json.loads((tmp_path / "npz" / "network.json").read_text())
    assert arrays["layer0_weight"].shape == (24, 12, 1)
    assert described["layers"][1]["kind"] == "li"
    vectors = np.load(tmp_path / "npz" / "vectors.npz")
    assert vectors["totals_1"].shape[1] == 10
