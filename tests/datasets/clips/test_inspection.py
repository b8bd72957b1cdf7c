"""What a report finds in files that were made with each fault."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import audio
from audiocnn.datasets.clips.inspection import inspect_clips, inspect_file
from audiocnn.datasets.clips.sources import Clip

RATE = 16_000


@pytest.fixture(scope="module")
def music(examples: Path) -> np.ndarray:
    return audio.load(examples / "menuet_piano.flac", RATE)[: 8 * RATE]


def test_facts_of_a_file(tmp_path: Path) -> None:
    waveform = np.zeros(4000)
    waveform[1000:1100] = 1.0
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    facts = inspect_file(tmp_path / "a.wav")
    assert (facts.duration_s, facts.sample_rate, facts.peak, facts.clipped) == (0.25, RATE, 1.0, 0.025)


def test_report(music: np.ndarray, tmp_path: Path) -> None:
    loud = np.clip(50 * music[::-1], -1, 1)
    made = {"a.wav": music, "b.ogg": music[3 * RATE :], "c.wav": loud, "d.wav": np.zeros(RATE), "e.wav": loud}
    for name, waveform in made.items():
        audio.save(tmp_path / name, waveform, RATE)
    (tmp_path / "f.wav").write_text("no sound")
    parts = {
        "a.wav": "train",
        "b.ogg": "test",
        "c.wav": "train",
        "d.wav": "train",
        "e.wav": "train",
        "f.wav": "test",
    }
    clips = [Clip(tmp_path / name, ("x",), split=part) for name, part in parts.items()]
    clips.append(Clip(tmp_path / "d.wav", ("x",), split="validation"))
    clips.append(Clip(tmp_path / "a.wav", ("x",), 7.9, 8.2, split="train"))
    report = inspect_clips(clips)
    path = {name[0]: str(tmp_path / name) for name in parts}
    assert set(report.files) == {path[name] for name in "abcde"}
    assert list(report.broken) == [path["f"]]
    assert "f.wav: no audio that libsndfile or FFmpeg can read" in report.broken[path["f"]]
    assert report.beyond == [f"{path['a']}: 7.9 to 8.2 s, expected within 8.000 s"]
    assert report.silent == [path["d"]]
    assert report.clipped == [path["c"], path["e"]]
    assert report.leaks == [path["d"]]
    assert [pair[:2] for pair in report.duplicates] == [(path["c"], path["e"]), (path["a"], path["b"])]
    assert [pair[:2] for pair in report.across] == [(path["a"], path["b"])]
    assert not report.is_usable
    assert inspect_clips(clips[:1]).is_usable
