"""A record of benchmarks that is measured in parts: a part replaces what it measured again, and the rest stays."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.files import read_json
from ..errors import InputError
from ..run_folder.record import commit_of
from .machine import describe

Record = dict[str, Any]

SECTIONS: Mapping[str, str | None] = {
    "growth": "about", "exits": "subject", "exits_growth": None, "serve": None, "trouble": None, "sessions": None, "decode": "size",
    "nir": None, "events": None, "deploy": None,
}  # fmt: skip
"""Measurements that are no cases, and the field that identifies an entry of a list, or of lists by name; None: measured as a whole."""


def started(smoke: bool, before: Record | None = None) -> Record:
    """A record of this code on this machine, without results.

    Args:
        smoke: whether sizes are small.
        before: the record into which it will be merged.
    Returns:
        `measured`, the machine of each part by the commit and the date; `cases`, each with the part in which it was measured; the
        sections; and `sections`, the parts of each of them.
    """
    machine = describe()
    package = Path(__file__).parents[1]
    commit = commit_of(Path(__file__), package)  # the tables, which the part before has written, do not count
    code = f"commit {commit[:7]}{'-dirty' * commit.endswith('-dirty')}" if commit else f"dendrix {machine['dendrix']}"
    label, others = f"{code}, {datetime.datetime.now(datetime.UTC).date()}", before["measured"] if before else {}
    while others.get(label, machine) != machine:  # measured on the same day, on another machine or with other libraries
        label += " (another machine)"
    return {"format": 2, "smoke": smoke, "measured": {label: machine}, "cases": [], **{name: [] for name in SECTIONS}, "sections": {}}


def add_cases(record: Record, cases: list[Record]) -> None:
    """Add the records of a case at every number of threads."""
    [label] = record["measured"]
    record["cases"] += [{**case, "measured": label} for case in cases]


def add_section(record: Record, name: str, found: Any) -> None:
    """Add the results of a section."""
    [label] = record["measured"]
    field = SECTIONS[name]
    record[name] = found
    record["sections"][name] = dict.fromkeys([one[field] for one in _entries(found)] if field else [""], label)


def _entries(found: Any) -> Iterator[Record]:
    for entries in found.values() if isinstance(found, dict) else [found]:
        yield from entries


def expect_record(path: Path) -> Record:
    """The record of a file.

    Raises:
        InputError: the file is no record of the benchmarks, or a damaged one.
    """
    record: Record = read_json(path)
    try:
        known = _is_record(labelled(record))
    except (KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise InputError(f"{path}: expected a record of `dendrix bench --out`, got another or a damaged file. Name another folder.")
    return record


def _is_record(record: Record) -> bool:
    """Whether everything that is merged or shown refers to a part with a machine; a missing field is an exception."""
    labels = [case["measured"] for case in record["cases"]]
    fine = all(
        isinstance(case["name"], str) and isinstance(case["threads"], int) and case["contenders"].items() for case in record["cases"]
    )
    for name, field in SECTIONS.items():
        own = record["sections"].get(name, {})
        entries = [one[field] for one in _entries(record.get(name, []))] if field else [""] * bool(record.get(name))
        fine = fine and set(entries) <= own.keys()
        labels += own.values()
    fine = fine and record["format"] in (1, 2) and isinstance(record["measured"], dict)
    return fine and all(record["measured"][label]["dendrix"] for label in labels)


def opened(path: Path, smoke: bool) -> Record | None:
    """The record that a folder has, in the present form; None without one.

    Raises:
        InputError: the file is no record of the benchmarks, or only one of the two was measured at small sizes.
    """
    if not path.exists():
        return None
    record = expect_record(path)
    small = bool(record.get("smoke", record.get("quick")))
    if small != smoke:
        sizes = {True: "small", False: "full"}
        raise InputError(f"{path}: expected a record at {sizes[smoke]} sizes, got one at {sizes[small]} sizes. Name another folder.")
    return labelled(record)


def labelled(record: Record) -> Record:
    """A record in the present form: earlier ones were measured as a whole, on `machine`."""
    if "measured" in record:
        return record
    machine = record["machine"]
    found: Record = {"format": 2, "smoke": False, "measured": {f"dendrix {machine['dendrix']}": machine}, "cases": [], "sections": {}}
    add_cases(found, record["cases"])
    for name in SECTIONS:
        found[name] = []
        if record.get(name):
            add_section(found, name, record[name])
    return found


def merged(before: Record | None, part: Record, order: Callable[[str], int]) -> Record:
    """A stored record with what a part measured in place of earlier results: of the same case with as many threads, and of sections.

    Earlier results of a case at another size go too, as its table has one size.

    Args:
        before: the stored record, if there is one.
        part: the results of one run.
        order: place of a case by its name.
    """
    if before is None:
        return part
    found: Record = {"format": 2, "smoke": part["smoke"], "measured": {}, "sections": {}}
    threads = {(case["name"], case["threads"]) for case in part["cases"]}
    sizes = {case["name"]: case["size"] for case in part["cases"]}
    kept = [
        case
        for case in before["cases"]
        if (case["name"], case["threads"]) not in threads and sizes.get(case["name"], case["size"]) == case["size"]
    ]
    found["cases"] = sorted([*kept, *part["cases"]], key=lambda case: (order(case["name"]), case["threads"]))
    for name, field in SECTIONS.items():
        now, labels = part[name], dict(part["sections"].get(name, {}))
        if not labels:
            found[name], labels = before.get(name, []), before["sections"].get(name, {})
        elif field is None:
            found[name] = now
        else:
            stored: Any = before.get(name) or ({} if isinstance(now, dict) else [])
            if isinstance(now, dict):
                found[name] = {key: _replaced(stored.get(key, []), own, field, labels) for key, own in now.items()}
            else:
                found[name] = _replaced(stored, now, field, labels)
            labels = {one[field]: labels.get(one[field]) or before["sections"][name][one[field]] for one in _entries(found[name])}
        if labels:
            found["sections"][name] = labels
    used = {case["measured"] for case in found["cases"]}.union(*(labels.values() for labels in found["sections"].values()))
    found["measured"] = {label: machine for label, machine in (before["measured"] | part["measured"]).items() if label in used}
    return found


def _replaced(before: list[Record], now: list[Record], field: str, measured: Mapping[str, str]) -> list[Record]:
    return [*(one for one in before if one[field] not in measured), *now]


def introduction(record: Record) -> str:
    """On which machine and of which code a record was measured, in Markdown."""
    machines = record.get("measured") or {"": record["machine"]}
    said = {label: ", ".join(f"{key} {value}" for key, value in machine.items()) for label, machine in machines.items()}
    if len(said) == 1:
        [(label, machine)] = said.items()
        return f"Measured on {machine}{'; ' * bool(label)}{label}.\n"
    return "Measured in parts:\n\n" + "\n".join(f"- {label}: {machine}" for label, machine in said.items()) + "\n"


def origin(record: Record, labels: Mapping[str, str]) -> str:
    """In which parts of a record something was measured, in Markdown; empty if there is one part. Labels are by name, see `started`."""
    if len(record.get("measured", ())) < 2:
        return ""
    if len(set(labels.values())) == 1:
        return f"\nMeasured at {next(iter(labels.values()))}.\n"
    return "\nMeasured at " + "; ".join(f"{label} ({name})" for name, label in labels.items()) + ".\n"
