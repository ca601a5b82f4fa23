"""Teach a network words by example: a few recordings per word, no training, with a stated rate of false alarms."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError, MisuseError
from .output import print_json
from .teach_budget import budget

NewWord = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WORD")]
Clips = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE.wav ...")]
VocabularyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="VOCABULARY")]
VocabularyFiles = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="VOCABULARY ...")]
Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Sounds = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
_LONGEST_S = 60.0
_DEFAULT = "commands"
"""Network that a new vocabulary is taught with."""


def add(
    word: NewWord,
    to: Path,
    clips: Clips = (),
    record: int = 0,
    backbone: str | None = None,
    rate: float = 0.01,
    veto: bool = False,
    more: bool = False,
    json: bool = False,
) -> None:
    """Teach a word from recordings of it, three or more; or add recordings to a word.

    Args:
        word: name of the word.
        clips: wav files of any sampling rate, each of the word once.
        record: number of recordings to make with the microphone, beside those of files.
        to: file of the vocabulary, created if it does not exist.
        backbone: folder of the network, or the name of a shipped one; for a new vocabulary, by default commands.
        rate: accepted rate of false alarms per word that is spoken and is another one.
        veto: do not take a sound for the word if it is more like one of the three known words that it is most often taken for.
        more: add the recordings to a word that was taught before; its rate stays.
        json: print JSON.
    """
    from ..core.files import expect_writable
    from ..runs.teaching import open_vocabulary
    from ..samples import sample
    from ..sdr import stack
    from ..teach.checks import expect_agreement, known_as

    if record < 0:
        raise MisuseError(f"record: expected a number of recordings, got {record}. Leave it out for none.")
    if not clips and not record:
        raise MisuseError("clips: expected a wav file or --record 3, got neither. Try: dendrix teach add WORD --record 3 --to VOCABULARY")
    if veto and more:
        raise MisuseError("veto: expected it where a word is taught, got --more, with which a word keeps its own. Leave out --veto.")
    expect_writable(to)
    vocabulary, coder = open_vocabulary(to, backbone or (None if to.exists() else _DEFAULT))
    if not more and word in vocabulary.words:
        raise InputError(
            f"word: expected a new name, but '{word}' was taught before. Add clips with --more, remove it first, or rename it."
        )
    features, with_copies = _features(coder, [sample(clip) for clip in clips], word, record)
    # The background, with which clips are compared, has no copies, which would make all clips more alike.
    heard, codes = coder.backbone.codes(features), coder.backbone.codes(with_copies)
    before = vocabulary[word].codes if more else None
    together = heard if before is None else stack([before, heard])
    named = [*map(str, clips), *(f"recording {i + 1}" for i in range(record))]
    expect_agreement(together, [*(["an earlier clip"] * (len(together) - len(named))), *named], coder.backbone.background)
    notes = list[str]()
    if not more and (same := known_as(vocabulary, heard)):
        notes.append(f"These clips sound like '{same}', which was taught before.")
    if vocabulary.own is None and coder.backbone.is_foreign(features):
        notes.append(
            "These clips are unlike the background of the network, so more false alarms are likely. Give one of your own: "
            "dendrix teach background."
        )
    if more:
        vocabulary.extend(word, codes)
    else:
        vocabulary.teach(word, codes, rate, veto)
    vocabulary.save(to)
    found = vocabulary.report(word)
    if json:
        print_json({**dataclasses.asdict(found), "notes": notes})
        return
    print(f"Taught '{word}' with {found.clips} clips in {to}, {found.n_bytes} bytes.")
    _print_report(found)
    print("\n".join(f"Note: {note}" for note in notes), end="\n" if notes else "")
    print(f"Next: dendrix predict {to} FILE.wav")


def report(vocabulary: VocabularyFile, word: str | None = None, json: bool = False) -> None:
    """Report on the false alarms of each word: asked rate, expected range, upper bound, confusable words.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        word: one word; by default all.
        json: print a list of objects as JSON.
    """
    known, _ = _open(vocabulary)
    found = [known.report(name) for name in ([word] if word is not None else known.words)]
    if json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        print(f"{one.word}: {one.clips} clips, {one.n_bytes} bytes")
        _print_report(one)


def list_words(vocabulary: VocabularyFile, json: bool = False) -> None:
    """List the words of a vocabulary.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        json: print a list of objects as JSON.
    """
    known, _ = _open(vocabulary)
    rows = [{"word": name, "clips": len(word.codes), "rate": word.rate, "theta": word.theta} for name, word in known.words.items()]
    if json:
        print_json(rows)
        return
    table = Table("word", "clips", "false alarms asked", "threshold", title=f"{vocabulary}, taught with {known.source}")
    for row in rows:
        table.add_row(str(row["word"]), str(row["clips"]), f"{row['rate']:.2%}", str(row["theta"]))
    Console().print(table)


def forget(vocabulary: VocabularyFile, word: NewWord) -> None:
    """Remove a word.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        word: the word.
    """
    known, _ = _open(vocabulary)
    known.forget(word)
    known.save(vocabulary)
    print(f"Forgot '{word}'. {len(known)} words are left.")


def rename(vocabulary: VocabularyFile, word: NewWord, new: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NEW")]) -> None:
    """Rename a word.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        word: its present name.
        new: its new name.
    """
    known, _ = _open(vocabulary)
    known.rename(word, new)
    known.save(vocabulary)
    print(f"'{word}' is now '{new}'.")


def merge(vocabulary: VocabularyFile, others: VocabularyFiles) -> None:
    """Add the words of other vocabularies of the same network to the first one.

    Args:
        vocabulary: file that is changed.
        others: files whose words are added.
    """
    from ..teach import Vocabulary

    if not others:
        raise MisuseError("others: expected at least one vocabulary to add, got none.")
    known, coder = _open(vocabulary)
    for other in others:
        known.merge(Vocabulary.load(other, coder.backbone))
    known.save(vocabulary)
    print(f"{vocabulary} has {len(known)} words: {', '.join(known.words)}.")


def background(sounds: Sounds, to: Path) -> None:
    """Give a vocabulary a background of your own: minutes of any sound without its words, from your microphone.

    Args:
        sounds: folder of wav files, or one wav file, or - for standard input, as a wav stream or raw 16-bit samples at the network's rate.
        to: file of the vocabulary.
    """
    known, coder = _open(to)
    before = 0 if known.own is None else len(known.own)
    for name, wave, rate in _recordings(sounds, coder.encoder.rate):
        known.hear(coder.backbone.codes(coder.sounds(wave, rate, name)))
    known.save(to)
    total = 0 if known.own is None else len(known.own)
    print(f"Heard {total - before} sounds; the background of {to} has {total} of your own, and all thresholds were computed again.")
    needed = max((1 / word.rate for word in known.words.values()), default=0)
    if total < needed:
        print(f"Note: a rate of {1 / needed:.2%} needs at least {needed:.0f} sounds of your own. Record more.")


def backbone(run: Run, out: Path | None = None, root: Path | None = None, clips: int = 2000, layers: int = 2) -> None:
    """Compute what teaching needs beside a network, from its training data: whitening, background and table of thresholds.

    Args:
        run: folder of a network trained on recordings.
        out: file to write; by default teach.safetensors in the folder.
        root: folder of the training data, if it has moved.
        clips: largest number of codes that is kept as background.
        layers: largest number of hidden layers that are coded, counted from the last one.
    """
    from ..core.files import expect_writable
    from ..pretrained import find_run
    from ..runs.teaching import BACKBONE, make_backbone
    from ..teach import CodeSettings

    path = out or find_run(run) / BACKBONE
    expect_writable(path)
    found = make_backbone(run, CodeSettings(layers=layers), root=root, clips=clips)
    found.save(path)
    size, smallest = path.stat().st_size, found.calibration.smallest(len(found.background), found.background.words)
    clip_count, word_count = len(found.background), found.background.words
    print(f"Saved in {path}, {size:,} bytes: codes of {found.n} bits, {clip_count} background clips of {word_count} words.")
    print(f"Smallest supported rate of false alarms: {smallest:.2%}.")
    print(f"Next: dendrix teach add WORD a.wav b.wav c.wav --to VOCABULARY --backbone {run}")


def predict_words(vocabulary: Path, files: tuple[Path, ...], json: bool) -> None:
    """Print the word of each recording, or none: `dendrix predict VOCABULARY FILE.wav`."""
    from ..data import read_sound
    from ..samples import sample

    known, coder = _open(vocabulary)
    if not len(known):
        raise InputError(f"{vocabulary}: expected a vocabulary with words, got an empty one. Teach one first: dendrix teach add.")
    waves = [(str(file), *read_sound(sample(file), _LONGEST_S)) for file in files]  # reads all files before the first decision
    found = [known.decide(coder.backbone.codes(coder.clip(wave, rate, name)))[0] for name, wave, rate in waves]
    answers = [{"file": str(file), **dataclasses.asdict(decision)} for file, decision in zip(files, found, strict=True)]
    if json:
        print_json(answers)
        return
    table = Table("file", "word", "p-value", "nearest", "score", "threshold")
    for answer in answers:
        label = answer["label"] if answer["label"] is not None else "(none of these)"
        table.add_row(answer["file"], label, f"{answer['p_value']:.2g}", answer["nearest"], str(answer["score"]), str(answer["theta"]))
    Console().print(table)


def _open(path: Path) -> tuple[Any, Any]:
    from ..runs.teaching import open_vocabulary

    return open_vocabulary(path)


def _features(coder: Any, clips: list[Path], word: str, record: int) -> tuple[Any, Any]:
    """Return the features of clips, and of `record` recordings of the microphone: as they are, and as they are taught, with copies."""
    import numpy as np

    from ..data import microphone, read_sound
    from ..teach import record_word

    waves = [(str(clip), *read_sound(clip, _LONGEST_S)) for clip in clips]
    for i in range(record):
        print(f"Say '{word}' now, {i + 1} of {record}.", file=sys.stderr, flush=True)
        waves.append((f"recording {i + 1}", record_word(coder, microphone(coder.encoder.rate)), coder.encoder.rate))
    heard, taught = ([coder.word(wave, rate, name, augment=copies) for name, wave, rate in waves] for copies in (False, True))
    return np.concatenate(heard), np.concatenate(taught)


def _recordings(sounds: Path, rate: int) -> Any:
    """Yield name, samples and rate of each recording of a folder, a file or standard input."""
    import numpy as np

    from ..data import read_sound
    from ..data.speech.sound_stream import stream_sound
    from .errors import standard_input

    if str(sounds) == "-":
        chunks = list(stream_sound(standard_input(), rate))
        if not sum(map(len, chunks)):
            raise InputError("stdin: expected sound, got an empty stream. Check its source.")
        yield "stdin", np.concatenate(chunks), rate
        return
    files = [sounds] if sounds.is_file() else sorted(sounds.rglob("*.wav"))
    if not files:
        raise InputError(f"{sounds}: expected a folder with wav files, found none. Check the path.")
    for file in files:
        yield str(file), *read_sound(file)


def _print_report(found: Any) -> None:
    low, high = found.expected
    print(f"  false alarms asked {found.rate:.2%} of other words; expected {low:.2%} to {high:.2%}; at most {found.upper_bound:.2%} (95 %)")
    print(f"  from {found.background_clips} clips of {found.background_words} words by {found.background_speakers} speakers")
    if found.own_words is not None:
        low, high = found.own_words
        print(f"  other words by the speaker of the clips: expected {low:.2%} to {high:.2%}")
    if found.own_rate is not None:
        print(f"  on {found.own_background} sounds of your own: {found.own_rate:.2%}")
    if found.rivals:
        print(f"  vetoed by {', '.join(found.rivals)}")
    if found.confusable:
        print(f"  most confusable: {', '.join(f'{name} {share:.0%}' for name, share in found.confusable)}")


COMMANDS: dict[str, Callable[..., None]] = {
    command.__name__.partition("_")[0]: command
    for command in (add, report, list_words, forget, rename, merge, background, backbone, budget)
}
