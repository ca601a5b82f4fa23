"""A folder of one's own: found, split by speaker or clip, and every fault named."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dendrix.data import LogMel, Splits, find_wavs, read_wav, wav_folder

ENCODER = LogMel(n_mels=4)


def record(path: Path, hertz: float = 440.0, seconds: float = 0.05, rate: int = 8_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), rate)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 30 clips without speakers, with company that is to be left alone."""
    for label, hertz in (("low", 300.0), ("high", 2_000.0)):
        for take in range(30):
            record(tmp_path / label / f"{take}.WAV" if take == 7 else tmp_path / label / f"{take}.wav", hertz, 0.05 + 0.001 * take)
    (tmp_path / "low" / ".DS_Store").touch()
    (tmp_path / "notes.txt").touch()
    record(tmp_path / "_background_noise_" / "hum.wav")
    return tmp_path


def test_classes_are_folders_in_order(folder: Path) -> None:
    clips = find_wavs(folder)
    assert clips.labels == ("high", "low")
    assert len(clips.names) == 60
    assert [clips.labels[i] for i in clips.label] == [name.split("/")[0] for name in clips.names]
    data = clips.encode(ENCODER, cache=False)
    row = clips.names.index("low/7.WAV")
    assert torch.equal(data.x[row], ENCODER(*read_wav(folder / "low" / "7.WAV")))


def contents(splits: Splits) -> list[set[tuple[float, ...]]]:
    return [{tuple(x.flatten().tolist()) for x in part.x} for part in splits]


def test_the_clips_of_each_class_are_split_by_a_seed(folder: Path) -> None:
    splits = wav_folder(ENCODER, folder, valid=0.1, test=0.2, cache=False)
    assert [part.y.bincount().tolist() for part in splits] == [[21, 21], [3, 3], [6, 6]]
    before = contents(splits)
    assert len(set.union(*before)) == 60
    assert contents(wav_folder(ENCODER, folder, valid=0.1, test=0.2, cache=False)) == before
    assert contents(wav_folder(ENCODER, folder, valid=0.1, test=0.2, seed=1, cache=False)) != before
    record(folder / "low" / "new.wav", 500.0)
    after = contents(wav_folder(ENCODER, folder, valid=0.1, test=0.2, cache=False))
    assert sum(len(new - old) for new, old in zip(after, before, strict=True)) <= 3  # the new one, and who makes room for it


@pytest.mark.parametrize("mark", ["_nohash_", "-"])
def test_no_speaker_is_in_two_parts(tmp_path: Path, mark: str) -> None:
    for speaker in range(12):
        for label in ("a", "b"):
            for take in range(2):
                record(tmp_path / label / f"s{speaker}{mark}{take}.wav", seconds=0.01 * (speaker + 1))
    parts = wav_folder(ENCODER, tmp_path, valid=0.25, test=0.25, speaker_mark=mark, cache=False)
    speakers = [{len(x) for x in part.x} for part in parts]  # the length tells the speaker
    assert [len(part) for part in parts] == [24, 12, 12] == [4 * len(some) for some in speakers]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 12


def test_clips_of_other_rates_are_resampled(tmp_path: Path) -> None:
    for name, rate in (("a/0.wav", 8_000), ("b/0.wav", 44_100)):
        record(tmp_path / name, 1_000.0, 0.2, rate)
    one, other = find_wavs(tmp_path).encode(LogMel(n_mels=20), cache=False).x
    assert one.shape == other.shape == (20, 20)
    assert (one[5:-2] - other[5:-2])[:, one[10] > 0].abs().max() < 0.05


def test_a_changed_file_is_encoded_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / ".cache"))
    clips = find_wavs(folder)
    first = clips.encode(ENCODER)
    soundfile.write(folder / "high" / "0.wav", np.zeros(400), 8_000)
    second = find_wavs(folder).encode(ENCODER)
    assert not torch.equal(first.x[0], second.x[0])
    assert torch.equal(first.x[1], second.x[1])
    monkeypatch.setattr("dendrix.data.speech.wav_files.read_wav", None)  # the next call must not read
    assert torch.equal(find_wavs(folder).encode(ENCODER).x[0], second.x[0])


def test_folders_that_hold_something_else_are_refused(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_wavs(folder / "nowhere")
    with pytest.raises(NotADirectoryError, match=r"notes\.txt: expected a folder"):
        find_wavs(folder / "notes.txt")
    with pytest.raises(ValueError, match="at least two classes, got 0"):
        find_wavs(folder / "low")
    for name in ("a.mp3", "b.flac", "c.txt"):
        (folder / "low" / name).touch()
    (folder / "low" / "d.wav").mkdir()
    with pytest.raises(ValueError, match=r"low: expected wav files only, got 4 of another kind: a\.mp3, b\.flac, c\.txt, \.\.\."):
        find_wavs(folder)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected wav files of this class, got an empty folder"):
        find_wavs(folder)


def test_too_few_clips_or_speakers_are_refused(tmp_path: Path) -> None:
    for name in ("a/0", "a/1", "a/2", "b/0", "b/1"):
        record(tmp_path / f"{name}.wav")
    with pytest.raises(ValueError, match="b: expected at least three clips, one for each of train, valid, test, got 2"):
        wav_folder(ENCODER, tmp_path, cache=False)
    record(tmp_path / "b" / "2.wav")
    assert [len(part) for part in wav_folder(ENCODER, tmp_path, cache=False)] == [2, 2, 2]
    record(tmp_path / "b" / "eve_nohash_2.wav")
    with pytest.raises(ValueError, match=r"expected a speaker before '_nohash_' in all file names or in none, got a/0\.wav"):
        wav_folder(ENCODER, tmp_path, cache=False)
    with pytest.raises(ValueError, match=r"valid \+ test"):
        wav_folder(ENCODER, tmp_path, valid=0.5, test=0.5)


def test_a_class_that_no_training_speaker_says_is_refused(tmp_path: Path) -> None:
    for speaker in ("ann", "bob", "eve"):
        record(tmp_path / "a" / f"{speaker}-0.wav")
    record(tmp_path / "b" / "ann-0.wav")
    with pytest.raises(ValueError, match="training clips of every class, got none of b"):
        wav_folder(ENCODER, tmp_path, seed=0, speaker_mark="-", cache=False)
    assert len(wav_folder(ENCODER, tmp_path, seed=1, speaker_mark="-", cache=False).train) == 2


def test_a_clip_of_two_hours_is_refused_before_it_is_read(folder: Path) -> None:
    path = folder / "low" / "3.wav"
    soundfile.write(path, np.zeros(7_200 * 100, np.int16), 100)  # two hours, at a rate that keeps the file small
    with pytest.raises(ValueError, match=r"3\.wav: expected at most 60 s of audio, got 7200 s"):
        wav_folder(ENCODER, folder, cache=False)
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"3\.wav: expected a wav file"):
        wav_folder(ENCODER, folder, cache=False)
    path.unlink()
    (folder / "low").chmod(0)
    try:
        if not os.access(folder / "low", os.R_OK):
            with pytest.raises(PermissionError, match="low"):
                find_wavs(folder)
    finally:
        (folder / "low").chmod(0o755)


@pytest.mark.shared
def test_real_recordings(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "speech" / "fsdd_wav_sample.zip") as archive:
        for name in archive.namelist():
            digit, speaker, take = name.removesuffix(".wav").split("_")
            (tmp_path / digit).mkdir(exist_ok=True)
            (tmp_path / digit / f"{speaker}-{take}.wav").write_bytes(archive.read(name))
    train, valid, test = wav_folder(LogMel(), tmp_path, speaker_mark="-", valid=0.2, test=0.2, cache=False)
    assert [len(part) for part in (train, valid, test)] == [60, 20, 20]
    assert test.y.bincount().tolist() == [len(test) // 10] * 10
