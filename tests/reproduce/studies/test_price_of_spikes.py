"""The study of the price of spikes: its arms, its rule, the ladder that follows from a screening, its page, and resuming."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dendrix.core.files import read_json
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig
from dendrix.recipes import spikegpt_small as recipes
from dendrix.reproduce.studies import price_arms, price_page
from dendrix.reproduce.studies import price_of_spikes as study
from dendrix.reproduce.studies.price_arms import ARMS, SEEDS, combined, survives
from dendrix.reproduce.study import OUTCOME, RUNS
from dendrix.train.text.recipe import TextRecipe
from support.paths import DOCS, ROOT


def outcome(bits: float, rate: float | None = 0.13) -> dict[str, Any]:
    return dict(valid=bits, rate=rate, parameters=100, tokens=1000, seconds=1.0)


def rung(bits: float, rate: float | None = 0.1) -> dict[str, Any]:
    return {**outcome(bits, rate), "test": bits + 0.1, "energy_nj": 5.0, "operations_nj": 1.0, "decoded": None}


def screening(**bits: Any) -> dict[tuple[str, str, float], Any]:
    """A complete screening in which every arm is as good as the others, except for the outcomes that are given."""
    rates = {name: None if name.startswith(("continuous", "gpt2", "lstm")) else 0.13 for name in ARMS}
    return {("screening", name, lr): bits.get(name, outcome(3.0, rates[name])) for name, arm in ARMS.items() for lr in arm.rates}


def test_each_arm_changes_one_thing_of_its_reference() -> None:
    trained = {cell.key[1]: cell.recipe for cell in study.cells(Path("out")) if cell.key[2] == 1e-2}
    assert trained.keys() == ARMS.keys()
    for name, arm in ARMS.items():
        own, other = trained[name], trained.get(arm.of)
        assert isinstance(own, TextRecipe)
        if isinstance(other, TextRecipe):
            changed = [field.name for field in dataclasses.fields(TextRecipe) if getattr(own, field.name) != getattr(other, field.name)]
            several = {"sharpened": ["model", "loss"], "pieces": ["data", "model", "budget"], "long": ["budget"], "gpt2-warm": ["optim"]}
            assert changed == several[key] if (key := name.removeprefix("continuous-")) in several else changed in (["model"], ["loss"])
        if arm.reads:
            twin = trained[f"continuous-{name.removeprefix('continuous-')}"]
            assert (twin.data, twin.budget) == (own.data, own.budget)
        elif isinstance(own.model, SpikeGPTConfig):
            plain = recipes.recipe().model
            changes = {name for name in ("decay_rank", "window") if getattr(own.model, name) != getattr(plain, name)}
            neurons = {field.name for field in dataclasses.fields(NeuronConfig) if getattr(own.model.neurons, field.name) != field.default}
            assert changes | neurons == arm.changed.keys()
            assert len(changes | neurons) <= 1
    assert (
        len({(one.data, one.budget, one.seed) for name, one in trained.items() if isinstance(one, TextRecipe) and not ARMS[name].reads})
        == 1
    )
    for one in trained.values():
        assert isinstance(one, TextRecipe)
        assert one.budget.batch_size * one.budget.context == price_arms.BATCH * price_arms.CONTEXT


def test_networks_of_a_stage_have_the_same_size() -> None:
    sizes = {}
    for name in ("continuous", "gpt2", "lstm"):
        recipe = price_arms.recipe_of(ARMS[name], price_arms.SCREENING, 1e-2, 0, Path("out"))
        sizes[name] = sum(p.numel() for p in recipe.model.build().parameters())
    assert max(sizes.values()) < 1.01 * min(sizes.values())
    for name in ("inputs", "continuous"):
        recipes = [
            price_arms.recipe_of(ARMS[arm], price_arms.SCREENING, 1e-2, 0, Path("out"))
            for arm in (name, {"inputs": "pieces", "continuous": "continuous-pieces"}[name])
        ]
        plain, pieces = (sum(p.numel() for p in recipe.model.build().parameters()) for recipe in recipes)
        assert abs(pieces / plain - 1) < 0.05
    reference, *larger = (
        sum(p.numel() for p in price_arms.recipe_of(ARMS[name], price_arms.SCREENING, 1e-2, 0, Path("out")).model.build().parameters())
        for name in ("inputs", "varying", "local")
    )
    says = [f"{size / reference - 1:.1%}".replace("%", " %") for size in larger]
    assert all(one in (DOCS / study.STUDY.page_file).read_text() for one in says)
    large = price_arms.recipe_of(ARMS["inputs"], price_arms.LARGE, 1e-2, 0, Path("out"))
    assert 4e6 < sum(p.numel() for p in large.model.build().parameters()) < 8e6


@pytest.mark.parametrize(
    ("bits", "rate", "kept"),
    [
        (2.99, 0.13, False),  # 0.33 % fewer bits
        (2.98, 0.13, True),
        (2.98, 0.15, False),  # at more spikes
        (3.01, 0.11, True),  # 15 % fewer spikes
        (3.02, 0.11, False),
        (3.0, 0.12, False),
    ],
)
def test_the_rule(bits: float, rate: float, kept: bool) -> None:
    assert survives(outcome(bits, rate), outcome(3.0, 0.13)) is kept


def test_the_ladder_adds_survivors_one_by_one() -> None:
    known = screening(decays=outcome(2.9), taught=outcome(2.8), held=outcome(3.0, 0.1), **{"spiking-norm": outcome(2.5)})
    best = study.best_of(known)
    assert study.survivors(best) == ["spiking-norm", "taught", "decays", "held"]
    rungs = study.rungs(best)
    assert [name for name in rungs if "+" in name] == ["inputs+taught", "inputs+taught+decays", "inputs+taught+decays+held"]
    last, _ = rungs["inputs+taught+decays+held"]
    assert (last.neurons, last.taught, last.rate) == (NeuronConfig(decays=True), True, 0.1)
    assert {"continuous", "inputs", "spiking", "spiking-norm", "gpt2", "lstm"} <= rungs.keys()
    assert "sharp" not in rungs
    every = combined(["local", "varying", "sharpened", "held"])
    assert every.model == {"window": 16, "decay_rank": 16}
    assert (every.neurons, every.final_alpha, every.rate) == (NeuronConfig(alpha=1.0), 4.0, 0.1)
    assert combined(["ternary", "counts"]).neurons == NeuronConfig(signed=True, levels=2)


def test_arms_that_hold_the_rate_are_compared_with_one_that_holds_it() -> None:
    known = screening(
        **{"held": outcome(3.1, 0.1), "counts-held": outcome(3.05, 0.1), "counts-4-held": outcome(3.04, 0.1), "decays": outcome(2.9)}
    )
    best = study.best_of(known)
    assert study.survivors(best) == ["decays", "counts-4-held", "counts-held"]  # and not `held`, with more bits than `inputs`
    last, _ = study.rungs(best)["inputs+decays+counts-4-held"]
    assert (last.neurons, last.rate) == (NeuronConfig(levels=4, decays=True), price_arms.HELD)
    assert not any(name.endswith("+counts-held") for name in study.rungs(best))


def test_a_rung_changes_no_field_twice() -> None:
    """Of two surrogates, the better one is added; a control without spikes is compared with and not added."""
    known = screening(**{"sharp": outcome(2.9), "wide": outcome(2.8), "local": outcome(2.95), "continuous-local": outcome(2.7, None)})
    rungs = study.rungs(study.best_of(known))
    assert [name for name in rungs if "+" in name] == ["inputs+wide", "inputs+wide+local"]
    assert "continuous-local" in rungs
    assert "continuous-varying" not in rungs


def test_arms_that_read_in_another_way_are_beside_the_ladder() -> None:
    """However few their bits: word pieces and longer windows help the network without spikes as well."""
    known = screening(**{"pieces": outcome(2.0), "continuous-pieces": outcome(1.6, None), "long": outcome(2.7), "taught": outcome(2.9)})
    found = study.results(known)
    assert found["survivors"] == ["taught"]
    written = price_page.page(found)
    assert "reads in the same way: +0.0 % (`inputs`), -10.0 % (`long`), +25.0 % (`pieces`)." in written
    assert (
        "| pieces | 512 word pieces instead of bytes, a narrower network of the same size | 2.000 | 0.005 | 13.0% | -33.3% |  |" in written
    )


@pytest.mark.parametrize(("bits", "last"), [(2.8, ["inputs+taught", "continuous-taught"]), (3.0, [])])
def test_the_ladder_follows_from_a_complete_screening_only(bits: float, last: list[str], tmp_path: Path) -> None:
    known = screening(taught=outcome(bits), **{"continuous-taught": outcome(bits, None)})
    waiting = study.cells(tmp_path)
    for cell in waiting:
        (tmp_path / RUNS / cell.name).mkdir(parents=True)
        (tmp_path / RUNS / cell.name / OUTCOME).write_text(json.dumps(known[cell.key]))
    assert {cell.key[0] for cell in waiting} == {"screening"}
    every = study.cells(tmp_path)
    later = [cell for cell in every if cell.key[0] != "screening"]
    assert {cell.key[2] for cell in later} == set(SEEDS)
    assert [cell.key[1] for cell in later if cell.key[0] == "large" and cell.key[2] == 0] == ["continuous", "inputs", *last]
    assert len({cell.name for cell in every}) == len(every)
    if not last:
        return
    taught = next(cell for cell in later if cell.name == "ladder-inputs+taught-1")
    assert taught.needs == ("ladder-continuous-1",)
    assert isinstance(taught.recipe, TextRecipe)
    assert taught.recipe.loss.teacher == tmp_path / RUNS / "ladder-continuous-1"


def test_the_page_tells_what_is_missing_and_which_goals_are_reached() -> None:
    known: dict[Any, Any] = screening(taught=outcome(2.8))
    del known["screening", "sharp", 5e-3], known["screening", "sharp", 1e-2]
    written = price_page.page(study.results(known))
    assert "| sharp | surrogate twice as sharp, alpha 4 | not yet trained |" in written
    assert "The screening is not complete" in written
    assert "reads in the same way" in written
    known |= screening(taught=outcome(2.8))
    known |= {("ladder", "continuous", seed): rung(2.0, None) for seed in SEEDS}
    known |= {("ladder", "inputs+taught", seed): rung(2.05 + 0.01 * seed) for seed in SEEDS}
    found = study.results(known)
    assert found["ladder"]["inputs+taught"]["ratio"] == pytest.approx(2.16 / 2.1)
    assert "had a teacher as well" not in price_page.page(found)
    known |= {("ladder", "continuous-taught", seed): rung(1.9, None) for seed in SEEDS[:1]}
    written = price_page.page(study.results(known))
    assert "`continuous-taught`, the last rung of the stage ladder needs +7.5 % bits (seeds: 1)." in written
    assert "| taught | half of the loss from the predictions of the continuous twin | 2.800 | 0.005 | 13.0% | -6.7% | kept |" in written
    assert "| ladder | inputs+taught | 1.0286, at most 1.0350: reached | 10.0%, at most 11.0%: reached |" in written
    assert [one.says for one in study.check(found)] == ["continuous / continuous", "inputs+taught / continuous"]


def test_the_page_of_the_docs_is_that_of_its_results() -> None:
    found = read_json(ROOT / "benchmarks" / study.STUDY.results_file)
    assert (DOCS / study.STUDY.page_file).read_text() == price_page.page(found)


@torch.no_grad()
def test_energy_and_speed_of_a_network() -> None:
    config = SpikeGPTConfig(256, width=16, layers=1, spikes="input")
    plain, counted = (SpikeGPT(dataclasses.replace(config, neurons=neurons)).eval() for neurons in (NeuronConfig(), NeuronConfig(levels=2)))
    windows = torch.randint(256, (2, 20))
    energy = study.energy(plain, windows)
    assert energy["energy_nj"] > energy["operations_nj"] > 0
    assert study.energy(counted, windows)["operations_nj"] < study.energy(SpikeGPT(config), windows)["operations_nj"] * 3
    assert study.speed(plain, windows.flatten()) > 0
    for more in (dict(decay_rank=4), dict(window=4)):  # more work, and more of it than that of spikes
        other = SpikeGPT(dataclasses.replace(config, **more)).eval()
        assert study.energy(other, windows)["operations_nj"] > energy["operations_nj"]
        assert study.speed(other, windows.flatten()) > 0
    assert study.speed(counted, windows.flatten()) > 0
    assert study.energy(torch.nn.Identity(), windows) == {"energy_nj": None, "operations_nj": None}


@pytest.fixture
def novels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short text of our own and four arms of a few neurons."""
    pytest.importorskip("transformers")
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.txt").write_text("a rose is a rose is a rose\n" * 200)
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    for name in ("recipe", "inputs", "continuous", "lstm"):
        recipe = getattr(recipes, name)()
        size = dataclasses.replace(recipe.model, width=16, layers=1)
        tiny = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, text=str(tmp_path)), model=size)
        monkeypatch.setattr(recipes, name, lambda tiny=tiny: tiny)
    chosen = {name: dataclasses.replace(ARMS[name], rates=(5e-3,)) for name in ("continuous", "inputs", "taught", "lstm")}
    monkeypatch.setattr(study, "SEEDS", (0,))
    for module in (study, price_arms, price_page):
        monkeypatch.setattr(module, "ARMS", chosen)
    monkeypatch.setattr(study, "SCREENING", dataclasses.replace(price_arms.SCREENING, steps=2))
    monkeypatch.setattr(study, "LADDER", dataclasses.replace(price_arms.LADDER, steps=2))
    monkeypatch.setattr(study, "LARGE", dataclasses.replace(price_arms.LARGE, steps=2, width=16))


@pytest.mark.usefixtures("novels")
def test_the_command_runs_every_stage_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "survives", lambda own, other: True)
    out = tmp_path / "study"
    study.reproduce(out)
    assert {path.name for path in (out / RUNS).glob("la*")} == {
        *(f"ladder-{name}-0" for name in ("continuous", "inputs", "inputs+taught", "lstm")),
        *(f"large-{name}-0" for name in ("continuous", "inputs", "inputs+taught")),
    }
    found, page = read_json(out / study.STUDY.results_file), (out / study.STUDY.page_file).read_text()
    assert found["complete"]
    assert found["large"]["inputs+taught"]["decoded"] > 0
    assert (out / "images" / "price-of-spikes.png").exists()
    kept = out / RUNS / "ladder-inputs-0" / OUTCOME
    before = kept.stat().st_mtime_ns
    (out / RUNS / "ladder-lstm-0" / OUTCOME).unlink()
    study.reproduce(out)
    assert kept.stat().st_mtime_ns == before
    assert (out / study.STUDY.page_file).read_text() == page
