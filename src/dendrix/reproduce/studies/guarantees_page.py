"""Page of the study of guarantees."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

Results = Mapping[str, Any]

_HEAD = """# Guarantees of early exits: how often they are violated, and their cost

`dendrix reproduce guarantees` makes these tables. In each row of the simulations the guarantee is fitted to random draws from a pool whose
risks are known, and it is violated if the risk on the whole pool exceeds its bound. All have delta = 10 %, so it may be violated in up to
10 % of the draws, beside the error of counting. Where a row is named "inputs taken as independent" or "all inputs", the usual guarantee was
fitted, which does not bound this risk.

The commands are recorded from the shipped network. Its nine speakers are those it was not trained on; six of them chose its epoch, so they
are not quite unused. Beside the prediction sets, words count as unknown by leaving out their outputs, although the network was trained on
them; a further table has words that a network was not trained on. The drift is noise that is added to the outputs.
"""
_EXCHANGEABLE = """
Three networks, each trained on two thirds of the speakers, answer {accuracy} of the clips of the others correctly. To its own network a
speaker is what a new speaker is, so a guarantee from the speakers of one network is exact for that network. Those of all together are
exchangeable, but not independent draws for one network: three networks answer, and the speakers of one part have trained the networks of
the others. A guarantee from all is about the training as a whole, and it takes the three networks for equally good, as cross-validation
does.
"""
_GENERATION = "Subjective or objective, by the shipped language model after sentences of each class"
_ANSWERS = ("known wrong", "unknown answered", "known answered correctly")
_COLUMNS = ("pool, draw, guarantee", "violated", "nothing certified", "mean steps", "steps of the full run")
_TITLES = {
    "new groups": "Risk for an input of a new group at most 10 %; in most new groups: at most 10 % of groups above 30 %",
    "known groups": "Risk in each of six groups at once at most 5 %",
    "over time": "Risk of the inputs stopped by every step at most 5 %",
    "groups over time": "Risk of the inputs of a new group stopped by every step at most 10 %",
    "sets and abstention": "Sets without the true class, and wrong answers among known and unknown inputs, each at most 5 %",
}


def page(found: Results) -> str:
    """The results as Markdown."""
    parts = [_HEAD]
    for name, title in _TITLES.items():
        if name in found:
            rows = [
                (case, f"{one['violations']:.1%}", f"{one['refused']:.1%}", f"{one['steps']:.2f}", f"{one['full_steps']:.0f}")
                for case, one in found[name].items()
            ]
            parts.append(_table(title, _COLUMNS, *rows))
    writers: dict[str, Callable[[Results], str]] = {
        "alarms": _alarms,
        "speakers": _speakers,
        "cross-fitted": _cross_fitted,
        "policies": _policies,
        "sets": _sets,
        "unknown words": _unknown_words,
        "watched": _watched,
        "text": partial(_text, "Subjective or objective"),
        "reviews": partial(_text, "Film reviews, positive or negative"),
        "generation": partial(_text, _GENERATION),
    }
    for name, write in writers.items():
        if name in found:
            parts.append(write(found[name]))
    return "".join(parts)


def _table(title: str, *rows: tuple[str, ...]) -> str:
    first, *rest = rows
    lines = [first, tuple("---" for _ in first), *rest]
    return f"\n## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _alarms(found: Results) -> str:
    false = [(name, f"{one['alarms']:.1%}", f"{one['runs']} runs of {one['losses']:,} losses") for name, one in found["false"].items()]
    late = [(name, _whole(one["median"]), _whole(one["90 %"]), f"{one['found']:.0%}") for name, one in found["delay"].items()]
    return _table("False alarms of the monitor, at most 5 % over all time", ("stream", "alarms", "of"), *false) + _table(
        "Losses until the alarm (alpha 1 %, eps 2 %, true risk 1 % before)",
        ("drift", "median", "90 %", "found within 4,000"),
        *late,
    )


def _speakers(found: Results) -> str:
    kinds = list(found["left out"][0])
    rows = [
        (str(number), *(f"{one[kind]['risk']:.2%}, {one[kind]['steps']:.1f} steps" for kind in kinds))
        for number, one in enumerate(found["left out"], 1)
    ]
    goals = [f"{kind} (eps {found['left out'][0][kind]['eps']:.0%})" for kind in kinds]
    known = [(kind, f"{one['violations']:.1%}", f"{one['steps']:.1f}") for kind, one in found["known"].items()]
    trained = found["fitted on training speakers"]
    least = ", ".join(f"{count} speakers {eps:.1%}" for count, eps in found["smallest"].items())
    return (
        _table(f"Commands: each of {found['speakers']} speakers left out, risk and steps on that speaker", ("speaker", *goals), *rows)
        + f"\nThe smallest eps that can be certified for a new speaker at delta 10 %: {least}.\n"
        + f"\nFitted to the clips of the 18 training speakers (eps 2 %), the risk is {trained['on them']['risk']:.2%} on them and "
        f"{trained['on new speakers']['risk']:.2%} on the {found['speakers']} new ones.\n"
        + _table(
            "Commands: risk of each of these speakers at most 2 %, draws of 2,700 of 3,600 clips",
            ("guarantee", "violated", "steps"),
            *known,
        )
    )


def _policies(found: Results) -> str:
    fits = [(name, f"{one['steps']:.1f}", f"{one['risk']:.2%}", f"{one['accuracy']:.2%}") for name, one in found["fits"].items()]
    times = [
        (name, time, str(count), f"{accuracy:.2%}", f"{risk:.2%}")
        for name, one in found["over time"].items()
        for time, count, accuracy, risk in one["times"]
    ]
    return _table(
        f"Commands: fits with eps 2 %, on the test clips ({found['full_steps']:.0f} steps in full)",
        ("fit", "steps", "risk", "accuracy"),
        *fits,
    ) + _table(
        "Commands: accuracy by stopping time, eps 5 %, on the test clips", ("guarantee", "stopped at", "clips", "accuracy", "risk"), *times
    )


def _sets(found: Results) -> str:
    sets = [
        (size, f"{1 - one['risk']:.2%}", f"{one['steps']:.1f}", f"{one['mean_size']:.2f}", str(one["largest"]))
        for size, one in found["sets"].items()
    ]
    none = [
        (
            f"{float(eps):.0%}",
            *(f"{one[name]:.2%}" for name in _ANSWERS),
            f"{one['steps']:.1f}",
        )
        for eps, one in found["none of these"].items()
    ]
    return _table(
        "Commands: prediction sets with a coverage of 95 %", ("stops at a size of", "coverage", "steps", "mean size", "largest"), *sets
    ) + _table(
        "Commands: 'none of these', with ten unknown words",
        ("eps", "known, answered wrongly", "unknown, answered", "known, answered correctly", "steps"),
        *none,
    )


def _watched(found: Results) -> str:
    return (
        "\n## Commands: monitor of the agreement with full runs (eps 2 %, alpha 1 %)\n\n"
        f"On the test clips {found['steady']:.2%} of the answers differ from those of the full run, and {found['drifted']:.2%} after noise "
        f"is added to the outputs. Before the drift {found['alarms before']:.0%} of 50 streams of 1,000 clips gave an alarm; after it, the "
        f"median delay was {_whole(found['median delay'])} clips.\n"
    )


def _cross_fitted(found: Results) -> str:
    certified = [
        (str(count), f"{eps:.1%}", f"{steps:.1f} of {found['steps']:.0f}", "" if outside is None else f"{outside:.2%}")
        for count, eps, steps, outside in found["certified"]
    ]
    least = ", ".join(f"{count} speakers {eps:.1%}" for count, eps in found["smallest"].items())
    known = [(f"{eps:.0%}", f"{steps:.1f} of {found['steps']:.0f}") for eps, steps in found["known"]]
    by_speaker, by_fold = found["usual"]["risk by speaker"], found["usual"]["risk by fold"]
    above = sum(risk > 0.02 for risk in by_speaker)
    rows = [(case, f"{one['violations']:.0%}", f"{one['refused']:.0%}", f"{one['steps']:.1f}") for case, one in found["draws"].items()]
    folds = found.get("folds", {})
    accuracy = ", ".join(f"{one['test']:.1%}" for one in folds.values())
    return (
        _table(
            f"Commands: {found['speakers']} speakers, each recorded by a network that never heard them",
            ("speakers", "eps for a new speaker", "steps", "risk on the speakers of other networks"),
            *certified,
        )
        + f"\nThe smallest eps that can be certified at delta 10 %: {least}.\n"
        + _EXCHANGEABLE.format(accuracy=accuracy)
        + f"\nFitted as if clips were independent (eps 2 %), the risk of single speakers is {by_speaker[0]:.1%} to {by_speaker[-1]:.1%}, "
        f"above 2 % for {above} of {found['speakers']}, and its mean in the three parts is {', '.join(f'{risk:.1%}' for risk in by_fold)}. "
        f"For a new speaker and every stopping time, eps {found['over time']['eps']:.0%} takes {found['over time']['steps']:.1f} steps.\n"
        + _table(f"Commands: the risk of each of the {found['speakers']} speakers at once", ("eps", "steps"), *known)
        + _table(
            "Commands: speakers drawn with replacement from all, whose risks are known on half of their clips",
            ("draw, guarantee", "violated", "nothing certified", "steps"),
            *rows,
        )
    )


def _unknown_words(found: Results) -> str:
    rates = [(case, *(f"{one[name]:.2%}" for name in _ANSWERS), f"{one['steps']:.1f}") for case, one in found["rates"].items()]
    rows = [(f"{float(eps):.0%}", f"{one['violations']:.1%}", f"{one['steps']:.1f}") for eps, one in found["resplits"].items()]
    words = ", ".join(f"{word} {share:.0%}" for word, share in sorted(found["by word"].items(), key=lambda item: -item[1]))
    return (
        _table(
            f"Commands: 'none of these', with {found['words']} words that the network was not trained on",
            ("eps, unknown words of the test", "known, answered wrongly", "unknown, answered", "known, answered correctly", "steps"),
            *rates,
        )
        + f"\nThe network knows {found['known words']} other words. Certified on six speakers, measured on three others: rates above "
        "eps, where there are any, are those of other speakers and other words, for which nothing was certified. Of each unknown word, "
        "this share of clips is "
        f"answered at eps 10 %: {words}.\n"
        + _table("Commands: both rates, draws of 1,200 from all clips of the nine speakers", ("eps", "violated", "steps"), *rows)
    )


def _text(title: str, found: Results) -> str:
    rows = [
        (f"{float(eps):.0%}", f"{one['steps']:.1f} of {one['full_steps']:.1f}", f"{one['risk']:.2%}", f"{one['accuracy']:.2%}")
        for eps, one in found["policies"].items()
    ]
    return _table(
        f"{title}: {found['sentences']} test sentences, {found['accuracy_of_full_run']:.2%} correct in full",
        ("eps", "tokens read", "risk", "accuracy"),
        *rows,
    )


def _whole(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f}"
