"""Early exits: record a network's outputs, fit an exit rule to them, report on it, and run it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from random import random
from typing import Annotated, Any, Literal, get_args

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError, MisuseError
from ..progress import progress
from .errors import standard_input
from .exits_fit import Loss, RecordFile, RuleName, fit
from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
NONE = "none of these"
"""Label of an input that a policy with abstention does not stop."""
PolicyOption = Annotated[Path | None, tyro.conf.arg(metavar="policy.json")]
PolicyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="policy.json")]
Files = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")]


def record(
    run: Run,
    out: Path,
    split: Literal["train", "valid", "test"] = "valid",
    data: Path | None = None,
    root: Path | None = None,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Run a trained network over a split at full length, and record its outputs after every step.

    Args:
        run: folder that `dendrix train` wrote.
        out: .npz file to write.
        split: fit rules on "valid", report on "test".
        data: your own data, used instead of a split, as in `dendrix evaluate`.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print JSON, without a progress bar.
    """
    from ..core.files import expect_writable
    from ..runs.evaluation import record_run
    from ..runs.opened import open_run

    expect_writable(out)
    with progress(f"Recording {split if data is None else data}", hidden=json) as bar:
        recorded = record_run(open_run(run, split, data=data, root=root, trust=trust), bar.at)
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
    fitting = f"dendrix exits fit {out} --goal pareto --out policy.json"
    following = (
        f"dendrix exits report policy.json {out}, with a policy fitted on other inputs" if split == "test" and data is None else fitting
    )
    print(f"Recorded {count} inputs of up to {steps} steps in {out}. Next: {following}")


def report(
    policy: PolicyFile,
    record: RecordFile,
    rules: tuple[RuleName | Literal["all"], ...] = (),
    figure: Path | None = None,
    oracle: Literal["cap", "one", "exclude"] = "cap",
    json: bool = False,
) -> None:
    """Evaluate a policy on inputs that it was not fitted to, beside fixed numbers of steps, other rules and an oracle.

    Args:
        policy: policy that `dendrix exits fit` wrote.
        record: outputs of the same network on other inputs.
        rules: other rules to compare with, or all.
        figure: figure to write, such as exits.png.
        oracle: cost of an input that is never classified correctly, for the oracle: all steps (cap), one step, or excluded.
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
    """Check the guarantee: fit to many random draws from a record, and count how often the bound is exceeded on the whole record.

    Args:
        record: outputs on many inputs, which represent the population.
        rule: exit rule.
        eps: the acceptable risk.
        delta: probability with which the guarantee may fail.
        loss: correct answers that become wrong, or answers that differ from the final ones, which needs no labels.
        repeats: number of draws of each size.
        seed: seed of the draws.
        json: print JSON.
    """
    from .. import exits

    goal = exits.Guarantee(eps, delta, loss)
    found = exits.resplits(exits.ExitRecord.load(record), rule, goal, repeats=repeats, seed=seed)
    if json:
        print_json([asdict(size) for size in found])
        return
    table = Table("inputs", "fit with", "bound exceeded", "worst risk", "mean steps")
    for size in found:
        for name, trial in (("a guarantee" if size.possible else "too few", size.guaranteed), ("no drop on them", size.naive)):
            if trial is not None:
                shown = (f"{trial.violations:.1%}", f"{trial.worst_risk:.2%}", f"{trial.mean_steps:.2f}")
                table.add_row(str(size.size), name, *shown)
    Console().print(table)
    print(f"A guarantee may fail in {delta:.4g} of all draws, and needs at least {goal.needed} inputs.")


def watch(
    policy: PolicyFile,
    record: RecordFile,
    monitor: Path | None = None,
    loss: Loss | None = None,
    eps: float | None = None,
    alpha: float | None = None,
    json: bool = False,
) -> None:
    """Watch the guarantee of a policy on inputs in the order of a record; exit status 1 if the risk is no longer bounded.

    Args:
        policy: policy that `dendrix exits fit` wrote.
        record: outputs of the same network on inputs of its use, in their order in time.
        monitor: file of the monitor's state, which continues at every call and is created at the first.
        loss: loss to watch; by default that of the guarantee. disagreement needs no labels.
        eps: risk that must not be exceeded; by default that of the guarantee.
        alpha: bound on the probability of a false alarm, over all time; by default that of the file of the monitor, or 0.01.
        json: print JSON.
    """
    from .. import exits
    from ..core.files import expect_writable

    if monitor is not None:
        expect_writable(monitor)
    fitted, recorded = exits.Policy.load(policy), exits.ExitRecord.load(record)
    fitted.check(recorded)
    watched = _monitor(fitted, monitor, eps, alpha)
    lost = exits.exit_losses(fitted.rule, recorded, loss or fitted.goal.loss)
    found = watched.observe(lost.tolist())
    if json:
        print_json({**asdict(found), "evidence": found.evidence, "alarm": found.alarm})
    _tell_monitor(found, monitor, quiet=json)


def _monitor(policy: Any, path: Path | None, eps: float | None, alpha: float | None = None) -> Any:
    """Return the monitor of a file, or a new one for the risk of a policy."""
    from ..exits import Guarantee, Monitor

    if path is not None and path.exists():
        found = Monitor.load(path)
        for name, value in (("eps", eps), ("alpha", alpha)):
            if value not in (None, kept := getattr(found, name)):
                raise MisuseError(f"{name}: expected {kept} as in {path}, got {value}. Leave --{name} out, or name a new file.")
        return found
    if eps is None and not isinstance(policy.goal, Guarantee):
        raise MisuseError("eps: expected a risk to watch, as the policy has no guarantee, got none. Give --eps.")
    return Monitor(policy.goal.eps if eps is None else eps, Monitor.alpha if alpha is None else alpha)


def _tell_monitor(monitor: Any, path: Path | None, quiet: bool) -> None:
    """Save and print a monitor, and end with status 1 after an alarm."""
    if path is not None:
        monitor.save(path)
    if not quiet:
        print(monitor.statement())
    if monitor.alarm:
        raise SystemExit(1)


def run(
    run: Run,
    files: Files,
    policy: PolicyOption = None,
    figure: Path | None = None,
    audit: float | None = None,
    monitor: Path | None = None,
    eps: float | None = None,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Classify recordings or pictures, each only until the rule stops it.

    Args:
        run: folder that `dendrix train` or `dendrix convert` wrote, or the name of a shipped network: fsdd, commands or cifar10.
        files: wav, FLAC or Ogg files of any rate, names of shipped samples, such as 7_george_0.wav, or - for standard input: a wav stream,
            or raw 16-bit samples, mono, at the network's rate; or, for a converted network, image files.
        policy: policy that `dendrix exits fit` wrote for this network; by default policy.json in the folder of the run.
        figure: figure to write of the first recording: input, spikes, confidence over time and the moment of the exit.
        audit: probability with which a recording is also run to its end, to compare the two answers; needs --monitor.
        monitor: file of the monitor that counts answers that differ, created at the first call; exit status 1 after an alarm.
        eps: share of differing answers that the monitor accepts; by default that of a guarantee of the loss disagreement.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print a list of {"file", "label", "confidence", "heard_ms", "length_ms", "stopped"}, where heard_ms includes silence after the
            end of a file; for pictures, with "steps" and "of"; with "members" of a prediction set, and "full" of an audited recording.
    """
    if not files:
        raise MisuseError("files: expected at least one recording or picture, got none. Try: dendrix exits run RUN FILE.wav")
    from ..core.files import expect_writable
    from ..exits import Policy, fingerprint
    from ..run_folder.checkpoint import load_checkpoint
    from ..runs.listening import listen
    from ..runs.prediction import encoder_of
    from ..runs.viewing import knows_images

    if figure is not None:
        expect_writable(figure)
    fitted, checkpoint = Policy.load(_policy_of(run) if policy is None else policy), load_checkpoint(run, trust=trust)
    watched = _auditor(fitted, audit, monitor, eps, files)
    if knows_images(checkpoint):
        if watched is not None:
            raise MisuseError(
                "audit: expected recordings, got pictures. Leave --audit out; `dendrix exits watch` watches recorded outputs."
            )
        _look(fitted, checkpoint, run, files, json)
        return
    encoder = encoder_of(checkpoint)
    fitted.check_network(len(checkpoint.labels), checkpoint.decision.accumulation, encoder.dt_ms, fingerprint(checkpoint.model))
    sounds = [_sound(file, encoder) for file in files]  # reads all files before the first decision
    answers = []
    for file, (chunks, length_ms) in zip(files, sounds, strict=True):
        audited = watched is not None and audit is not None and random() < audit
        answer, full = _early_and_full(listen(checkpoint, chunks, fitted.rule, to_end=audited))
        found = {"file": str(file), **asdict(answer), "length_ms": length_ms}
        if not found["members"]:
            del found["members"]
        if audited:
            found["full"], watched = full.label, watched.observe([full.label != answer.label])
        if fitted.abstains and not answer.stopped:
            found["label"] = NONE
        answers.append(found)
    if figure is not None:
        _draw(figure, checkpoint, files[0], answers[0])
    if json:
        print_json(answers)
    else:
        table = Table("file", "class", "confidence", "heard", "of", "silence after it")
        for answer in answers:
            label = " or ".join(answer.get("members", [answer["label"]]))
            table.add_row(answer["file"], label, f"{answer['confidence']:.1%}", *_durations(answer["heard_ms"], answer["length_ms"]))
        Console().print(table)
    if watched is not None:
        _tell_monitor(watched, monitor, quiet=json)


def _early_and_full(heard: Iterator[Any]) -> tuple[Any, Any]:
    """Return the first decision that is stopped, and the last one, without keeping others, because a stream may not end."""
    early = full = None
    for full in heard:
        early = full if early is None and full.stopped else early
    return (full if early is None else early), full


def _auditor(policy: Any, audit: float | None, monitor: Path | None, eps: float | None, files: tuple[Path, ...]) -> Any:
    """Return the monitor of an audit; None without an audit."""
    from ..core import expect_in
    from ..core.files import expect_writable

    if audit is None and monitor is None and eps is None:
        return None
    if audit is None or monitor is None:
        raise MisuseError("audit: expected --audit and --monitor together, got one of them. Give a share, such as 0.05, and a file.")
    expect_in(audit, "(0, 1]", "audit")
    expect_writable(monitor)
    if any(str(file) == "-" for file in files):
        raise MisuseError("audit: expected files, got standard input, which is read only once. Leave --audit out.")
    if eps is None and policy.goal.loss != "disagreement" and not monitor.exists():
        raise MisuseError("eps: expected a share of differing answers, as the policy does not bound it, got none. Give --eps.")
    return _monitor(policy, monitor, eps)


def _draw(figure: Path, checkpoint: Any, file: Path, answer: dict[str, Any]) -> None:
    """Draw what the network heard and when it stopped."""
    from ..data import read_sound
    from ..plot import save_figure
    from ..runs.prediction import encoder_of
    from ..runs.report.network_figures import draw_activity
    from ..samples import sample

    if str(file) == "-":
        raise MisuseError("figure: expected a wav file, got standard input, which is read only once. Leave --figure out.")
    encoder = encoder_of(checkpoint)
    stopped = round(answer["heard_ms"] / encoder.dt_ms) if answer["stopped"] else None
    title = f"{file.name}: heard as '{answer['label']}'"
    save_figure(draw_activity(checkpoint, encoder(*read_sound(sample(file))), title, encoder.dt_ms, stopped), figure)


def _policy_of(run: Path) -> Path:
    """Return the policy in the folder of a run."""
    from ..pretrained import find_run

    if run.suffix == ".json":
        raise MisuseError(f"run: expected the folder of a run, got {run}. Write: dendrix exits run RUN FILE.wav --policy {run}")
    path = find_run(run) / "policy.json"
    if find_run(run).is_dir() and not path.is_file():
        raise InputError(f"{run}: expected a policy.json in the folder, found none. Give --policy, or fit one with `dendrix exits fit`.")
    return path


def _durations(heard_ms: float, length_ms: float | None) -> tuple[str, str, str]:
    """Return the duration heard within a clip, that of the clip, and that of the silence heard after it."""
    if length_ms is None:
        return f"{heard_ms:.0f} ms", "-", "-"
    silence = heard_ms - length_ms
    return f"{min(heard_ms, length_ms):.0f} ms", f"{length_ms:.0f} ms", f"{silence:.0f} ms" if silence > 0 else "-"


def _look(policy: Any, checkpoint: Any, run: Path, files: tuple[Path, ...], json: bool) -> None:
    """Classify pictures with a converted network, each until the rule stops it."""
    from ..exits import fingerprint
    from ..models import StillImageNetwork
    from ..runs.viewing import EVIDENCE, look
    from .pictures import read

    if not isinstance(checkpoint.model, StillImageNetwork):
        raise InputError(
            f"{run}: expected a network with outputs after every step, got one with a single output. Try: dendrix convert {run}."
        )
    steps = checkpoint.model.presented
    if policy.steps != steps:
        raise InputError(f"steps: expected {policy.steps}, the number of steps of the policy, got {steps}. Fit a policy for this run.")
    policy.check_network(len(checkpoint.labels), EVIDENCE, None, fingerprint(checkpoint.model))
    seen = look(checkpoint, read(run, checkpoint, files), policy.rule)
    answers = [{"file": str(file), **asdict(answer), "of": steps} for file, answer in zip(files, seen, strict=True)]
    if json:
        print_json(answers)
        return
    table = Table("file", "class", "confidence", "after", "of")
    for answer in answers:
        table.add_row(answer["file"], answer["label"], f"{answer['confidence']:.1%}", f"{answer['steps']} steps", f"{steps} steps")
    Console().print(table)


def _sound(file: Path, encoder: Any) -> tuple[Iterator[Any], float | None]:
    """Return a sound in chunks of one frame, and its length in ms if it is known."""
    from ..data import read_sound, resample
    from ..data.speech.sound_stream import stream_sound
    from ..samples import sample

    if str(file) == "-":
        return stream_sound(standard_input(), encoder.rate), None
    wave, rate = read_sound(sample(file))
    sound = resample(wave, rate, encoder.rate)
    return (sound[start : start + encoder.hop] for start in range(0, len(sound), encoder.hop)), len(wave) * 1000 / rate


COMMANDS: dict[str, Callable[..., Any]] = {"record": record, "fit": fit, "report": report, "check": check, "watch": watch, "run": run}
