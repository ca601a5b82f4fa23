"""The command `dendrix bench`: choose cases, measure, report and write."""

import json as jsonlib
import sys
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.markdown import Markdown

from ..core import expect_count
from ..core.files import expect_folder, write_atomic
from ..errors import InputError
from . import decode, deployment, exits, exits_growth, nir, serving, sessions, trouble
from .growth import exponents, growths
from .harness import Case, measure
from .machine import describe
from .memory import Footprint, footprint
from .report import Record, case_record, markdown
from .suite import select

_FORMAT = 1


def run(
    wanted: tuple[str, ...] = (),
    threads: tuple[int, ...] = (1, 2),
    quick: bool = False,
    out: Path | None = None,
    json: bool = False,
    explain: bool = False,
    batch: int | None = None,
    pythons: tuple[str, ...] = (),
    limit_s: int = nir.LIMIT_S,
) -> Record:
    """Measure dendrix beside other libraries, print a table and return the record.

    Args:
        wanted: groups or cases to run: `lif`, `delay`, `step`, `train`, `convert`, `wkv`, `lm`, `sdr`, `growth`, `exits` (or one
            network, such as `exits-cifar10`), or the name of a case; all if empty. Only if named: `gpu`, `nir`, `deploy`, `serve`,
            `sessions` and `decode` (or one size, such as `decode-46M`). `growth` beside other names is the growth of those.
        threads: numbers of threads for torch and the kernels.
        quick: small sizes and one round, memory only with `explain`: a test that everything runs and agrees. Its ratios have no meaning.
        out: folder for `results.json` and `results.md`; None writes no file.
        json: print the record as JSON instead of the table.
        explain: also print the kernels that dendrix ran in each case, or why it ran the reference.
        batch: batch size of the whole training step instead of 256, which takes long, and of `exits` instead of three.
        pythons: for `nir` and `deploy`: interpreters of other environments in which some of the libraries are installed.
        limit_s: for `nir`: seconds after which a file in a library counts as not finished.
    Raises:
        InputError: an unknown name, or a number of threads or a batch below one.
    """
    cases = select(wanted)
    if not threads or min(threads) < 1:
        raise InputError(f"threads: expected numbers of at least 1, got {list(threads)}.")
    expect_count(limit_s, "[1, 86400]", "limit_s")
    if batch is not None:
        expect_count(batch, "[1, inf)", "batch")
    if out:
        expect_folder(out)
    # On stderr, so that --json prints only JSON.
    progress = Console(stderr=True)
    before = torch.get_num_threads()
    record: Record = {"format": _FORMAT, "quick": quick, "machine": describe(), "cases": []}
    try:
        for case in cases:
            if batch and case.name.startswith("step"):
                case = replace(case, size={**case.size, "B": batch})
            if quick:
                case = replace(case, size=case.warm, repeats=1)
            record["cases"] += _measured(case, threads, not quick or explain, progress)
        record |= _groups(wanted, cases, threads, quick, progress, batch, pythons, limit_s)
    finally:
        torch.set_num_threads(before)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / "results.json", (jsonlib.dumps(record, indent=1) + "\n").encode())
        write_atomic(out / "results.md", markdown(record).encode())
    if json:
        sys.stdout.write(jsonlib.dumps(record, indent=1) + "\n")
    else:
        Console().print(Markdown(markdown(record)))
    if explain:
        for measured in record["cases"]:
            progress.print(f"{measured['name']}, {measured['threads']} threads: {measured['kernels']}", soft_wrap=True)
    return record


def _groups(
    wanted: tuple[str, ...],
    cases: list[Case],
    threads: tuple[int, ...],
    quick: bool,
    progress: Console,
    batch: int | None,
    pythons: tuple[str, ...],
    limit_s: int,
) -> Record:
    """Measurements that are no cases: growth and exits, and, only if named because they take long, decoding and serving."""

    def tell(line: str) -> None:
        progress.print(line, soft_wrap=True)

    found: Record = {
        "growth": [],
        "exits": [],
        "exits_growth": [],
        "serve": [],
        "trouble": {},
        "sessions": {},
        "decode": {},
        "nir": {},
        "deploy": {},
    }
    if not wanted or "growth" in wanted:
        torch.set_num_threads(1)
        chosen = {case.name for case in cases}
        for growth in (growth for growth in growths() if growth.case in chosen or not chosen):
            tell(f"growth: {growth.about}")
            found["growth"].append({"about": growth.about, "sizes": growth.sizes, "exponents": exponents(growth, quick)})
    if networks := [name for name in exits.NAMES if not wanted or {"exits", f"exits-{name}"} & set(wanted)]:
        found["exits"] = exits.measured(quick, tell, threads, networks, (batch,) if batch else exits.BATCHES)
        torch.set_num_threads(max(threads))
    if not wanted or {"exits", "exits-growth"} & set(wanted):
        found["exits_growth"] = exits_growth.measured(quick, tell)
        torch.set_num_threads(max(threads))
    if sizes := [size for size in decode.SIZES if {"decode", f"decode-{size}"} & set(wanted)]:
        found["decode"] = decode.measured(quick, tell, sizes)
    if "nir" in wanted:
        torch.set_num_threads(1)
        found["nir"] = nir.measured(quick, tell, pythons, limit_s)
    if "deploy" in wanted:
        found["deploy"] = deployment.measured(quick, tell, pythons)
    if "serve" in wanted:
        found["serve"] = serving.measured(max(threads), quick, tell)
        found["trouble"] = trouble.measured(max(threads), quick, tell)
    if "sessions" in wanted:
        found["sessions"] = sessions.measured(max(threads), quick, tell)
    return found


def _measured(case: Case, threads: tuple[int, ...], memory: bool, progress: Console) -> list[Record]:
    """Records of one case at every number of threads; memory, each in its own process, at the greatest."""
    records = []
    for count in sorted(threads) if case.all_threads else (max(threads),):
        torch.set_num_threads(count)
        progress.print(f"{case.name}: {case.about}, {count} threads", soft_wrap=True)
        outcome = measure(case)
        for name, reason in outcome.refused.items():
            progress.print(f"  {name}: no result, {reason}", soft_wrap=True)
        measured: dict[str, Footprint] = {}
        if memory and case.memory and count == max(threads):
            measured = {c.name: footprint(case, c, count) for c in case.contenders if c.name not in outcome.refused}
        records.append(case_record(case, outcome, count, measured))
    return records
