"""FluidSynth: its sound begins where the label says, and what it does not sound is not labelled."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from audiocnn import files
from audiocnn.midi import Part
from audiocnn.synthesis import fluidsynth
from audiocnn.synthesis.fluidsynth import SAMPLE_RATE

needs_fluidsynth = pytest.mark.skipif(not shutil.which("fluidsynth"), reason="fluidsynth is not installed")


@needs_fluidsynth
def test_onsets_sound_within_15_ms_after_their_labels(soundfont: Path) -> None:
    onsets = 0.5 + 0.4137 * np.arange(30)
    notes = np.column_stack([onsets, onsets + 0.2, 60 + np.arange(30) % 24, np.full(30, 100)])
    sound = fluidsynth.synthesise([Part(notes)], soundfont)
    late_ms = []
    for onset_s in onsets:
        begin = round(onset_s * SAMPLE_RATE)
        level = np.abs(sound[begin - 800 : begin + 1600])
        # A tenth of the peak, above what rings on from the note before.
        late_ms.append(
            (np.flatnonzero(level > max(0.1 * level.max(), 1.5 * level[:700].max()))[0] - 800) / 16
        )
    assert min(late_ms) >= 0 and max(late_ms) <= 15
    assert np.median(late_ms) < 8


@needs_fluidsynth
def test_pedal_keeps_a_note_sounding(soundfont: Path) -> None:
    notes = np.array([[0.0, 0.2, 48, 100]])
    levels = []
    for pedal in (np.empty((0, 2)), np.array([[0.1, 2.0]])):
        sound = fluidsynth.synthesise([Part(notes, pedal)], soundfont)
        sound = np.append(sound, np.zeros(2 * SAMPLE_RATE))
        levels.append(np.abs(sound[round(1.5 * SAMPLE_RATE) : round(1.9 * SAMPLE_RATE)]).max())
    assert levels[1] > 10 * levels[0]


@needs_fluidsynth
def test_plucked_strings_die_away_and_organs_do_not(soundfont: Path) -> None:
    pizzicato, organ = (
        fluidsynth.measure_audible_s(soundfont, 45),
        fluidsynth.measure_audible_s(soundfont, 19),
    )
    assert pizzicato.shape == (128,)
    assert 0 < pizzicato[72] < pizzicato[40] < 3
    assert organ[60] == np.inf


def test_refuses_a_missing_soundfont(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match=r"none\.sf2: no such soundfont"):
        fluidsynth.synthesise([Part(np.array([[0, 1, 60, 80.0]]))], tmp_path / "none.sf2")


@pytest.mark.parametrize(
    ("level", "seconds"),
    [
        (np.zeros(48_000), 0.0),
        (np.full(48_000, 0.001), 0.0),
        (np.ones(48_000), np.inf),
        (np.append(np.ones(8000), np.full(40_000, 0.0055)), 0.5),  # 45.2 dB below
        (np.append(np.ones(8000), np.full(40_000, 0.0057)), np.inf),  # 44.9 dB below
        (np.ones(8000), 0.5),
    ],
)
def test_how_long_a_sound_is_heard(level: np.ndarray, seconds: float) -> None:
    assert fluidsynth.measure_decay_s(level, floor=0.002) == pytest.approx(seconds)


def test_notes_end_with_their_sound_and_silent_ones_go() -> None:
    limits = np.full(128, np.inf)
    limits[[60, 90]] = 0.5, 0
    notes = np.array([[0, 2, 60, 80], [1, 1.25, 60, 80], [0, 2, 61, 80], [0, 2, 90, 80.0]])
    expected = np.array([[0, 0.5, 60, 80], [1, 1.25, 60, 80], [0, 2, 61, 80.0]])
    np.testing.assert_array_equal(fluidsynth.limit_to_audible(notes, limits), expected)
