"""The command `dendrix bench`: choose cases, measure, report and write."""

import json as jsonlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markdown import Markdown

from ..core import expect_count
from ..core.files import expect_folder, expect_writable, read_json, write_atomic, write_json
from ..errors import InputError
from ..train.memory import keep_freed_memory
from ..train.recipe import Recipe
from . import decode, deployment, event_growth, exits, exits_growth, nir, parts, profile, quick, readme, serving, sessions, trouble
from .growth import exponents, growths
from .harness import Case, measure
from .machine import describe
from .memory import Footprint, footprint
from .report import Record, case_record, markdown
from .suite import find, groups, select


def run(
    wanted: tuple[str, ...] = (),
    threads: tuple[int, ...] = (1, 2),
    smoke: bool = False,
    out: Path | None = None,
    json: bool = False,
    explain: bool = False,
    batch: int | None = None,
    pythons: tuple[str, ...] = (),
    limit_s: int = nir.LIMIT_S,
    runs: tuple[Path, ...] = (),
) -> Record:
    """Measure dendrix beside other libraries, print a table and return the record.

    Args:
        wanted: groups or cases to run: `lif`, `delay`, `step`, `train`, `convert`, `wkv`, `lm`, `sdr`, `growth`, `exits` (or one
            network, such as `exits-cifar10`), or the name of a case; all if empty. Only if named: `gpu`, `events`, `nir`, `deploy`,
            `serve`, `sessions` and `decode` (or one size, such as `decode-46M`). `growth` beside other names is the growth of those.
        threads: numbers of threads for torch and the kernels.
        smoke: small sizes and one round, memory only with `explain`: a test that everything runs and agrees. Its ratios have no meaning.
        out: folder for `results.json` and `results.md`, written after every case; results of other cases that it has are kept. None writes
            no file.
        json: print the record as JSON instead of the table.
        explain: also print the kernels that dendrix ran in each case, or why it ran the reference.
        batch: batch size of the whole training step instead of 256, which takes long, and of `exits` instead of three.
        pythons: for `nir`, `events` and `deploy`: interpreters of other environments in which some of the libraries are installed.
        limit_s: for `nir`: seconds after which a file in a library counts as not finished.
        runs: for `decode`: folders of trained SpikeGPTs with spikes before their products, measured instead of untrained ones.
    Returns:
        the record of what was measured now, see `parts.started`.
    Raises:
        InputError: an unknown name, a number of threads or a batch below one, a `results.json` that is no record of the same kind, or runs
            without `decode` or of another kind.
    """
    cases = select(wanted)
    _expect_threads(threads)
    expect_count(limit_s, "[1, 86400]", "limit_s")
    if batch is not None:
        expect_count(batch, "[1, inf)", "batch")
    if runs and wanted != ("decode",):
        raise InputError(f"runs: expected decode alone with them, got {list(wanted)}. Measure the rest in another call.")
    if out:
        expect_folder(out)
    stored = parts.opened(out / "results.json", smoke) if out else None
    # On stderr, so that --json prints only JSON.
    progress = Console(stderr=True)
    keep_freed_memory()
    before = torch.get_num_threads()
    record = parts.started(smoke, stored)
    try:
        for case in cases:
            if batch and case.name.startswith("step"):
                case = replace(case, size={**case.size, "B": batch})
            if smoke:
                case = replace(case, size=case.warm, repeats=1)
            parts.add_cases(record, _measured(case, threads, not smoke or explain, progress))
            _write(out, stored, record)
        for name, found in _sections(wanted, cases, threads, smoke, progress, batch, pythons, limit_s, runs):
            parts.add_section(record, name, found)
            _write(out, stored, record)
    finally:
        torch.set_num_threads(before)
    if json:
        sys.stdout.write(jsonlib.dumps(record, indent=1) + "\n")
    else:
        Console().print(Markdown(markdown(record)))
    if explain:
        for measured in record["cases"]:
            progress.print(f"{measured['name']}, {measured['threads']} threads: {measured['kernels']}", soft_wrap=True)
    return record


def _write(out: Path | None, stored: Record | None, record: Record) -> None:
    """Write a record and its tables into a folder, merged into what it had before."""
    if out:
        places = {case.name: place for place, case in enumerate(case for group in groups().values() for case in group)}
        whole = parts.merged(stored, record, lambda name: places.get(name, len(places)))
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / "results.json", (jsonlib.dumps(whole, indent=1) + "\n").encode())
        write_atomic(out / "results.md", markdown(whole).encode())


def run_quick(
    wanted: tuple[str, ...] = (), out: Path | None = None, against: Path | None = None, json: bool = False
) -> tuple[Record, list[Record]]:
    """Time dendrix alone in under three minutes, and compare it with a record of earlier code; see `bench.quick`.

    Args:
        wanted: groups or cases; by default those of `quick.CASES`.
        out: JSON file for the record.
        against: the record of earlier code on this machine.
        json: print the record and the verdicts as JSON instead of the table.
    Returns:
        the record, and a verdict for each case if there is a record to compare with.
    Raises:
        InputError: an unknown name, a wrong result, or a record that cannot be compared.
    """
    cases = select(wanted) if wanted else [find(name) for name in quick.CASES]
    refused = [name for name in wanted if not select((name,))]
    if refused := refused or [case.name for case in cases if not (case.memory and case.repeats)]:
        raise InputError(f"wanted: expected cases that are timed on the CPU, got {', '.join(refused)}. Name others.")
    before = read_json(against) if against else None
    if before is not None:
        quick.expect_comparable(before, str(against), describe(), {case.name: case.size for case in cases})
    if out:
        expect_writable(out)
    progress = Console(stderr=True)
    record = quick.measured(cases, lambda line: progress.print(line, soft_wrap=True))
    if out:
        write_json(out, record)
    verdicts = quick.compared(before, record) if before else []
    if json:
        sys.stdout.write(jsonlib.dumps({"record": record, "verdicts": verdicts}, indent=1) + "\n")
    else:
        for line in quick.changed(before, record) if before else ():
            progress.print(line, soft_wrap=True)
        Console().print(Markdown(quick.markdown(record, verdicts)))
    return record, verdicts


def run_profile(
    recipes: Mapping[str, Recipe],
    threads: tuple[int, ...] = (1,),
    out: Path | None = None,
    against: Path | None = None,
    json: bool = False,
    steps: int = profile.STEPS,
) -> Record:
    """Profile a few training steps of each recipe, print where their time goes and return the record.

    Args:
        recipes: by name.
        threads: numbers of threads for torch and the kernels.
        out: folder for `profile.json` and `profile.md`; None writes no file.
        against: `profile.json` of earlier code, whose profiles are stored and shown beside the new ones.
        json: print the record as JSON instead of the tables.
        steps: profiled steps of the optimiser.
    Raises:
        FileNotFoundError: the data of a recipe other than SHD are not found.
        InputError: a number below one, or data with too few batches.
    """
    _expect_threads(threads)
    expect_count(steps, "[1, inf)", "steps")
    if out:
        expect_folder(out)
    progress = Console(stderr=True)
    keep_freed_memory()
    earlier = read_json(against) if against else None
    if earlier is not None:
        profile.expect_record(earlier, str(against))
    record = profile.measured(recipes, threads, steps, lambda line: progress.print(line, soft_wrap=True))
    if earlier is not None:
        record["before"] = earlier["profiles"]
    if out:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "profile.json", record)
        write_atomic(out / "profile.md", profile.markdown(record).encode())
    if json:
        sys.stdout.write(jsonlib.dumps(record, indent=1) + "\n")
    else:
        Console().print(Markdown(profile.markdown(record)))
    return record


def write_tables(folder: Path) -> list[Path]:
    """Write the tables of stored records again: `NAME.md` of every `NAME.json` in a folder that has both, and the rows of a README beside
    the folder that state the results of `results.json`.

    Returns:
        the files written.
    Raises:
        FileNotFoundError: the folder has no such pair.
        InputError: a record is damaged.
    """
    pages = [page for page in sorted(folder.glob("*.md")) if page.with_suffix(".json").is_file()]
    if not pages:
        raise FileNotFoundError(f"{folder}: expected NAME.json beside NAME.md, got none. Give the folder of the stored records.")
    if folder / "results.md" in pages:
        parts.expect_record(folder / "results.json")
    tables = [stored_table(read_json(page.with_suffix(".json"))) for page in pages]
    beside = folder.resolve().parent / "README.md"
    if beside.is_file() and folder / "results.md" in pages:
        pages.append(beside)
        tables.append(readme.written(beside.read_text(), read_json(folder / "results.json")))
    for page, table in zip(pages, tables, strict=True):
        write_atomic(page, table.encode())
    return pages


def stored_table(record: Record) -> str:
    """The tables of a record of any kind, in Markdown."""
    return profile.markdown(record) if "profiles" in record else markdown(record)


def _expect_threads(threads: tuple[int, ...]) -> None:
    if not threads or min(threads) < 1:
        raise InputError(f"threads: expected numbers of at least 1, got {list(threads)}.")


def _sections(
    wanted: tuple[str, ...],
    cases: list[Case],
    threads: tuple[int, ...],
    smoke: bool,
    progress: Console,
    batch: int | None,
    pythons: tuple[str, ...],
    limit_s: int,
    runs: tuple[Path, ...],
) -> Iterator[tuple[str, Any]]:
    """Measurements that are no cases: growth and exits, and, only if named because they take long, decoding and serving."""

    def tell(line: str) -> None:
        progress.print(line, soft_wrap=True)

    if not wanted or "growth" in wanted:
        torch.set_num_threads(1)
        chosen, found = {case.name for case in cases}, []
        for growth in (growth for growth in growths() if growth.case in chosen or not chosen):
            tell(f"growth: {growth.about}")
            found.append({"about": growth.about, "sizes": growth.sizes, "exponents": exponents(growth, smoke)})
        yield "growth", found
    torch.set_num_threads(max(threads))
    if networks := [name for name in exits.NAMES if not wanted or {"exits", f"exits-{name}"} & set(wanted)]:
        yield "exits", exits.measured(smoke, tell, threads, networks, (batch,) if batch else exits.BATCHES)
        torch.set_num_threads(max(threads))
    if not wanted or {"exits", "exits-growth"} & set(wanted):
        yield "exits_growth", exits_growth.measured(smoke, tell)
        torch.set_num_threads(max(threads))
    if runs:
        yield "decode", decode.measured_runs(runs, smoke, tell)
    elif sizes := [size for size in decode.SIZES if {"decode", f"decode-{size}"} & set(wanted)]:
        yield "decode", decode.measured(smoke, tell, sizes)
    if "deploy" in wanted:
        yield "deploy", deployment.measured(smoke, tell, pythons)
    if "serve" in wanted:
        yield "serve", serving.measured(max(threads), smoke, tell)
        yield "trouble", trouble.measured(max(threads), smoke, tell)
    if "sessions" in wanted:
        yield "sessions", sessions.measured(max(threads), smoke, tell)
    torch.set_num_threads(1)
    if "nir" in wanted:
        yield "nir", nir.measured(smoke, tell, pythons, limit_s)
    if "events" in wanted:
        yield "events", event_growth.measured(smoke, tell, pythons)


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
