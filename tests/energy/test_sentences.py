"""What is said of a comparison."""

import dataclasses

import pytest

from dendrix.energy import BreakEven, Comparison, Estimate, Range, load_hardware, verdict


def compared(energy: Range, twin: float | None, even: BreakEven | None) -> Comparison:
    hardware = load_hardware("45nm")
    spiking = Estimate(hardware, "int8", {"weights": energy}, {}, ())
    return Comparison(spiking, None if twin is None else dataclasses.replace(spiking, terms={"weights": Range(twin, twin)}), even)


@pytest.mark.parametrize(
    ("energy", "twin", "even", "says"),
    [
        (
            Range(50, 60),
            100,
            BreakEven(0.1, (0.2, 0.2), None),
            "Spikes pay on 45nm: 0.5 to 0.6 times the energy of the twin; it costs less below a",
        ),
        (
            Range(50, 50),
            100,
            BreakEven(0.1, (1.0, 1.0), None),
            "costs less at every firing rate (10.0% measured); the largest term is weights.",
        ),
        (Range(300, 300), 100, BreakEven(0.1, (None, None), (2, 2)), "Spikes do not pay on 45nm: 3 times the energy"),
        (
            Range(300, 300),
            100,
            BreakEven(0.1, (None, None), (2, 3)),
            "even without a spike it costs more (10.0% measured); at the measured rate it costs less for up to 2 to 3 steps",
        ),
        (Range(300, 300), 100, BreakEven(0.1, (None, None), (0, 0)), "at the measured rate it costs more for any number of steps"),
        (Range(90, 110), 100, BreakEven(0.1, (0.15, None), None), "Undecided on 45nm: 0.9 to 1.1 times"),
        (
            Range(90, 110),
            100,
            BreakEven(0.1, (0.15, None), None),
            "below a firing rate of 15.0%, or never with the other figures of the hardware",
        ),
        (Range(90, 110), 100, BreakEven(0.1, (0.15, 0.05), None), "below a firing rate of 5.0% to 15.0%"),
        (Range(90, 110), 100, None, "No gain on 45nm: no product has spikes as inputs"),
        (Range(90, 110), None, None, "No verdict on 45nm: it has no dense products"),
    ],
)
def test_sentences(energy: Range, twin: float | None, even: BreakEven | None, says: str) -> None:
    assert says in verdict(compared(energy, twin, even))
