"""The events of a MIDI file -> parts and notes, in seconds.

A note belongs to the track and the channel that it stands on, and to the program of its onset. The pedal,
programs and bends of a track hold for its own notes; those of a track that has no notes on their channel, for
the notes of all tracks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np

from audiocnn import files
from audiocnn.midi.events import (
    CONTROL_CHANGE,
    META,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    PROGRAM_CHANGE,
    SET_TEMPO,
    TEXTS,
    Event,
    MidiFile,
    read_events,
)
from audiocnn.midi.parts import OFFSET, Part, sort_rows, sustain
from audiocnn.notes import BEND_STEP_S, Note, sort_notes

DEFAULT_TEMPO = 500_000  # microseconds a quarter, of a file without a tempo
SUSTAIN_PEDAL = 64  # controllers: the pedal,
PEDAL_DOWN = 64  # (its lowest value that means down)
RESET_CONTROLLERS = 121  # which lets it up, and ends the bend,
ALL_NOTES_OFF = (120, 123)  # what ends every note of the channel,
PARAMETER = (101, 100)  # which parameter, coarse and fine,
BEND_RANGE_PARAMETER = [0, 0]  # such as the range of the pitch bend,
DATA_ENTRY = (6, 38)  # is set to these values, coarse and fine: semitones and cents;
OTHER_PARAMETER = (99, 98)  # a parameter of the maker's own,
NO_PARAMETER = [127, 127]
BEND_RANGE = 2.0  # semitones at the full bend of 8192, until a file sets another
FULL_BEND = 8192
MAX_BEND_S = 600.0  # of a note's bend that is read; a note bends for seconds
DRUM_CHANNEL = 9  # counted from 0

Clock = Callable[[Iterable[int]], np.ndarray]  # ticks -> seconds
# Key -> (tick, velocity) of its note-ons, velocity 0 of its note-offs.
Keys = dict[int, list[tuple[int, int]]]


@dataclass
class _Channel:
    """The events of a track on one channel."""

    keys: Keys = field(default_factory=lambda: defaultdict(list))
    controls: list[Event] = field(default_factory=list)


def read_parts(path: Path) -> list[Part]:
    """Read the parts of a MIDI file that hold notes.

    A damaged file is read as far as it goes, with a warning. A note without an end lasts until the end of its
    track.

    Args:
        path: a MIDI file.

    Returns:
        A part for each program on each channel of each track, drums among them, with offsets where keys are
        released.

    Raises:
        files.FileError: the file cannot be read, or is no MIDI file.
    """
    file = read_events(path)
    tracks = [_by_channel(track) for track in file.tracks]
    clocks, n_bad_tempi = _make_clocks(file)
    parts, n_endless = [], 0
    for number, channels in enumerate(tracks):
        end = max((event.tick for event in file.tracks[number]), default=0)
        for channel, mine in channels.items():
            shared = [] if file.format == 2 else _shared_controls(tracks, channel)
            controls = sorted([*shared, *mine.controls], key=lambda event: event.tick)
            notes, n = _pair_keys(mine.keys, end)
            n_endless += n
            parts += _make_parts(notes, controls, clocks[number], channel == DRUM_CHANNEL)
    files.warn(path, [*file.remarks, *_remarks(file, tracks, n_bad_tempi, n_endless)])
    return parts


def read_midi(path: Path) -> list[Note]:
    """Read the notes of a MIDI file, of all parts but drums.

    Args:
        path: a MIDI file.

    Returns:
        The notes in the order of their onsets, each with the offset at which it ends under the pedal
        (`sustain`), and its bend if it has one.

    Raises:
        files.FileError: the file cannot be read, or is no MIDI file.
    """
    notes = [
        Note(onset_s, offset_s, int(midi), int(velocity), bend=_sample_bend(part.bend, onset_s, offset_s))
        for part in read_parts(path)
        if not part.is_drum
        for onset_s, offset_s, midi, velocity in sustain(part.notes, part.pedal).tolist()
    ]
    return sort_notes(notes)


def read_texts(path: Path) -> list[str]:
    """Read the texts of a MIDI file: names, copyright, lyrics, markers.

    Args:
        path: a MIDI file.

    Returns:
        The texts, their bytes as characters (latin-1): a file does not say its encoding.

    Raises:
        files.FileError: the file cannot be read, or is no MIDI file.
    """
    metas = (event.data for track in read_events(path).tracks for event in track if event.status == META)
    return [data[1:].decode("latin-1") for data in metas if data[0] in TEXTS]


def _remarks(
    file: MidiFile, tracks: list[dict[int, _Channel]], n_bad_tempi: int, n_endless: int
) -> Iterator[str]:
    if n_bad_tempi:
        yield f"{n_bad_tempi} changes of tempo cannot be and are not followed"
    if n_endless:
        yield f"{n_endless} notes without an end last until the end of their track"
    n_pieces = sum(any(channel.keys for channel in channels.values()) for channels in tracks)
    if file.format == 2 and n_pieces > 1:
        yield f"its {n_pieces} tracks are pieces of their own (format 2), and all begin at 0 s here"


def _by_channel(track: list[Event]) -> dict[int, _Channel]:
    """Sort the events of a track by channel."""
    channels: dict[int, _Channel] = defaultdict(_Channel)
    for event in track:
        kind, mine = event.status & 0xF0, event.status & 0x0F
        if kind in (NOTE_ON, NOTE_OFF):
            key, velocity = event.data
            channels[mine].keys[key].append((event.tick, velocity if kind == NOTE_ON else 0))
        elif kind in (CONTROL_CHANGE, PROGRAM_CHANGE, PITCH_BEND):
            channels[mine].controls.append(event)
            if kind == CONTROL_CHANGE and event.data[0] in ALL_NOTES_OFF:
                for presses in channels[mine].keys.values():
                    presses.append((event.tick, -1))
    return channels


def _shared_controls(tracks: list[dict[int, _Channel]], channel: int) -> list[Event]:
    """Return the controls of a channel in the tracks that have no notes on it."""
    there = [channels[channel] for channels in tracks if channel in channels]
    return [event for one in there if not one.keys for event in one.controls]


def _make_clocks(file: MidiFile) -> tuple[list[Clock], int]:
    """Return what turns ticks of each track into seconds, and the number of tempi that cannot be."""
    if file.division > 0x7FFF:
        frames = 256 - (file.division >> 8)
        frames_hz = 30_000 / 1001 if frames == 29 else frames
        return [_make_clock([(0, 1 / frames_hz / (file.division & 0xFF))])] * len(file.tracks), 0
    changes = [
        [event for event in track if event.status == META and event.data[0] == SET_TEMPO]
        for track in file.tracks
    ]
    tempi = [
        [(event.tick, tempo / 1e6 / file.division) for event in track if (tempo := _tempo(event))]
        for track in changes
    ]
    n_bad = sum(map(len, changes)) - sum(map(len, tempi))
    default = (0, DEFAULT_TEMPO / 1e6 / file.division)
    if file.format == 2:
        return [_make_clock([default, *track]) for track in tempi], n_bad
    together = sorted((change for track in tempi for change in track), key=lambda change: change[0])
    return [_make_clock([default, *together])] * len(file.tracks), n_bad


def _tempo(event: Event) -> int:
    """Return the microseconds a quarter of a change of tempo, or 0 where it is none."""
    return int.from_bytes(event.data[1:], "big") if len(event.data) == 4 else 0


def _make_clock(changes: list[tuple[int, float]]) -> Clock:
    """Make the function from ticks to seconds of a tempo map: (tick, seconds a tick from there on)."""
    ticks, tick_s = np.array(changes, float).T
    starts_s = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * tick_s[:-1])])

    def clock(wanted: Iterable[int]) -> np.ndarray:
        wanted = np.fromiter(wanted, float)
        rows = np.searchsorted(ticks, wanted, side="right") - 1
        return starts_s[rows] + (wanted - ticks[rows]) * tick_s[rows]

    return clock


def _pair_keys(keys: Keys, end: int) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return (tick of the onset, of the offset, key, velocity) of each note, and how many have no end."""
    notes, n_endless = [], 0
    for key, presses in keys.items():
        paired, n = _pair(presses, end)
        notes += [(onset, offset, key, velocity) for onset, offset, velocity in paired]
        n_endless += n
    return sorted(notes), n_endless


def _pair(presses: list[tuple[int, int]], end: int) -> tuple[list[tuple[int, int, int]], int]:
    """Return (tick of the onset, of the offset, velocity) of a key's notes, and how many have no end.

    Where a key has as many note-offs as note-ons, the first note-off ends the first note that sounds; where
    note-offs lack, each ends all notes that sound.
    """
    n_offs = sum(velocity == 0 for _, velocity in presses)
    ends_all = n_offs < sum(velocity > 0 for _, velocity in presses)
    notes: list[tuple[int, int, int]] = []
    sounding: list[tuple[int, int]] = []
    for tick, velocity in presses:
        if velocity > 0:
            sounding.append((tick, velocity))
            continue
        n_ended = len(sounding) if velocity < 0 else 1
        if ends_all:  # those struck at this very tick sound on, where others end
            n_ended = sum(onset < tick for onset, _ in sounding) or len(sounding)
        notes += [(onset, tick, loudness) for onset, loudness in sounding[:n_ended]]
        del sounding[:n_ended]
    notes += [(onset, max(end, onset), loudness) for onset, loudness in sounding]
    return notes, len(sounding)


def _make_parts(
    notes: list[tuple[int, int, int, int]], controls: list[Event], clock: Clock, is_drum: bool
) -> list[Part]:
    """Make a part of the notes of each program, in the order of their first notes."""
    rows = np.array(notes, float).reshape(-1, 4)
    rows[:, 0], rows[:, 1] = clock(note[0] for note in notes), clock(note[1] for note in notes)
    changes = [event for event in controls if event.status & 0xF0 == PROGRAM_CHANGE]
    programs = np.array([0, *(event.data[0] for event in changes)])
    at = np.searchsorted([event.tick for event in changes], [note[0] for note in notes], side="right")
    bend = _bends(controls, clock)
    found = dict.fromkeys(programs[at].tolist())
    tables = {program: sort_rows(rows[programs[at] == program]) for program in found}
    return [
        Part(table, _presses(controls, clock, table[:, OFFSET].max()), program, is_drum, bend)
        for program, table in tables.items()
    ]


def _presses(controls: list[Event], clock: Clock, end_s: float) -> np.ndarray:
    """Return the pedal's presses (presses, 2); one that is never released ends with the last key."""
    presses, down_s = [], None
    changes = [event for event in controls if event.status & 0xF0 == CONTROL_CHANGE]
    for event, time_s in zip(changes, clock(event.tick for event in changes).tolist(), strict=True):
        number, value = event.data
        if number not in (SUSTAIN_PEDAL, RESET_CONTROLLERS):
            continue
        is_down = number == SUSTAIN_PEDAL and value >= PEDAL_DOWN
        if is_down and down_s is None:
            down_s = time_s
        elif not is_down and down_s is not None:
            presses.append((down_s, time_s))
            down_s = None
    if down_s is not None:
        presses.append((down_s, max(down_s, end_s)))
    return np.array(presses, float).reshape(-1, 2)


def _bends(controls: list[Event], clock: Clock) -> np.ndarray:
    """Return the changes of the pitch bend (changes, 2): seconds and semitones."""
    changes, parameter, span = [], NO_PARAMETER.copy(), [BEND_RANGE, 0]
    for event in controls:
        kind = event.status & 0xF0
        if kind == PITCH_BEND:
            low, high = event.data
            semitones = (span[0] + span[1] / 100) * ((high << 7 | low) - FULL_BEND) / FULL_BEND
            changes.append((event.tick, semitones))
        elif kind == CONTROL_CHANGE and event.data[0] in PARAMETER:
            parameter[PARAMETER.index(event.data[0])] = event.data[1]
        elif kind == CONTROL_CHANGE and event.data[0] in (*OTHER_PARAMETER, RESET_CONTROLLERS):
            parameter = NO_PARAMETER.copy()
            if event.data[0] == RESET_CONTROLLERS:
                changes.append((event.tick, 0.0))
        elif kind == CONTROL_CHANGE and event.data[0] in DATA_ENTRY and parameter == BEND_RANGE_PARAMETER:
            span[DATA_ENTRY.index(event.data[0])] = event.data[1]
    times_s = clock(tick for tick, _ in changes)
    return np.column_stack([times_s, [semitones for _, semitones in changes]])


def _sample_bend(changes: np.ndarray, onset_s: float, offset_s: float) -> tuple[float, ...]:
    """Return the bend of a note as `Note.bend`, up to its last change; () for none."""
    if not len(changes):
        return ()
    first, last = np.searchsorted(changes[:, 0], [onset_s + BEND_STEP_S / 2, offset_s])
    inside = changes[max(first - 1, 0) : last]
    if not inside[:, 1].any():
        return ()
    length_s = min(inside[-1, 0] - onset_s, MAX_BEND_S)
    n_steps = max(ceil(length_s / BEND_STEP_S - 0.5), 0) + 1
    times_s = onset_s + (np.arange(n_steps) + 0.5) * BEND_STEP_S  # in the middle of a step, clear of rounding
    rows = np.searchsorted(changes[:, 0], times_s, side="right")
    return tuple(np.append(0.0, changes[:, 1])[rows].tolist())
