"""A record of benchmarks that is measured in parts: a part replaces what it measured again, and the rest stays."""

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.files import read_json
from ..errors import InputError
from ..run_folder.record import commit_of
from .machine import describe

Record = dict[str, Any]

SECTIONS: Mapping[str, str | None] = {
    "growth": "about", "exits": "subject", "exits_growth": None, "serve": None, "trouble": None, "sessions": None, "decode": None,
    "nir": None, "events": None, "deploy": None,
}  # fmt: skip
"""Measurements that are no cases, and the field that identifies an entry of a list; None: measured as a whole."""


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
    record["sections"][name] = dict.fromkeys([one[field] for one in found] if field else [""], label)


def opened(path: Path, smoke: bool) -> Record | None:
    """The record that a folder has, in the present form; None without one.

    Raises:
        InputError: the file is no record of the benchmarks, or only one of the two was measured at small sizes.
    """
    if not path.exists():
        return None
    record: Record = read_json(path)
    if not isinstance(record.get("cases"), list) or not {"measured", "machine"} & record.keys():
        raise InputError(f"{path}: expected a record of `dendrix bench --out`, got another file. Name another folder.")
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
    """A stored record with what a part measured in place of the earlier results of the same cases and sections.

    Args:
        before: the stored record, if there is one.
        part: the results of one run.
        order: place of a case by its name.
    """
    if before is None:
        return part
    found: Record = {"format": 2, "smoke": part["smoke"], "measured": {}, "sections": {}}
    measured = [case["name"] for case in part["cases"]]
    kept = [case for case in before["cases"] if case["name"] not in measured]
    found["cases"] = sorted([*kept, *part["cases"]], key=lambda case: order(case["name"]))
    for name, field in SECTIONS.items():
        now, labels = part[name], dict(part["sections"].get(name, {}))
        if not labels:
            found[name], labels = before.get(name, []), before["sections"].get(name, {})
        elif field is None:
            found[name] = now
        else:
            rest = [one for one in before.get(name, []) if one[field] not in labels]
            found[name] = [*rest, *now]
            labels = {one[field]: labels.get(one[field]) or before["sections"][name][one[field]] for one in found[name]}
        if labels:
            found["sections"][name] = labels
    used = {case["measured"] for case in found["cases"]}.union(*(labels.values() for labels in found["sections"].values()))
    found["measured"] = {label: machine for label, machine in (before["measured"] | part["measured"]).items() if label in used}
    return found


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
