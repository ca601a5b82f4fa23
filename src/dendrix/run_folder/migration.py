"""Run folders that earlier versions wrote, read as if this version had written them."""

from typing import Any


def migrated_config(described: dict[str, Any]) -> dict[str, Any]:
    """The content of a `config.json` in the format of today; what is of no known format stays as it is."""
    if described.get("format") != 1:
        return described
    return {**described, "format": 2, "decision": _renamed(described.get("decision"))}


def migrated_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a `run.json` with the names of today."""
    if "decision" in recipe:
        return {**recipe, "decision": _renamed(recipe["decision"])}
    if "data" not in recipe and isinstance(model := recipe.get("model"), dict) and "tasks" in model:
        return _with_tasks(recipe, model["tasks"])
    return recipe


def _with_tasks(recipe: dict[str, Any], tasks: Any) -> dict[str, Any]:
    """A continual recipe of 0.1.0 held its data as fields of its own."""
    data = {"name": "permuted-mnist", "held_out": recipe.get("held_out", 0), "root": recipe.get("root"), "tasks": tasks}
    kept = {name: value for name, value in recipe.items() if name not in ("held_out", "root")}
    return {**kept, "data": {**data, "seed": recipe.get("seed", 0)}}


def _renamed(decision: Any) -> Any:
    """A decision of 0.1.0 called its accumulation `how`."""
    if not isinstance(decision, dict):
        return decision
    return {("accumulation" if name == "how" else name): value for name, value in decision.items()}
