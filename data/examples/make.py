"""Two short performances, each as MIDI and as the recording of exactly that MIDI.

    python data/examples/make.py

The scores below are in the public domain by their age and were typed in for this project. They are performed
with small deviations in timing and velocity (seeded: every run writes the same notes) and rendered with
FluidSynth and the soundfont FluidR3 GM (Debian: fluidsynth, fluid-soundfont-gm).

A voice is written in bars of `pitch:beats`; chords join their pitches with `+`, and `-` is a rest.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pretty_midi
import soundfile
import soxr

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
RENDER_RATE, SAMPLE_RATE = 44100, 22050  # Hz: FluidSynth's, and the recordings'
REVERB = {"room-size": 0.5, "damp": 0.3, "width": 0.5, "level": 0.3}
TICKS_PER_BEAT = 960  # at pretty_midi's 120 beats a minute, times are kept to 0.5 ms
LEAD_S, TAIL_S = 0.5, 1.5  # before the first note and after the last
JITTER_S = 0.008  # standard deviation of an onset around its beat
PEAK = 0.5  # of full scale: -6 dB


@dataclass(frozen=True)
class Voice:
    """One part of a piece.

    Args:
        instrument: its General MIDI name.
        velocity: the mean velocity of its notes, 1 to 127.
        bars: its bars, separated by `|`.
    """

    instrument: str
    velocity: int
    bars: str


@dataclass(frozen=True)
class Piece:
    """A score, whose first bar may be an upbeat, shorter than the others.

    Args:
        beats_per_minute: the tempo.
        beats_per_bar: the length of every bar but an upbeat.
        voices: the parts that play together.
    """

    beats_per_minute: float
    beats_per_bar: int
    voices: list[Voice]


def menuet() -> Piece:
    """Return the first sixteen bars of the Menuet in G, BWV Anh. 114 (Christian Petzold, before 1725)."""
    right = """
        D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 | G5:1 G4:1 G4:1
        | C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | F#4:1 G4:.5 A4:.5 B4:.5 G4:.5 | A4:3
        | D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 | G5:1 G4:1 G4:1
        | C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | A4:1 B4:.5 A4:.5 G4:.5 F#4:.5 | G4:3
    """
    left = """
        G3+B3+D4:2 A3:1 | B3:3 | C4:3 | B3:3
        | A3:3 | G3:3 | D4:1 B3:1 G3:1 | D4:1 D3:.5 C4:.5 B3:.5 A3:.5
        | B3:2 A3:1 | G3:1 B3:1 G3:1 | C4:3 | B3:1 C4:.5 B3:.5 A3:.5 G3:.5
        | A3:2 F#3:1 | G3:2 B3:1 | C4:1 D4:1 D3:1 | G3:2 G2:1
    """
    piano = "Acoustic Grand Piano"
    return Piece(116, 3, [Voice(piano, 80, right), Voice(piano, 66, left)])


def greensleeves() -> Piece:
    """Return Greensleeves (England, about 1580): verse and chorus, a flute's tune over broken chords."""
    tune = """
        A4:1 | C5:2 D5:1 E5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1 | C5:2 A4:1 A4:1.5 G#4:.5 A4:1
        | B4:2 G#4:1 E4:2 A4:1 | C5:2 D5:1 E5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
        | C5:1.5 B4:.5 A4:1 G#4:1.5 F#4:.5 G#4:1 | A4:5 -:1
        | G5:3 G5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1 | C5:2 A4:1 A4:1.5 G#4:.5 A4:1
        | B4:2 G#4:1 E4:3 | G5:3 G5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
        | C5:1.5 B4:.5 A4:1 G#4:1.5 F#4:.5 G#4:1 | A4:6
    """
    broken = {"A": "A2:1 E3:1 A3:1", "G": "G2:1 D3:1 G3:1", "E": "E2:1 B2:1 E3:1", "C": "C3:1 G3:1 C4:1"}
    chords = "AA|GG|AA|EE|AA|GG|AE|AA|CC|GG|AA|EE|CC|GG|AE"
    bars = [" ".join(broken[chord] for chord in bar) for bar in chords.split("|")]
    bars = ["-:1", *bars, "A2+E3+A3+C4:6"]
    return Piece(200, 6, [Voice("Flute", 88, tune), Voice("Acoustic Guitar (nylon)", 74, " | ".join(bars))])


PIECES = {"menuet_piano": menuet, "greensleeves_flute_guitar": greensleeves}


def parse_voice(voice: Voice, beats_per_bar: int) -> Iterator[tuple[float, float, list[int]]]:
    """Yield the start and length in beats and the MIDI pitches of each note or chord of a voice, in order.

    Args:
        voice: the part.
        beats_per_bar: the length that its bars must have; the first one may be shorter.

    Raises:
        ValueError: a bar has another length.
    """
    start = 0.0
    for index, bar in enumerate(voice.bars.split("|")):
        pairs = [event.split(":") for event in bar.split()]
        total = sum(float(beats) for _, beats in pairs)
        if total > beats_per_bar or (index > 0 and total != beats_per_bar):
            raise ValueError(
                f"bar {index} of {voice.instrument} has {total} beats, expected {beats_per_bar}: {bar}"
            )
        for pitches, beats in pairs:
            if pitches != "-":
                yield start, float(beats), [pretty_midi.note_name_to_number(p) for p in pitches.split("+")]
            start += float(beats)


def time_beats(piece: Piece, n_beats: float) -> tuple[np.ndarray, np.ndarray]:
    """Return beats, an eighth apart, and their times in seconds.

    The tempo varies by 3 % over four bars and slows down in the last one.

    Args:
        piece: for its tempo and metre.
        n_beats: the length of the piece.
    """
    beats = np.arange(0, n_beats + 0.125, 0.125)
    slowness = 1 + 0.03 * np.sin(2 * np.pi * beats / (4 * piece.beats_per_bar))
    slowness += 0.3 * np.clip(1 - (n_beats - beats) / piece.beats_per_bar, 0, 1)
    step_s = 60 / piece.beats_per_minute * 0.125
    return beats, LEAD_S + np.concatenate([[0], np.cumsum(slowness[:-1])]) * step_s


def perform(piece: Piece, rng: np.random.Generator) -> pretty_midi.PrettyMIDI:
    """Perform a piece: onsets with jitter, the first beat of each bar accented.

    Args:
        piece: the score.
        rng: the source of the deviations.
    """
    played = [list(parse_voice(voice, piece.beats_per_bar)) for voice in piece.voices]
    upbeat = sum(float(event.split(":")[1]) for event in piece.voices[0].bars.split("|")[0].split())
    grid = time_beats(piece, max(start + beats for notes in played for start, beats, _ in notes))
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT)
    for voice, notes in zip(piece.voices, played, strict=True):
        part = pretty_midi.Instrument(pretty_midi.instrument_name_to_program(voice.instrument))
        for start, beats, pitches in notes:
            accent = 8 if (start - upbeat) % piece.beats_per_bar == 0 else 0
            for pitch in pitches:
                onset = np.interp(start, *grid) + rng.normal(0, JITTER_S)
                offset = np.interp(start + beats * rng.uniform(0.88, 0.97), *grid)
                velocity = round(float(np.clip(voice.velocity + accent + rng.normal(0, 5), 1, 127)))
                part.notes.append(pretty_midi.Note(velocity, pitch, onset, offset))
        midi.instruments.append(part)
    return midi


def render(midi_path: Path, duration_s: float) -> np.ndarray:
    """Render a MIDI file with a little reverberation.

    Args:
        midi_path: the MIDI file.
        duration_s: length of the result in seconds, over whose last 0.5 s it fades out.

    Returns:
        The waveform, mono at SAMPLE_RATE.
    """
    reverb = [f"-osynth.reverb.{name}={value}" for name, value in REVERB.items()]
    with TemporaryDirectory() as folder:
        wav = Path(folder, "render.wav")
        options = ["-niq", "-C0", "-R1", "-g0.5", f"-r{RENDER_RATE}", "-Twav", "-Ofloat", f"-F{wav}", *reverb]
        subprocess.run(["fluidsynth", *options, SOUNDFONT, midi_path], check=True, capture_output=True)
        stereo, _ = soundfile.read(wav, dtype="float32")
    mono = soxr.resample(stereo.mean(axis=1), RENDER_RATE, SAMPLE_RATE)[: round(duration_s * SAMPLE_RATE)]
    n_fade = round(0.5 * SAMPLE_RATE)
    mono[-n_fade:] *= np.linspace(1, 0, n_fade, dtype=mono.dtype)
    return mono * (PEAK / np.abs(mono).max())


def main() -> None:
    """Write the MIDI files and recordings beside this file."""
    here = Path(__file__).parent
    for number, (name, piece) in enumerate(PIECES.items()):
        midi = perform(piece(), np.random.default_rng(number))
        midi.write(str(here / f"{name}.mid"))
        sound = render(here / f"{name}.mid", midi.get_end_time() + TAIL_S)
        soundfile.write(here / f"{name}.flac", sound, SAMPLE_RATE, subtype="PCM_16")
        n_notes = sum(len(part.notes) for part in midi.instruments)
        print(f"{name}: {len(sound) / SAMPLE_RATE:.1f} s, {n_notes} notes")


if __name__ == "__main__":
    main()
