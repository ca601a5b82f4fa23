"""Record of the benchmarks in JSON, and tables in Markdown."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from . import decode, deployment, event_growth, exits, exits_growth, nir, serving, sessions, trouble
from .harness import OURS, Case, Outcome
from .memory import Footprint
from .parts import introduction, origin

Record = dict[str, Any]

_MIB = 1024 * 1024

_INTRODUCTION = """# Benchmarks

Written by `make bench`. A *ratio* is a contender's time over that of dendrix: median (least to greatest) over interleaved rounds;
above 1, dendrix is faster. A contender whose results differ from the reference by more than the tolerance has no ratio; *error* is
the largest relative error, `norm(result - reference) / norm(reference)`, over outputs and gradients. The *limit* is one
multiplication forward and one backward. *Peak* is the growth of resident memory during one step in a fresh process, *overhead* is
the peak without the results of the step.
"""


def case_record(case: Case, outcome: Outcome, threads: int, footprints: dict[str, Footprint]) -> Record:
    """Record of one case at one number of threads. `ratio` is the contender's time over that of dendrix in the same round."""
    ours = outcome.timings.get(OURS)
    contenders: Record = {}
    for name in [c.name for c in case.contenders if c.name not in outcome.refused]:
        entry: Record = {"errors": outcome.errors.get(name, {})}
        if timing := outcome.timings.get(name):
            entry["seconds"] = timing.median
            if ours:
                entry["ratio"], entry["ratio_least"], entry["ratio_greatest"] = timing.ratio_to(ours)
        if found := footprints.get(name):
            entry |= {"peak_mib": found.peak / _MIB, "overhead_mib": found.overhead / _MIB}
        contenders[name] = entry
    return {
        "name": case.name,
        "about": case.about,
        "size": case.size,
        "threads": threads,
        "repeats": case.repeats,
        "tolerance": case.tolerance,
        "exact": case.exact,
        "coarse": case.coarse,
        "contenders": contenders,
        "refused": outcome.refused,
        "kernels": footprints[OURS].kernels if OURS in footprints else {},
    }


def markdown(record: Record) -> str:
    """The record as tables in Markdown."""
    parts = [_INTRODUCTION, introduction(record)]
    for _, runs in groupby(record["cases"], key=lambda case: case["name"]):
        cases = list(runs)
        parts.append(_case_table(cases) + origin(record, {f"{case['threads']} threads": case.get("measured", "") for case in cases}))
    if record.get("growth"):
        lines = ["## Growth", "", "Exponent p of cost ~ size^p:", "", "| axis | sizes | contender | exponent |", "|---|---|---|---|"]
        for growth in record["growth"]:
            sizes = ", ".join(map(str, growth["sizes"]))
            lines += [f"| {growth['about']} | {sizes} | {name} | {p:.2f} |" for name, p in growth["exponents"].items()]
        parts.append("\n".join(lines) + "\n" + _section_origin(record, "growth"))
    sections: dict[str, Callable[[Any], str]] = {
        "exits": exits.table,
        "exits_growth": exits_growth.table,
        "serve": serving.table,
        "trouble": trouble.table,
        "sessions": sessions.table,
        "decode": decode.table,
        "nir": nir.table,
        "deploy": deployment.table,
        "events": event_growth.table,
    }
    # Older records do not have all of them.
    parts += [table(record[name]) + _section_origin(record, name) for name, table in sections.items() if record.get(name)]
    return "\n".join(parts)


def _section_origin(record: Record, name: str) -> str:
    return origin(record, record.get("sections", {}).get(name, {}))


def _case_table(runs: list[Record]) -> str:
    """The table of one case, with its runs at several numbers of threads side by side; the last run has the memory."""
    last = runs[-1]
    size = ", ".join(f"{axis} {n}" for axis, n in last["size"].items())
    lines = [f"## {last['name']}", "", f"{last['about']}; {size}; tolerance {last['tolerance']:.0e}{_elsewhere(last)}.", ""]
    heads = [f"ratio, {run['threads']} threads" for run in runs if run["repeats"]]
    limited = "limit" in last["contenders"]
    heads += [f"of the limit, {run['threads']} threads" for run in runs if limited] + ["peak MiB", "overhead MiB", "error"]
    lines += ["| contender | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, entry in last["contenders"].items():
        entries = [run["contenders"].get(name, {}) for run in runs]
        cells = [_ratio(e) for e in entries if last["repeats"]]
        cells += [_of_limit(run, e) for run, e in zip(runs, entries, strict=True) if limited]
        cells += [f"{entry[key]:.1f}" if key in entry else "" for key in ("peak_mib", "overhead_mib")]
        cells.append(f"{max(entry['errors'].values()):.0e}" if entry["errors"] else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if last["name"].startswith(("step", "train")):
        rates = [f"{run['size']['B'] / run['contenders'][OURS]['seconds']:.0f} on {run['threads']}" for run in runs if _timed(run)]
        lines.append(f"\nSequences per second, by threads: {', '.join(rates)}.")
    if last["name"].startswith("lm"):
        lines.append(f"\nTokens per second, on {last['threads']} threads: {_tokens(last)}.")
    lines += [f"\nNo result for {name}: {why}" for name, why in last["refused"].items()]
    return "\n".join(lines) + "\n"


def _tokens(run: Record) -> str:
    """Training tokens per second of each contender."""
    count = run["size"]["B"] * run["size"]["T"]
    return ", ".join(f"{name} {count / entry['seconds']:,.0f}" for name, entry in run["contenders"].items() if "seconds" in entry)


def _timed(run: Record) -> bool:
    return "seconds" in run["contenders"].get(OURS, {})


def _elsewhere(case: Record) -> str:
    """The size at which results were compared, if it is not the size that was timed."""
    if not case["exact"]:
        return ""
    coarse = ", ".join(f"{name} within {tolerance:.0e}" for name, tolerance in case["coarse"].items())
    clear = ", on inputs that keep every membrane away from the threshold" if case["exact"].get("clear") else ""
    return f" at B {case['exact']['B']}{clear}; at full size {coarse}"


def _ratio(entry: Record) -> str:
    return f"{entry['ratio']:.2f} ({entry['ratio_least']:.2f} to {entry['ratio_greatest']:.2f})" if "ratio" in entry else ""


def _of_limit(run: Record, entry: Record) -> str:
    limit = run["contenders"].get("limit", {})
    return f"{limit['seconds'] / entry['seconds']:.2f}" if "seconds" in limit and "seconds" in entry else ""
