"""`dendrix sdr stats`: statistics of the activity in a file as sparse codes."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError
from .output import print_json

Pack = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE.npz")]


def stats(file: Pack, array: str | None = None, theta: int | None = None, json: bool = False) -> None:
    """Describe a network's activations as sparse codes: sparsity, overlaps, dead units, effective n and a, confusion.

    Args:
        file: .npz of activations, [codes, units], or [B, T, units] with an optional array `valid`, bool [B, T]; nonzero means active.
        array: name of one array; by default all arrays.
        theta: overlap from which two codes count as confused; by default half of the active units.
        json: print one object per array as JSON.
    """
    from ..sdr import statistics

    arrays = _read(file)
    valid = arrays.pop("valid", None)
    if array is not None and array not in arrays:
        raise InputError(f"{file}: expected an array '{array}', got {', '.join(arrays) or 'none'}. Name one of the arrays in the file.")
    chosen = {name: x for name, x in arrays.items() if array in (None, name)}
    if not chosen:
        raise InputError(f"{file}: expected at least one array of activations [codes, units], got none. Save some with numpy.savez.")
    found = {}
    for name, x in chosen.items():
        try:
            found[name] = asdict(statistics(x, valid, theta=theta))
        except (TypeError, ValueError) as error:
            raise InputError(f"{file}, array '{name}': {error} Choose other arrays with --array.") from error
    if json:
        print_json(found)
        return
    console = Console()
    for name, values in found.items():
        console.print(_table(name, values))


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as pack:
            return {name: pack[name] for name in pack.files}
    except OSError:
        raise
    except Exception as error:  # a damaged archive raises many types of errors, from zlib to struct
        raise InputError(f"{file}: expected an .npz of arrays, but it cannot be read ({error}). Save it with numpy.savez.") from error


def _table(name: str, values: dict[str, Any]) -> Table:
    table = Table(title=name, show_header=False)
    table.add_row("codes, units", f"{values['codes']:,} codes of {values['n']:,} units")
    table.add_row("active units", f"{values['sparsity']:.2%} ± {values['sparsity_std']:.2%}")
    table.add_row("never, always active", f"{values['dead']:,} and {values['always_on']:,} units")
    table.add_row("entropy", f"{values['entropy']:.1f} bits for independent units, {values['evenness']:.1%} of the maximum")
    table.add_row("behaves like", f"n = {values['effective_n']:,.0f}, a = {values['effective_a']:.1f}")
    table.add_row("overlap of two codes", f"{values['overlap']:.2f} ± {values['overlap_std']:.2f}")
    table.add_row(
        f"confused at {values['theta']}", f"{values['confusion']:.3g} of the pairs, {values['predicted_confusion']:.3g} predicted"
    )
    return table
