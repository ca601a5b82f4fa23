"""Run folders that earlier versions wrote, read as if this version had written them."""

from typing import Any


def migrated_config(described: dict[str, Any]) -> dict[str, Any]:
    """The content of a `config.json` in the format of today; what is of no known format stays as it is."""
    if described.get("format") != 1:
        return described
    return {**described, "format": 2, "decision": _renamed(described.get("decision"))}


def migrated_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a `run.json` with the names of today."""
    return {**recipe, "decision": _renamed(recipe["decision"])} if "decision" in recipe else recipe


def _renamed(decision: Any) -> Any:
    """A decision of 0.1.0 called its accumulation `how`."""
    if not isinstance(decision, dict):
        return decision
    return {("accumulation" if name == "how" else name): value for name, value in decision.items()}
