"""Monitor of a guarantee in use: an alarm when its risk is exceeded, with a bound on false alarms over all time."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..core import expect_fields
from ..core.files import read_json, write_json
from ..errors import InputError

FORMAT = 1

RATIOS = (1.5, 2.0, 4.0, 8.0, 16.0)
"""Risks that are bet on, in multiples of eps."""

_LARGEST = 1e300


@dataclass(frozen=True)
class Monitor:
    """An e-process against the hypothesis that the risk has never exceeded `eps`.

    Theorem. Let the mean of every loss, given all earlier ones, be at most eps. For a risk r > eps, the product of the factors
    1 + (r - eps) (loss - eps) / (eps (1 - eps)), which for losses of 0 and 1 are the likelihood ratios of r against eps, is a non-negative
    supermartingale from any loss on. `evidence` is a mixture of such products with weights that sum to 1: over the risks in `RATIOS` times
    eps, and over the loss i from which on the risk is larger, with weights 1 / (i (i + 1)). It starts at 1, and by Ville's inequality it
    reaches 1 / alpha with a probability of at most alpha, over all time. The start of a drift need not be known: it costs the logarithm
    of the number of earlier losses, twice, in delay.

    The losses must be those of inputs that are chosen without regard to the loss: all of them, or a random share. Labels that arrive later
    for wrong answers than for correct ones, or only for some, void the bound. A policy whose guarantee failed at its fit (probability
    delta) gives an alarm that is not counted as false.

    Args:
        eps: bound on the risk that the guarantee states, 0 to 1.
        alpha: bound on the probability of a false alarm, ever.
        count: number of losses so far.
        losses: their sum.
        wealth: state: product for each risk, summed over starts.
        alarm_at: number of the loss at which the evidence first reached 1 / alpha; None if it has not.
    Source: Ville (1939); Shafer, JRSS-A 184 (2021); Podkopaev & Ramdas, arXiv 2110.06177, for the risk of a network in use; the mixture
        over starts after Shin, Ramdas & Rinaldo, arXiv 2203.03532.
    """

    eps: float
    alpha: float = 0.01
    count: int = 0
    losses: float = 0.0
    wealth: tuple[float, ...] = (0.0,) * len(RATIOS)
    alarm_at: int | None = None

    def __post_init__(self) -> None:
        expect_fields(self, eps="(0, 1)", alpha="(0, 1)")

    @property
    def evidence(self) -> float:
        """Evidence that the risk is larger than `eps`: 1 at the start, large if it is."""
        return math.fsum(self.wealth) / len(self.wealth) + 1 / (self.count + 1)

    @property
    def alarm(self) -> bool:
        """Whether the evidence has reached 1 / alpha at any time."""
        return self.alarm_at is not None

    def observe(self, losses: Iterable[float]) -> "Monitor":
        """Return the monitor after further losses, each 0 to 1 (or bool), in the order in which they became known.

        Raises:
            ValueError: a loss is not in [0, 1].
        """
        risks = [min(ratio * self.eps, (1 + self.eps) / 2) for ratio in RATIOS]
        bets = [(risk - self.eps) / (self.eps * (1 - self.eps)) for risk in risks]
        count, total, wealth, alarm_at = self.count, self.losses, list(self.wealth), self.alarm_at
        for loss in losses:
            if not 0 <= loss <= 1:
                raise InputError(f"losses: expected numbers in [0, 1], got {loss} after {count}. Leave out inputs whose loss is unknown.")
            count += 1
            total += float(loss)
            start = 1 / (count * (count + 1))
            wealth = [min((had + start) * (1 + bet * (loss - self.eps)), _LARGEST) for had, bet in zip(wealth, bets, strict=True)]
            if alarm_at is None and math.fsum(wealth) / len(wealth) + 1 / (count + 1) >= 1 / self.alpha:
                alarm_at = count
        return replace(self, count=count, losses=total, wealth=tuple(wealth), alarm_at=alarm_at)

    def statement(self) -> str:
        """State what the monitor has found."""
        seen = f"{self.losses:g} losses in {self.count}"
        if self.alarm_at is None:
            return f"No alarm: {seen}, evidence {self.evidence:.3g} of {1 / self.alpha:g}, against a risk of at most {self.eps:g}."
        return (
            f"Alarm at loss {self.alarm_at}: a risk of at most {self.eps:g} no longer holds ({seen}). While it holds, an alarm has a "
            f"probability of at most {self.alpha:g} over all time. Record new inputs and fit again."
        )

    def save(self, path: str | Path) -> None:
        """Write the monitor as JSON, atomically."""
        write_json(Path(path), {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "Monitor":
        """Read a monitor.

        Raises:
            OSError: the file does not exist or cannot be read.
            ValueError: it is not a monitor of this version.
        """
        content: dict[str, Any] = dict(read_json(Path(path)))
        names = {field.name for field in fields(cls)}
        if content.pop("format", None) != FORMAT or set(content) != names:
            raise InputError(f"{path}: expected a monitor of format {FORMAT}, got another file. Give a new name to start one.")
        try:
            found = cls(**content | {"wealth": tuple(map(float, content["wealth"]))})
            whole = isinstance(found.count, int) and found.count >= 0 and (found.alarm_at is None or 0 < found.alarm_at <= found.count)
            if not whole or len(found.wealth) != len(RATIOS) or not all(0 <= one <= _LARGEST for one in found.wealth):
                raise ValueError("its state is out of range")
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: expected a monitor as it was saved, but {error}. Start a new one.") from error
        return found
