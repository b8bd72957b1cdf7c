"""A MIDI file -> its events: as many as can be read, with a line on whatever could not.

Source:
    The Complete MIDI 1.0 Detailed Specification, "Standard MIDI Files 1.0".

Differs: mido 1.3.3 loses the time of meta events that it does not know, gives a file up for a key signature
that does not exist, an event cut off or a chunk of another kind, and takes SMPTE time for ticks of a quarter;
symusic 0.6.0 drops notes that never end and refuses SMPTE time and files cut off. Hence this reader: events
are read up to the first byte that cannot be, in every track.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audiocnn import files

MAX_BYTES = 1 << 24  # of a file: five million notes; each of their events takes a hundred bytes here
NOTE_OFF, NOTE_ON, CONTROL_CHANGE, PROGRAM_CHANGE, PITCH_BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0  # of channel 0
META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
SET_TEMPO, END_OF_TRACK = 0x51, 0x2F  # kinds of meta events
TEXTS = range(0x01, 0x10)  # kinds of meta events that hold text
# Status without its lower four bits -> the number of data bytes; of system messages, by the whole status.
N_DATA = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2, 0xF1: 1, 0xF2: 2, 0xF3: 1}


class Event(NamedTuple):
    """An event of a track.

    Attributes:
        tick: when, in ticks from the start of the track.
        status: of a channel message, with its channel in the lower four bits; or `META`.
        data: its data bytes; of a meta event, its kind and then its content.
    """

    tick: int
    status: int
    data: bytes


@dataclass(frozen=True)
class MidiFile:
    """What a MIDI file holds.

    Args:
        format: 0 for one track, 1 for tracks that play together, 2 for tracks that are pieces of their own.
        division: ticks of a quarter; of SMPTE time, the 16 bits as in the file, above 0x7FFF.
        tracks: the events of each track.
        remarks: what was not read, a line each.
    """

    format: int
    division: int
    tracks: list[list[Event]]
    remarks: list[str] = field(default_factory=list)


def read_events(path: Path) -> MidiFile:
    """Read the events of a MIDI file, also of one in a RIFF file (RMID).

    Args:
        path: a MIDI file.

    Returns:
        The events, as far as they can be read.

    Raises:
        files.FileError: the file cannot be read, is no MIDI file, is longer than `MAX_BYTES`, or holds
            no event that can be read.
    """
    try:
        return parse_events(files.read_bytes(path, MAX_BYTES))
    except ValueError as error:
        raise files.FileError(path, f"not readable as MIDI: {error}") from error


def parse_events(data: bytes) -> MidiFile:
    """Read the events of a MIDI file's bytes.

    Args:
        data: the file.

    Returns:
        The events, as far as they can be read.

    Raises:
        ValueError: these are not the bytes of a MIDI file, or not one event can be read.
    """
    data = _unwrap(data)
    if data[:4] != b"MThd":
        raise ValueError(f"begins with {data[:4]!r}, expected b'MThd'")
    if len(data) < 14:
        raise ValueError(f"ends after {len(data)} bytes, within its header of 14")
    n_header, format, n_tracks, division = struct.unpack(">LHHH", data[4:14])
    if not division or (division > 0x7FFF and not division & 0xFF):
        raise ValueError(f"a quarter or frame has 0 ticks (division {division:#06x}), expected 1 at least")
    file = MidiFile(format, division, [])
    for number, chunk, n_expected in _tracks(data, 8 + n_header, file.remarks):
        events, n_read = _parse_track(chunk)
        file.tracks.append(events)
        if n_read < n_expected:
            file.remarks.append(f"track {number} is read up to byte {n_read} of {n_expected}")
    if len(file.tracks) != n_tracks:
        file.remarks.append(f"holds {len(file.tracks)} tracks, where its header says {n_tracks}")
    if n_tracks and not any(file.tracks):
        raise ValueError("not one event can be read")
    return file


def _unwrap(data: bytes) -> bytes:
    """Return the MIDI file in a RIFF file; other bytes as they are."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack("<4sL", data[position : position + 8])
        if name == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise ValueError("a RIFF file without the chunk 'data', which holds the MIDI file")


def _tracks(data: bytes, position: int, remarks: list[str]) -> Iterator[tuple[int, bytes, int]]:
    """Yield each track's number from 1, its bytes, and how many there should be; pass other chunks over."""
    number = 0
    while position + 8 <= len(data):
        name, size = struct.unpack(">4sL", data[position : position + 8])
        if name != b"MTrk" and position + 8 + size > len(data):
            break
        if name == b"MTrk":
            number += 1
            yield number, data[position + 8 : position + 8 + size], size
        position += 8 + size
    if position < len(data):
        remarks.append(f"{len(data) - position} bytes after its last track are not read")


def _parse_track(chunk: bytes) -> tuple[list[Event], int]:
    """Return the events of a track up to its end, or to a byte that is none, and the number of bytes read."""
    events: list[Event] = []
    tick, status, position = 0, 0, 0
    while position < len(chunk):
        try:
            delta, start = _parse_number(chunk, position)
            status, event_status, data, stop = _parse_event(chunk, start, status)
        except (IndexError, ValueError):
            return events, position
        tick, position = tick + delta, stop
        if event_status == META and data[0] == END_OF_TRACK:
            events.append(Event(tick, META, data))
            return events, position
        events.append(Event(tick, event_status, data))
    return events, position


def _parse_event(chunk: bytes, start: int, running: int) -> tuple[int, int, bytes, int]:
    """Return the running status after an event, its own status, its data, and where the next one begins."""
    status = chunk[start]
    if status < 0x80:
        status = running
    else:
        start += 1
    if status in (META, SYSEX, ESCAPE):
        n_kind = int(status == META)
        size, begin = _parse_number(chunk, start + n_kind)
        data = chunk[start : start + n_kind] + _take(chunk, begin, size)
        return running, status, data, begin + size
    n_data = N_DATA.get(status if status >= 0xF0 else status & 0xF0, 0)
    if not status or max(data := _take(chunk, start, n_data), default=0) > 0x7F:
        raise ValueError
    return (status if status < 0xF0 else running), status, data, start + n_data


def _take(chunk: bytes, start: int, size: int) -> bytes:
    if start + size > len(chunk):
        raise IndexError
    return chunk[start : start + size]


def _parse_number(chunk: bytes, start: int) -> tuple[int, int]:
    """Return a number of variable length, of four bytes at most, and where the next thing begins."""
    number = 0
    for position in range(start, start + 4):
        number = number << 7 | chunk[position] & 0x7F
        if chunk[position] < 0x80:
            return number, position + 1
    raise ValueError
