import dataclasses

import numpy as np
import pytest
import torch

from dendrix.data import LogMel
from dendrix.data.cache import cache_folder, encode_all


@dataclasses.dataclass(frozen=True)
class Counted(LogMel):
    """An encoder that can be told from its result how often it ran."""

    def encode(self, wave):
        CALLS.append(len(wave))
        return super().encode(wave).round() if self.n_mels == 4 else super().encode(wave)


CALLS: list[int] = []
WAVES = [np.random.default_rng(i).uniform(-1, 1, 500 + 300 * i).astype(np.float32) for i in range(3)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "deep" / "cache"))
    CALLS.clear()
    return tmp_path / "deep" / "cache"


@pytest.mark.parametrize("n_mels", [4, 12])
def test_the_second_time_comes_from_disk_and_is_the_same(folder, n_mels):
    encoder = Counted(n_mels=n_mels)
    first, second = (encode_all(WAVES, 8_000, encoder) for _ in range(2))
    assert len(CALLS) == 3
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, encoder(wave, 8_000)) for a, wave in zip(first, WAVES, strict=True))
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"]


def test_other_sound_or_other_settings_are_encoded_anew():
    encode_all(WAVES, 8_000, Counted())
    encode_all(WAVES[:2], 8_000, Counted())
    encode_all([WAVES[0], WAVES[1], WAVES[2] * 0.5], 8_000, Counted())
    encode_all(WAVES, 8_000, Counted(n_mels=12))
    assert len(CALLS) == 3 + 2 + 3 + 3


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: b"\xff" * len(data), lambda data: data[:20]])
def test_a_damaged_file_is_made_again(folder, damage):
    first = encode_all(WAVES, 8_000, Counted())
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    second = encode_all(WAVES, 8_000, Counted())
    assert len(CALLS) == 6
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    encode_all(WAVES, 8_000, Counted())
    assert len(CALLS) == 6


def test_without_the_cache_nothing_is_written(folder):
    encode_all(WAVES, 8_000, Counted(), cache=False)
    assert not folder.exists()


def test_an_encoder_that_fails_leaves_no_file(folder):
    with pytest.raises(ValueError, match="nan"):
        encode_all([WAVES[0], np.array([np.nan], np.float32)], 8_000, Counted())
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_named_before_the_work(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "file"))
    with pytest.raises(PermissionError, match="Set DENDRIX_CACHE"):
        encode_all(WAVES, 8_000, Counted())
    assert not CALLS


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("DENDRIX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "dendrix"
