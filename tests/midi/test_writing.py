"""Notes and parts read from MIDI files and written to them, against worked examples."""

from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from audiocnn import midi
from audiocnn.midi import Part
from audiocnn.notes import Note
from tests.worked_notes import WORKED, plain, random_notes, times

GOLDEN = Path(__file__).parents[1] / "golden"


def table(*rows: tuple[float, ...]) -> np.ndarray:
    """Notes of velocity 80 where none is given."""
    return np.array([(*row, 80)[:4] for row in rows], dtype=float)


def part(*rows: tuple[float, ...], pedal: tuple = (), program: int = 0) -> Part:
    return Part(table(*rows), np.array(pedal, dtype=float).reshape(-1, 2), program)


def test_written_parts_are_read_again_to_a_twentieth_of_a_millisecond(tmp_path: Path) -> None:
    first = part((0.1234, 0.5678, 60, 33), (0.2, 1.75, 72, 127), pedal=((0.3, 0.9), (1.0, 1.5)), program=24)
    drums = Part(table((0.25, 0.3, 36)), is_drum=True)
    midi.write_parts([first, drums], tmp_path / "song.mid")
    again, beat = midi.read_parts(tmp_path / "song.mid")
    np.testing.assert_allclose(again.notes, first.notes, atol=5e-5)
    np.testing.assert_allclose(again.pedal, first.pedal, atol=5e-5)
    assert (again.program, again.is_drum, beat.is_drum) == (24, False, True)


def test_a_pedal_never_let_go_ends_with_the_last_note(tmp_path: Path) -> None:
    file = pretty_midi.PrettyMIDI(resolution=480)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(70, 60, 0.0, 2.0)]
    piano.control_changes = [
        pretty_midi.ControlChange(64, value, time) for value, time in ((63, 0.5), (64, 1.0))
    ]
    file.instruments.append(piano)
    file.write(str(tmp_path / "song.mid"))
    np.testing.assert_allclose(midi.read_parts(tmp_path / "song.mid")[0].pedal, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("pedal", "offset_s"),
    [
        ((0.5, 2.0), 2.0),  # down when the key is let go
        ((1.0, 2.0), 2.0),  # down just then
        ((0.2, 1.0), 1.0),  # up just then
        ((1.1, 2.0), 1.0),  # too late
    ],
)
def test_pedal_carries_a_note_on(pedal: tuple[float, float], offset_s: float) -> None:
    np.testing.assert_array_equal(
        midi.sustain(table((0, 1, 60)), np.array([pedal])), table((0, offset_s, 60))
    )


def test_a_note_carried_on_ends_where_its_key_is_struck_again() -> None:
    notes = midi.sustain(table((0, 1, 60), (1.5, 1.8, 60), (0.2, 0.4, 64)), np.array([[0.3, 3.0]]))
    np.testing.assert_array_equal(notes, table((0, 1.5, 60), (0.2, 3.0, 64), (1.5, 3.0, 60)))


def test_a_key_struck_again_before_it_is_released_begins_a_new_note() -> None:
    notes = midi.sustain(table((0, 2, 60), (1, 2, 60), (0, 2, 61), (0, 1, 61)), np.empty((0, 2)))
    np.testing.assert_array_equal(notes, table((0, 1, 60), (0, 2, 61), (0, 1, 61), (1, 2, 60)))


def test_merging_leaves_one_note_of_a_pitch_at_a_time() -> None:
    first = table((0, 1, 60, 50), (2, 3, 60))
    second = table((0.02, 1.5, 60, 90), (2.5, 2.8, 60), (0, 1, 61))
    merged = table((0, 1.5, 60, 90), (0, 1, 61), (2, 2.5, 60), (2.5, 2.8, 60))
    np.testing.assert_array_equal(midi.merge_notes([first, second]), merged)


def test_midi_worked_file(tmp_path: Path) -> None:
    midi.write_midi(WORKED, tmp_path / "got.mid", tempo=100, pitch_bend=True)
    tracks = mido.MidiFile(tmp_path / "got.mid").tracks
    lines = [f"{number} {message}" for number, track in enumerate(tracks) for message in track]
    assert lines == (GOLDEN / "worked_midi.txt").read_text().splitlines()


@pytest.mark.parametrize("tempo", [4, 4.01, 7.7, 15, 31.25, 59.9, 63, 83.3, 83.4, 120, 129, 333.3, 1000])
def test_midi_comes_back_within_a_millisecond(tmp_path: Path, tempo: float) -> None:
    """Whatever the tempo, and what is written again is the same."""
    notes = random_notes(1)
    midi.write_midi(notes, tmp_path / "notes.mid", tempo)
    got, wanted = (
        sorted(some, key=lambda note: (note.midi, note.onset_s))
        for some in (midi.read_midi(tmp_path / "notes.mid"), notes)
    )
    assert plain(got) == plain(wanted)
    assert np.abs(times(got) - times(wanted)).max() < 0.8e-3
    midi.write_midi(got, tmp_path / "again.mid", tempo)
    assert midi.read_midi(tmp_path / "again.mid") == midi.read_midi(tmp_path / "notes.mid")


def test_midi_does_not_drift(tmp_path: Path) -> None:
    midi.write_midi([Note(7200.0, 7200.5, 60)], tmp_path / "late.mid", tempo=129.0)
    assert midi.read_midi(tmp_path / "late.mid")[0].onset_s == pytest.approx(7200, abs=1e-3)


def test_a_rest_may_be_longer_than_a_delta_time(tmp_path: Path) -> None:
    notes = [Note(1.0, 2.0, 60), Note(1e5, 1e5 + 1, 62)]  # 28 hours, at 125 us a tick
    midi.write_midi(notes, tmp_path / "long.mid", tempo=1000)
    np.testing.assert_allclose(times(midi.read_midi(tmp_path / "long.mid")), times(notes), atol=1e-3)


def test_midi_keeps_the_shortest_note(tmp_path: Path) -> None:
    midi.write_midi([Note(1.0, 1.0 + 1e-6, 60)], tmp_path / "short.mid")
    (note,) = midi.read_midi(tmp_path / "short.mid")
    assert note.offset_s - note.onset_s == pytest.approx(60 / 120 / 480)


def test_midi_without_notes(tmp_path: Path) -> None:
    midi.write_midi([], tmp_path / "none.mid")
    assert midi.read_midi(tmp_path / "none.mid") == []


@pytest.mark.parametrize("tempo", [0, -60, 3.9, 1001, float("nan")])
def test_tempo_out_of_range(tmp_path: Path, tempo: float) -> None:
    with pytest.raises(ValueError, match=f"tempo is {tempo}, expected 4 to 1000"):
        midi.write_midi(WORKED, tmp_path / "no.mid", tempo)
    assert not (tmp_path / "no.mid").exists()


@pytest.mark.parametrize("pitch_bend", [False, True])
def test_no_channel_holds_notes_that_collide(pitch_bend: bool) -> None:
    notes = random_notes(2, 100, 30.0)
    parted = midi.assign_channels(notes, pitch_bend)
    assert sum(map(len, parted)) == len(notes)
    assert len(parted) < midi.N_CHANNELS
    for channel in parted:
        for index, note in enumerate(channel):
            for other in channel[index + 1 :]:
                if other.onset_s < note.offset_s:
                    assert note.midi != other.midi
                    assert not (pitch_bend and (note.bend or other.bend))


def test_too_many_bent_notes_share_channels(tmp_path: Path) -> None:
    chord = [Note(0.0, 1.0, 40 + pitch, 100, 1.0, (0.5,)) for pitch in range(20)]
    midi.write_midi(chord, tmp_path / "chord.mid", pitch_bend=True)
    file = pretty_midi.PrettyMIDI(str(tmp_path / "chord.mid"))
    assert len(file.instruments) == 15
    assert not any(instrument.is_drum for instrument in file.instruments)
    assert plain(midi.read_midi(tmp_path / "chord.mid")) == plain(chord)


def test_bends_end_with_their_note_and_stay_in_range(tmp_path: Path) -> None:
    bent = Note(0.0, 0.05, 60, 100, 1.0, (3.0, -3.0, 1.0, 0.5, 0.5))
    midi.write_midi([bent, Note(1.0, 1.5, 62)], tmp_path / "bent.mid", pitch_bend=True)
    (instrument,) = pretty_midi.PrettyMIDI(str(tmp_path / "bent.mid")).instruments
    assert [bend.pitch for bend in instrument.pitch_bends] == [8191, -8192, 4096, 0]
    assert [bend.time for bend in instrument.pitch_bends] == pytest.approx([0.0, 0.02, 0.04, 1.0], abs=6e-4)


def test_sustain_pedal_lengthens_notes_and_drums_are_left_out(tmp_path: Path) -> None:
    piano, drums = pretty_midi.Instrument(0), pretty_midi.Instrument(0, is_drum=True)
    piano.notes = [
        pretty_midi.Note(90, 60, 0.0, 0.5),  # until it is struck again
        pretty_midi.Note(90, 64, 0.0, 1.5),  # until the pedal is up
        pretty_midi.Note(90, 67, 0.0, 3.0),  # the key is held longer than the pedal
        pretty_midi.Note(90, 60, 1.0, 1.25),  # until the pedal is up
        pretty_midi.Note(90, 72, 2.5, 2.75),  # the pedal is up
        pretty_midi.Note(90, 74, 3.5, 3.75),  # the pedal never comes up: until the last key does
        pretty_midi.Note(90, 76, 3.5, 4.0),
    ]
    drums.notes = [pretty_midi.Note(90, 36, 0.0, 1.0)]
    pedal = [(0.25, 64), (0.3, 127), (2.0, 63), (3.6, 80)]
    piano.control_changes = [pretty_midi.ControlChange(64, value, time_s) for time_s, value in pedal]
    file = pretty_midi.PrettyMIDI(resolution=480)
    file.instruments = [piano, drums]
    file.write(str(tmp_path / "pedal.mid"))
    got = {
        (note.midi, round(note.onset_s, 3)): round(note.offset_s, 3)
        for note in midi.read_midi(tmp_path / "pedal.mid")
    }
    assert got == {
        (60, 0.0): 1.0,
        (64, 0.0): 2.0,
        (67, 0.0): 3.0,
        (60, 1.0): 2.0,
        (72, 2.5): 2.75,
        (74, 3.5): 4.0,
        (76, 3.5): 4.0,
    }
