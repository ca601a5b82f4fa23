"""The overlap search in the bench: every contender counts the same, and growth is measured in whole."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dendrix.bench import sdr_growth, sdr_search
from dendrix.bench.harness import Case, measure
from dendrix.sdr import false_positive


@pytest.mark.parametrize("case", sdr_search.cases(), ids=lambda case: case.name)
def test_all_contenders_agree(case: Case) -> None:
    outcome = measure(replace(case, size=case.warm, repeats=1))
    assert outcome.refused == {}
    assert {error for errors in outcome.errors.values() for error in errors.values()} == {0.0}
    assert len(outcome.timings) == 5


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the resident size from /proc")
def test_growth_counts_bytes_and_matches() -> None:
    found = sdr_growth.measure_here(30_000)
    # Two bytes per posting, two per segment of 20 synapses, four per cell: 2 + 2 / 20 + 4 * 16,385 / 600,000.
    assert found.held_per_synapse == pytest.approx(2.209, abs=0.001)
    expected = 64 * 30_000 * false_positive(16_384, 320, 20, 5)
    assert abs(found.matches - expected) < 5 * expected**0.5
    assert min(value for name, value in asdict(found).items() if name not in ("resident_per_synapse", "peak_mib")) > 0  # in a fresh process
