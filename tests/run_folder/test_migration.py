"""Runs, policies and records of 0.1.0 load, answer as they did, and are resumed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import dendrix
from dendrix.exits import ExitRecord, Policy, decide
from dendrix.recipes import find_recipe
from dendrix.run_folder import read_record
from dendrix.run_folder.migration import migrated_recipe
from dendrix.runs.evaluation import evaluate_run
from dendrix.runs.opened import source_of
from dendrix.train.continual.data import PermutedMnistData
from dendrix.train.loop import train_recipe
from dendrix.train.recipe import recipe_to_dict

OLD = Path(__file__).parents[1] / "fixtures" / "runs-0.1.0"
EXPECTED = json.loads((OLD / "expected.json").read_text())


def outputs(name: str) -> torch.Tensor:
    network = dendrix.load(OLD / name)
    if name == "images":
        return network(torch.linspace(0, 1, 28 * 28).view(1, 1, 28, 28))
    if name == "spikes":
        return network(network.encode(torch.linspace(0, 1, 28 * 28).view(1, 1, 28, 28)))[0]
    if name == "tasks":
        return network(torch.linspace(-1, 1, 784).view(1, 1, 784))[0]
    x = (torch.rand(2, 32, 8, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    return network(x)[0][:, ::8]


@pytest.mark.parametrize("name", ["digits", "images", "spikes", "tasks"])
def test_networks_answer_as_they_did(name: str) -> None:
    torch.testing.assert_close(outputs(name), torch.tensor(EXPECTED[name]), rtol=1e-6, atol=1e-6)


def test_a_run_is_evaluated_as_it_was() -> None:
    scores = evaluate_run(OLD / "digits", "test")
    assert scores.accuracy == EXPECTED["digits_test"]["accuracy"]
    assert scores.loss == pytest.approx(EXPECTED["digits_test"]["loss"], rel=1e-9)


def test_the_decision_of_a_record_has_the_name_of_today() -> None:
    assert read_record(OLD / "digits")["recipe"]["decision"] == {"accumulation": "last", "tail_ms": 0.0, "padded": False}


def test_a_continual_run_knows_its_data() -> None:
    assert source_of(OLD / "tasks") == PermutedMnistData(held_out=500, tasks=2, seed=0)


@pytest.mark.parametrize("name", ["spikegpt-small", "spikegpt-small:gpt2"])
def test_a_text_recipe_gets_what_was_fixed(name: str) -> None:
    """Neurons, further terms of the loss, and the head of GPT-2, so that a run from before there was a choice is resumed."""
    recipe: Any = find_recipe(name)()
    today = json.loads(json.dumps(recipe_to_dict(recipe)))
    new = {"neurons", "decay_rank", "window", "tied", "init_std"}
    old = {key: value for key, value in today.items() if key != "loss"}
    old["model"] = {key: value for key, value in today["model"].items() if key not in new}
    assert old != today
    assert migrated_recipe(old) == migrated_recipe(today) == today
    without = {**today, "loss": {key: value for key, value in today["loss"].items() if key != "final_alpha"}}
    assert migrated_recipe(without) == today


@pytest.mark.parametrize("model", [{}, {"pretrained": "lm", "embedding_scale": 1.0}])
def test_a_classifier_keeps_its_neurons_and_its_pretrained_embedding(model: dict[str, Any]) -> None:
    recipe: Any = find_recipe("spikegpt-classifier")()
    today = json.loads(json.dumps(recipe_to_dict(replace(recipe, model=replace(recipe.model, **model)))))
    old = {**today, "model": {key: value for key, value in today["model"].items() if key not in ("neurons", "embedding_scale")}}
    assert migrated_recipe(old) == migrated_recipe(today) == today


def test_a_policy_stops_the_record_that_it_was_fitted_on() -> None:
    policy, record = Policy.load(OLD / "policy.json"), ExitRecord.load(OLD / "record.npz")
    assert (policy.accumulation, record.accumulation) == ("last", "last")
    policy.check(record)
    assert decide(policy.rule, record).steps.double().mean().item() == policy.mean_steps


def test_an_unfinished_run_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(OLD / "unfinished", folder)
    recipe = find_recipe("digits-delays")()
    recipe = replace(recipe, model=replace(recipe.model, hidden=(8,)), budget=replace(recipe.budget, epochs=4))
    record = train_recipe(recipe, folder, name="digits-delays", quiet=True, resume=True)
    assert record["progress"]["epoch"] == 4
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[:2] == [json.loads(line) for line in (OLD / "unfinished" / "metrics.jsonl").read_text().splitlines()]
