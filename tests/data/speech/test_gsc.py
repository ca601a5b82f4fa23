"""Google Speech Commands from a folder of the published layout."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dendrix.data import LogMel, read_wav, speech_commands
from dendrix.data.speech.gsc import WORDS

ENCODER = LogMel(rate=16_000, n_mels=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clips of each word: one for training, one for validation, one for testing; and noise."""
    place = tmp_path / "speech_commands_v0.02"
    for number, word in enumerate(WORDS):
        (place / word).mkdir(parents=True)
        for speaker in ("0a", "1b", "2c"):
            soundfile.write(place / word / f"{speaker}_nohash_0.wav", np.full(480 + number, 0.1), 16_000)
    (place / "_background_noise_").mkdir()
    soundfile.write(place / "_background_noise_" / "hum.wav", np.zeros(100), 16_000)
    for name, speaker in (("validation_list.txt", "1b"), ("testing_list.txt", "2c")):
        (place / name).write_text("".join(f"{word}/{speaker}_nohash_0.wav\n" for word in WORDS))
    return place


def test_the_official_lists(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(WORDS) == 35
    parts = speech_commands(ENCODER, folder, cache=False)
    assert [part.y.tolist() for part in parts] == [list(range(35))] * 3
    assert parts.test.labels == tuple(sorted(WORDS))
    assert torch.equal(parts.valid.x[5], ENCODER(*read_wav(folder / "down" / "1b_nohash_0.wav")))
    monkeypatch.setenv("DENDRIX_DATA", str(folder.parent))
    assert len(speech_commands(ENCODER, cache=False).train) == 35


def test_clips_are_brought_to_one_length(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    for seconds, steps in ((0.02, 2), (0.05, 5), (None, None)):
        x = speech_commands(ENCODER, folder, exactly_s=seconds).train.x
        assert {len(clip) for clip in x} == ({steps} if steps else {3, 4})
    wave, _ = read_wav(folder / "zero" / "0a_nohash_0.wav")
    filled = ENCODER(np.pad(wave, (0, 800 - len(wave))), 16_000)
    assert torch.equal(speech_commands(ENCODER, folder, exactly_s=0.05).train.x[-1], filled)


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "yes" / "1b_nohash_0.wav").unlink()
    with pytest.raises(ValueError, match=r"validation_list\.txt: expected yes/1b_nohash_0\.wav and 0 other files, which are missing"):
        speech_commands(ENCODER, folder, cache=False)
    (folder / "validation_list.txt").write_text("yes/2c_nohash_0.wav")
    with pytest.raises(ValueError, match=r"testing_list\.txt: expected clips that are in no other list"):
        speech_commands(ENCODER, folder, cache=False)
    (folder / "validation_list.txt").write_text("")
    with pytest.raises(ValueError, match="expected clips for validation, got none"):
        speech_commands(ENCODER, folder, cache=False)
    (folder / "wow").rename(folder / "whoa")
    with pytest.raises(FileNotFoundError, match="each of 35 words, found no wow"):
        speech_commands(ENCODER, folder, cache=False)
    (folder / "validation_list.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"found not both.*dendrix fetch speech-commands"):
        speech_commands(ENCODER, folder, cache=False)


def test_a_damaged_clip_is_named(folder: Path) -> None:
    path = folder / "bed" / "0a_nohash_0.wav"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"bed/0a_nohash_0\.wav: expected 962 bytes of samples, got 862: the file is truncated"):
        speech_commands(ENCODER, folder, cache=False)
