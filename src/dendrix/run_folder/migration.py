"""Migration of run folders that earlier versions wrote."""

from dataclasses import asdict
from typing import Any

from ..models.spikegpt.neurons import PUBLISHED

_NO_TERMS = {"rate": None, "rate_weight": 1.0, "teacher": None, "teacher_weight": 0.5, "final_alpha": None}
"""Terms of the loss of language models that were trained before there were any."""


def migrated_config(described: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a `config.json` in the current format; an unknown format is returned unchanged."""
    if described.get("format") != 1:
        return described
    return {**described, "format": 2, "decision": _renamed(described.get("decision"))}


def migrated_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of a `run.json` with the current field names."""
    if "decision" in recipe:
        return {**recipe, "decision": _renamed(recipe["decision"])}
    if "data" not in recipe and isinstance(model := recipe.get("model"), dict) and "tasks" in model:
        return _with_tasks(recipe, model["tasks"])
    return _with_language_model(recipe)


def _with_language_model(recipe: dict[str, Any]) -> dict[str, Any]:
    """Add what was fixed in 0.1.0: neurons and time mix of a SpikeGPT, neurons and pretrained embedding of a classifier, head and initial
    weights of a GPT-2, terms of the loss."""
    model = recipe.get("model")
    if isinstance(model, dict) and {"spikes", "halve_stream"} <= model.keys():
        neurons = {**asdict(PUBLISHED), **model.get("neurons", {})}
        recipe = {**recipe, "model": {"decay_rank": 0, "window": 0, **model, "neurons": neurons}}
    elif isinstance(model, dict) and {"heads", "context"} <= model.keys():
        recipe = {**recipe, "model": {"tied": False, "init_std": 0.02, **model}}
    elif isinstance(model, dict) and {"pretrained", "pooling"} <= model.keys():
        neurons, scale = {**asdict(PUBLISHED), **model.get("neurons", {})}, 0.1 if model["pretrained"] is None else 1.0
        recipe = {**recipe, "model": {"embedding_scale": scale, **model, "neurons": neurons}}
    loss = recipe.get("loss", {})
    return {**recipe, "loss": {**_NO_TERMS, **loss}} if "l2_wrap" in recipe and isinstance(loss, dict) else recipe


def _with_tasks(recipe: dict[str, Any], tasks: Any) -> dict[str, Any]:
    """Move the data of a continual recipe, which 0.1.0 stored as fields of the recipe, into the field `data`."""
    data = {"name": "permuted-mnist", "held_out": recipe.get("held_out", 0), "root": recipe.get("root"), "tasks": tasks}
    kept = {name: value for name, value in recipe.items() if name not in ("held_out", "root")}
    return {**kept, "data": {**data, "seed": recipe.get("seed", 0)}}


def _renamed(decision: Any) -> Any:
    """Rename the field `how` of a decision, as in 0.1.0, to `accumulation`."""
    if not isinstance(decision, dict):
        return decision
    return {("accumulation" if name == "how" else name): value for name, value in decision.items()}
