"""Fitted exit policies: a rule with the network, the goal and the statement that it was fitted for, saved as a small JSON file."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..core import expect_one_of
from ..core.files import read_json, write_json
from ..errors import InputError, InputTypeError
from .fitting.goals import Goal, MeanSteps, Pareto
from .fitting.groups import KnownGroupsGuarantee, NewGroupGuarantee
from .fitting.guarantee import Guarantee
from .fitting.over_time import OverTimeGuarantee
from .records import ExitRecord
from .rules.base import ExitRule
from .rules.names import ALL_RULES, RULES

FORMAT = 3
"""Version of the file. Format 2 is still read; format 1 is refused, because its fingerprints ignored the kind of neuron."""

_RENAMED = {"rule": {"budget": "fixed-steps"}, "goal": {"budget": "mean-steps"}}
"""Old names of rules and goals in format 2."""

GOALS: dict[str, type[Goal]] = {
    "pareto": Pareto,
    "mean-steps": MeanSteps,
    "guarantee": Guarantee,
    "guarantee-new-group": NewGroupGuarantee,
    "guarantee-known-groups": KnownGroupsGuarantee,
    "guarantee-over-time": OverTimeGuarantee,
}
"""Goals by their names in policy files and on the command line."""


@dataclass(frozen=True)
class Policy:
    """A rule, and the network and inputs that it was fitted for. Made by `fit`."""

    rule: ExitRule
    goal: Goal
    statement: str
    """Statement of the guarantee, and warnings of the fit."""
    accumulation: str
    """How outputs become evidence."""
    steps: int
    """T of the record it was fitted on."""
    classes: int
    """K."""
    varies: bool
    """Whether inputs may end before step T."""
    dt_ms: float | None
    model: str
    """Fingerprint of the network; empty if unknown."""
    parts: dict[str, int]
    """Number of inputs that chose the scale ("selection"), thresholds per step or rule ("fit"), and threshold ("certification")."""
    mean_steps: float
    """Mean steps on the certification part."""
    stops_early: bool
    """Whether any input of the certification part stops before its end."""
    data: tuple[str, ...]
    """Hashes of the records it was fitted on."""
    seed: int
    """Seed of the split into parts."""

    @property
    def abstains(self) -> bool:
        """Whether an input that the rule never stops is answered "none of these"."""
        return isinstance(self.goal, Guarantee) and self.goal.abstains

    def check(self, record: ExitRecord) -> None:
        """Check that the policy was fitted for this kind of record.

        Raises:
            ValueError: T, K, accumulation, the length of a step or the network differ.
        """
        _, steps, classes = record.outputs.shape
        self.check_network(classes, record.accumulation, record.dt_ms, record.model)
        if steps != self.steps and not (self.varies and record.lengths is not None):
            raise InputError(f"record: expected {self.steps} steps, as the policy was fitted for, got {steps}. Fit a policy for these.")

    def check_network(self, classes: int, accumulation: str, dt_ms: float | None = None, model: str = "") -> None:
        """Check that the policy was fitted for this network; fingerprints are compared only if both are known.

        Raises:
            ValueError: K, accumulation, the length of a step or the network differ.
        """
        wanted = {"classes": self.classes, "accumulation": self.accumulation, "dt_ms": self.dt_ms, "model": self.model}
        came = {"classes": classes, "accumulation": accumulation, "dt_ms": dt_ms, "model": model}
        for name, value in wanted.items():
            if value != came[name] and not (name == "model" and "" in (value, came[name])):
                raise InputError(
                    f"{name}: expected {value!r}, as the policy was fitted for, got {came[name]!r}. "
                    "Record this network and fit a policy to that."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as JSON values, as they are saved, with a digest."""
        content: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        content |= {
            "rule": _rule_fields(self.rule),
            "goal": {"name": _name(self.goal, GOALS), **asdict(self.goal)},
            "data": list(self.data),
        }
        content = {"format": FORMAT, **content}
        return {**content, "digest": _digest(content)}

    def save(self, path: str | Path) -> None:
        """Write the policy as JSON, atomically."""
        write_json(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """Read a policy.

        Raises:
            OSError: the file does not exist or cannot be read.
            ValueError: it is not a policy, has another version, or was edited.
        """
        content = read_json(Path(path))
        version, digest = content.get("format"), content.pop("digest", None)
        if not isinstance(version, int) or not isinstance(digest, str):
            raise InputError(f"{path}: expected an exit policy, but it has no format and digest. Is this the right file?")
        if version > FORMAT:
            raise InputError(f"{path}: expected a policy of format {FORMAT}, got {version}. Update dendrix.")
        if version < 2:
            raise InputError(
                f"{path}: expected a policy of format {FORMAT}, got {version}, which does not identify the neurons of its network. "
                "Record the network again, and fit a policy to that."
            )
        if _digest(content) != digest:
            raise InputError(f"{path}: expected a policy as it was fitted, but it was changed afterwards. Fit it again.")
        try:
            if content.pop("format") == 2:
                content = _from_format_2(content)
            rule, goal = dict(content["rule"]), dict(content["goal"])
            return cls(**content | {"rule": _rule(rule), "goal": GOALS[goal.pop("name")](**goal), "data": tuple(content["data"])})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: expected a rule and a goal of this version, but {error!r}. Update dendrix.") from error


def _from_format_2(content: dict[str, Any]) -> dict[str, Any]:
    """Fields of a policy of dendrix 0.1.0 under their current names."""
    content = {("accumulation" if name == "how" else name): value for name, value in content.items()}
    for part, names in _RENAMED.items():
        if isinstance(saved := content.get(part), dict) and "name" in saved:
            content[part] = {**saved, "name": names.get(saved["name"], saved["name"])}
    # Exact where all inputs have T steps; format 2 does not hold the mean length of others.
    return content | {"stops_early": content["mean_steps"] < content["steps"]}


def named_rule(name: str) -> ExitRule:
    """Make the rule with this name, with a threshold at which it never stops."""
    kind = RULES[expect_one_of(name, RULES, "rule")]
    return kind(kind.span[1])


def _rule_fields(rule: ExitRule) -> dict[str, Any]:
    """Fields of a rule for JSON. JSON has no infinity, so an infinite threshold is the string "never"."""
    values = [("never" if value == math.inf else value) for value in rule.thresholds]
    return {"name": _name(rule, ALL_RULES), **asdict(rule), "threshold": values if isinstance(rule.threshold, tuple) else values[0]}


def _rule(content: dict[str, Any]) -> ExitRule:
    kind, values = ALL_RULES[content.pop("name")], content.pop("threshold")
    several = isinstance(values, list)
    numbers = tuple(math.inf if value == "never" else value for value in (values if several else [values]))
    return kind(numbers if several else numbers[0], **content)


def _name(value: object, names: dict[str, Any]) -> str:
    found = [name for name, kind in names.items() if kind is type(value)]
    if not found:
        raise InputTypeError(f"{type(value).__name__}: expected one of {', '.join(names)}. A policy file holds only what can be read back.")
    return found[0]


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
