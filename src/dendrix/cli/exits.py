"""Stop each inference as soon as it is sure: record a network's outputs, fit an exit rule to them, report on it, and run it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError, MisuseError
from .errors import standard_input
from .output import print_json, progress_bar

RuleName = Literal["max-probability", "margin", "entropy", "patience", "fixed-steps"]
Loss = Literal["accuracy-drop", "disagreement"]
GoalName = Literal["pareto", "mean-steps", "guarantee"]
Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
RecordFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECORD.npz")]
PolicyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="policy.json")]
Files = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")]
_OPTIONS = {"at_most": "steps"}
"""The options whose names differ from the fields of their goal."""


def record(
    run: Run,
    out: Path,
    split: Literal["train", "valid", "test"] = "valid",
    data: Path | None = None,
    root: Path | None = None,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Run a trained network once over a split, at full length, and record its outputs after every step.

    Args:
        run: a folder that `dendrix train` wrote.
        out: the .npz to write.
        split: fit rules on "valid", report on "test".
        data: instead of a split, your own data: an .npz of arrays, a folder by class, or a table of sentences.
        root: the data folder, if it is not where it was in training.
        trust: the package or Python file of classes that are not of dendrix or torch.
        json: print JSON, and no progress bar.
    """
    from ..core.files import expect_writable
    from ..runs.evaluation import record_run
    from ..runs.opened import open_run

    expect_writable(out)
    with progress_bar(f"Recording {split if data is None else data}", hidden=json) as progress:
        recorded = record_run(open_run(run, split, data=data, root=root, trust=trust), progress)
    recorded.save(out)
    count, steps, classes = recorded.outputs.shape
    if json:
        print_json(
            {
                "file": str(out),
                "inputs": count,
                "steps": steps,
                "classes": classes,
                "dt_ms": recorded.dt_ms,
                "accumulation": recorded.accumulation,
            }
        )
        return
    print(f"Recorded {count} inputs of up to {steps} steps in {out}. Next: dendrix exits fit {out} --goal pareto --out policy.json")


def fit(
    record: RecordFile,
    out: Path,
    goal: GoalName = "pareto",
    rule: tuple[RuleName, ...] = ("max-probability",),
    scale: Literal["auto"] | float | None = None,
    per_step: bool = False,
    min_steps: int = 1,
    eps: float | None = None,
    delta: float | None = None,
    loss: Loss | None = None,
    steps: float | None = None,
    fallback: bool = False,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Fit an exit rule to recorded outputs and write it as a policy.

    Args:
        record: outputs on inputs that nothing was trained on, as `dendrix exits record` writes them.
        out: the policy to write, a JSON file.
        goal: pareto: the fastest that loses at most EPS of accuracy here. mean-steps: the best within a mean of STEPS. guarantee: the
            fastest whose risk is at most EPS with probability 1 - DELTA.
        rule: when to stop; of several, the best on a part of the record.
        scale: divides the evidence of max-probability and entropy; auto chooses the best calibrated one on a part of the record.
        per_step: a threshold for every step.
        min_steps: stop nothing before this step.
        eps: accuracy that may be lost (pareto, default 0), or the acceptable risk (guarantee, default 0.01).
        delta: probability with which a guarantee may fail (default 0.1).
        loss: what a guarantee counts: right answers that become wrong (default), or other answers than at the end, without labels.
        steps: mean steps to spend (mean-steps).
        fallback: where no guarantee is possible, write a policy that never stops early.
        seed: of the parts that a record is dealt into.
        json: print JSON.
    """
    from .. import exits
    from ..core.files import expect_writable
    from ..exits.rules.names import in_words

    expect_writable(out)
    if out.exists() and out.samefile(record):
        raise MisuseError(f"out: expected another file than the record, got {out} for both. Name a policy, such as policy.json.")
    chosen = _goal(goal, eps=eps, delta=delta, loss=loss, at_most=steps)
    rules = _rules(rule, scale, min_steps)
    by = "ece" if scale == "auto" else None
    policy = exits.fit(exits.ExitRecord.load(record), rules, chosen, scale=by, per_step=per_step, fallback=fallback, seed=seed)
    policy.save(out)
    if json:
        print_json({"file": str(out), **policy.to_dict()})
        return
    print(f"{in_words(policy.rule)}: {policy.mean_steps:.2f} steps in the mean of at most {policy.steps}.")
    print(policy.statement)
    print(f"Saved in {out}. Next: dendrix exits report {out} TEST.npz")


def _goal(name: GoalName, **given: Any) -> Any:
    """The goal of this name with the options that were given, if they are its own."""
    from ..exits.policy import GOALS

    kind = GOALS[name]
    known = [field.name for field in fields(kind)]
    values = {option: value for option, value in given.items() if value is not None}
    if foreign := [_OPTIONS.get(option, option) for option in values if option not in known]:
        own = ", ".join(f"--{_OPTIONS.get(option, option)}" for option in known)
        raise MisuseError(f"goal: expected options of {name}, {own}, got --{foreign[0]}. Leave it out.")
    if name == "mean-steps" and not values:
        raise MisuseError("steps: expected the mean steps to spend with --goal mean-steps, got none. Give --steps.")
    return kind(**values)


def _rules(names: Sequence[RuleName], scale: Literal["auto"] | float | None, min_steps: int) -> list[Any]:
    """The rules of these names, with thresholds at which they never stop; a scale is for those that have one."""
    from ..exits.rules.names import RULES

    kinds = [RULES[name] for name in names]
    scaled = ["scale" in [field.name for field in fields(kind)] for kind in kinds]
    if scale is not None and not any(scaled):
        raise MisuseError(f"scale: expected a rule with a scale, max-probability or entropy, got {', '.join(names)}. Leave --scale out.")
    given: dict[str, Any] = {"scale": scale} if isinstance(scale, float) else {}
    return [kind(kind.span[1], min_steps, **(given if has else {})) for kind, has in zip(kinds, scaled, strict=True)]


def report(
    policy: PolicyFile,
    record: RecordFile,
    rules: tuple[RuleName | Literal["all"], ...] = (),
    figure: Path | None = None,
    oracle: Literal["cap", "one", "exclude"] = "cap",
    json: bool = False,
) -> None:
    """Say what a policy does to inputs that it was not fitted on, beside fixed lengths, other rules and an oracle.

    Args:
        policy: what `dendrix exits fit` wrote.
        record: outputs of the same network on other inputs.
        rules: other rules to compare with, or all.
        figure: a figure to write, such as exits.png.
        oracle: what the oracle pays for an input that is never right: all its steps, one step, or nothing.
        json: print JSON.
    """
    from .. import exits
    from ..core.files import expect_writable

    if figure is not None:
        expect_writable(figure)
    names = get_args(RuleName) if "all" in rules else rules
    fitted = exits.Policy.load(policy)
    others = [name for name in names if exits.RULES[name] is not type(fitted.rule)]
    found = exits.report(fitted, exits.ExitRecord.load(record), others, oracle)
    if figure is not None:
        exits.save_report_figure(figure, found)
    if json:
        print_json(found.to_dict())
        return
    Console().print(exits.tables(found))


def check(
    record: RecordFile,
    rule: RuleName = "max-probability",
    eps: float = 0.01,
    delta: float = 0.1,
    loss: Loss = "accuracy-drop",
    repeats: int = 400,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Put the guarantee to the test: fit on many draws from a record, and count how often the promise is broken on the whole.

    Args:
        record: outputs on many inputs, which stand for all there are.
        rule: when to stop.
        eps: the acceptable risk.
        delta: probability with which the guarantee may fail.
        loss: right answers that become wrong, or other answers than at the end, which needs no labels.
        repeats: draws of each size.
        seed: of the draws.
        json: print JSON.
    """
    from .. import exits

    goal = exits.Guarantee(eps, delta, loss)
    found = exits.resplits(exits.ExitRecord.load(record), rule, goal, repeats=repeats, seed=seed)
    if json:
        print_json([asdict(size) for size in found])
        return
    table = Table("inputs", "fit with", "promise broken", "worst risk", "mean steps")
    for size in found:
        for name, trial in (("a guarantee" if size.possible else "too few", size.guaranteed), ("no drop on them", size.naive)):
            if trial is not None:
                shown = (f"{trial.violations:.1%}", f"{trial.worst_risk:.2%}", f"{trial.mean_steps:.2f}")
                table.add_row(str(size.size), name, *shown)
    Console().print(table)
    print(f"A guarantee may be broken in {delta:.4g} of all draws, and needs at least {goal.needed} inputs.")


def run(policy: PolicyFile, run: Run, files: Files, trust: str | None = None, json: bool = False) -> None:
    """Listen to recordings, or look at pictures, only until the rule is sure.

    Args:
        policy: what `dendrix exits fit` wrote for this network.
        run: a folder that `dendrix train` or `dendrix convert` wrote.
        files: wav files of any rate, or - for standard input: a wav stream, or bare 16-bit samples, mono, at the network's rate; or, for a
            converted network, JPEG or PNG files.
        trust: the package or Python file of classes that are not of dendrix or torch.
        json: print a list of {"file", "label", "confidence", "heard_ms", "length_ms", "stopped"}, of pictures with "steps" and "of".
    """
    if not files:
        raise MisuseError("files: expected at least one wav file or picture, got none. Try: dendrix exits run policy.json RUN FILE.wav")
    from ..exits import Policy, fingerprint
    from ..run_folder.checkpoint import load_checkpoint
    from ..runs.listening import listen
    from ..runs.prediction import encoder_of
    from ..runs.viewing import knows_images

    fitted, checkpoint = Policy.load(policy), load_checkpoint(run, trust=trust)
    if knows_images(checkpoint):
        _look(fitted, checkpoint, run, files, json)
        return
    encoder = encoder_of(checkpoint)
    fitted.check_network(len(checkpoint.labels), checkpoint.decision.accumulation, encoder.dt_ms, fingerprint(checkpoint.model))
    sounds = [_sound(file, encoder) for file in files]  # all are checked before the first answer
    answers = []
    for file, (chunks, length_ms) in zip(files, sounds, strict=True):
        (last,) = deque(listen(checkpoint, chunks, fitted.rule), maxlen=1)  # a stream may have no end
        answers.append({"file": str(file), **asdict(last), "length_ms": length_ms})
    if json:
        print_json(answers)
        return
    table = Table("file", "heard", "confidence", "after", "of")
    for answer in answers:
        length = "-" if answer["length_ms"] is None else f"{answer['length_ms']:.0f} ms"
        table.add_row(answer["file"], answer["label"], f"{answer['confidence']:.1%}", f"{answer['heard_ms']:.0f} ms", length)
    Console().print(table)


def _look(policy: Any, checkpoint: Any, run: Path, files: tuple[Path, ...], json: bool) -> None:
    """Show pictures to a converted network, each until the rule is sure of it."""
    from ..exits import fingerprint
    from ..models import Converted
    from ..runs.viewing import EVIDENCE, look
    from .pictures import read

    if not isinstance(checkpoint.model, Converted):
        raise InputError(f"{run}: expected a network that answers over time, got one that answers at once. Try: dendrix convert {run}.")
    steps = checkpoint.model.config.steps
    if policy.steps != steps:
        raise InputError(f"steps: expected {policy.steps}, as the policy was fitted for, got {steps}. Fit a policy for this run.")
    policy.check_network(len(checkpoint.labels), EVIDENCE, None, fingerprint(checkpoint.model))
    seen = look(checkpoint, read(run, checkpoint, files), policy.rule)
    answers = [{"file": str(file), **asdict(answer), "of": steps} for file, answer in zip(files, seen, strict=True)]
    if json:
        print_json(answers)
        return
    table = Table("file", "seen", "confidence", "after", "of")
    for answer in answers:
        table.add_row(answer["file"], answer["label"], f"{answer['confidence']:.1%}", f"{answer['steps']} steps", f"{steps} steps")
    Console().print(table)


def _sound(file: Path, encoder: Any) -> tuple[Iterator[Any], float | None]:
    """A sound in pieces of one frame, and its length in ms, if it is known."""
    from ..data import read_wav, resample
    from ..data.speech.sound_stream import stream_sound

    if str(file) == "-":
        return stream_sound(standard_input(), encoder.rate), None
    wave, rate = read_wav(file)
    sound = resample(wave, rate, encoder.rate)
    return (sound[start : start + encoder.hop] for start in range(0, len(sound), encoder.hop)), len(wave) * 1000 / rate


COMMANDS: dict[str, Callable[..., Any]] = {"record": record, "fit": fit, "report": report, "check": check, "run": run}
