import io
import os
import struct
import sys
import threading
import time
import wave

import numpy as np
import pytest
import soundfile
import torch

from dendrix.core.limits import allow
from dendrix.data import CausalEncoder, Cochlea, EvenMel, LogMel, PublishedMel, read_wav, resample
from dendrix.data.cache import encode_all
from dendrix.data.speech.audio import as_wave, decode_audio, read_sound
from dendrix.samples import find_sample

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


def riff(samples: bytes, length: int, size: int, rate: int = 8_000) -> bytes:
    """16-bit PCM of one channel whose data chunk and whole claim these lengths."""
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + samples


PCM = (TONE * 32767).astype("<i2")


@pytest.mark.parametrize("size", [0, 36, 0x7FFFF024, 0x80000024, 0xFFFFFFFF])
@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF])
def test_a_length_that_its_writer_did_not_know_is_that_of_the_file(tmp_path, length, size):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(PCM.tobytes(), length, size))
    np.testing.assert_array_equal(read_wav(path)[0], PCM / np.float32(32768))


def test_a_closed_file_without_samples_is_empty(tmp_path):
    content = riff(b"LIST" + struct.pack("<I", 4) + b"INFO", 0, 0)
    path = tmp_path / "a.wav"
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    with pytest.raises(ValueError, match="without samples"):
        read_wav(path)


def test_a_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = riff(PCM.tobytes(), 2 * len(PCM), 36 + 2 * len(PCM))
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    np.testing.assert_array_equal(read_wav(path)[0], PCM / np.float32(32768))
    writer.join()


def test_a_device_without_end_is_refused():
    with (
        allow(pipe_bytes=1 << 22),
        pytest.raises(ValueError, match=r"/dev/zero: expected at most 4,194,304 pipe bytes.*--allow pipe_bytes="),
    ):
        read_wav("/dev/zero")


@pytest.mark.parametrize("rate", [1_000_001, 2**31 - 1])
def test_a_rate_beyond_the_limit_is_refused_at_once(tmp_path, rate):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(bytes(2_000_000), 2_000_000, 2_000_036, rate))
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"a\.wav: expected at most 1,000,000 audio hz, got .*--allow audio_hz="):
        read_wav(path)
    with pytest.raises(ValueError, match="rate: expected at most 1,000,000 audio hz"):
        resample(np.zeros(10, np.float32), rate, 8_000)
    assert time.perf_counter() - started < 0.5


def test_the_longest_recording(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(bytes(8_000), 8_000, 8_036, rate=1))
    with pytest.raises(ValueError, match="expected at most 3,600 audio s, got 4,000"):
        read_wav(path)
    with allow(audio_s=4_000):
        assert len(read_wav(path)[0]) == 4_000


def test_flac_that_claims_more_than_it_holds_is_refused():
    file = io.BytesIO()
    soundfile.write(file, TONE, 8_000, format="FLAC")
    content = bytearray(file.getvalue())
    content[21:26] = bytes([content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # 2^36 - 1 samples
    with pytest.raises(ValueError, match="clip: expected at most 3,600 audio s, got 8,589,935"):
        decode_audio(bytes(content), "clip")


@pytest.mark.parametrize(("ending", "subtype"), [(".flac", "PCM_16"), (".ogg", "VORBIS"), (".opus", "OPUS"), (".wav", "PCM_16")])
def test_compressed_sound_is_told_by_its_ending(tmp_path, ending, subtype):
    wave = (0.3 * np.sin(np.arange(8000) / 20)).astype(np.float32)
    kind = "OGG" if ending == ".opus" else ending[1:].upper()
    soundfile.write(tmp_path / f"tone{ending}", wave, 16_000, format=kind, subtype=subtype)
    found, rate = read_sound(tmp_path / f"tone{ending}", longest_s=1)
    assert (len(found), rate) == (8000, 16_000)
    assert np.abs(found - wave).mean() < 0.02
    with pytest.raises(ValueError, match=r"expected at most 0\.1 s of audio, got 0 s"):
        read_sound(tmp_path / f"tone{ending}", longest_s=0.1)


@pytest.mark.parametrize("content", [b"", b"OggS", b"fLaC and more", b"RIFF\0\0\0\0WAVE"])
def test_damaged_compressed_sound_is_named(tmp_path, content):
    for ending in (".ogg", ".FLAC", ".opus"):
        (tmp_path / f"bad{ending}").write_bytes(content)
        with pytest.raises(ValueError, match=f"bad{ending}: expected"):
            read_sound(tmp_path / f"bad{ending}")
    with pytest.raises(FileNotFoundError):
        read_sound(tmp_path / "none.ogg")


ENCODERS = (LogMel(), PublishedMel(), Cochlea(), EvenMel())


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8])
def test_integer_samples_are_divided_by_their_full_scale(encoder, kind):
    half = {np.uint8: 128 + 64 * TONE}.get(kind, np.iinfo(kind).max // 2 * TONE.astype(np.float64)).astype(kind)
    rate = encoder.rate
    whole = encoder(half, rate)
    expected = encoder(half.astype(np.float32) / 2 ** (8 * half.itemsize - 1) - (1 if kind == np.uint8 else 0), rate)
    torch.testing.assert_close(whole, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder(torch.from_numpy(half), rate), whole, rtol=0, atol=0)
    if isinstance(encoder, CausalEncoder):
        torch.testing.assert_close(encoder.stream(half)[0], encoder.stream(as_wave(half))[0], rtol=0, atol=0)


@pytest.mark.parametrize("wave", [np.ones(800, np.int64), np.ones(800, bool), np.ones(800, np.uint16), np.ones(800, complex), 3e4 * TONE])
def test_samples_of_unknown_full_scale_are_refused(wave):
    with pytest.raises(ValueError, match=r"full scale at 1.*Divide the"):
        LogMel()(wave, 8_000)


def test_clips_of_integers_and_of_floats_have_their_own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path))
    half = (16384 * TONE).astype(np.int16)
    of_integers, of_floats = (encode_all([clip], 8_000, LogMel())[0] for clip in (half, half.astype(np.float32) / 32768))
    torch.testing.assert_close(of_integers, of_floats, rtol=0, atol=1e-6)
    ones = np.clip(half, -1, 1)
    assert not torch.equal(encode_all([ones], 8_000, LogMel())[0], encode_all([ones.astype(np.float32)], 8_000, LogMel())[0])


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


@pytest.mark.parametrize("name", ["backward_10_1.ogg", "stop_14_1.ogg"])
def test_opus_begins_where_the_sound_begins(name):
    """An encoder of Opus puts samples before the beginning, which libsndfile leaves out only after a seek."""
    with soundfile.SoundFile(find_sample(name)) as file:
        assert file.subtype == "OPUS"
        without = file.read(dtype="float32")
        file.seek(0)
        expected = file.read(dtype="float32")
    assert len(without) == len(expected)
    assert not np.array_equal(without, expected)  # else this test shows nothing
    assert np.array_equal(read_sound(find_sample(name))[0], expected)
