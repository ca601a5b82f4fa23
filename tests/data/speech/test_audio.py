import os
import sys
import wave

import numpy as np
import pytest
import soundfile

from dendrix.data import read_wav, resample

TONE = (0.5 * np.sin(np.arange(800) * 0.3)).astype(np.float32)


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 1e-7), ("FLOAT", 0), ("DOUBLE", 0)]
)
def test_every_sample_format(tmp_path, subtype, step):
    soundfile.write(tmp_path / "a.wav", TONE, 11_025, subtype=subtype)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 11_025
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, TONE, atol=step)


def test_channels_become_their_mean(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, np.zeros_like(TONE)], 1), 8_000, subtype="FLOAT")
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav")[0], TONE / 2)


def test_a_file_of_the_standard_library_with_a_foreign_chunk(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes((TONE * 32767).astype("<i2").tobytes())
    data = path.read_bytes()
    path.write_bytes(data[:12] + b"note\x03\x00\x00\x00abc\x00" + data[12:])  # odd chunks are filled up to even
    np.testing.assert_allclose(read_wav(path)[0], TONE, atol=2**-14)


def test_resampling_keeps_duration_and_tone():
    t = np.arange(8_000) / 8_000
    high = resample(np.sin(2 * np.pi * 440 * t).astype(np.float32), 8_000, 48_000)
    assert len(high) == 48_000
    np.testing.assert_allclose(high[4_000:-4_000], np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)[4_000:-4_000], atol=1e-3)
    assert resample(high, 8_000, 8_000) is high
    with pytest.raises(ValueError, match="positive sampling rate in Hz"):
        resample(high, 0, 8_000)
    with pytest.raises(ValueError, match="enough audio for one sample at 8000 Hz, got 2 samples at 44100 Hz"):
        resample(high[:2], 44_100, 8_000)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "got an empty file"),
        (b"RI", "expected a wav file"),
        (b"this is a text and no sound", "starts with b'this'"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "no data chunk"),
        (b"RIFF\x24\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", "cannot be decoded"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path, content, complaint):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as error:
        read_wav(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("missing", [1, 100, 1_500, 1_620])
def test_a_truncated_file_is_refused(tmp_path, missing):
    path = tmp_path / "a.wav"
    soundfile.write(path, TONE, 8_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(ValueError, match="the file is truncated"):
        read_wav(path)


def test_a_file_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE[:0], 8_000)
    with pytest.raises(ValueError, match="without samples"):
        read_wav(tmp_path / "a.wav")


def test_nan_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.where(np.arange(800) == 7, np.nan, TONE), 8_000, subtype="FLOAT")
    with pytest.raises(ValueError, match="nan at sample 7"):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(("samples", "says"), [([0, 1e30], r"full scale at 1, got 1e\+30"), ([[3e38, 3e38]], "got inf at sample 0")])
def test_samples_far_beyond_full_scale_are_refused(tmp_path, samples, says):
    soundfile.write(tmp_path / "a.wav", np.array(samples), 8_000, subtype="FLOAT")
    with pytest.raises(ValueError, match=says):
        read_wav(tmp_path / "a.wav")


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[audio\]"):
        read_wav(tmp_path / "a.wav")
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ImportError, match=r"16000 Hz needs soxr, which is not installed: pip install dendrix\[audio\]"):
        resample(TONE, 8_000, 16_000)


def test_missing_files_folders_and_locked_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav"):
        read_wav(tmp_path / "nothing.wav")
    with pytest.raises(IsADirectoryError):
        read_wav(tmp_path)
    locked = tmp_path / "locked.wav"
    locked.touch(mode=0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything, so a lack of permission cannot be tried")
    with pytest.raises(PermissionError, match=r"locked\.wav"):
        read_wav(locked)
