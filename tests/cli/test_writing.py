"""What commands write: devices and links stay what they are, and a full disk or a read-only place is one sentence that leaves nothing.

The commands are those of the command line itself: one that gets a new option for a path needs a case here.
"""

import contextlib
import inspect
import os
import resource
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
import safetensors.torch
from PIL import Image

from dendrix.cli import main
from dendrix.cli.commands import COMMANDS, GROUPS
from dendrix.core.files import write_json
from dendrix.data import EvenMel, encoder_to_dict
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.exchange import write_nir
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.run_folder.checkpoint import Checkpoint, write_checkpoint
from dendrix.samples import find_sample
from dendrix.train.sequence.data import FsddData
from support import own_nets
from support.exit_records import pool
from support.nir_graphs import chain_graph

READ = (
    "run file files record policy data root images weights spike_input load_state token_file vocabulary others sound sounds clips to "
    "unknown monitor against runs"
)
"""Options for paths that are read; vocabularies and monitors are read before they are written."""
FILE_COMMANDS = {
    "exits record --out": "exits record fsdd --data {words} --out",
    "exits fit --out": "exits fit {record} --goal mean-steps --steps 3 --json --out",
    "exits report --figure": "exits report {policy} {record} --figure",
    "exits run --figure": "exits run fsdd 7_george_0.wav --figure",
    "energy --figure": "energy fsdd --inputs 2 --figure",
    "sdr plot --out": "sdr plot --n 1000 --a 40 --s 20 --out",
    "report --out": "report fsdd --data {words} --out",
    "lm generate --save-state": "lm generate {text} Rain --max-new-tokens 2 --seed 0 --save-state",
    "teach backbone --out": "teach backbone fsdd --root {spoken} --clips 20 --out",
    "teach budget --out": "teach budget {taught} seven --synapses 10 --out",
    "export --out (nir)": "export {imported} --to nir --out",
    "export --out (onnx)": "export {imported} --to onnx --out",
}
FOLDER_COMMANDS = {
    "train --out": "train digits-delays --budget.epochs 1 --model.hidden 8 --no-report --out",
    "lm finetune --out": "lm finetune {sentences} --model.width 8 --model.layers 1 --budget.epochs 1 --no-report --out",
    "sweep --out": "sweep digits-delays --space optim.lr=1e-3..1e-2 --trials 1 --out",
    "convert --out": "convert {cnn}:cnn --weights {weights} --images {pictures} --side 8 --T 4 --inputs 8 --calibrate channel --out",
    "demo --out": "demo --epochs 1 --out",
    "bench --out": "bench lif-100 --smoke --threads 1 --out",
    "reproduce --out": "reproduce sdr --out",
    "sdr figures --out": "sdr figures --out",
    "nir import --out": "nir import {graph} --dt-ms 1 --out",
    **{
        f"export --out ({target})": f"export {{network}} --to {target} --clips 1 --out" for target in ("c", "wasm", "arduino", "npz", "run")
    },
    "fetch --data-dir": "fetch mnist --data-dir",
    "page --out": "page --build-only --out",
}
FIGURES = ("exits report --figure", "exits run --figure", "energy --figure", "sdr plot --out", "teach budget --out")
LONGER = [pytest.param(name, marks=[pytest.mark.extended] * (name in ("report --out", "export --out (onnx)"))) for name in FILE_COMMANDS]
KEEPS_WHAT_IS_COMPLETE = ("sdr figures --out", "demo --out", "bench --out", "reproduce --out")
MEL = EvenMel(n_mels=12, dt_ms=20.0, window_ms=32.0, centred=True)
NOBODY = 65534


def written() -> set[str]:
    """Every command with each of its options for a path that is not read."""
    commands = dict(COMMANDS)
    for name in GROUPS:
        commands |= {f"{name} {inner}": command for inner, command in import_module(f"dendrix.cli.{name}").COMMANDS.items()}
    options = {
        f"{name} --{option.replace('_', '-')}"
        for name, command in commands.items()
        for option, parameter in inspect.signature(command).parameters.items()
        if "Path" in str(parameter.annotation) and option not in READ.split()
    }
    return options | {"train --out", "lm finetune --out"}  # those have the options of their recipes


def test_every_command_that_writes_has_a_case() -> None:
    assert {name.partition(" (")[0] for name in (*FILE_COMMANDS, *FOLDER_COMMANDS)} == written()


@pytest.fixture(scope="module")
def inputs(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """What the commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    words = folder / "words"
    for digit in "01":
        (words / digit).mkdir(parents=True)
        for take in range(2):
            shutil.copy(tones / f"{digit}_tester_{take}.wav", words / digit)
    pool(200).save(folder / "record.npz")
    (folder / "text").mkdir()
    save_language_model(folder / "text", SpikeGPT(SpikeGPTConfig(256, 16, 1)), byte_tokenizer())
    (folder / "films.tsv").write_text("text\tlabel\n" + "fine\tgood\ndull\tbad\n" * 40)
    write_nir(chain_graph("LIF", r=10.0), folder / "net.nir")
    (folder / "network").mkdir()
    network = DelayNet(DelayNetConfig(12, 10, hidden=(24,), max_delay_ms=80.0, dt_ms=20.0))
    write_checkpoint(folder / "network", Checkpoint(network, tuple("0123456789"), encoder_to_dict(MEL), Decision("mean", 60.0)))
    write_json(folder / "network" / "run.json", {"name": "tones", "recipe": {"data": FsddData(MEL, root=tones).to_dict()}})
    shutil.copy(own_nets.__file__, folder / "cnn_to_write.py")
    safetensors.torch.save_file(own_nets.cnn().state_dict(), folder / "cnn.safetensors")
    for brightness, name in ((20, "dark"), (200, "bright")):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (8, 8), (brightness + number,) * 3).save(folder / "pictures" / name / f"{number}.png")
    (folder / "spoken").mkdir()
    for digit in range(5):
        for take, speaker in ((0, "theo"), (5, "george"), (10, "theo"), (11, "nicolas"), (12, "george")):
            shutil.copy(find_sample(f"{digit}_{speaker}_0"), folder / "spoken" / f"{digit}_tester_{take}.wav")
    made = {
        "record": folder / "record.npz", "policy": folder / "policy.json", "words": words, "text": folder / "text",
        "sentences": folder / "films.tsv", "graph": folder / "net.nir", "imported": folder / "imported", "network": folder / "network",
        "cnn": folder / "cnn_to_write.py", "spoken": folder / "spoken",
        "taught": folder / "taught", "weights": folder / "cnn.safetensors", "pictures": folder / "pictures", "cache": folder / "cache",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:  # encoded once, as a cache on a full disk is an error of its own
        patch.setenv("DENDRIX_CACHE", str(made["cache"]))
        assert main([*words_of("export --out (npz)", made), str(folder / "exported")]) == 0
    add = ["teach", "add", "seven", "7_george_0.wav", "7_nicolas_0.wav", "--backbone", "fsdd", "--rate", "0.1"]
    assert main([*add, "--to", str(made["taught"])]) == 0
    for command, place in (("exits fit --out", "policy"), ("nir import --out", "imported")):
        assert main([*words_of(command, made), str(made[place])]) == 0
    yield made
    sys.modules.pop("cnn_to_write", None)


def words_of(command: str, inputs: dict[str, Path]) -> list[str]:
    return [word.format(**inputs) for word in {**FILE_COMMANDS, **FOLDER_COMMANDS}[command].split()]


@pytest.mark.parametrize("command", LONGER)
def test_devices_and_links_stay_what_they_are(
    command: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    suffix = ".png" if command in FIGURES else ".out"
    (tmp_path / "elsewhere").mkdir()
    target, null, dangling, pipe = (tmp_path / f"{name}{suffix}" for name in ("link", "null", "dangling", "pipe"))
    real = tmp_path / "elsewhere" / f"real{suffix}"
    real.write_bytes(b"old")
    real.chmod(0o640)
    target.symlink_to(real)
    dangling.symlink_to(tmp_path / "elsewhere" / f"new{suffix}")
    null.symlink_to("/dev/null")
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    for path in (target, dangling, null, pipe):
        assert main([*words_of(command, inputs), str(path)]) == 0
    reader.join()
    assert all(link.is_symlink() for link in (target, dangling, null))
    assert (stat.S_IMODE(real.stat().st_mode), len(real.read_bytes()) > 100) == (0o640, True)
    assert len((tmp_path / "elsewhere" / f"new{suffix}").read_bytes()) > 100
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(read[0]) > 100
    left = [path.name for path in (*tmp_path.iterdir(), *real.parent.iterdir()) if path.name.startswith(".")]
    assert not left


@pytest.mark.parametrize("command", LONGER)
def test_a_full_disk_is_one_sentence(
    command: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    link = tmp_path / ("full.png" if command in FIGURES else "full")
    link.symlink_to("/dev/full")
    (tmp_path / "kept.png").write_bytes(b"old")
    assert failed(capsys, [*words_of(command, inputs), str(link)]) == f"dendrix: {link}: No space left on device."
    with files_of_at_most(200):
        said = failed(capsys, [*words_of(command, inputs), str(tmp_path / "kept.png")])
    assert said == f"dendrix: {tmp_path / 'kept.png'}: File too large."
    assert (tmp_path / "kept.png").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == sorted(["kept.png", link.name])


@pytest.mark.filterwarnings("ignore:Compiled kernels cannot be kept")
@pytest.mark.parametrize("command", [name for name in FOLDER_COMMANDS if name != "fetch --data-dir"])  # of a server: tests/data
def test_a_full_disk_leaves_nothing_half_written(
    command: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A first file may be small enough; what is left of the command is whole files, and no temporary ones."""
    monkeypatch.setenv("DENDRIX_CACHE", str(inputs["cache"]))
    out = tmp_path / "out"
    with files_of_at_most(400):
        said = failed(capsys, [*words_of(command, inputs), str(out)])
    assert said.endswith(
        "disk I/O error. Check the URL, the server and the space on the disk." if command == "sweep --out" else "File too large."
    )
    assert str(out) in said
    assert not [path for path in out.rglob("*") if path.is_file() and path.stat().st_size > 400]
    assert not list(tmp_path.rglob(".*"))
    if command not in KEEPS_WHAT_IS_COMPLETE:
        assert not out.exists()


@pytest.mark.parametrize("command", [*FILE_COMMANDS, *FOLDER_COMMANDS])
def test_a_read_only_place_is_refused_before_the_work(command: str, inputs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the write itself would say "Permission denied" instead."""
    with read_only_folder() as folder:
        said = failed(capsys, [*words_of(command, inputs), str(folder / "out.png")])
    assert "expected a writable" in said
    below_a_file = inputs["record"] / "out.png"
    assert failed(capsys, [*words_of(command, inputs), str(below_a_file)]).startswith(f"dendrix: {below_a_file}: expected a ")


def failed(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The sentence of a command that fails, without what to do."""
    capsys.readouterr()
    assert main(words) == 1
    *before, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith("dendrix: ")
    assert not [line for line in before if line.startswith(("dendrix: ", "Traceback"))]  # `bench` says there what it measures
    return last.removesuffix(" Check the path, its permissions and the space on the disk.")


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every longer file fail, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only_folder() -> Iterator[Path]:
    """A folder that may not be written to, not even by root, who becomes nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user: Callable[[int], None] = os.seteuid if os.geteuid() == 0 else lambda _: None
    user(NOBODY)
    try:
        yield folder
    finally:
        user(0)
        folder.rmdir()
