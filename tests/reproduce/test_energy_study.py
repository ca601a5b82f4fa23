"""The study of energy: its parts on small networks, its checks and its page."""

import copy
from pathlib import Path

import pytest
import torch

from dendrix.bench import energy_peers, energy_traced
from dendrix.core.files import read_json
from dendrix.energy import Metered, load_hardware, measure
from dendrix.models import DelayNet, DelayNetConfig
from dendrix.reproduce.studies import energy, energy_page

STORED = Path(__file__).parents[2] / "benchmarks" / "energy.json"
PAGE = Path(__file__).parents[2] / "docs" / "energy-results.md"


def test_the_page_is_that_of_the_stored_results() -> None:
    assert PAGE.read_text() == energy_page.page(read_json(STORED))


def test_stored_results_pass_their_checks() -> None:
    checked = energy.check(read_json(STORED))
    assert len(checked) >= 10
    assert all(one.passed for one in checked)


def test_checks_can_fail() -> None:
    found = read_json(STORED)
    wrong = copy.deepcopy(found)
    wrong["peers"]["neurobench"]["rows"][0]["ours"] *= 1.001
    wrong["traced"]["per_operation"]["Dr"] = 4.0
    wrong["twins"]["fsdd"]["derived_macs"] += 1
    assert [one.passed for one in energy.check(wrong)].count(False) == 3


def test_a_network_on_every_hardware_model(tmp_path: Path) -> None:
    network = DelayNet(DelayNetConfig(inputs=6, outputs=3, hidden=(8,)))
    metered = Metered(network, measure(network, [torch.rand(2, 9, 6)]), "input", dt_ms=10.0)
    found = {"networks": {"fsdd": {"samples": True, **energy.network_results(metered)}}}
    assert set(found["networks"]["fsdd"]["on"]) == {name for name, _ in energy.machines()}
    assert "**Digits (`fsdd`).**" in energy_page.page(found)
    energy.draw(found, tmp_path)
    assert (tmp_path / "energy.png").stat().st_size > 5000


def test_break_even_falls_with_the_number_of_steps() -> None:
    few, many = energy.break_even_by_steps(load_hardware("lemaire-2022"), (2, 8)).values()
    assert all(a is not None and (b is None or b < a) for a, b in zip(few, many, strict=True))


def test_counts_of_the_libraries_that_are_here() -> None:
    for library in energy_peers.measured().values():
        for row in library.get("rows", []):
            assert row["ours"] == pytest.approx(row["theirs"], rel=1e-6)
        assert "rows" in library or library["refused"]


@pytest.mark.extended
def test_accesses_of_the_exported_code() -> None:
    found = energy_traced.measured(smoke=True)
    if "refused" in found:
        pytest.skip(found["refused"])
    for event, expected in found["expected"].items():
        assert found["per_operation"][event] == pytest.approx(expected, rel=0.1)
    assert "for a synaptic operation" in energy_traced.table(found)
