"""`dendrix listen`: taught words in a stream of sound."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from .errors import standard_input
from .output import print_json

VocabularyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="VOCABULARY")]
Sound = Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="SOUND")]


def listen(
    vocabulary: VocabularyFile,
    sound: Sound = None,
    refractory_ms: float = 1000.0,
    per_hour: float | None = None,
    device: str | None = None,
    early: bool = True,
    json: bool = False,
) -> None:
    """Listen for taught words, and print each as soon as it is certain: `dendrix listen VOCABULARY` with the microphone of this computer.

    Args:
        vocabulary: file that `dendrix teach add` wrote.
        sound: by default the microphone; - for standard input, as a wav stream of any rate or raw 16-bit samples, mono, at the network's
            rate; or a wav file, or the name of a shipped sample, such as 7_george_0.wav.
        refractory_ms: time after a word in which it is not printed again, in ms.
        per_hour: largest expected number of false alarms per hour of a word that is printed; by default, its threshold decides.
        device: name of the microphone, as `python -m sounddevice` lists them; by default the one of the system.
        early: print a word before it has ended if its beginning suffices; `--no-early` and `--per-hour` wait for the end of every word.
        json: print a line of JSON for each word, {"word", "time_s", "end_s", "score", "p_value", "false_alarms_per_hour",
            "early"}.
    """
    from ..data import microphone, read_sound
    from ..data.speech.audio import resample
    from ..data.speech.sound_stream import stream_sound
    from ..runs.teaching import open_vocabulary
    from ..samples import sample
    from ..teach.listening import listen_for

    known, coder = open_vocabulary(vocabulary)
    rate = coder.encoder.rate
    if sound is None:
        chunks = microphone(rate, device=device)
    else:
        chunks = stream_sound(standard_input(), rate) if str(sound) == "-" else iter([resample(*read_sound(sample(sound)), rate)])
    for event in listen_for(known, coder, chunks, refractory_ms=refractory_ms, per_hour=per_hour, early=early):
        if json:
            print_json(dataclasses.asdict(event))
        else:
            print(f"{event.time_s:8.2f} s  {event.word}  score {event.score}, {event.false_alarms_per_hour:.1f} false alarms per hour")
        sys.stdout.flush()
