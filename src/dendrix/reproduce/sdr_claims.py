"""The numbers that Ahmad & Hawkins (arXiv 1601.00720v2), their notebooks and the papers around them print.

References are exact rational arithmetic. Section, equation and figure numbers are those of version 2.
"""

from functools import partial
from statistics import median

from ..sdr import exact_match_probability, false_negative, false_positive, set_false_positive, union_false_positive, union_size
from .claim import Claim

FIGURE_6 = [(n, n * share // 1000, s) for n in range(10_000, 210_000, 20_000) for share in range(5, 35, 5) for s in range(20, 55, 5)]
"""The 420 settings (n, a, s) over which figure 6 takes its median: a / n from 0.5 % to 3 %."""


def median_error(theta: int) -> float:
    """The median false positive rate over the settings of figure 6; a threshold above the number of synapses counts as 0."""
    n, a, s = zip(*FIGURE_6, strict=True)
    return median(false_positive(n, a, s, theta).tolist())


def claims() -> list[Claim]:
    """All of them: the text, the figures, the notebooks, the papers around."""
    return [*_text(), *_figures(), *_notebooks(), *_papers_around()]


def _text() -> list[Claim]:
    million = dict(n=10_000, a=300, s=30, theta=15, m=1_000_000)
    ten = dict(n=20_000, a=100, s=25, theta=15, m=10)
    text = partial(Claim, "text")
    return [
        text(
            "a million patterns: false positives rarer than one in a billion",
            "1e-9",
            set_false_positive,
            million,
            "1.04919182466197e-9",
            holds=False,
            relation="below",
            note="true up to 953,114 patterns",
        ),
        text(
            "a union of ten patterns has fewer than 250 bits",
            "250",
            union_size,
            dict(n=20_000, s=25, m=10),
            "248.598427261459",
            relation="below",
        ),
        text(
            "its false positives are rarer than one in 10^11",
            "1e-11",
            union_false_positive,
            ten,
            "1.69837324323782e-12",
            relation="below",
            note="the exponent is only partly legible in the text used",
        ),
        text(
            "128 active cells of 4000: a little above 1e-12",
            "1e-12",
            false_positive,
            dict(n=4000, a=128, s=24, theta=12),
            "1.34323936472554e-12",
            relation="above",
        ),
    ]


def _figures() -> list[Claim]:
    dashed = "the dashed line of activity a = n/2 starts here"
    plugged = "union of three patterns, with the expected size plugged in"
    return [
        Claim(
            "figure 4B",
            "false negatives, theta 12, half the bits moved",
            "0.0716985160403564",
            false_negative,
            dict(a=128, s=30, v=64, theta=12),
            "0.0716985160403564",
        ),
        Claim(
            "figure 4B",
            "the same, theta 8, a fifth of the bits moved",
            "3.11341516283240e-16",
            false_negative,
            dict(a=128, s=30, v=26, theta=8),
            "3.14193334499684e-16",
            holds=False,
            note="digits lost in a symbolic sum",
        ),
        Claim(
            "figure 5A",
            dashed,
            "0.00518604306750049",
            false_positive,
            dict(n=300, a=150, s=24, theta=12),
            "0.584014929308308",
            holds=False,
            note="the caption says n/2",
        ),
        Claim(
            "figure 5A",
            dashed,
            "0.00518604306750049",
            false_positive,
            dict(n=300, a=75, s=24, theta=12),
            "5.18604306750049e-3",
            note="the line drawn is n/4",
        ),
        Claim(
            "figure 5B",
            "a quarter active, 30 synapses",
            "0.00272515634577904",
            false_positive,
            dict(n=16_000, a=4000, s=30, theta=15),
            "2.72515634577904e-3",
        ),
        Claim(
            "figure 6",
            "the median error is at most one in a billion from theta 9",
            "1e-9",
            median_error,
            dict(theta=9),
            "2.04055096055932e-9",
            holds=False,
            relation="below",
            note="it is from theta 10",
        ),
        Claim(
            "figure 7A",
            "expected size of a union of 19 patterns",
            "381.858789518871",
            union_size,
            dict(n=1000, s=25, m=19),
            "381.858789518871",
        ),
        Claim(
            "figure 7B",
            plugged,
            "7.92130752699486e-16",
            union_false_positive,
            dict(n=20_000, a=200, s=25, theta=15, m=3, mode="plugin_round"),
            "7.9302735286371e-16",
            holds=False,
            note="digits lost in a symbolic sum",
        ),
        Claim(
            "figure 7B",
            "union of two patterns, n = 1000",
            "0.0473894530292855",
            union_false_positive,
            dict(n=1000, a=200, s=25, theta=15, m=2),
            "0.0507733632428226",
            holds=False,
            note="the figure plugs the expected size in; the exact error is 7 % higher",
        ),
    ]


def _notebooks() -> list[Claim]:
    table = partial(Claim, "notebook", quantity=false_positive)
    return [
        table(
            "n 10000, a 300, s 30",
            "1.04849765783378e-15",
            inputs=dict(n=10_000, a=300, s=30, theta=15),
            reference="1.04919182521237e-15",
            holds=False,
            note="digits lost in a symbolic sum",
        ),
        table(
            "table 1C, 24 synapses",
            "8.58694100276592e-15",
            inputs=dict(n=100_000, a=2000, s=24, theta=12),
            reference="8.58694100276592e-15",
        ),
    ]


def _papers_around() -> list[Claim]:
    hawkins, ahmad = "Hawkins & Ahmad, arXiv 1511.00083", "Ahmad & Hawkins, arXiv 1503.07469"
    whole = dict(n=1024, a=20, s=20, m=20, mode="plugin_round")
    return [
        Claim(
            hawkins, "ten synapses, all needed", "9.8e-21", false_positive, dict(n=200_000, a=2000, s=10, theta=10), "9.77936337103045e-21"
        ),
        Claim(
            hawkins,
            "twenty synapses, ten needed",
            "1.6e-18",
            false_positive,
            dict(n=200_000, a=2000, s=20, theta=10),
            "1.64989875200799e-15",
            holds=False,
            note="of the preprint; the journal version was not checked",
        ),
        Claim(ahmad + ", table 1", "chance of an exact match", "1.31156e-7", exact_match_probability, dict(n=64, a=5), "1.31155664702e-7"),
        Claim(
            ahmad + ", table 2",
            "half of eight bits match",
            "0.006169265",
            false_positive,
            dict(n=64, a=8, s=8, theta=4),
            "6.16926543174742e-3",
        ),
        Claim(
            ahmad + ", table 4",
            "union of 20 patterns, all 20 bits",
            "1.2532e-10",
            union_false_positive,
            dict(**whole, theta=20),
            "1.25320341863889e-10",
        ),
        Claim(
            ahmad + ", table 4",
            "the same, 19 of 20 bits",
            "8.13e-9",
            union_false_positive,
            dict(**whole, theta=19),
            "5.61554484256761e-9",
            holds=False,
            note="printed as one in 123 million; its formula is no probability where theta < a",
        ),
        Claim(
            ahmad + ", table 4",
            "the same, 18 of 20 bits",
            "2.5e-7",
            union_false_positive,
            dict(**whole, theta=18),
            "1.19337900758252e-7",
            holds=False,
            note="printed as one in 4 million; one in 8.4 million",
        ),
    ]
