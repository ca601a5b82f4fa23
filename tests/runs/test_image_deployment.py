"""Deployment of a converted image run: quantised, with an exit rule of its own record, exported to every target, and used as a run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.deploy import IntegerImageNetwork
from dendrix.errors import InputError
from dendrix.exits import Pareto
from dendrix.models import VGGConfig
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.runs import evaluate_run
from dendrix.runs.conversion import ConvertRun, convert_run
from dendrix.runs.deployment import DeployRun, export_run
from support.image_runs import write_run
from support.picture_files import coloured, encoded, write_binary


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10 in small, a run, its conversion, that in whole numbers, and a picture."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "data").mkdir()
    write_binary(folder / "data")
    write_run(folder / "ann", folder / "data", VGGConfig(stages=((8,), (16,)), threshold=1.0))
    convert_run(ConvertRun(folder / "ann", steps=4), folder / "spiking")
    export_run(DeployRun(folder / "spiking"), "run", folder / "whole")
    (folder / "picture.png").write_bytes(encoded(coloured(10)[0][3]))
    return folder


@pytest.mark.parametrize("to", ["c", "wasm", "npz"])
def test_every_target(to: str, work: Path, tmp_path: Path) -> None:
    asked = DeployRun(work / "spiking", goal=Pareto(0.05), clips=3)
    ready = export_run(asked, to, tmp_path / "net")  # type: ignore[arg-type]
    assert ready.comparison.agreement >= 0.9
    assert (tmp_path / "net" / "policy.json").exists()
    assert ready.costs.rows()
    if to == "c" and shutil.which("gcc"):
        options = (
            "-std=c99 -O2 -Wall -Wextra -Wconversion -pedantic -Werror -DDX_TRACE test/selftest.c dendrix_image.c model.c -o test/a.out"
        )
        subprocess.run(["gcc", *options.split()], cwd=tmp_path / "net", check=True)
        said = subprocess.run(["./test/a.out"], cwd=tmp_path / "net", check=True, capture_output=True, text=True).stdout
        assert "3 images equal" in said


def test_the_integer_run_is_a_run_like_any_other(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(load_checkpoint(work / "whole").model, IntegerImageNetwork)
    found, expected = evaluate_run(work / "whole"), evaluate_run(work / "spiking")
    assert found.accuracy == pytest.approx(expected.accuracy, abs=0.1)
    assert main(["predict", str(work / "whole"), str(work / "picture.png")]) == 0
    record, policy = work / "whole.safetensors", work / "policy.json"
    assert main(["exits", "record", str(work / "whole"), "--split", "valid", "--out", str(record)]) == 0
    assert main(["exits", "fit", str(record), "--goal", "pareto", "--eps", "0.05", "--out", str(policy)]) == 0
    assert main(["exits", "run", str(work / "whole"), str(work / "picture.png"), "--policy", str(policy)]) == 0
    assert "of" in capsys.readouterr().out


def test_the_integer_run_is_exported_as_it_is(work: Path, tmp_path: Path) -> None:
    ready = export_run(DeployRun(work / "whole", clips=2), "npz", tmp_path / "net")
    assert ready.comparison.agreement == 1


def test_what_is_for_delay_networks_alone_is_refused(work: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got arduino"):
        export_run(DeployRun(work / "spiking"), "arduino", tmp_path / "net")
    with pytest.raises(InputError, match="finetune: expected 0"):
        export_run(DeployRun(work / "spiking", finetune=1), "c", tmp_path / "net")
    assert not list(tmp_path.iterdir())
