"""`dendrix teach budget`: false alarms of a taught word by the number of synapses of its segments."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from .output import print_json

VocabularyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="VOCABULARY")]
Name = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WORD")]


def budget(
    vocabulary: VocabularyFile,
    word: Name,
    synapses: tuple[int, ...] = (10, 20, 40, 80),
    rate: float = 0.001,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Show the false alarms of segments that keep some synapses of the codes of a word, by exact theory and measured.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        word: the word.
        synapses: numbers of synapses of a segment.
        rate: largest rate at which a segment may respond to a clip of another word.
        out: picture to write, .png or .svg.
        json: print a list of objects as JSON.
    """
    from ..core.files import expect_writable
    from ..runs.teaching import open_vocabulary
    from ..teach import thinned_segments

    if out is not None:
        expect_writable(out)
    known, coder = open_vocabulary(vocabulary)
    background, codes = coder.backbone.background, known[word].codes
    found = thinned_segments(codes, background.codes, synapses, rate)
    if out is not None:
        from ..plot import COLOURS, new_axis, save_figure

        figure, axis = new_axis(f"Segments of '{word}'", "synapses of a segment", "share of other clips that they respond to")
        columns = [("uniform", "uniformly random codes"), ("measured", "measured"), ("theory", "theory over the measured overlaps")]
        for (name, label), colour in zip(columns, COLOURS, strict=False):
            axis.plot([one.synapses for one in found], [getattr(one, name) for one in found], marker="o", color=colour, label=label)
        axis.set_yscale("log")
        axis.legend(frameon=False)
        save_figure(figure, out)
    if json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    table = Table("synapses", "threshold", "theory", "measured", "uniform codes", title=f"{word}: responses of a segment to other words")
    for one in found:
        table.add_row(str(one.synapses), str(one.theta), f"{one.theory:.2e}", f"{one.measured:.2e}", f"{one.uniform:.1e}")
    Console().print(table)
