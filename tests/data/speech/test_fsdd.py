import os

import numpy as np
import pytest
import soundfile
import torch

from dendrix.data import LogMel, fsdd
from dendrix.data.speech.fsdd import fsdd_recordings

ENCODER = LogMel(n_mels=4)


@pytest.fixture
def folder(tmp_path):
    """Two digits by two speakers, takes on every side of the split, with files that do not belong."""
    rng = np.random.default_rng(0)
    place = tmp_path / "clone" / "recordings"
    place.mkdir(parents=True)
    for digit in (0, 7):
        for speaker in ("anna", "bo_b"):
            for take in (0, 4, 5, 9, 10, 11):
                soundfile.write(place / f"{digit}_{speaker}_{take}.wav", rng.uniform(-0.5, 0.5, 400 + 10 * take), 8_000)
    (place / "readme.txt").write_text("not a recording")
    (place / "7_anna.wav").write_text("nor this")
    return place


@pytest.fixture
def pack(folder):
    """The same clips in the compact form."""
    clips = fsdd_recordings(folder)
    samples = np.round(np.concatenate(clips.waves) * 32768).astype("<i2")
    planes = np.diff(samples, prepend=samples.dtype.type(0)).view(np.uint8).reshape(-1, 2)
    names = sorted(set(clips.speaker))
    path = folder.parents[1] / "pack" / "fsdd.npz"
    path.parent.mkdir()
    np.savez(
        path,
        lo=planes[:, 0],
        hi=planes[:, 1],
        offsets=np.cumsum([0, *map(len, clips.waves)]),
        labels=clips.digit,
        take=clips.take,
        speakers=names,
        speaker=[names.index(name) for name in clips.speaker],
    )
    return path


def test_the_folder_as_published(folder):
    clips = fsdd_recordings(folder)
    assert len(clips.waves) == 24
    assert clips.rate == 8_000
    i = list(zip(clips.digit, clips.speaker, clips.take, strict=True)).index((7, "bo_b", 9))
    assert len(clips.waves[i]) == 490


def test_the_pack_holds_the_same(folder, pack):
    wav, npz = fsdd_recordings(folder), fsdd_recordings(pack)
    assert all(np.array_equal(a, b) for a, b in zip(wav.waves, npz.waves, strict=True))
    assert (wav.speaker, wav.rate) == (npz.speaker, npz.rate)
    assert np.array_equal(wav.digit, npz.digit)
    assert np.array_equal(wav.take, npz.take)


def test_the_official_split(folder):
    train, valid, test = fsdd(ENCODER, folder, cache=False)
    assert [sorted({round(400 + 10 * t) for t in takes}) for takes in ((10, 11), (5, 9), (0, 4))] == [[500, 510], [450, 490], [400, 440]]
    assert [len(part) for part in (train, valid, test)] == [8, 8, 8]
    assert {len(x) for x in train.x} == {7}
    assert {len(x) for x in test.x} == {5, 6}
    assert valid.y.unique().tolist() == [0, 7]
    assert train.labels == tuple("0123456789")
    assert train.dt_ms == ENCODER.dt_ms


def test_the_split_of_an_unheard_speaker(folder):
    train, valid, test = fsdd(ENCODER, folder, held_out_speaker="bo_b", cache=False)
    assert [len(part) for part in (train, valid, test)] == [8, 4, 12]
    clips = fsdd_recordings(folder)
    unheard = [wave for wave, speaker in zip(clips.waves, clips.speaker, strict=True) if speaker == "bo_b"]
    assert all(torch.equal(x, ENCODER(wave, 8_000)) for x, wave in zip(test.x, unheard, strict=True))
    assert {len(x) for x in train.x} == {5, 6, 7}  # the test takes of the others are for training here
    with pytest.raises(ValueError, match=r"got 'ana'\. Did you mean 'anna'\? Expected one of anna, bo_b"):
        fsdd(ENCODER, folder, held_out_speaker="ana", cache=False)


def test_the_root_may_be_above_and_may_come_from_the_environment(folder, pack, monkeypatch):
    assert len(fsdd_recordings(folder.parent).waves) == 24
    monkeypatch.setenv("DENDRIX_DATA", str(pack.parent))
    assert len(fsdd_recordings().waves) == 24
    monkeypatch.delenv("DENDRIX_DATA")
    with pytest.raises(FileNotFoundError, match="set DENDRIX_DATA"):
        fsdd_recordings()


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        fsdd_recordings(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="found neither"):
        fsdd_recordings(tmp_path)


def test_a_part_without_clips_is_refused(folder):
    for path in folder.glob("*_[04].wav"):
        path.unlink()
    with pytest.raises(ValueError, match="test takes 0-4, got none among 16 clips"):
        fsdd(ENCODER, folder, cache=False)


def test_a_locked_folder_is_named(folder):
    folder.chmod(0)
    try:
        if os.access(folder, os.R_OK):
            pytest.skip("this user may read everything, so a lack of permission cannot be tried")
        with pytest.raises(PermissionError, match="recordings"):
            fsdd_recordings(folder)
    finally:
        folder.chmod(0o755)


def test_damage_is_named(folder, pack):
    pack.write_bytes(pack.read_bytes()[:-100])
    with pytest.raises(ValueError, match="expected the FSDD pack"):
        fsdd_recordings(pack)
    (folder / "7_anna_0.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"7_anna_0\.wav: expected a wav file, got an empty file"):
        fsdd_recordings(folder)


def test_a_file_of_another_kind_is_named(folder):
    with pytest.raises(ValueError, match=r"7_anna_0\.wav: expected the FSDD pack or a data folder, got another kind of file"):
        fsdd_recordings(folder / "7_anna_0.wav")


def test_an_empty_variable_is_no_folder(monkeypatch):
    monkeypatch.setenv("DENDRIX_DATA", "")
    with pytest.raises(FileNotFoundError, match="no data folder was given"):
        fsdd_recordings()


def test_mixed_rates_are_refused(folder):
    soundfile.write(folder / "7_anna_0.wav", np.zeros(400), 16_000)
    with pytest.raises(ValueError, match="8000, 16000 Hz"):
        fsdd_recordings(folder)


@pytest.mark.shared
def test_the_real_recordings(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path))
    train, valid, test = fsdd(LogMel(), shared / "data")
    assert [len(part) for part in (train, valid, test)] == [2000, 250, 250]
    assert torch.equal(test.y.bincount(), torch.full((10,), 25))
    x = torch.cat(list(train.x))
    assert abs(x.mean()) < 1
    assert 0.5 < x.std() < 1.5
