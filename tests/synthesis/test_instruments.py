"""Instruments: what the manifest says is what is heard."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import midi
from audiocnn.labels import FAMILIES
from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY, Part
from audiocnn.synthesis import instruments, recipes, render
from audiocnn.synthesis.instruments import EXCERPT_S, SAMPLE_RATE, SEGMENT_S, WINDOW_S
from tests.synthesis.test_render import needs_fluidsynth

FONTS = [Path("one.sf2"), Path("two.sf3")]
BANKS = [Path("041-violin"), Path("040_Violin.pat")]


def test_every_instrument_has_a_family_and_a_range() -> None:
    families = [name for names in FAMILIES.values() for name in names]
    assert sorted(families) == sorted(instruments.INSTRUMENTS)
    assert len(instruments.INSTRUMENTS) == 19
    for name, programs in instruments.INSTRUMENTS.items():
        assert all(0 <= program < 128 for program in programs)
        assert bool(programs) == (name != instruments.DRUMS)


def test_slow_notes_fill_the_time_within_the_instrument() -> None:
    rng = np.random.default_rng(0)
    notes = instruments.draw_long_notes(73, 60.0, rng).notes
    assert notes[0, ONSET] == pytest.approx(0.1)
    assert 55 < notes[-1, OFFSET] < 65
    assert (notes[1:, ONSET] >= notes[:-1, OFFSET]).all()
    low, high = recipes.get_range(73)
    assert low <= notes[:, MIDI].min() and notes[:, MIDI].max() <= high
    held_s = notes[:, OFFSET] - notes[:, ONSET]
    assert held_s.min() >= 0.5 and held_s.max() <= 4


def test_a_beat_is_a_bar_that_comes_again() -> None:
    for seed in range(20):
        part = instruments.draw_beat(30.0, np.random.default_rng(seed), instruments.KIT)
        assert part.is_drum and set(part.notes[:, MIDI]) <= set(instruments.KIT)
        assert 10 < len(part.notes) < 2000
        assert part.notes[:, ONSET].min() >= 0 and part.notes[:, ONSET].max() < 30.1
        assert part.notes[:, VELOCITY].min() >= 1 and part.notes[:, VELOCITY].max() <= 127
    steps = np.sort(part.notes[:, ONSET])
    assert steps[-1] > 25


def test_half_of_the_arrangements_are_of_one_instrument_and_each_is_as_likely() -> None:
    onsets = np.arange(0, 60, 0.5)
    parts = [Part(np.column_stack([onsets, onsets + 0.4, 60 + np.arange(120) % 12, np.full(120, 90)]))] * 2
    drawn = [
        instruments.draw_arrangement(parts, np.random.default_rng(seed), FONTS, BANKS) for seed in range(400)
    ]
    sizes = np.array([len(one) for one in drawn])
    assert 0.42 < (sizes == 1).mean() < 0.58 and sizes.max() == 5
    names = [name for one in drawn for name, *_ in one]
    counts = [names.count(name) for name in instruments.INSTRUMENTS]
    assert min(counts) > 20 and max(counts) < 70
    for one in drawn:
        assert len({name for name, *_ in one}) == len(one)
        played = [(name, part) for name, part, _ in one if part is not None]
        assert all(len(part.notes) for _, part in played)
        assert all(part.program in instruments.INSTRUMENTS[name] for name, part in played if not part.is_drum)


def test_a_bank_plays_its_own_program_and_soundfonts_all() -> None:
    onsets = np.arange(0, 60, 0.5)
    parts = [Part(np.column_stack([onsets, onsets + 0.4, 60 + np.arange(120) % 12, np.full(120, 90)]))]
    drawn = [
        instruments.draw_arrangement(parts, np.random.default_rng(seed), FONTS, BANKS) for seed in range(400)
    ]
    played = [(name, part, source) for one in drawn for name, part, source in one]
    for name, part, source in played:
        if source in BANKS:
            assert name == "violin" and (part is None or part.program == 40)
    sources = [source for name, _, source in played if name == "violin"]
    assert 0.35 < np.mean([source in BANKS for source in sources]) < 0.65  # two banks to SOUNDFONTS_SHARE
    assert {source for _, _, source in played} == {*FONTS, *BANKS}


def test_a_bank_alone_is_heard_in_its_own_recordings_half_of_the_time() -> None:
    parts = [Part(np.array([[i, i + 1, 60 + i, 80] for i in range(20)], float))]
    drawn = [
        instruments.draw_arrangement(parts, np.random.default_rng(seed), FONTS, BANKS) for seed in range(1500)
    ]
    alone = [line[0] for line in drawn if len(line) == 1 and line[0][2] in BANKS]
    assert 0.35 < np.mean([part is None for _, part, _ in alone]) < 0.65
    assert all(part is not None for line in drawn if len(line) > 1 for _, part, _ in line)


def test_heard_is_what_is_loud_enough_in_its_own_right_and_in_the_mix() -> None:
    n_segment = round(SEGMENT_S / WINDOW_S)
    n_heard = round(instruments.MIN_AUDIBLE_S / WINDOW_S)
    lasting, short, faint = np.zeros((3, 2 * n_segment))
    lasting[:] = 1.0
    short[n_segment : n_segment + n_heard] = 0.5
    short[:n_heard] = 0.001  # 54 dB below its own loudest moment
    faint[:] = 0.02  # 34 dB below the mix
    total = lasting + short + faint
    layers = {"organ": lasting, "flute": short, "horn": faint}
    assert instruments.label_segments(layers, total) == ["organ", "flute|organ"]
    short[n_segment] = 0.0
    assert instruments.label_segments(layers, total) == ["organ", "organ"]


def test_envelope_is_the_root_mean_square() -> None:
    waveform = np.repeat([0.5, -0.25], round(WINDOW_S * SAMPLE_RATE))
    np.testing.assert_allclose(instruments.compute_envelope(waveform), [0.5, 0.25])


@needs_fluidsynth
def test_prepares_clips_that_say_what_they_are(tmp_path: Path, soundfont: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    onsets = np.arange(0, 30, 0.5)
    notes = np.column_stack([onsets, onsets + 0.4, 60 + np.arange(60) % 12, np.full(60, 90)])
    for index in range(30):
        midi.write_parts([Part(notes)], songs / f"song{index}.mid")
    out = tmp_path / "out"
    settings = {"hours": 3 * EXCERPT_S / 3600, "validation_hours": EXCERPT_S / 3600, "workers": 1}
    assert instruments.prepare_instruments(songs, out, [soundfont], **settings) == 4
    assert instruments.prepare_instruments(songs, out, [soundfont], **settings) == 0
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 6
    assert [row["split"] for row in rows] == ["train"] * 18 + ["validation"] * 6
    songs_of = {
        split: {row["group"] for row in rows if row["split"] == split} for split in ("train", "validation")
    }
    parts = render.split_by_song(render.find_songs(songs))
    assert all(songs_of[name] <= {path.stem for path in parts[name]} for name in parts)
    for row in rows:
        waveform, rate = soundfile.read(out / row["path"])
        assert rate == SAMPLE_RATE and len(waveform) == EXCERPT_S * SAMPLE_RATE
        assert set(filter(None, row["labels"].split("|"))) <= set(instruments.INSTRUMENTS)
        piece = waveform[round(float(row["start"]) * rate) : round(float(row["end"]) * rate)]
        assert bool(row["labels"]) == (np.abs(piece).max() > 0.005)


def test_more_recordings_of_banks_come_as_they_are_each_instrument_as_often(tmp_path: Path) -> None:
    banks = [tmp_path / name for name in ("041-one", "041-two", "069-oboe")]
    for bank in banks:
        bank.mkdir()
        soundfile.write(
            bank / "A4.wav", np.sin(np.arange(2 * SAMPLE_RATE) * 440 * 2 * np.pi / SAMPLE_RATE), SAMPLE_RATE
        )
    drawn = [instruments.draw_bank(np.random.default_rng(seed), banks) for seed in range(400)]
    assert 0.4 < np.mean([name == "oboe" for name, _ in drawn]) < 0.6
    assert {bank for name, bank in drawn if name == "violin"} == set(banks[:2])
    excerpt = instruments.Excerpt(tmp_path / "train" / "takes_00000", None, (0, 2, 0), (), tuple(banks))
    excerpt.stem.parent.mkdir()
    excerpt.run()
    rows = excerpt.rows()
    assert [row[2:] for row in rows] == [
        (3.0 * i, 3.0 * i + 3, "train", "takes_00000") for i in range(round(EXCERPT_S / SEGMENT_S))
    ]
    assert {row[1] for row in rows} <= {"", "violin", "oboe"} and len({row[1] for row in rows} - {""}) == 1


def test_recordings_without_an_instrument_are_pieces_without_labels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "speech.wav", np.zeros(7 * SAMPLE_RATE), SAMPLE_RATE)
    rows = instruments.list_unlabelled(tmp_path / "speech.wav")
    assert [row[1:] for row in rows] == [("", 0, 3, "train", "speech"), ("", 3, 6, "train", "speech")]
    assert rows[0][0] == (tmp_path / "speech.wav").resolve()
