"""Networks of other libraries on the "Coming from" pages give the spikes of ours, where the library is installed."""

import re
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "docs" / "coming-from"
BLOCK = re.compile(r"^```python\n(.*?)^```|^:::\{code-block\} python\n:name: (\w+)-network\n\n(.*?)^:::", re.MULTILINE | re.DOTALL)


@pytest.mark.extended
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("page", "package", "suffix"),
    [
        ("snntorch", "snntorch", ""),
        ("spikingjelly", "spikingjelly", ""),
        ("norse", "norse", ""),
        ("sinabs-rockpool", "sinabs", ""),
        ("sinabs-rockpool", "rockpool", "_with_synapse"),
    ],
)
def test_the_spikes_are_the_same(page: str, package: str, suffix: str) -> None:
    pytest.importorskip(package, reason=f"needs {package}: pip install {package}")
    names: dict[str, torch.Tensor] = {}
    for plain, peer, code in BLOCK.findall((FOLDER / f"{page}.md").read_text(encoding="utf-8")):
        if not peer or peer == package:
            exec(compile(plain or code, page, "exec"), names)
    ours, theirs = names[f"ours{suffix}"], names[f"theirs{suffix}"]
    assert ours.mean() > 0.01
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("page", ["snntorch", "spikingjelly", "norse", "sinabs-rockpool"])
def test_every_page_has_a_network_of_the_library(page: str) -> None:
    assert [peer for _, peer, _ in BLOCK.findall((FOLDER / f"{page}.md").read_text(encoding="utf-8")) if peer] == page.split("-")
