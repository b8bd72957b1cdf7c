"""Files of many kinds: the content decides how they are read, all of it in its place in time; or a word."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audiocnn import audio, files
from audiocnn.audio import ffmpeg, mp3

RATE = 44_100
CLICKS_S = (0.3, 0.8, 1.3)


@pytest.fixture
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)


def clicks(duration_s: float = 2.0, rate: int = RATE) -> np.ndarray:
    """Bursts of 1 kHz at `CLICKS_S`."""
    samples = np.zeros(round(duration_s * rate), np.float32)
    burst = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate // 20) / rate)
    for time_s in CLICKS_S:
        samples[round(time_s * rate) :][: len(burst)] = burst
    return samples


def find_clicks(samples: np.ndarray, rate: int = RATE) -> list[float]:
    """Find when bursts begin, in seconds."""
    level = np.convolve(np.abs(samples), np.ones(20) / 20)
    (above,) = np.nonzero((level[1:] > 0.1) & (level[:-1] <= 0.1))
    return [float(one) / rate for i, one in enumerate(above) if i == 0 or one - above[i - 1] > rate // 10]


def encode(path: Path, codec: str, rate: int = RATE, late_s: float = 0.0, film: bool = False) -> Path:
    """Make a file of `clicks`, with a film of 4 s or without one, the sound late by so much."""
    with av.open(path, "w") as container:
        sound = container.add_stream(codec, rate=rate, layout="mono")
        if film:
            images = container.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
            for number in range(100):
                image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
                image.pts = number
                container.mux(images.encode(image))
            container.mux(images.encode())
        frame = av.AudioFrame.from_ndarray(clicks(rate=rate)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        fifo = av.AudioFifo()
        for even in av.AudioResampler(format=sound.format.name, layout="mono", rate=rate).resample(frame):
            fifo.write(even)
        size = sound.frame_size or 1024
        while part := fifo.read(size) or fifo.read():
            mux(container, sound.encode(part), late_s)
        mux(container, sound.encode(), late_s)
    return path


def mux(container: av.container.OutputContainer, packets: list[av.Packet], late_s: float) -> None:
    for packet in packets:
        packet.pts += round(late_s / packet.time_base)
        packet.dts += round(late_s / packet.time_base)
        container.mux(packet)


def write(path: Path, samples: np.ndarray, rate: int = 48_000, **how: str) -> bytes:
    soundfile.write(path, samples, rate, **how)
    return path.read_bytes()


FILMS = [
    ("a.m4a", "aac", RATE, False),
    ("a.aac", "aac", RATE, False),
    ("a.mkv", "aac", RATE, True),
    ("a.mp4", "aac", RATE, True),
    ("a.mov", "pcm_s16le", RATE, True),
    ("a.ts", "aac", RATE, True),
    ("a.webm", "libopus", 48_000, False),
    ("a.mka", "flac", RATE, False),
    ("a.mp3", "libmp3lame", RATE, False),
]


@pytest.mark.parametrize(("name", "codec", "rate", "film"), FILMS, ids=[name for name, *_ in FILMS])
def test_sounds_are_in_their_place(tmp_path, name, codec, rate, film):
    """Within 10 ms of where they are in a lossless file, whatever the encoder puts before them."""
    path = encode(tmp_path / name, codec, rate, film=film)
    waveform = audio.load(path, RATE)
    assert find_clicks(waveform) == pytest.approx(CLICKS_S, abs=0.01)
    assert len(waveform) / RATE == pytest.approx(2, abs=0.05)
    assert audio.read_duration_s(path) == pytest.approx(4 if film else 2, abs=0.3)
    np.testing.assert_array_equal(np.concatenate(list(audio.read_blocks(path, RATE, 7777))), waveform)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_sound_that_begins_later_than_its_film(tmp_path, name):
    path = encode(tmp_path / name, "aac", late_s=1.5, film=True)
    expected = [time_s + 1.5 for time_s in CLICKS_S]
    assert find_clicks(audio.load(path, RATE)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a", "a.flac", "a.raw.txt"])
def test_content_decides_not_the_suffix(tmp_path, name):
    path = encode(tmp_path / "a.m4a", "aac").rename(tmp_path / name)
    assert find_clicks(audio.load(path, RATE)) == pytest.approx(CLICKS_S, abs=0.01)
    sound = tmp_path / "b.m4a"
    write(sound, clicks(), RATE, format="WAV")
    assert find_clicks(audio.load(sound, RATE)) == pytest.approx(CLICKS_S, abs=0.01)


@pytest.mark.parametrize("name", ["a.mka", "a.webm"])
def test_a_file_that_ends_too_early(tmp_path, name):
    path = encode(tmp_path / name, "libopus", 48_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(files.PartWarning, match=r"[01]\.\d of 2\.0 s are read"):
        assert find_clicks(audio.load(path, RATE))[0] == pytest.approx(CLICKS_S[0], abs=0.01)


def test_without_the_extra_it_is_named(tmp_path, no_ffmpeg):
    path = encode(tmp_path / "a.m4a", "aac")
    with pytest.raises(audio.AudioError, match=r"a\.m4a: no audio that libsndfile can.*; pip install"):
        audio.load(path, RATE)
    with pytest.raises(audio.AudioError, match="pip install"):
        audio.read_duration_s(path)


def test_a_film_without_sound(tmp_path):
    with av.open(tmp_path / "a.mp4", "w") as container:
        images = container.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        container.mux(images.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(images.encode())
    with pytest.raises(audio.AudioError, match=r"a\.mp4: holds no sound"):
        audio.load(tmp_path / "a.mp4", RATE)


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n", "ffconcat version 1.0\nfile {}\n"],
    ids=["m3u8", "concat"],
)
def test_play_lists_are_not_followed(tmp_path, text):
    other = encode(tmp_path / "other.m4a", "aac")
    path = tmp_path / "a.mp3"
    path.write_text(text.format(other))
    with pytest.raises(audio.AudioError, match="no audio that libsndfile or FFmpeg can read"):
        audio.load(path, RATE)


# --- joined files

JOINED = [
    ("a.mp3", {}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ("a.wav", {}),
    ("a.aiff", {}),
    ("a.rf64", {"format": "RF64"}),
    ("a.w64", {}),
    ("a.au", {}),
    ("a.caf", {}),
]


@pytest.mark.parametrize(("name", "how"), JOINED, ids=[name for name, _ in JOINED])
def test_joined_files_are_read_to_the_end(tmp_path, no_ffmpeg, name, how):
    path = tmp_path / name
    whole = write(path, clicks(rate=48_000), **how)
    path.write_bytes(whole * 3)
    expected = [time_s + 2 * number for number in range(3) for time_s in CLICKS_S]
    waveform = audio.load(path, 48_000)
    assert find_clicks(waveform, 48_000) == pytest.approx(expected, abs=0.01)
    assert len(waveform) == 6 * 48_000
    assert audio.read_duration_s(path) == pytest.approx(6, abs=0.01)


def test_joined_files_of_different_rates(tmp_path):
    first = write(tmp_path / "a.flac", clicks(rate=48_000))
    second = write(tmp_path / "b.flac", clicks(), RATE)
    (tmp_path / "ab.flac").write_bytes(first + second)
    with pytest.warns(files.PartWarning, match=r"2\.0 of 4\.0 s are read; file 2 joined in it has an"):
        assert len(audio.load(tmp_path / "ab.flac", 48_000)) == 2 * 48_000


@pytest.mark.parametrize("first", ["a.flac", "a.mp3", "a.ogg", "a.wav", "a.aiff", "a.au"])
@pytest.mark.parametrize("second", ["b.flac", "b.mp3", "b.ogg", "b.wav", "b.au"])
def test_joined_files_of_different_formats(tmp_path, first, second):
    both = write(tmp_path / first, clicks(rate=48_000)) + write(tmp_path / second, clicks(rate=48_000))
    if first[1:] == second[1:]:
        return
    (tmp_path / first).write_bytes(both)
    is_searched = first in {"a.flac", "a.mp3", "a.ogg"}
    with np.errstate() if is_searched else pytest.warns(files.FileWarning, match="its last"):
        assert len(audio.load(tmp_path / first, 48_000)) == (4 if is_searched else 2) * 48_000


def test_a_joined_file_that_cannot_be_read(tmp_path):
    both = write(tmp_path / "a.flac", clicks(rate=48_000)) + b"RIFF\xff\0\0\0WAVE" + bytes(1000)
    (tmp_path / "a.flac").write_bytes(both)
    with pytest.warns(
        files.PartWarning, match=r"2\.0 s are read; file 2 joined in it cannot be read: no audio"
    ):
        audio.load(tmp_path / "a.flac", 48_000)


OGG_DAMAGE = {
    "cut": (lambda data, half: data[:half], "it has no end"),
    "a byte": (
        lambda data, half: data[:half] + bytes([data[half] ^ 255]) + data[half + 1 :],
        "1 of its pages",
    ),
    "zeros": (lambda data, half: data[:half] + bytes(99) + data[half + 99 :], r"\d of its pages"),
    "a hole": (
        lambda data, half: data[:half] + data[half + 9000 :],
        r"\d of its pages are damaged or missing",
    ),
}


@pytest.mark.parametrize("with_ffmpeg", [True, False])
@pytest.mark.parametrize("how", [{}, {"format": "OGG", "subtype": "OPUS"}], ids=["vorbis", "opus"])
@pytest.mark.parametrize("damage", OGG_DAMAGE)
def test_damaged_pages_of_ogg(tmp_path, monkeypatch, damage, how, with_ffmpeg):
    """libsndfile passes them over without a word, and what follows them comes too early."""
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: with_ffmpeg)
    broken, remark = OGG_DAMAGE[damage]
    samples = np.random.default_rng(0).normal(0, 0.02, 6 * 48_000)
    samples[5 * 48_000 :][:2400] += clicks(rate=48_000)[14_400:][:2400]
    data = write(tmp_path / "a.ogg", samples, **how)
    (tmp_path / "a.ogg").write_bytes(broken(data, len(data) // 2))
    with pytest.warns(files.PartWarning, match=rf"damaged or cut off: \d\.\d.* s are read; {remark}"):
        waveform = audio.load(tmp_path / "a.ogg", 48_000)
    if with_ffmpeg and damage != "cut":
        assert find_clicks(waveform, 48_000)[0] == pytest.approx(5, abs=0.02)


def test_a_caf_that_is_cut_off(tmp_path):
    data = write(tmp_path / "a.caf", clicks(rate=48_000))
    (tmp_path / "a.caf").write_bytes(data[: len(data) // 2])
    with pytest.warns(files.PartWarning, match=r"1\.0 of 2\.0 s are read"):
        audio.load(tmp_path / "a.caf", 48_000)


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_damage_in_the_middle(tmp_path, name, monkeypatch):
    data = write(tmp_path / name, clicks(3.0, 48_000))
    half = len(data) // 2
    (tmp_path / name).write_bytes(data[:half] + bytes(5000) + data[half:])
    remark = (
        r"3\.0 s are read; .*2 damaged packets"
        if name == "a.mp3"
        else "3.0 s are read; it is damaged at 0.7 s"
    )
    with pytest.warns(files.PartWarning, match=remark):
        assert len(audio.load(tmp_path / name, 48_000)) == pytest.approx(3 * 48_000, abs=2400)
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    with pytest.warns(files.PartWarning, match=r"[01]\.\d of 3\.0 s are read; .*pip install"):
        audio.load(tmp_path / name, 48_000)


@pytest.mark.parametrize(("name", "how"), JOINED, ids=[name for name, _ in JOINED])
def test_bytes_after_the_end(tmp_path, name, how):
    path = tmp_path / name
    path.write_bytes(write(path, clicks(rate=48_000), **how) + bytes(range(1, 256)) * 100)
    is_told = name not in {"a.flac", "a.mp3", "a.ogg", "a.opus"}
    with pytest.warns(files.FileWarning, match="last 25500 bytes") if is_told else np.errstate():
        assert len(audio.load(path, 48_000)) == 2 * 48_000


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.wav", "a.ogg"])
def test_a_tag_before_the_beginning(tmp_path, name):
    path = tmp_path / name
    tag = b"ID3\x03\0\0" + bytes([0, 0, 16, 0]) + b"\xff\xfb\x90\x64" * 512
    path.write_bytes(tag + write(path, clicks(rate=48_000)))
    assert find_clicks(audio.load(path, 48_000), 48_000) == pytest.approx(CLICKS_S, abs=0.01)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_32", "IMA_ADPCM", "MS_ADPCM", "ULAW"])
def test_codecs_that_cannot_seek(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", clicks(rate=8000), 8000, subtype=subtype)
    waveform = audio.load(tmp_path / "a.wav", 8000)
    assert find_clicks(waveform, 8000)[0] == pytest.approx(CLICKS_S[0], abs=0.02)
    assert len(waveform) / 8000 == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("rate", [44_100, 22_050, 8000])
def test_samples_of_an_mp3_are_counted(tmp_path, rate):
    soundfile.write(tmp_path / "a.mp3", clicks(5.0, rate), rate)
    counted = mp3.count_samples((tmp_path / "a.mp3").read_bytes())
    assert 5 * rate - 4 * 1152 <= counted <= 5 * rate


def test_an_mp3_without_its_first_frame(tmp_path):
    """libsndfile guesses its length by its first frame, and reads no further."""
    data = write(tmp_path / "a.mp3", clicks(4.0, 48_000))
    (tmp_path / "a.mp3").write_bytes(data[384:])
    assert len(audio.load(tmp_path / "a.mp3", 48_000)) == pytest.approx(4 * 48_000, abs=3000)


def test_nothing_is_printed_by_readers(tmp_path):
    """Of a file that begins as a sample dump libsndfile writes "Error A" to the standard output."""
    path = tmp_path / "a.sds"
    path.write_bytes(b"\xf0\x7e\x00\x01" + bytes(2000))
    script = (
        "import sys\nfrom audiocnn import audio\nprint('before')\n"
        "try: audio.load(sys.argv[1], 16000)\nexcept audio.AudioError: print('after')"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("before\nafter\n", "")
