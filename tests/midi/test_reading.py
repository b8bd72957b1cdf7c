"""MIDI files of every kind, made byte by byte: what is read of them, and what is said of the rest."""

import io
import struct
import warnings
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from audiocnn import files, midi
from audiocnn.notes import Note, check_notes
from tests.worked_notes import plain, random_notes, times

Times = tuple[float, float, int]


def number(value: int) -> bytes:
    """A number of variable length."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def meta(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + number(len(content)) + content


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">L", len(content)) + content


def track(*events: tuple[int, bytes]) -> bytes:
    """A track of events with the ticks before each, and its end."""
    return chunk(
        b"MTrk", b"".join(number(delta) + event for delta, event in events) + b"\0" + meta(0x2F, b"")
    )


def song(*tracks: bytes, format: int = 1, division: int = 480, n_tracks: int | None = None) -> bytes:
    n_tracks = len(tracks) if n_tracks is None else n_tracks
    return chunk(b"MThd", struct.pack(">HHH", format, n_tracks, division)) + b"".join(tracks)


def on(key: int, velocity: int = 80, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, key, velocity])


def off(key: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, key, 64])


def control(number: int, value: int, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, number, value])


def tempo(quarters_a_minute: float) -> bytes:
    return meta(0x51, round(6e7 / quarters_a_minute).to_bytes(3, "big"))


NOTE = ((480, on(60)), (480, off(60)))  # a quarter, after a quarter's rest
PLAYED = [(0.5, 1.0, 60)]
READ = {
    "format 0": (song(track(*NOTE), format=0), PLAYED),
    "tempo in the second track": (song(track(*NOTE), track((0, tempo(60)))), [(1.0, 2.0, 60)]),
    "tempo changes": (
        song(track((0, tempo(60)), (720, tempo(240))), track(*NOTE)),
        [(1.0, 1.5 + 240 / 480 / 4, 60)],
    ),
    "SMPTE, 25 frames of 40 ticks": (song(track(*NOTE, (0, tempo(60))), division=0xE728), [(0.48, 0.96, 60)]),
    "SMPTE, 29.97 frames": (song(track(*NOTE), division=0xE364), [(0.16016, 0.32032, 60)]),
    "32,767 ticks a quarter": (song(track((32_767, on(60)), (32_767, off(60))), division=32_767), PLAYED),
    "one tick a quarter": (song(track((1, on(60)), (1, off(60))), division=1), PLAYED),
    "running status": (
        song(track((480, on(60)), (480, b"\x3c\0"), (0, b"\x3e\x50"), (480, b"\x3e\0"))),
        [*PLAYED, (1.0, 1.5, 62)],
    ),
    "running status after a text": (song(track((480, on(60)), (0, meta(1, b"x")), (480, b"\x3c\0"))), PLAYED),
    "restruck, then two ends": (
        song(track((0, on(60)), (480, on(60)), (480, off(60)), (480, off(60)))),
        [(0, 0.5, 60), (0.5, 1.5, 60)],
    ),
    "restruck, then one end": (
        song(track((0, on(60)), (480, on(60)), (480, off(60)))),
        [(0, 0.5, 60), (0.5, 1.0, 60)],
    ),
    "an end lacks": (
        song(track((0, on(60)), (480, on(60)), (240, off(60)), (240, on(60)), (240, off(60)))),
        [(0, 0.5, 60), (0.5, 0.75, 60), (1.0, 1.25, 60)],
    ),
    "struck before the end at the same tick": (
        song(track((0, on(60)), (480, on(60)), (0, off(60)), (480, off(60)))),
        [(0, 0.5, 60), (0.5, 1.0, 60)],
    ),
    "end without a beginning": (song(track((0, off(60)), *NOTE)), PLAYED),
    "no length": (song(track((480, on(60)), (0, off(60)))), [(0.5, 0.5, 60)]),
    "all notes off": (song(track((480, on(60)), (480, control(123, 0)), (960, off(61)))), PLAYED),
    "two channels": (
        song(track((480, on(60)), (0, on(60, 80, 1)), (480, off(60)), (480, off(60, 1)))),
        [*PLAYED, (0.5, 1.5, 60)],
    ),
    "program change within a note": (
        song(track((480, on(60)), (240, bytes([0xC0, 7])), (240, off(60)))),
        PLAYED,
    ),
    "drums": (song(track(*NOTE, (0, on(36, 80, 9)), (480, off(36, 9)))), PLAYED),
    "pedal of 64 holds, of 63 does not": (
        song(
            track(
                (0, control(64, 63)),
                *NOTE,
                (1, control(64, 64)),
                (0, on(62)),
                (240, off(62)),
                (240, control(64, 63)),
            )
        ),
        [*PLAYED, (961 / 960, 1441 / 960, 62)],
    ),
    "pedal in a track of its own": (
        song(track(*NOTE), track((0, control(64, 127)), (1440, control(64, 0)))),
        [(0.5, 1.5, 60)],
    ),
    "pedal of another channel": (
        song(track(*NOTE), track((0, control(64, 127, 1)), (1440, control(64, 0, 1)))),
        PLAYED,
    ),
    "pedal reset": (song(track((0, control(64, 127)), *NOTE, (480, control(121, 0)))), [(0.5, 1.5, 60)]),
    "sysex": (
        song(track((0, b"\xf0" + number(3) + b"\x7e\x7f\xf7"), (0, b"\xf7" + number(1) + b"\x01"), *NOTE)),
        PLAYED,
    ),
    "unknown meta event": (
        song(track((240, meta(0x60, b"\xff\xff")), (240, on(60)), (480, off(60)))),
        PLAYED,
    ),
    "impossible key and metre": (
        song(track((0, meta(0x59, b"\x0b\x05")), (0, meta(0x58, b"\x04")), *NOTE)),
        PLAYED,
    ),
    "Shift-JIS": (song(track((0, meta(3, "ピアノ".encode("shift-jis"))), *NOTE)), PLAYED),
    "latin-1": (song(track((0, meta(3, "Flügel".encode("latin-1"))), *NOTE)), PLAYED),
    "empty tracks": (song(track(), chunk(b"MTrk", b""), track(*NOTE)), PLAYED),
    "chunk of another kind": (song(chunk(b"XFIH", b"abc"), track(*NOTE), n_tracks=1), PLAYED),
    "long header": (chunk(b"MThd", struct.pack(">HHHL", 1, 1, 480, 0)) + track(*NOTE), PLAYED),
    "RMID": (
        b"RIFF"
        + struct.pack("<L", 99)
        + b"RMIDINFO\3\0\0\0abc\0data"
        + struct.pack("<L", 99)
        + song(track(*NOTE)),
        PLAYED,
    ),
    "very long rests": (
        song(track((0x0FFFFFFF, on(60)), (0x0FFFFFFF, off(60)))),
        [(0x0FFFFFFF / 960, 0x0FFFFFFF / 480, 60)],
    ),
    "no tracks": (song(), []),
}
PARTLY_READ = {
    "no end": (
        song(track((480, on(60)), (480, on(62)), (480, off(62)))),
        [(0.5, 1.5, 60), (1.0, 1.5, 62)],
        "1 notes without an end last until the end of their track",
    ),
    "cut off": (
        song(track(*NOTE, *NOTE))[:-8],
        [*PLAYED, (1.5, 1.5, 60)],
        "track 1 is read up to byte 15 of 24; 1 notes without an end",
    ),
    "a byte that is none": (
        song(track(*NOTE, (0, b"\x90\xc8\x50"), *NOTE)),
        PLAYED,
        "track 1 is read up to byte 10 of 28",
    ),
    "too few tracks": (song(track(*NOTE), n_tracks=3), PLAYED, "holds 1 tracks, where its header says 3"),
    "too many tracks": (
        song(track(*NOTE), track((0, on(64)), (480, off(64))), n_tracks=1),
        [(0, 0.5, 64), *PLAYED],
        "holds 2 tracks, where its header says 1",
    ),
    "bytes behind": (
        song(track(*NOTE)) + b"junkjunkjunk",
        PLAYED,
        "12 bytes after its last track are not read",
    ),
    "tempo of 0, and of one byte": (
        song(track((0, meta(0x51, b"\0\0\0")), (0, meta(0x51, b"\1")), *NOTE)),
        PLAYED,
        "2 changes of tempo cannot be and are not followed",
    ),
    "format 2": (
        song(track((0, tempo(60)), *NOTE), track(*NOTE), format=2),
        [PLAYED[0], (1.0, 2.0, 60)],
        "its 2 tracks are pieces of their own (format 2), and all begin at 0 s here",
    ),
}
REFUSED = {
    "text": (b"this is no MIDI file", "begins with b'this', expected b'MThd'"),
    "cut in its header": (song()[:10], "ends after 10 bytes, within its header of 14"),
    "no event": (song(n_tracks=2), "not one event can be read"),
    "garbage": (song(chunk(b"MTrk", b"\0\x25\xff" * 9)), "not one event can be read"),
    "no ticks": (song(track(*NOTE), division=0), "a quarter or frame has 0 ticks (division 0x0000)"),
    "no ticks a frame": (
        song(track(*NOTE), division=0xE700),
        "a quarter or frame has 0 ticks (division 0xe700)",
    ),
    "RIFF of another kind": (b"RIFF\0\0\0\0WAVEdata", "begins with b'RIFF', expected b'MThd'"),
    "RIFF without MIDI": (b"RIFF\0\0\0\0RMIDINFO\0\0\0\0", "a RIFF file without the chunk 'data'"),
}


def read(path: Path, content: bytes) -> list[Times]:
    path.write_bytes(content)
    return [(note.onset_s, note.offset_s, note.midi) for note in midi.read_midi(path)]


def assert_same(got: list[Times], expected: list[Times]) -> None:
    assert [one[2] for one in got] == [one[2] for one in expected]
    assert [one[:2] for one in got] == [pytest.approx(one[:2], abs=1e-6) for one in expected]


@pytest.mark.parametrize("kind", READ)
def test_what_is_read(tmp_path: Path, kind: str) -> None:
    content, expected = READ[kind]
    assert_same(read(tmp_path / "song.mid", content), expected)


@pytest.mark.parametrize("kind", PARTLY_READ)
def test_what_is_read_in_part_is_reported(tmp_path: Path, kind: str) -> None:
    content, expected, remark = PARTLY_READ[kind]
    with pytest.warns(files.FileWarning) as caught:
        assert_same(read(tmp_path / "song.mid", content), expected)
    (warning,) = caught
    assert str(warning.message).startswith(f"{tmp_path / 'song.mid'}: {remark}")


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_midi_file(tmp_path: Path, kind: str) -> None:
    content, reason = REFUSED[kind]
    with pytest.raises(files.FileError) as error:
        read(tmp_path / "song.mid", content)
    assert str(error.value).startswith(f"{tmp_path / 'song.mid'}: not readable as MIDI: {reason}")


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocnn.midi.events.MAX_BYTES", 1 << 20)
    with pytest.raises(files.FileError, match="longer than 1 MiB"):
        read(tmp_path / "long.mid", bytes(1 + (1 << 20)))


def test_any_bytes_are_read_in_part_or_refused(tmp_path: Path) -> None:
    """Every single byte of a file changed, and every length of it."""
    whole = song(track((0, tempo(60)), *NOTE, (0, control(64, 70)), (0, bytes([0xE0, 0, 96]))), track(*NOTE))
    rng = np.random.default_rng(0)
    changed = [whole[:i] + bytes([rng.integers(256)]) + whole[i + 1 :] for i in range(len(whole))]
    with warnings.catch_warnings(action="ignore", category=files.FileWarning):
        for content in [*changed, *(whole[:length] for length in range(1, len(whole)))]:
            try:
                (tmp_path / "song.mid").write_bytes(content)
                check_notes(midi.read_midi(tmp_path / "song.mid"))
            except files.FileError as error:
                assert "not readable as MIDI" in str(error)


def test_texts_are_read_in_any_encoding(tmp_path: Path) -> None:
    texts = (meta(3, "ピアノ".encode("shift-jis")), meta(1, b"by hand"), meta(0x20, b"\1"))
    (tmp_path / "song.mid").write_bytes(song(track(*((0, text) for text in texts), *NOTE)))
    assert midi.read_texts(tmp_path / "song.mid")[1:] == ["by hand"]


def test_bends_are_read_in_the_range_that_the_file_sets(tmp_path: Path) -> None:
    up, middle = bytes([0xE0, 0, 96]), bytes([0xE0, 0, 64])  # half of the range, and none
    octave = [(0, control(number, value)) for number, value in ((101, 0), (100, 0), (6, 12))]
    events = (
        (0, up),
        (0, on(60)),
        (96, middle),
        (96, off(60)),
        *octave,
        (0, up),
        (0, on(62)),
        (96, off(62)),
        (0, middle),
        *NOTE,
    )
    (tmp_path / "song.mid").write_bytes(song(track(*events)))
    first, second, third = midi.read_midi(tmp_path / "song.mid")
    assert first.bend == (1.0,) * 5 + (0.0,)  # a tenth of a second up
    assert set(second.bend) == {6.0}
    assert third.bend == ()


@pytest.mark.parametrize(
    ("controls", "bend"),
    [
        ([(99, 0), (98, 0), (6, 2)], 6.0),  # of a parameter of the maker's own
        ([(101, 127), (100, 127), (6, 2)], 6.0),
        ([(121, 0)], None),  # which ends the bend
    ],
)
def test_controls_between_the_range_of_bends_and_a_note(tmp_path, controls, bend) -> None:
    octave, up = ((101, 0), (100, 0), (6, 12)), bytes([0xE0, 0, 96])
    bends = [(0, control(*one)) for one in (*octave, *controls)]
    events = [*bends, (0, up), *NOTE] if bend else [(0, up), *bends, *NOTE]
    (tmp_path / "song.mid").write_bytes(song(track(*events)))
    (note,) = midi.read_midi(tmp_path / "song.mid")
    assert set(note.bend) == ({bend} if bend else set())


def test_programs_are_parts(tmp_path: Path) -> None:
    events = ((0, bytes([0xC0, 24])), *NOTE, (0, bytes([0xC0, 40])), *NOTE)
    (tmp_path / "song.mid").write_bytes(
        song(track(*events), track((0, bytes([0xC1, 73]))), track((0, on(70, 80, 1)), (480, off(70, 1))))
    )
    parts = midi.read_parts(tmp_path / "song.mid")
    assert [(part.program, part.notes[0, midi.MIDI]) for part in parts] == [(24, 60), (40, 60), (73, 70)]


@pytest.mark.parametrize("seed", range(3))
def test_as_pretty_midi_and_mido_read_it(tmp_path: Path, seed: int) -> None:
    """Random notes under random changes of tempo in the first track, where pretty_midi reads them."""
    rng = np.random.default_rng(seed)
    changes = [(int(delta), tempo(rng.uniform(30, 300))) for delta in rng.integers(0, 2000, 30)]
    tracks = []
    for channel in range(3):
        keys = rng.permutation(np.arange(30, 90)).tolist()
        tracks.append(
            track(
                *(
                    event
                    for key in keys
                    for event in (
                        (int(rng.integers(1, 400)), on(key, 70, channel)),
                        (int(rng.integers(1, 900)), off(key, channel)),
                    )
                )
            )
        )
    content = song(track(*changes), *tracks)
    got = read(tmp_path / "song.mid", content)
    peer = pretty_midi.PrettyMIDI(str(tmp_path / "song.mid"))
    assert_same(
        got, sorted((note.start, note.end, note.pitch) for one in peer.instruments for note in one.notes)
    )
    time_s, onsets_s = 0.0, []
    for message in mido.MidiFile(file=io.BytesIO(content)):
        time_s += message.time
        onsets_s += [time_s] if message.type == "note_on" else []
    assert [onset_s for onset_s, *_ in got] == pytest.approx(onsets_s, abs=1e-6)


@pytest.mark.parametrize(("tempo", "length_s"), [(300, 84 * 60), (60, 300), (4, 60), (1000, 4 * 3600)])
def test_what_is_written_is_read_again(tmp_path: Path, tempo: float, length_s: float) -> None:
    notes = random_notes(int(tempo), 400, length_s)
    midi.write_midi(notes, tmp_path / "notes.mid", tempo, pitch_bend=True)
    got, wanted = (
        sorted(some, key=lambda note: (note.midi, note.velocity, note.onset_s))
        for some in (midi.read_midi(tmp_path / "notes.mid"), notes)
    )
    assert plain(got) == plain(wanted)
    tick_s = 60 / tempo / 480
    assert np.abs(times(got) - times(wanted)).max() <= tick_s + 1e-6


def test_bends_are_read_again(tmp_path: Path) -> None:
    notes = [
        Note(0.5, 1.0, 60, bend=(0.25, 0.5, -0.5)),
        Note(2.0, 2.5, 60),
        Note(3.0, 3.5, 62, bend=(0.0, 1.0)),
    ]
    midi.write_midi(notes, tmp_path / "bent.mid", pitch_bend=True)
    got = midi.read_midi(tmp_path / "bent.mid")
    assert [note.bend for note in got] == [pytest.approx(note.bend, abs=1e-3) for note in notes]
