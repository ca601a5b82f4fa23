"""The folder of the page is complete, small, closed and as its sources."""

import json
import re
import zlib
from importlib import metadata
from pathlib import Path

import pytest

from dendrix.errors import InputError, InputTypeError
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.page import Networks, networks_with, written_page
from dendrix.plot import COLOURS
from dendrix.pretrained import find_run
from dendrix.run_folder.checkpoint import Checkpoint, write_checkpoint
from support.paths import ROOT


def test_files_are_those_of_the_list(folder: Path) -> None:
    about = json.loads((folder / "page.json").read_text())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del found["page.json"]
    assert {name: {"bytes": len(content), "crc32": zlib.crc32(content)} for name, content in found.items()} == about["files"]
    assert about["version"] == metadata.version("dendrix")
    assert about["networks"] == Networks().to_dict()


def test_it_is_small(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 6_000_000
    first_view = sizes["index.html"] + sizes["style.css"] + sizes["main.js"] + sizes["page.json"]
    assert first_view < 40_000


def test_nothing_may_come_from_elsewhere(folder: Path) -> None:
    html = (folder / "index.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["connect-src"] == "'self'"
    assert "unsafe-inline" not in policy
    for path in [*folder.rglob("*.js"), *folder.rglob("*.mjs"), *folder.rglob("*.html"), *folder.rglob("*.css")]:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path.name
        assert not re.search(r"\son\w+=\"|\sstyle=\"|<script>", text), path.name


def test_every_import_is_a_file(folder: Path) -> None:
    for path in [*folder.rglob("*.js"), *folder.rglob("*.mjs")]:
        for name in re.findall(r"""(?:from|import)\s*\(?\s*"(\.[^"]+)\"""", path.read_text()):
            assert (path.parent / name).is_file(), f"{path.name}: {name}"


def test_colours_are_those_of_the_figures(folder: Path) -> None:
    light = (folder / "style.css").read_text().split("@media")[0]
    found = [re.search(rf"--c{number}: (#\w+);", light)[1] for number in range(len(COLOURS))]  # type: ignore[index]
    darker = {0, 1}  # grey and orange, which are too light for letters
    assert [found[k] for k in range(len(COLOURS)) if k not in darker] == [COLOURS[k] for k in range(len(COLOURS)) if k not in darker]


def test_a_folder_is_used_again_only_if_it_is_this_page(folder: Path, tmp_path: Path) -> None:
    assert written_page(folder, Networks())["version"] == metadata.version("dendrix")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="expected a new folder"):
        written_page(other, Networks())
    (other / "page.json").write_text("[]")
    with pytest.raises(InputError, match="expected a new folder"):
        written_page(other, Networks())
    with pytest.raises(InputError, match="expected a new folder"):
        written_page(folder, Networks(see=tmp_path / "run"))


def test_networks_by_kind() -> None:
    assert networks_with(None) == Networks()
    assert networks_with("cifar10") == Networks(see=networks_with("cifar10").see)
    digits = find_run("fsdd")
    assert networks_with("fsdd") == Networks(hear=digits, teach=digits)


def test_a_network_that_no_room_takes_is_refused(tmp_path: Path) -> None:
    net = DelayNet(DelayNetConfig(inputs=3, outputs=2, hidden=(4,), dt_ms=10.0, max_delay_ms=30.0))
    write_checkpoint(tmp_path, Checkpoint(net, ("a", "b"), None, Decision()))
    with pytest.raises(InputTypeError, match="no room of the page takes"):
        networks_with(tmp_path)


def test_the_how_to_has_the_measured_figures() -> None:
    measured = json.loads((ROOT / "benchmarks" / "page.json").read_text())
    text = (ROOT / "docs" / "howto" / "page.md").read_text()
    for room in ("write", "see"):
        assert f"| {measured[room]['browser']:,} | {measured[room]['python']:,} |" in text
    view = measured["first_view_ms"]
    assert f"{view['first_contentful_paint'] / 1000:.2f} s and everything is loaded after {view['everything_loaded'] / 1000:.1f} s" in text
    assert view["first_contentful_paint"] < 1000
    assert f"plain files, {measured['bytes']['all'] / 1e6:.1f} MB" in text


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images" / "page").iterdir()}
    assert len(sizes) >= 8
    assert max(sizes.values()) <= 60_000
