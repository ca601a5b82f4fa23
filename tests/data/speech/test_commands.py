import functools
import io
import itertools
import sys

import numpy as np
import pytest
import soundfile
import torch

from dendrix.data import LogMel, commands
from dendrix.data.speech.commands import TWENTY_WORDS, command_clips, decode_command

ENCODER = LogMel(rate=16_000, n_mels=4, f_max=8_000.0)
WORDS = ("backward", *sorted(TWENTY_WORDS), "zoom in")


def opus(tone: float, rate: int = 16_000) -> np.ndarray:
    """Half a second of a tone as an Ogg Opus stream."""
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * tone * np.arange(rate // 2) / rate), rate, format="OGG", subtype="OPUS")
    return np.frombuffer(file.getvalue(), np.uint8)


@functools.cache
def contents() -> dict[str, np.ndarray]:
    """What a pack of 22 words by three speakers, one in each split, consists of; every word is a tone of its own."""
    clips = [opus(200 + 100 * word) for word in range(len(WORDS))] * 3
    speaker = np.repeat([0, 1, 2], len(WORDS)).astype(np.uint8)
    return {
        "ogg": np.concatenate(clips),
        "offsets": np.cumsum([0, *map(len, clips)]),
        "n_samples": np.full(len(clips), 8_000),
        "labels": np.tile(np.arange(len(WORDS)), 3).astype(np.uint8),
        "speaker": speaker,
        "take": np.ones_like(speaker),
        "split": speaker,
        "classes": np.array(WORDS),
    }


@pytest.fixture
def pack(tmp_path):
    (tmp_path / "speech").mkdir()
    np.savez(tmp_path / "speech" / "arabic_commands40.npz", **contents())
    return tmp_path / "speech" / "arabic_commands40.npz"


def rewrite(pack, **changed):
    np.savez(pack, **{**contents(), **changed})


def test_clips_come_as_they_were_coded(pack):
    coded = command_clips(pack)
    assert coded.words == WORDS
    assert coded.split.tolist() == coded.speaker.tolist() == [0] * 22 + [1] * 22 + [2] * 22
    wave = decode_command(coded.clips[5])
    assert wave.dtype == np.float32
    assert len(wave) == 8_000
    assert np.abs(np.fft.rfft(wave)).argmax() * 2 == 200 + 100 * coded.word[5]


def test_the_official_split(pack):
    train, valid, test = commands(ENCODER, pack.parents[1], cache=False)
    assert [len(part) for part in (train, valid, test)] == [22, 22, 22]
    assert train.labels == WORDS
    assert {tuple(x.shape) for x in train.x} == {(50, 4)}
    assert torch.equal(test.x[3], ENCODER(decode_command(command_clips(pack).clips[3]), 16_000))


def test_twenty_words_are_numbered_in_their_own_order(pack):
    full, some = commands(ENCODER, pack, cache=False), commands(ENCODER, pack, words=20, cache=False)
    assert some.valid.labels == TWENTY_WORDS
    assert torch.equal(some.valid.y.sort().values, torch.arange(20))
    for x, y in some.valid:
        same = next(i for i in range(22) if torch.equal(full.valid.x[i], x))
        assert full.valid.labels[full.valid.y[same]] == TWENTY_WORDS[y]


def test_clips_are_decoded_once(pack, tmp_path, monkeypatch):
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    first = commands(ENCODER, pack)
    monkeypatch.setitem(sys.modules, "soundfile", None)  # decoding would raise
    with pytest.raises(ImportError, match="soundfile"):
        commands(ENCODER, pack, cache=False)
    assert all(torch.equal(a, b) for a, b in zip(first.train.x, commands(ENCODER, pack).train.x, strict=True))


def test_the_root_may_come_from_the_environment(pack, monkeypatch):
    monkeypatch.setenv("DENDRIX_DATA", str(pack.parents[1]))
    assert len(command_clips().clips) == 66
    monkeypatch.delenv("DENDRIX_DATA")
    with pytest.raises(FileNotFoundError, match=r"no data folder was given.* set DENDRIX_DATA"):
        command_clips()


def test_what_is_missing_is_named(pack, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        command_clips(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected a file arabic_commands40\.npz in .*empty, found none"):
        command_clips(tmp_path / "empty")
    rewrite(pack, split=contents()["split"].clip(0, 1))
    with pytest.raises(ValueError, match="expected test clips, split 2, got none among 66 clips"):
        commands(ENCODER, pack, cache=False)
    rewrite(pack, classes=np.array([name.replace("zero", "null") for name in WORDS]))
    with pytest.raises(ValueError, match="expected the words zero, which the pack lacks"):
        commands(ENCODER, pack, words=20, cache=False)
    with pytest.raises(ValueError, match="words: expected"):
        commands(ENCODER, pack, words=30, cache=False)


def test_a_cut_file_is_named(pack):
    pack.write_bytes(pack.read_bytes()[:-100])
    with pytest.raises(ValueError, match="expected the Arabic commands pack"):
        command_clips(pack)


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": np.zeros(3, np.uint8)},
        {"offsets": contents()["offsets"] + 1},
        {"offsets": contents()["offsets"][::-1]},
        {"ogg": contents()["ogg"][:-1]},
    ],
    ids=["labels", "start", "order", "end"],
)
def test_arrays_that_do_not_fit_are_refused(pack, changed):
    rewrite(pack, **changed)
    with pytest.raises(ValueError, match="but the arrays do not match"):
        command_clips(pack)


def test_a_damaged_clip_and_another_rate_are_refused():
    with pytest.raises(ValueError, match="a clip: expected compressed audio, but it cannot be decoded"):
        decode_command(opus(400)[:40])
    with pytest.raises(ValueError, match="expected clips at 16000 Hz, got 24000 Hz"):
        decode_command(opus(400, 24_000))


@pytest.mark.shared
def test_the_real_clips(shared):
    coded = command_clips(shared / "data")
    assert np.bincount(coded.split).tolist() == [7200, 2400, 1200]
    assert set(TWENTY_WORDS) < set(coded.words)
    speakers = [set(coded.speaker[coded.split == part]) for part in range(3)]
    assert [len(part) for part in speakers] == [18, 6, 3]
    assert len(set.union(*speakers)) == 27
    assert all(len(decode_command(coded.clips[i])) == 16_000 for i in (0, 5_000, 10_799))


def test_words_can_be_left_out_and_speakers_are_known(pack):
    whole, part = commands(ENCODER, pack, cache=False), commands(ENCODER, pack, without=("open", "zoom in"), cache=False)
    assert part.train.labels == tuple(word for word in WORDS if word not in ("open", "zoom in"))
    for all_words, rest in zip(whole, part, strict=True):
        kept = [i for i, y in enumerate(all_words.y.tolist()) if WORDS[y] in part.train.labels]
        assert [part.train.labels[y] for y in rest.y.tolist()] == [WORDS[all_words.y[i]] for i in kept]
        assert all(torch.equal(x, all_words.x[i]) for x, i in zip(rest.x, kept, strict=True))
    assert [set(split.speaker.tolist()) for split in part] == [{0}, {1}, {2}]
    assert part.test.subset(torch.tensor([3])).speaker.tolist() == [2]
    with pytest.raises(ValueError, match="got opn"):
        commands(ENCODER, pack, without=("opn",), cache=False)
    with pytest.raises(ValueError, match="one word that remains"):
        commands(ENCODER, pack, without=WORDS, cache=False)


def test_folds_test_every_speaker_once(pack):
    """Nine speakers with one clip of one word each: a third is tested, one validates, and five train."""
    clips = [opus(400)] * 9
    speaker = np.array([3, 5, 6, 9, 11, 13, 17, 20, 21], np.uint8)
    offsets = np.cumsum([0, *map(len, clips)])
    rewrite(pack, ogg=np.concatenate(clips), offsets=offsets, labels=np.zeros(9, np.uint8), speaker=speaker, split=np.zeros(9, np.uint8))
    tested = []
    for fold in range(3):
        parts = [part.speaker.tolist() for part in commands(ENCODER, pack, fold=fold, cache=False)]
        assert sorted(itertools.chain(*parts)) == speaker.tolist()
        assert [len(part) for part in parts] == [5, 1, 3]
        tested += parts[2]
    assert sorted(tested) == speaker.tolist()
    with pytest.raises(ValueError, match="fold: expected 0 to 2, got 3"):
        commands(ENCODER, pack, fold=3, cache=False)
