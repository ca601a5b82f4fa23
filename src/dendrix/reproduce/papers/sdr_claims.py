"""Numbers printed in Ahmad & Hawkins (arXiv 1601.00720v2), in their notebooks and in related papers.

Section, equation and figure numbers are those of version 2.
"""

from functools import partial
from statistics import median

from ...sdr import false_negative, false_positive, set_false_positive, union_false_positive, union_size
from ..claim import Claim

FIGURE_6 = [(n, n * share // 1000, s) for n in range(10_000, 210_000, 20_000) for share in range(5, 35, 5) for s in range(20, 55, 5)]
"""The 420 settings (n, a, s) over which figure 6 takes its median: a / n from 0.5 % to 3 %."""

_LOST = "digits lost in a symbolic sum"


def median_error(theta: int, backend: str = "float64") -> float:
    """The median false positive rate over the settings of figure 6; a threshold above the number of synapses counts as 0."""
    n, a, s = zip(*FIGURE_6, strict=True)
    return float(median(false_positive(n, a, s, theta, backend=backend)))


def zeros_of_union(n: int, s: int, m: int, backend: str = "float64") -> float:
    """The expected share of zeros in a union, in per cent."""
    return 100 - 100 * float(union_size(n, s, m, backend=backend)) / n


def claims() -> list[Claim]:
    """All claims: of the text, the figures, the notebooks and the related papers."""
    return [*_text(), *_figures_4_to_6(), *_figure_7(), *_notebooks(), *_related_papers()]


def _text() -> list[Claim]:
    text = partial(Claim, "text")
    million = dict(n=10_000, a=300, s=30, theta=15, m=1_000_000)
    ten, bits = dict(n=20_000, a=100, s=25, theta=15, m=10), dict(n=20_000, s=25, m=10)
    return [
        text(
            "a million patterns: false-positive rate below one in a billion",
            "1e-9",
            set_false_positive,
            million,
            holds=False,
            relation="below",
            note="true up to 953,114 patterns",
        ),
        text("a union of ten patterns has fewer than 250 bits", "250", union_size, bits, relation="below"),
        text("the share of its zeros, in per cent", "98.75", zeros_of_union, bits, note="thus 1.24 % ones; the next sentence says 1.5 %"),
        text(
            "its false-positive rate is below one in 10^11",
            "1e-11",
            union_false_positive,
            ten,
            relation="below",
            note="the exponent is only partly legible in the text used",
        ),
        text("128 active of 4000: a little above 1e-12", "1e-12", false_positive, dict(n=4000, a=128, s=24, theta=12), relation="above"),
    ]


def _figures_4_to_6() -> list[Claim]:
    dashed = partial(Claim, "figure 5A", "the dashed line, captioned as activity a = n/2", quantity=false_positive)
    curve = partial(Claim, "figure 5B", quantity=false_positive)
    curves = {
        (32, 2000): ("0.0317518759379690", "3.90434126921476e-14", "3.26957224042626e-21"),
        (32, 4000): ("0.0159379844961240", "3.96689862829144e-17", "1.03307534135054e-25"),
        (512, 16_000): ("0.0629779361210076", "1.42977409702263e-10", "3.07765573247024e-15"),
        (4000, 16_000): ("0.437511719482468", "0.0138117305771507", "0.00272515634577904"),
    }
    return [
        Claim("figure 4B", "theta 12, half of the bits moved", "0.0716985160403564", false_negative, dict(a=128, s=30, v=64, theta=12)),
        Claim(
            "figure 4B",
            "theta 8, a fifth of the bits moved",
            "3.11341516283240e-16",
            false_negative,
            dict(a=128, s=30, v=26, theta=8),
            holds=False,
            note=_LOST,
        ),
        dashed(published="0.00518604306750049", inputs=dict(n=300, a=150, s=24, theta=12), holds=False, note="as captioned"),
        dashed(published="0.00518604306750049", inputs=dict(n=300, a=75, s=24, theta=12), note="a = n/4"),
        dashed(published="0.00716735111800491", inputs=dict(n=19_900, a=4975, s=24, theta=12), note="a = n/4"),
        *(
            curve(f"{a} active of {n}, {s} synapses", number, inputs=dict(n=n, a=a, s=s, theta=s // 2))
            for (a, n), printed in curves.items()
            for s, number in zip((2, 20, 30), printed, strict=True)
        ),
        Claim(
            "figure 6",
            "from theta 9 the median error is at most one in a billion",
            "1e-9",
            median_error,
            dict(theta=9),
            holds=False,
            relation="below",
        ),
        Claim("figure 6", "the same from theta 10", "1e-9", median_error, dict(theta=10), relation="below", note="corrected"),
    ]


def _figure_7() -> list[Claim]:
    union = partial(Claim, "figure 7B", quantity=union_false_positive)
    three = dict(n=20_000, a=200, s=25, theta=15, m=3)
    two = dict(n=1000, a=200, s=25, theta=15, m=2)
    sizes = {
        10: ("182.927193112453", "223.670379143562", "262.575873105072"),
        19: ("318.767375760108", "381.858789518871", "439.387275333250"),
    }
    return [
        *(
            Claim("figure 7A", f"expected bits of {m} patterns of {s}", number, union_size, dict(n=1000, s=s, m=m))
            for m, printed in sizes.items()
            for s, number in zip((20, 25, 30), printed, strict=True)
        ),
        union("three patterns, n 20000", "7.92130752699486e-16", inputs={**three, "mode": "plugin_round"}, holds=False, note=_LOST),
        union("two patterns, n 1000, with the expected size inserted", "0.0473894530292855", inputs={**two, "mode": "plugin_round"}),
        union("the same, exact", "0.0473894530292855", inputs=two, holds=False, note="the error of inserting the expected size"),
    ]


def _notebooks() -> list[Claim]:
    table = partial(Claim, quantity=false_positive)
    cells = dict(n=100_000, a=2000)
    all_needed = {6: "6.35308872941916e-11", 8: "2.52507239284961e-14", 10: "1.00163216178113e-17"}
    half_needed = {6: "5.29386836275369e-8", 8: "2.81724528327272e-10", 10: "1.54192767258720e-12", 12: "8.58694100276592e-15"}
    return [
        table(
            "notebook",
            "n 10000, a 300, s 30",
            "1.04849765783378e-15",
            inputs=dict(n=10_000, a=300, s=30, theta=15),
            holds=False,
            note=_LOST,
        ),
        *(
            table("notebook, table 1", f"{theta} synapses, all needed", number, inputs=dict(**cells, s=theta, theta=theta))
            for theta, number in all_needed.items()
        ),
        *(
            table("notebook, table 1", f"{2 * theta} synapses, half needed", number, inputs=dict(**cells, s=2 * theta, theta=theta))
            for theta, number in half_needed.items()
        ),
    ]


def _related_papers() -> list[Claim]:
    hawkins = partial(Claim, "Hawkins & Ahmad, arXiv 1511.00083", quantity=false_positive)
    tables = "Ahmad & Hawkins, arXiv 1503.07469"
    union = partial(Claim, f"{tables}, table 4", quantity=union_false_positive, holds=False)
    whole = dict(a=20, s=20, m=20, mode="plugin_round")
    many = dict(n=200_000, a=2000)
    return [
        hawkins("ten synapses, all needed", "9.8e-21", inputs=dict(**many, s=10, theta=10)),
        hawkins(
            "twenty synapses, ten needed",
            "1.6e-18",
            inputs=dict(**many, s=20, theta=10),
            holds=False,
            note="from the preprint; the journal version was not checked",
        ),
        Claim(f"{tables}, table 2", "half of eight bits match", "0.006169265", false_positive, dict(n=64, a=8, s=8, theta=4)),
        union(
            "20 patterns, 19 of 20 bits", "8.13e-9", inputs=dict(n=1024, theta=19, **whole), note="one in 123 million; it is 178 million"
        ),
        union("the same, 18 of 20 bits", "2.5e-7", inputs=dict(n=1024, theta=18, **whole), note="one in 4 million; it is 8.38 million"),
        union("the same, n 2048", "4.48e-12", inputs=dict(n=2048, theta=18, **whole), note="one in 223 billion; it is 323 billion"),
    ]
