"""The cache of decoded sound: the same samples as the files', made once, never stale, whole or not there."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import audio, files
from audiocnn.datasets.broken import refuse_broken
from audiocnn.datasets.clips import cache
from audiocnn.datasets.clips.sources import Clip

RATE = 8_000


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three sounds: at the cache's rate, in stereo, and at twice the rate."""
    rng = np.random.default_rng(0)
    made = [("a.wav", RATE, (800,)), ("b.flac", RATE, (1000, 2)), ("c.wav", 2 * RATE, (1600,))]
    for name, rate, shape in made:
        soundfile.write(tmp_path / name, 0.3 * rng.standard_normal(shape).clip(-3, 3), rate)
    return [tmp_path / name for name, *_ in made]


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_are_those_of_the_files(paths: list[Path], tmp_path: Path, workers: int) -> None:
    sounds = cache.open_cache(paths, RATE, tmp_path / "cache", workers)
    assert sounds.broken == {}
    for path in paths:
        waveform = audio.load(path, RATE)
        assert sounds.places[str(path)][1] == len(waveform)
        np.testing.assert_allclose(sounds.read(path, 0, len(waveform)), waveform.clip(-1, 1), atol=1 / 32767)


def test_pieces(paths: list[Path], tmp_path: Path) -> None:
    sounds = pickle.loads(pickle.dumps(cache.open_cache(paths, RATE, tmp_path / "cache")))
    whole = sounds.read(paths[1], 0, 1000)
    np.testing.assert_array_equal(sounds.read(paths[1], 300, 50), whole[300:350])
    around = sounds.read(paths[1], -10, 1030)
    np.testing.assert_array_equal(around, np.pad(whole, (10, 20)))
    assert around.dtype == np.float32
    assert not sounds.read(paths[1], 2000, 5).any()


def test_made_once_for_the_same_settings(paths: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    first = cache.open_cache(paths, RATE, folder)
    made = first.pcm.stat().st_mtime_ns
    assert cache.open_cache(reversed(paths), RATE, folder) == first
    assert first.pcm.stat().st_mtime_ns == made
    assert cache.open_cache(paths, 2 * RATE, folder).pcm != first.pcm
    assert cache.open_cache(paths[:2], RATE, folder).pcm != first.pcm
    os.utime(paths[0], ns=(1, 1))
    assert cache.open_cache(paths, RATE, folder).pcm != first.pcm
    assert {file.suffix for file in folder.iterdir()} == {".pcm", ".json"}


def test_what_was_cut_off_is_made_again(paths: list[Path], tmp_path: Path) -> None:
    sounds = cache.open_cache(paths, RATE, tmp_path / "cache")
    sounds.pcm.with_suffix(".json").unlink()
    sounds.pcm.write_bytes(b"half")
    assert cache.open_cache(paths, RATE, tmp_path / "cache") == sounds
    assert sounds.pcm.stat().st_size == 2 * (800 + 1000 + 800)


def test_broken_files_are_told(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("no sound at all")
    everything = [*paths, tmp_path / "broken.wav", tmp_path / "gone.wav"]
    sounds = cache.open_cache(everything, RATE, tmp_path / "cache")
    assert sorted(sounds.places) == [str(path) for path in paths]
    assert sorted(sounds.broken) == [str(path) for path in everything[3:]]
    clips = [Clip(path, ("a",)) for path in everything] + [Clip(paths[0], ("a",), start_s=9.0)]
    usable, reasons = sounds.select(clips)
    assert [clip.path for clip in usable] == paths
    assert all(len(clip.digest) == 16 for clip in usable)
    with pytest.raises(
        files.FileError,
        match=r"music: 3 files cannot be read, or not:(.|\n)*gone\.wav: No such(.|\n)*start is 9",
    ):
        refuse_broken("music", reasons, "files", "or not")


DAMAGE = {
    "samples cut off": lambda pcm: pcm.write_bytes(pcm.read_bytes()[:-2]),
    "samples gone": Path.unlink,
    "index cut off": lambda pcm: pcm.with_suffix(".json").write_text('{"places": {'),
    "index of nothing": lambda pcm: pcm.with_suffix(".json").write_text("[]"),
    "index of garbage": lambda pcm: pcm.with_suffix(".json").write_bytes(b"\xff\x00"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_made_again(paths: list[Path], tmp_path: Path, name: str) -> None:
    sounds = cache.open_cache(paths, RATE, tmp_path / "cache")
    expected = sounds.read(paths[0], 0, 800)
    DAMAGE[name](sounds.pcm)
    again = cache.open_cache(paths, RATE, tmp_path / "cache")
    assert again == sounds
    np.testing.assert_array_equal(again.read(paths[0], 0, 800), expected)


def test_a_folder_that_cannot_be_written_to_is_named_with_its_option(
    paths: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        files.FileError, match=r"(Not a directory|is a file, not a folder); --data\.loader\.cache"
    ):
        cache.open_cache(paths, RATE, tmp_path / "file" / "cache")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "open", lambda *_: Path("/dev/full").open("wb"), raising=False)  # noqa: SIM115
    with pytest.raises(
        files.FileError, match=r"\.pcm: No space left on device; --data\.loader\.cache .*names"
    ):
        cache.open_cache(paths, RATE, tmp_path / "cache")
    assert not [*(tmp_path / "cache").iterdir()]


def test_two_writers(paths: list[Path], tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = [*pool.map(lambda _: cache.open_cache(paths, RATE, tmp_path / "cache"), range(8))]
    assert all(sounds == opened[0] for sounds in opened)
    assert {file.suffix for file in (tmp_path / "cache").iterdir()} == {".pcm", ".json"}
