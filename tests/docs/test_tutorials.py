"""Tutorials: their cells run, each page within two minutes of one core."""

import time
from pathlib import Path

import pytest

from support.notebooks import cells, run

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
PAGES = [page for page in sorted(FOLDER.glob("*.md")) if page.stem != "index"]
IDS = [page.stem for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_cells_are_python(page: Path) -> None:
    found = cells(page)
    assert len(found) == page.read_text().count("{code-cell}") > 4
    for cell in found:
        compile(cell, page.name, "exec")


def test_options_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```{code-cell} ipython3\n:tags: [hide-input]\n\nx = 1\n```\n\n```{code-cell} ipython3\ny = 2\n```\n")
    assert cells(tmp_path / "page.md") == ["x = 1\n", "y = 2\n"]


@pytest.mark.extended
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_tutorial_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    start = time.process_time()
    run(page)
    assert plt.get_fignums()
    plt.close("all")
    assert time.process_time() - start < 120
