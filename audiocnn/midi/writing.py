"""Notes and parts -> MIDI files of constant tempo, by mido."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import mido

from audiocnn import files
from audiocnn.midi.parts import Part
from audiocnn.midi.reading import BEND_RANGE, DEFAULT_TEMPO, DRUM_CHANNEL, FULL_BEND, SUSTAIN_PEDAL
from audiocnn.notes import BEND_STEP_S, Note, check_notes, sort_notes
from audiocnn.ranges import ArgumentError

MIN_TEMPO, MAX_TEMPO = 4, 1000  # quarters a minute; MIDI holds none below 3.6
TICKS_PER_QUARTER = 480  # a tick is 1 ms at 120 quarters a minute;
MAX_TICK_S = (
    0.0015  # there are twice, four times ... as many where it would be longer: onsets are kept to 1 ms
)
FINE_TICKS_PER_QUARTER = 9600  # of parts, which are rendered: 0.05 ms at 120 quarters a minute
MAX_DELTA = (1 << 28) - 1  # ticks from one event to the next
CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]  # of what is not drums
N_CHANNELS = len(CHANNELS)
# The order of one tick: notes end, the sound of the channel changes, notes begin.
OFFSET, SOUND, ONSET = range(3)


@dataclass(frozen=True)
class _Voice:
    """What stands on one track and one channel: notes as in `Part`, and the changes of its sound by time."""

    notes: list[tuple[float, float, int, int]]
    controls: list[tuple[float, mido.Message]] = field(default_factory=list)
    program: int = 0
    is_drum: bool = False


def check_tempo(tempo: float) -> None:
    """Refuse a tempo that music does not have or MIDI cannot hold.

    Args:
        tempo: quarters a minute.

    Raises:
        ArgumentError: the tempo is out of range.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ArgumentError(f"tempo is {tempo}, expected {MIN_TEMPO} to {MAX_TEMPO} quarters a minute")


def write_parts(parts: list[Part], path: str | os.PathLike) -> None:
    """Write parts as a MIDI file at 120 quarters a minute, each in a track and on a channel of its own.

    Args:
        parts: with their pedal and bend, which is limited to `BEND_RANGE`.
        path: where to.

    Raises:
        ArgumentError: there are more than `N_CHANNELS` that are not drums.
        files.FileError: the file cannot be written.
    """
    _write(path, [_part_voice(part) for part in parts], DEFAULT_TEMPO, FINE_TICKS_PER_QUARTER)


def write_midi(
    notes: Iterable[Note],
    path: str | os.PathLike,
    tempo: float = 120.0,
    pitch_bend: bool = False,
    text: str | None = None,
) -> None:
    """Write notes as a MIDI file of constant tempo, times rounded to its ticks, 0.75 ms at most.

    Args:
        notes: in any order; those that would cut or bend each other go to tracks and channels of their own.
        path: where to.
        tempo: quarters a minute; it places bar lines.
        pitch_bend: whether to write the notes' bends. Those beyond `BEND_RANGE` are limited to it; where more
            than `N_CHANNELS` bent notes sound at once, they bend each other.
        text: what the file says of itself, such as where its notes come from.

    Raises:
        ArgumentError: the tempo is out of range, or a note cannot be.
        files.FileError: the file cannot be written.
    """
    check_tempo(tempo)
    voices = assign_channels(check_notes(notes), pitch_bend) or [[]]
    # A file holds whole microseconds a quarter, and ticks are made of them: notes do not drift.
    quarter_us = round(6e7 / tempo)
    ticks = _count_ticks(quarter_us)
    _write(path, [_note_voice(voice, pitch_bend) for voice in voices], quarter_us, ticks, text)


def _count_ticks(quarter_us: int) -> int:
    """The ticks of a quarter that keep onsets: doubled until none is longer than `MAX_TICK_S`."""
    n_needed = quarter_us / 1e6 / MAX_TICK_S
    return TICKS_PER_QUARTER << max(math.ceil(math.log2(n_needed / TICKS_PER_QUARTER)), 0)


def assign_channels(notes: Iterable[Note], pitch_bend: bool) -> list[list[Note]]:
    """Assign notes to channels, each of which holds one note of a pitch at a time and has one pitch bend.

    Args:
        notes: in any order.
        pitch_bend: whether notes that overlap need two channels where one is bent, too.

    Returns:
        The notes of each channel, at most `N_CHANNELS`, in the order of their onsets.
    """
    assigned: list[list[Note]] = []
    sounding: list[list[Note]] = []  # of each channel, at the onset of the note in hand
    for note in sort_notes(notes):
        sounding = [[other for other in others if other.offset_s > note.onset_s] for others in sounding]
        free = [
            number
            for number, others in enumerate(sounding)
            if not any(_collide(note, other, pitch_bend) for other in others)
        ]
        if not free and len(assigned) < N_CHANNELS:
            free = [len(assigned)]
            assigned.append([])
            sounding.append([])
        number = free[0] if free else min(range(N_CHANNELS), key=lambda number: len(sounding[number]))
        assigned[number].append(note)
        sounding[number].append(note)
    return assigned


def _collide(note: Note, other: Note, pitch_bend: bool) -> bool:
    return note.midi == other.midi or (pitch_bend and bool(note.bend or other.bend))


def _part_voice(part: Part) -> _Voice:
    controls = [
        (time_s, mido.Message("control_change", control=SUSTAIN_PEDAL, value=value))
        for down_s, up_s in part.pedal.tolist()
        for time_s, value in ((down_s, 127), (up_s, 0))
    ]
    controls += [(time_s, _bend_message(semitones)) for time_s, semitones in part.bend.tolist()]
    notes = [
        (onset_s, offset_s, int(midi), int(loud)) for onset_s, offset_s, midi, loud in part.notes.tolist()
    ]
    return _Voice(notes, controls, int(part.program), part.is_drum)


def _note_voice(notes: list[Note], pitch_bend: bool) -> _Voice:
    is_bent = pitch_bend and any(note.bend for note in notes)
    controls = [bend for note in notes for bend in _bend_messages(note)] if is_bent else []
    return _Voice([(note.onset_s, note.offset_s, note.midi, note.velocity) for note in notes], controls)


def _bend_messages(note: Note) -> Iterable[tuple[float, mido.Message]]:
    """The changes of a note's bend; each note begins with one, which undoes what the note before left."""
    before = None
    for step, semitones in enumerate(note.bend or (0.0,)):
        time_s = note.onset_s + step * BEND_STEP_S
        if semitones != before and time_s <= note.offset_s:
            yield time_s, _bend_message(semitones)
        before = semitones


def _bend_message(semitones: float) -> mido.Message:
    value = round(semitones / BEND_RANGE * FULL_BEND)
    return mido.Message("pitchwheel", pitch=min(max(value, -FULL_BEND), FULL_BEND - 1))


def _write(
    path: str | os.PathLike,
    voices: list[_Voice],
    tempo: int,
    ticks_per_quarter: int,
    text: str | None = None,
) -> None:
    """Write voices, after a track with the tempo, in microseconds a quarter, and the text."""
    n_pitched = sum(not voice.is_drum for voice in voices)
    if n_pitched > N_CHANNELS:
        raise ArgumentError(f"{n_pitched} parts that are not drums, expected {N_CHANNELS} at most")
    first = [mido.MetaMessage("text", text=text)] if text else []
    first += [mido.MetaMessage("set_tempo", tempo=tempo), mido.MetaMessage("time_signature")]
    channels, ticks_hz = iter(CHANNELS), 1e6 * ticks_per_quarter / tempo
    tracks = [_make_track(one, DRUM_CHANNEL if one.is_drum else next(channels), ticks_hz) for one in voices]
    with files.write_atomically(path) as partial:
        file = mido.MidiFile(ticks_per_beat=ticks_per_quarter, tracks=[first, *tracks], charset="utf-8")
        file.save(partial)


def _make_track(voice: _Voice, channel: int, ticks_hz: float) -> list[mido.Message | mido.MetaMessage]:
    """Return a voice's messages with the ticks since the one before; a note lasts a tick at least."""
    timed = [(round(time_s * ticks_hz), SOUND, message) for time_s, message in voice.controls]
    for onset_s, offset_s, midi, velocity in voice.notes:
        onset, offset = round(onset_s * ticks_hz), round(offset_s * ticks_hz)
        timed.append((onset, ONSET, mido.Message("note_on", note=midi, velocity=velocity)))
        timed.append((max(offset, onset + 1), OFFSET, mido.Message("note_on", note=midi, velocity=0)))
    before = 0
    start = mido.Message("program_change", channel=channel, program=voice.program)
    track: list[mido.Message | mido.MetaMessage] = [start]
    for tick, _, message in sorted(timed, key=lambda one: one[:2]):
        while tick - before > MAX_DELTA:  # a longer time than a file can hold before an event
            track.append(mido.MetaMessage("text", time=MAX_DELTA))
            before += MAX_DELTA
        track.append(message.copy(channel=channel, time=tick - before))
        before = tick
    return track
