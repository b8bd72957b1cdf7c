"""Reading and writing sound: every format and every cut. Broken input is in test_audio_broken.py."""

import itertools
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from audiocnn import audio, files

RATE = 44100


def sine(n_samples=30_000, sample_rate=RATE):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / sample_rate)


def write(path, samples, sample_rate=RATE, **how):
    """Writes with soundfile (samples,) or (samples, channels), in blocks that libvorbis survives."""
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", sample_rate, n_channels, **how) as file:
        for start in range(0, len(samples), 65536):
            file.write(samples[start : start + 65536])
    return path


def noise(n_samples, n_channels=1):
    return np.random.default_rng(0).uniform(-0.9, 0.9, (n_samples, n_channels)).astype(np.float32)


# --- formats


@pytest.mark.parametrize(
    ("suffix", "how", "tolerance"),
    [
        (".wav", {"subtype": "PCM_U8"}, 2**-7),
        (".wav", {"subtype": "PCM_16"}, 2**-15),
        (".wav", {"subtype": "PCM_24"}, 2**-23),
        (".wav", {"subtype": "PCM_32"}, 2**-24),
        (".wav", {"subtype": "FLOAT"}, 2**-24),
        (".wav", {"subtype": "DOUBLE"}, 2**-24),
        (".wav", {"subtype": "ULAW"}, 2**-5),
        (".aiff", {"subtype": "PCM_24"}, 2**-23),
        (".au", {"subtype": "PCM_16"}, 2**-15),
        (".caf", {"subtype": "PCM_16"}, 2**-15),
        (".flac", {"subtype": "PCM_24"}, 2**-23),
        (".ogg", {}, 0.02),
        (".mp3", {}, 0.02),
        (".opus", {"format": "OGG", "subtype": "OPUS"}, 0.02),
    ],
)
def test_formats(tmp_path, suffix, how, tolerance):
    rate = 48000
    samples = sine(sample_rate=rate)
    waveform = audio.load(write(tmp_path / f"a{suffix}", samples, rate, **how), rate)
    assert waveform.dtype == np.float32
    assert waveform.shape == samples.shape
    settled = slice(2000, -2000)  # lossy codecs blur the sudden start and end
    np.testing.assert_allclose(waveform[settled], samples[settled], atol=tolerance)


def test_content_decides_not_the_suffix(tmp_path):
    path = write(tmp_path / "a.mp3", sine(), format="WAV")
    assert len(audio.load(path, RATE)) == 30_000


@pytest.mark.parametrize("n_channels", [2, 6])
def test_channels_are_averaged(tmp_path, n_channels):
    samples = noise(1000, n_channels)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(path, RATE), samples.mean(axis=1), atol=1e-7)


def test_24_bit_5_1_at_96_khz(tmp_path):
    samples = np.stack([sine(96_000, 96_000) * gain for gain in (1, 0.5, 0, 0.2, 0.8, 0.5)], axis=1)
    waveform = audio.load(write(tmp_path / "a.wav", samples, 96_000, subtype="PCM_24"), 16_000)
    assert waveform.shape == (16_000,)
    np.testing.assert_allclose(waveform[200:-200], sine(16_000, 16_000)[200:-200] * 0.5, atol=1e-4)


def test_8_bit_mono_8_khz(tmp_path):
    waveform = audio.load(write(tmp_path / "a.wav", sine(8000, 8000), 8000, subtype="PCM_U8"), 16_000)
    assert waveform.shape == (16_000,)
    np.testing.assert_allclose(waveform[200:-200], sine(16_000, 16_000)[200:-200], atol=2**-6)


def test_dc_stays_dc(tmp_path):
    waveform = audio.load(write(tmp_path / "a.wav", np.full(RATE, 0.25)), 16_000)
    np.testing.assert_allclose(waveform[200:-200], 0.25, atol=1e-5)


def test_clipped_square_is_read_as_it_is(tmp_path):
    square = np.sign(sine(RATE) + 1e-9)
    waveform = audio.load(write(tmp_path / "a.wav", square, subtype="FLOAT"), RATE)
    np.testing.assert_array_equal(waveform, square)
    resampled = audio.load(tmp_path / "a.wav", 16_000)
    assert np.isfinite(resampled).all()
    assert 1 < np.abs(resampled).max() < 1.3  # band-limiting a square overshoots


@pytest.mark.parametrize(("n_samples", "expected"), [(1, 1), (132, 48), (133, 49)])
def test_one_sample_and_3_ms(tmp_path, n_samples, expected):
    path = write(tmp_path / "a.wav", np.full(n_samples, 0.5))
    assert audio.load(path, 16_000).shape == (expected,)
    assert [len(block) for block in audio.read_blocks(path, 16_000, 1000)] == [expected]


def test_duration(tmp_path):
    assert audio.read_duration_s(write(tmp_path / "a.flac", sine(22_050))) == 0.5


# --- resampling, whole and in chunks


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_056, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_samples", [1, 2, 3, 1000, 44_101])
def test_length_is_rounded_up_and_samples_are_those_of_soxr(rate, n_samples):
    samples = noise(n_samples)[:, 0]
    resampler = audio.Resampler(rate, 16_000)
    waveform = np.concatenate([resampler.push(samples), resampler.flush()])
    assert len(waveform) == -(-n_samples * 16_000 // rate)
    expected = soxr.resample(samples, rate, 16_000)
    np.testing.assert_array_equal(waveform[: len(expected)], expected[: len(waveform)])


def test_same_rate_changes_nothing():
    samples = noise(5000)[:, 0]
    resampler = audio.Resampler(16_000, 16_000)
    np.testing.assert_array_equal(resampler.push(samples), samples)
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
def test_stream_of_any_arrays_equals_the_file(tmp_path, rate):
    samples = noise(50_000, 2)
    path = write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    resampler, rng, start, chunks = audio.Resampler(rate, 16_000), np.random.default_rng(1), 0, []
    while start < len(samples):
        stop = start + int(rng.integers(0, 3000))
        chunks.append(resampler.push(samples[start:stop].T))
        start = stop
    chunks.append(resampler.flush())
    np.testing.assert_array_equal(np.concatenate(chunks), audio.load(path, 16_000))


def test_stream_takes_the_shapes_and_types_of_sound_cards():
    mono = noise(3000)[:, 0]
    expected = audio.Resampler(48_000, 16_000).push(mono)
    for same in (mono[None], np.stack([mono, mono]), mono.astype(np.float64)):
        np.testing.assert_array_equal(audio.Resampler(48_000, 16_000).push(same), expected)


def test_stream_lags_by_no_more_than_documented():
    resampler, n_out = audio.Resampler(48_000, 16_000), 0
    for n_in in range(480, 48_001, 480):
        n_out += len(resampler.push(np.zeros(480, np.float32)))
        assert n_in / 48_000 - n_out / 16_000 <= 0.040


@pytest.mark.parametrize("rate", [0, 999, 1_000_001])
def test_stream_refuses_an_array_at_such_a_rate(rate):
    with pytest.raises(ValueError, match=f"^sample rate is {rate} Hz, expected 1000 to 1000000 Hz$"):
        audio.stream((noise(100)[:, 0], rate), 16_000, 1000)


def test_stream_refuses_integers_and_what_is_no_number():
    resampler = audio.Resampler(1000, 1000)
    with pytest.raises(ValueError, match="the samples are int16, expected floats within ±1"):
        resampler.push(np.zeros(10, np.int16))
    resampler.push(np.zeros(500))
    with pytest.raises(ValueError, match=r"the sample at 0\.750 s is nan, expected a number within ±1"):
        resampler.push(np.r_[np.zeros(250), np.nan, np.inf])


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".mp3"])
@pytest.mark.parametrize("n_samples", [777, 24_000, 50_001, 10**6])
@pytest.mark.parametrize("overlap", [0, 123])
def test_blocks_are_load_in_pieces(tmp_path, suffix, n_samples, overlap):
    path = write(tmp_path / f"a{suffix}", noise(150_000, 2))
    blocks = list(audio.read_blocks(path, 16_000, n_samples, overlap))
    assert {len(block) for block in blocks[:-1]} <= {n_samples}
    assert (overlap if len(blocks) > 1 else 0) < len(blocks[-1]) <= n_samples
    for before, after in itertools.pairwise(blocks):
        np.testing.assert_array_equal(before[n_samples - overlap :], after[:overlap])
    joined = np.concatenate([blocks[0], *(block[overlap:] for block in blocks[1:])])
    np.testing.assert_array_equal(joined, audio.load(path, 16_000))


def test_no_block_that_holds_only_overlap(tmp_path):
    path = write(tmp_path / "a.wav", noise(1000))
    assert [len(block) for block in audio.read_blocks(path, RATE, 500)] == [500, 500]
    assert [len(block) for block in audio.read_blocks(path, RATE, 400, overlap=100)] == [400, 400, 400]


def test_blocks_do_not_share_memory(tmp_path):
    path, seen = write(tmp_path / "a.wav", np.full(1000, 0.5)), []
    for block in audio.read_blocks(path, RATE, 400, overlap=100):
        seen.append(block.copy())
        block[:] = 0
    np.testing.assert_array_equal(np.concatenate(seen), 0.5)


@pytest.mark.parametrize("overlap", [-1, 100])
def test_overlap_out_of_range(tmp_path, overlap):
    path = write(tmp_path / "a.wav", sine())
    with pytest.raises(ValueError, match=f"overlap is {overlap}, expected 0 to block_length - 1 = 99"):
        next(audio.read_blocks(path, RATE, 100, overlap))


def silence(path, n_samples, sample_rate):
    """A WAV file of 16-bit zeros that takes no time to write and no room on the disk."""
    write(path, np.zeros(1), sample_rate, subtype="PCM_16")
    with open(path, "r+b") as file:
        file.seek(40)
        file.write((2 * n_samples).to_bytes(4, "little"))
        file.truncate(44 + 2 * n_samples)
    return path


@pytest.mark.parametrize("rate", [44_100, 48_000, 8000])
def test_no_drift_over_10_minutes(tmp_path, rate):
    n_samples = 600 * rate
    path = silence(tmp_path / "a.wav", n_samples, rate)
    clicks = [0, rate // 3, 300 * rate + 17, n_samples - rate // 5, n_samples - 1]
    with open(path, "r+b") as file:
        for click in clicks:
            file.seek(44 + 2 * click)
            file.write((30_000).to_bytes(2, "little"))
    waveform = np.concatenate(list(audio.read_blocks(path, 16_000, 54_321)))
    assert len(waveform) == 600 * 16_000
    for click in clicks:
        expected = click * 16_000 / rate
        near = max(0, round(expected) - 100)
        assert abs(near + np.abs(waveform[near : near + 200]).argmax() - expected) <= 1


def test_memory_is_flat(tmp_path):
    """An hour takes no more than a minute of it, to 20 MB."""
    script = (
        "import resource, sys; from audiocnn import audio\n"
        "for _ in audio.read_blocks(sys.argv[1], 16000, 160000): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks_mb = []
    for minutes in (1, 60):
        path = silence(tmp_path / "a.wav", minutes * 60 * 22_050, 22_050)
        output = subprocess.run([sys.executable, "-c", script, path], capture_output=True, check=True)
        peaks_mb.append(int(output.stdout) / 1024)
    assert peaks_mb[1] - peaks_mb[0] < 20


# --- finding and saving


def test_find(tmp_path):
    for name in ("b.wav", "a/z.MP3", "a/c/x.m4a", "notes.txt", ".hidden.wav", ".trash/y.wav", "a/._z.MP3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    found = audio.find_recordings(tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in found]
    assert names == ["a/c/x.m4a", "a/z.MP3", "b.wav"]
    assert found.describe_skipped() == "1 file is no audio, 3 are hidden: skipped"
    assert audio.find_recordings(str(tmp_path / "notes.txt")).paths == [tmp_path / "notes.txt"]


def test_find_nothing(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(audio.AudioError, match=rf"{tmp_path}: no audio in this folder \(\.aac, "):
        audio.find_recordings(tmp_path)
    with pytest.raises(audio.AudioError, match="gone: No such file or directory"):
        audio.find_recordings(tmp_path / "gone")


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_save_then_load(tmp_path, suffix, n_channels):
    path, samples = tmp_path / "new" / f"a{suffix}", noise(100_000, n_channels)
    audio.save(path, samples[:, 0] if n_channels == 1 else samples.T, 16_000)
    np.testing.assert_allclose(audio.load(path, 16_000), samples.mean(axis=1), atol=2**-15)
    assert soundfile.info(path).channels == n_channels


def test_save_a_minute_of_stereo_ogg(tmp_path):
    audio.save(tmp_path / "a.ogg", np.zeros((2, 60 * RATE), np.float32), RATE)
    assert audio.read_duration_s(tmp_path / "a.ogg") == 60


def test_create_chunk_by_chunk(tmp_path):
    samples = noise(10_000, 2)
    with audio.create(tmp_path / "a.wav", 16_000, 2) as file:
        for chunk in np.split(samples, [3000, 3001]):
            file.write(chunk)
        assert not (tmp_path / "a.wav").exists()
    np.testing.assert_allclose(audio.load(tmp_path / "a.wav", 16_000), samples.mean(axis=1), atol=2**-15)
    assert os.listdir(tmp_path) == ["a.wav"]


def test_save_clips(tmp_path):
    audio.save(tmp_path / "a.wav", np.array([-3.0, 0.0, 3.0]), RATE)
    np.testing.assert_allclose(audio.load(tmp_path / "a.wav", RATE), [-1, 0, 1], atol=2**-14)


def test_save_refuses_what_the_format_is_not(tmp_path):
    with pytest.raises(audio.AudioError, match=r"a\.xyz: cannot write XYZ, expected wav, flac, ogg"):
        audio.save(tmp_path / "a.xyz", sine(), RATE)
    with pytest.raises(audio.AudioError, match=r"a\.mp3: .+"):
        audio.save(tmp_path / "a.mp3", sine(), 12_345)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_save_on_a_full_disk(tmp_path, suffix):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(files.FileError, match=rf"a\{suffix}: File too large"):
            audio.save(tmp_path / f"a{suffix}", noise(100_000)[:, 0], RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []
