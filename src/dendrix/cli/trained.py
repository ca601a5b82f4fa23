"""Commands for trained networks: evaluation, prediction and reports."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from .errors import sentence, standard_input
from .output import print_json
from .pictures import read
from .teach import predict_words

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Files = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")]
_LONGEST_S = 60.0
"""Longest WAV file accepted, in s; longer audio is streamed."""
_REPORTED = 0.1
"""Change of confidence after which the decision about a stream is printed again."""


def evaluate(
    run: Run,
    split: Literal["test", "valid"] = "test",
    data: Path | None = None,
    root: Path | None = None,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Evaluate a trained network on a split of its data or on your own data.

    Args:
        run: folder that `dendrix train` wrote, or the name of a shipped network, such as fsdd.
        split: choose settings on "valid", and report results on "test".
        data: your own data, used instead of a split: an .npz of arrays x, y and lengths; a folder with one sub-folder of wav files or
            images for each class; or a table of sentences, .csv, .tsv or .jsonl, with the columns text and label.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print JSON.
    """
    from ..run_folder.record import RUN, caveat, read_record
    from ..runs.opened import open_run

    if data is not None and root is not None:
        raise MisuseError("data: expected --data or --root, got both. Leave one out.")
    opened = open_run(run, split, data=data, root=root, trust=trust)
    scores, labels = opened.score(), opened.checkpoint.labels or tuple(map(str, range(len(opened.data.labels))))
    what = split if data is None else str(data)
    if json:
        print_json({("split" if data is None else "data"): what, "labels": labels, **dataclasses.asdict(scores)})
        return
    count = sum(map(sum, scores.confusion))
    print(f"{what}: accuracy {scores.accuracy:.1%} of {count} inputs, loss {scores.loss:.3f}")
    if data is None and (opened.folder / RUN).is_file() and (beside := caveat(read_record(opened.folder)["recipe"])):
        print(beside)
    if data is not None:
        Console().print(_by_class(labels, scores.confusion))


def _by_class(labels: tuple[str, ...], confusion: list[list[int]]) -> Table:
    """Return a table with accuracy and confusions of each class that occurs."""
    table = Table("class", "inputs", "correct", "confused with")
    for index, (label, row) in enumerate(zip(labels, confusion, strict=True)):
        if not sum(row):
            continue
        wrong = sorted(((count, labels[other]) for other, count in enumerate(row) if count and other != index), reverse=True)
        table.add_row(label, str(sum(row)), f"{row[index] / sum(row):.1%}", ", ".join(f"{other} {count}x" for count, other in wrong))
    return table


def predict(run: Run, files: Files, top: int = 3, trust: str | None = None, json: bool = False) -> None:
    """Classify recordings, a sound stream or pictures with a trained network.

    Args:
        run: folder that `dendrix train` or `dendrix convert` wrote, or the name of a shipped network: fsdd, commands or cifar10; or the
            file of a vocabulary that `dendrix teach` wrote, whose answers are a word or none of its words.
        files: wav, FLAC or Ogg files of any rate, or names of shipped samples, such as 7_george_0.wav; or - to classify standard input
            while it is read, as a wav stream or raw 16-bit samples, mono, at the network's rate; or, for an image network, image files of
            any size.
        top: number of classes to list.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print a list of {"file", "label", "confidence", "top"}; for a stream, lines of {"label", "confidence", "heard_ms", "final"};
            for a vocabulary, a list of {"file", "label" or null, "p_value", "nearest", "score", "theta"}.
    """
    if not files:
        raise MisuseError("files: expected at least one recording or picture, got none. Try: dendrix predict RUN FILE.wav")
    if Path("-") in files:
        if len(files) > 1:
            raise MisuseError("files: expected wav files, or - for standard input, got both. Run the command twice.")
        _follow(run, trust, json)
        return
    if run.is_file():
        predict_words(run, files, json)
        return
    from ..data import read_sound
    from ..run_folder.checkpoint import load_checkpoint
    from ..runs.prediction import predict as decide
    from ..runs.viewing import knows_images, predict_images
    from ..samples import sample

    checkpoint = load_checkpoint(run, trust=trust)
    seen = knows_images(checkpoint)
    if seen:
        found = predict_images(checkpoint, read(run, checkpoint, files), top)
    else:
        waves = [read_sound(sample(file), _LONGEST_S) for file in files]  # reads all files before the first decision
        found = [decide(checkpoint, *wave, top) for wave in waves]
    answers = [{"file": str(file), **dataclasses.asdict(prediction)} for file, prediction in zip(files, found, strict=True)]
    if json:
        print_json(answers)
        return
    table = Table("file", "class", "confidence", "next")
    for answer in answers:
        then = ", ".join(f"{label} {share:.1%}" for label, share in list(answer["top"].items())[1:])
        table.add_row(answer["file"], answer["label"], f"{answer['confidence']:.1%}", then)
    Console().print(table)


def report(run: Run, out: Path | None = None, data: Path | None = None, root: Path | None = None, trust: str | None = None) -> None:
    """Write the report of a run: one HTML page with curves, confusion matrix, rasters, delays and settings.

    Args:
        run: folder that `dendrix train` wrote; the training may still be running.
        out: path of the page; by default report.html in the folder.
        data: your own data for the validation figures, as in `dendrix evaluate`.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
    """
    from ..core.files import expect_writable
    from ..pretrained import find_run
    from ..runs.report.writer import write_report

    if out is None and find_run(run) != run:
        raise MisuseError(f"out: expected a path for the report of the shipped network {run}, got none. Give --out.")
    if out is not None:
        expect_writable(out)
    print(f"The report is in {write_report(run, out, data=data, root=root, trust=trust)}.")


def report_of_training(folder: Path, trust: str | None = None) -> None:
    """Write the report at the end of a training. The run is complete, so a failure prints a message only."""
    from ..runs.report.writer import write_report

    try:
        write_report(folder, trust=trust)
    except (ImportError, OSError, ValueError) as error:
        print(f"dendrix: no report was written. {sentence(error)}", file=sys.stderr)


def _follow(run: Path, trust: str | None, json: bool) -> None:
    """Print the decision about standard input whenever it or its confidence has changed notably, and at the end."""
    from ..data.speech.sound_stream import stream_sound
    from ..exits import Margin
    from ..run_folder.checkpoint import load_checkpoint
    from ..runs.listening import Heard, listen
    from ..runs.prediction import encoder_of

    checkpoint = load_checkpoint(run, trust=trust)
    sound = stream_sound(standard_input(), encoder_of(checkpoint).rate)
    printed: Heard | None = None
    heard: Heard | None = None
    try:
        for heard in listen(checkpoint, sound, Margin(float("inf"))):  # a rule that never stops
            if printed is None or heard.label != printed.label or abs(heard.confidence - printed.confidence) >= _REPORTED:
                printed = heard
                _print_decision(printed, False, json)
    except KeyboardInterrupt:  # the usual end of a live stream, so the last decision is final
        if heard is not None:
            _print_decision(heard, True, json)
        raise
    _print_decision(heard, True, json)


def _print_decision(heard: Any, final: bool, json: bool) -> None:
    """Print one line and flush it, so that the reader of a pipe gets it at once."""
    if json:
        print_json({"label": heard.label, "confidence": heard.confidence, "heard_ms": heard.heard_ms, "final": final})
    else:
        print(f"{heard.heard_ms:6.0f} ms  {heard.label}  {heard.confidence:.1%}{'  (end)' if final else ''}")
    sys.stdout.flush()
