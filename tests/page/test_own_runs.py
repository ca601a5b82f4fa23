"""Runs of the user's in place of the shipped networks."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch

from dendrix.cli import main
from dendrix.core.files import write_json
from dendrix.data.text.tokenizers import byte_tokenizer, word_tokenizer
from dendrix.deploy import DeployedImage
from dendrix.errors import InputTypeError
from dendrix.models import VGG, Converted, ConvertedConfig, DelayNet, DelayNetConfig, VGGConfig
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.page import Networks, build_page
from dendrix.page.seeing import deployed_images, see_files
from dendrix.page.writing import write_files
from dendrix.run_folder import load_checkpoint
from dendrix.run_folder.checkpoint import Checkpoint, write_checkpoint
from dendrix.train.text.data import TextData
from support.browser import Visitor, needs_browser, served

LABELS = ("left", "right", "up", "down")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted network of grey pictures without a record of its data."""
    folder = tmp_path_factory.mktemp("runs") / "signs"
    folder.mkdir()
    torch.manual_seed(1)
    ann = VGG(VGGConfig(4, stages=((6,), (8,)), threshold=2.0, mean=(0.5,), std=(0.3,))).eval()
    net = Converted(ConvertedConfig.of(ann, height=12, width=12, steps=5), ann).eval()
    write_checkpoint(folder, Checkpoint(net, LABELS, shape=(1, 12, 12)))
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "rose"
    folder.mkdir()
    (folder / "text.txt").write_text("a rose is a rose is a rose\n" * 300)
    save_language_model(folder, SpikeGPT(SpikeGPTConfig(256, 16, 2, spikes="input")), byte_tokenizer())
    write_json(folder / "run.json", {"name": "rose", "recipe": {"data": TextData(str(folder / "text.txt")).to_dict()}})
    return folder


def test_an_image_run(images: Path) -> None:
    files = dict(see_files(images))
    about = json.loads(files["see.json"])
    assert about["image"] == [12, 12, 1]
    assert about["certified"] is None
    assert len(files["see-samples.bin"]) == 12 * 12 * len(about["samples"])
    deployed = deployed_images(images, load_checkpoint(images))
    assert isinstance(deployed, DeployedImage)
    assert about["labels"] == list(LABELS)


def test_a_language_model(texts: Path) -> None:
    about = json.loads(dict(write_files(texts))["write.json"])
    assert not about["shipped"]
    assert {product["kind"] for product in about["products"][:-1]} <= {"spikes", "silence"}


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    save_language_model(tmp_path, SpikeGPT(SpikeGPTConfig(40, 16, 1)), word_tokenizer(["a rose is a rose"], 40))
    with pytest.raises(InputTypeError, match="expected a language model of bytes"):
        dict(write_files(tmp_path))


def test_the_command_refuses_other_networks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_checkpoint(tmp_path / "run", Checkpoint(DelayNet(DelayNetConfig(6, 4, hidden=(5,), max_delay_ms=20.0)), LABELS))
    assert main(["page", str(tmp_path / "run"), "--out", str(tmp_path / "page")]) != 0
    assert "which no room of the page takes" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


def test_a_run_with_the_name_of_a_shipped_network_is_not_taken_for_it(images: Path, texts: Path, tmp_path: Path) -> None:
    see, write = copytree(images, tmp_path / "cifar10"), copytree(texts, tmp_path / "novels")
    assert not json.loads(dict(see_files(see))["see.json"])["shipped"]
    assert not json.loads(dict(write_files(write))["write.json"])["shipped"]


@needs_browser
@pytest.mark.extended
def test_own_runs_in_the_browser(images: Path, texts: Path, tmp_path: Path, browser: Any) -> None:
    build_page(tmp_path / "page", Networks(see=images, write=texts))
    deployed = deployed_images(images, load_checkpoint(images))
    with served(tmp_path / "page") as url:
        visitor = Visitor(browser, url)
        page = visitor.open("see")
        pixels = np.frombuffer((tmp_path / "page" / "models" / "see-samples.bin").read_bytes(), np.uint8)[:144].astype(np.int64)
        expected = deployed.answer(deployed.totals(pixels))
        found = page.locator("#see > div").evaluate("node => ({...node.dataset})")
        assert (found["label"], int(found["exit"])) == (LABELS[expected.label], expected.steps)
        box = page.locator("canvas.pad").bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 160, box["y"] + 170, steps=5)
        page.mouse.up()
        page.get_by_text("What you draw is scaled").wait_for()
        assert page.locator("#see button[aria-pressed=true]").count() == 0
        page.get_by_role("navigation").get_by_role("link", name="Write").click()
        page.get_by_label("Text to continue").fill("a rose ")
        page.get_by_label("Bytes to write").fill("50")
        page.get_by_role("button", name="Continue the text").click()
        page.wait_for_selector("#write > div[data-task=written]")
        assert float(page.locator("#write > div").get_attribute("data-nanojoules")) > 0
        assert visitor.problems == []
        visitor.context.close()
