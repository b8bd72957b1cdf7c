"""Every format against a worked file and through a round trip, damaged files, and the table of writers."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jams
import mido
import numpy as np
import pretty_midi
import pytest

from audiocnn import files, formats
from audiocnn.formats import midi
from audiocnn.notes import Note

GOLDEN = Path(__file__).parent / "golden"
WORKED = [
    Note(0.0, 0.5, 60, 100, 1.0),
    Note(0.25, 0.75, 61, 1, 0.5, (0.0, 0.5, -0.25)),
    Note(0.5, 1.1, 60, 127, 0.1 + 0.2),
]


def random_notes(seed: int, n_notes: int = 300, length_s: float = 60.0) -> list[Note]:
    """Notes at any time, many of them overlapping with others of their pitch, some bent; in order."""
    rng = np.random.default_rng(seed)
    notes = [
        Note(
            onset_s := rng.uniform(0, length_s),
            onset_s + rng.exponential(0.5) + 0.01,
            int(rng.integers(21, 109)),
            int(rng.integers(1, 128)),
            rng.uniform(),
            tuple(rng.uniform(-1, 1, rng.integers(0, 5)).tolist()),
        )
        for _ in range(n_notes)
    ]
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def plain(notes: list[Note]) -> list[tuple[int, int]]:
    return [(note.midi, note.velocity) for note in notes]


def times(notes: list[Note]) -> np.ndarray:
    return np.array([(note.onset_s, note.offset_s) for note in notes])


# Tables and documents


@pytest.mark.parametrize(("suffix", "write"), [("csv", formats.write_csv), ("json", formats.write_json)])
def test_worked_file(tmp_path: Path, suffix: str, write) -> None:
    write(WORKED, tmp_path / f"got.{suffix}")
    assert (tmp_path / f"got.{suffix}").read_text() == (GOLDEN / f"worked.{suffix}").read_text()


@pytest.mark.parametrize("notes", [[], WORKED, random_notes(0)], ids=["none", "worked", "random"])
def test_csv_and_json_come_back_exactly(tmp_path: Path, notes: list[Note]) -> None:
    formats.write_json(notes, tmp_path / "notes.json")
    formats.write_csv(notes, tmp_path / "notes.csv")
    assert formats.read_notes(tmp_path / "notes.json") == notes
    assert formats.read_notes(tmp_path / "notes.csv") == [replace(note, bend=()) for note in notes]


@pytest.mark.filterwarnings("ignore:Passing a schema:DeprecationWarning")  # of jams to jsonschema
@pytest.mark.parametrize("notes", [[], WORKED, random_notes(0)], ids=["none", "worked", "random"])
def test_jams_is_valid_and_comes_back(tmp_path: Path, notes: list[Note]) -> None:
    formats.write_jams(notes, tmp_path / "notes.jams", duration_s=70.0)
    document = jams.load(str(tmp_path / "notes.jams"), validate=True, strict=True)
    assert document.file_metadata.duration == 70.0
    (annotation,) = document.annotations
    assert annotation.namespace == "note_midi"
    assert annotation.sandbox.velocity == [note.velocity for note in notes]
    got = formats.read_notes(tmp_path / "notes.jams")
    assert times(got) == pytest.approx(times(notes), abs=1e-12)
    assert [(note.onset_s, *plain([note]), note.confidence, note.bend) for note in got] == [
        (note.onset_s, *plain([note]), note.confidence, note.bend) for note in notes
    ]


def test_jams_of_unknown_length_ends_with_its_notes(tmp_path: Path) -> None:
    formats.write_jams(WORKED, tmp_path / "notes.jams")
    assert json.loads((tmp_path / "notes.jams").read_text())["file_metadata"]["duration"] == 1.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maps.txt", [Note(0.500004, 1.918478, 38), Note(0.770264, 0.903006, 74)]),
        ("matched.tsv", [Note(0.500004, 1.918478, 38, 53)]),
        ("two_strings.jams", [Note(0.25, 0.75, 51, 100, 0.5), Note(0.75, 1.25, 44, 100, 1.0)]),
    ],
)
def test_files_of_others(name: str, expected: list[Note]) -> None:
    assert formats.read_notes(GOLDEN / name) == expected


@pytest.mark.data
def test_guitarset(recordings: Path) -> None:
    notes = formats.read_notes(recordings / "guitar_comp.jams")
    assert len(notes) == 133
    assert times(notes)[0] == pytest.approx([0.048816, 0.472580], abs=1e-6)
    assert {note.midi for note in notes} <= set(range(40, 80))
    # GuitarSet names its recordings by their tempo: 00_BN1-129-Eb_comp.
    assert formats.estimate_tempo(notes) == pytest.approx(129, rel=0.001)


# MIDI


def test_midi_worked_file(tmp_path: Path) -> None:
    formats.write_midi(WORKED, tmp_path / "got.mid", tempo=100, pitch_bend=True)
    tracks = mido.MidiFile(tmp_path / "got.mid").tracks
    lines = [f"{number} {message}" for number, track in enumerate(tracks) for message in track]
    assert lines == (GOLDEN / "worked_midi.txt").read_text().splitlines()


@pytest.mark.parametrize("tempo", [63.0, 120.0, 129.0, 333.3])
def test_midi_comes_back_within_a_tick(tmp_path: Path, tempo: float) -> None:
    notes = random_notes(1)
    formats.write_midi(notes, tmp_path / "notes.mid", tempo)
    got, wanted = (
        sorted(some, key=lambda note: (note.midi, note.onset_s))
        for some in (formats.read_notes(tmp_path / "notes.mid"), notes)
    )
    assert plain(got) == plain(wanted)
    half_a_tick_s = 30 / tempo / 480
    assert np.abs(times(got) - times(wanted)).max() <= half_a_tick_s + 1e-6 < 1e-3


def test_midi_does_not_drift(tmp_path: Path) -> None:
    formats.write_midi([Note(7200.0, 7200.5, 60)], tmp_path / "late.mid", tempo=129.0)
    assert formats.read_notes(tmp_path / "late.mid")[0].onset_s == pytest.approx(7200, abs=1e-3)


def test_midi_keeps_the_shortest_note(tmp_path: Path) -> None:
    formats.write_midi([Note(1.0, 1.0 + 1e-6, 60)], tmp_path / "short.mid")
    (note,) = formats.read_notes(tmp_path / "short.mid")
    assert note.offset_s - note.onset_s == pytest.approx(60 / 120 / 480)


def test_midi_without_notes(tmp_path: Path) -> None:
    formats.write_midi([], tmp_path / "none.mid")
    assert formats.read_notes(tmp_path / "none.mid") == []


@pytest.mark.parametrize("tempo", [0, -60, 3.9, 1001, float("nan")])
def test_tempo_out_of_range(tmp_path: Path, tempo: float) -> None:
    with pytest.raises(ValueError, match=f"tempo is {tempo}, expected 4 to 1000"):
        formats.write_midi(WORKED, tmp_path / "no.mid", tempo)
    with pytest.raises(ValueError, match=f"tempo is {tempo}, expected 4 to 1000"):
        formats.quantise(WORKED, tempo)
    assert not (tmp_path / "no.mid").exists()


@pytest.mark.parametrize("pitch_bend", [False, True])
def test_no_channel_holds_notes_that_collide(pitch_bend: bool) -> None:
    notes = random_notes(2, 100, 30.0)
    parted = midi.channels(notes, pitch_bend)
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
    formats.write_midi(chord, tmp_path / "chord.mid", pitch_bend=True)
    file = pretty_midi.PrettyMIDI(str(tmp_path / "chord.mid"))
    assert len(file.instruments) == 15
    assert not any(instrument.is_drum for instrument in file.instruments)
    assert plain(formats.read_notes(tmp_path / "chord.mid")) == plain(chord)


def test_bends_end_with_their_note_and_stay_in_range(tmp_path: Path) -> None:
    bent = Note(0.0, 0.05, 60, 100, 1.0, (3.0, -3.0, 1.0, 0.5, 0.5))
    formats.write_midi([bent, Note(1.0, 1.5, 62)], tmp_path / "bent.mid", pitch_bend=True)
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
        for note in formats.read_notes(tmp_path / "pedal.mid")
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


# Files that are no notes


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mid", b"", "not readable as .mid: EOFError"),
        ("text.mid", b"this is no MIDI file at all", "MThd not found. Probably not a MIDI file"),
        ("empty.csv", b"", "not readable as .csv: the header has no column onset_s: ''"),
        ("lacks.tsv", b"onset_s\tmidi\n1\t60\n", "the header has no column offset_s: 'onset_s"),
        ("word.csv", b"onset_s,offset_s,midi\n0,1,60\n0,1,C4\n", "line 3: expected numbers, got '0 1 C4'"),
        ("short.csv", b"onset_s,offset_s,midi\n0,1\n", "line 2: expected numbers, got '0 1'"),
        ("binary.csv", b"\xff\xfe\x00\x81", "not readable as .csv: 'utf-8' codec can't decode"),
        ("ends.csv", b"onset_s,offset_s,midi\n2,1,60\n", "note 1 lasts from 2.0 to 1.0 s"),
        ("nan.csv", b"onset_s,offset_s,midi\n0,nan,60\n", "note 1 lasts from 0.0 to nan s"),
        ("inf.csv", b"onset_s,offset_s,midi\n0,1,inf\n", "line 2: expected numbers"),
        ("high.csv", b"onset_s,offset_s,midi\n0,1,128\n", "MIDI number 128, expected 0 to 127"),
        (
            "loud.tsv",
            b"onset_s\toffset_s\tmidi\tvelocity\n0\t1\t60\t128\n",
            "velocity 128, expected 1 to 127",
        ),
        ("cut.json", b'{"notes": [{"onset', "not readable as .json: Unterminated string"),
        ("other.json", b'{"bars": 3}', "not readable as .json: lacks 'notes'"),
        ("chords.jams", b'{"annotations": []}', "holds no annotation of the namespace note_midi"),
        ("song.mp3", b"", "no format of notes, expected one of .mid .midi"),
    ],
)
def test_damaged_file(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(files.FileError) as error:
        formats.read_notes(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match=r"none\.csv: No such file or directory"):
        formats.read_notes(tmp_path / "none.csv")


@pytest.mark.parametrize("suffix", ["mid", "csv", "json", "jams"])
def test_truncated_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    heard = SimpleNamespace(notes=WORKED, duration_s=1.1)
    formats.WRITERS[suffix](heard, tmp_path / f"whole.{suffix}")
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    for length in range(0, len(whole), 3):
        (tmp_path / f"cut.{suffix}").write_bytes(whole[:length])
        try:
            assert len(formats.read_notes(tmp_path / f"cut.{suffix}")) <= len(WORKED)
        except files.FileError as error:
            assert str(error).startswith(f"{tmp_path / f'cut.{suffix}'}: ")


# Scores


def test_scores_come_back(tmp_path: Path) -> None:
    scores = {"onset": np.eye(88, 200, dtype=np.float32), "frame": np.zeros((88, 200), np.float32)}
    formats.write_npz(scores, tmp_path / "scores.npz", frame_s=0.016)
    with np.load(tmp_path / "scores.npz") as got:
        assert set(got) == {"onset", "frame", "midi", "times_s"}
        np.testing.assert_array_equal(got["onset"], scores["onset"])
        assert got["midi"].tolist() == list(range(21, 109))
        assert got["times_s"] == pytest.approx(np.arange(200) * 0.016)


# The table of writers


def test_writers(a4: Path, tmp_path: Path) -> None:
    scores = {"onset": np.zeros((88, 10), np.float32)}
    heard = SimpleNamespace(notes=WORKED, scores=scores, frame_s=0.016, source=a4, duration_s=2.0)
    for name, write in formats.WRITERS.items():
        write(heard, tmp_path / f"out.{name}", tempo=90.0, pitch_bend=True)
    assert sorted(path.name for path in tmp_path.glob("out.*")) == sorted(
        f"out.{name}" for name in formats.WRITERS
    )
    assert pretty_midi.PrettyMIDI(str(tmp_path / "out.mid")).get_tempo_changes()[1] == pytest.approx([90.0])


@pytest.mark.parametrize(
    ("name", "what"), [("npz", "raw scores"), ("png", "recording"), ("wav", "recording")]
)
def test_writers_say_what_they_need(tmp_path: Path, name: str, what: str) -> None:
    heard = SimpleNamespace(notes=WORKED, scores={}, frame_s=0.016, source=None, duration_s=2.0)
    with pytest.raises(files.FileError, match=f"out.{name}: needs the {what}"):
        formats.WRITERS[name](heard, tmp_path / f"out.{name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mid", "csv", "json", "jams", "npz", "png", "wav"])
def test_nothing_half_written(a4: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    heard = SimpleNamespace(
        notes=WORKED, scores={"onset": np.zeros((88, 9))}, frame_s=0.1, source=a4, duration_s=2.0
    )
    with pytest.raises(files.FileError, match="file is a file, not a folder"):
        formats.WRITERS[name](heard, tmp_path / "file" / f"out.{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a4.wav", "file"]
