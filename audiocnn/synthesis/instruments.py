"""MIDI files -> rendered clips whose instruments are known: recordings and a manifest of them.

Rate: 16 kHz mono, rendered as by `render`. Count: excerpts of `EXCERPT_S`, in the manifest as segments
of `SEGMENT_S`, each with the instruments that are audible in it for `MIN_AUDIBLE_S` or more, by their level.
Split rule: as `render`'s, by song, and validation has soundfonts of its own. Half of the excerpts are of one
instrument alone, some of them of long single notes or a bank's recordings as they are; each instrument is as
likely. More of such recordings can be asked for. Each instrument of a mix has a soundfont or a bank of
recorded notes of its own. Voices come from the soundfonts and from `singing`.
Licence: that of the songs and sounds used, see `render`.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiocnn import audio, files, midi
from audiocnn.datasets import preparing
from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY, Part
from audiocnn.synthesis import fluidsynth, performance, recipes, render, sampler, singing

SAMPLE_RATE = 16_000
EXCERPT_S = 18.0
SEGMENT_S = 3.0
MIN_AUDIBLE_S = 0.3
WINDOW_S = 0.05  # of the envelopes by which a part is audible
FAINT = 10 ** (-35 / 20)  # a part is inaudible where it is softer than its own loudest moment by this
MASKED = 10 ** (-20 / 20)  # or softer than the mix by this
SOLO_SHARE = 0.5
LONG_NOTES_SHARE = 0.3  # of excerpts of one instrument
RECORDINGS_SHARE = 0.5  # of excerpts of one bank
RESTS_S = (0.8, 3.0)  # the longest between a bank's recordings, where more of them are asked for
SUNG_SHARE = 0.6  # of voices; the others are the soundfonts' choirs
SOUNDFONTS_SHARE = 2.0  # of an instrument's sounds, where each of its banks has 1
LOUDNESS_DB = 4.0  # standard deviation of the parts' levels in a mix

SOUNDFONTS = (".sf2", ".sf3")
DRUMS, VOICE = "drums", "voice"
# The General MIDI programs, counted from 0, that play each instrument.
INSTRUMENTS: dict[str, tuple[int, ...]] = {
    "piano": (0, 0, 1, 3),
    "electric piano": (4, 5),
    "organ": (16, 17, 18, 19, 20),
    "vibraphone": (11,),
    "acoustic guitar": (24, 25),
    "electric guitar": (26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
    "violin": (40,),
    "cello": (42,),
    "double bass": (43,),
    "trumpet": (56, 59),
    "trombone": (57,),
    "horn": (60,),
    "saxophone": (64, 65, 66, 67),
    "clarinet": (71,),
    "oboe": (68,),
    "flute": (72, 73),
    VOICE: (52, 53),
    DRUMS: (),
}
# Drums by their General MIDI keys, and how likely each of 16 steps of a bar is.
KIT = {36: 0.25, 38: 0.15, 42: 0.5, 46: 0.08, 49: 0.03, 51: 0.15, 41: 0.04, 45: 0.04, 48: 0.04}
PERCUSSION = {39: 0.08, 54: 0.2, 56: 0.1, 60: 0.2, 61: 0.2, 62: 0.2, 63: 0.2, 64: 0.2, 69: 0.2, 70: 0.3}


@dataclass(frozen=True)
class Excerpt:
    """One recording to be rendered: its path, song and sound sources.

    Without a song it is of a bank's recordings as they are.
    """

    stem: Path
    song: Path | None
    seed: tuple[int, ...]
    soundfonts: tuple[Path, ...]
    banks: tuple[Path, ...]

    @property
    def labels(self) -> Path:
        """The labels of each segment, a line each: written last, they mark a recording as complete."""
        return self.stem.with_name(self.stem.name + ".txt")

    def run(self) -> None:
        """Render the recording and label its segments."""
        rng = np.random.default_rng(self.seed)
        layers = {name: _levelled(sound, rng) for name, sound in self._sounds(rng)}
        total = np.sum(list(layers.values()), axis=0)
        path = self.stem.with_name(self.stem.name + ".flac")
        audio.save(path, render.randomise_level(total, rng), SAMPLE_RATE)
        labels = label_segments(
            {name: compute_envelope(layer) for name, layer in layers.items()}, compute_envelope(total)
        )
        with files.write_atomically(self.labels) as partial:
            partial.write_text("\n".join(labels), encoding="utf-8")

    def _sounds(self, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
        """Return the names and sounds of the instruments that play."""
        if self.song is None:
            name, source = draw_bank(rng, self.banks)
            return [
                (name, sampler.load_bank(source).draw_recordings(EXCERPT_S, rng, float(rng.choice(RESTS_S))))
            ]
        reverb = fluidsynth.Reverb(*rng.uniform((0, 0, 0), (1, 0.8, 1))) if rng.uniform() < 0.6 else None
        return [
            (name, _sound(name, part, source, rng, reverb))
            for name, part, source in draw_arrangement(
                midi.read_parts(self.song), rng, self.soundfonts, self.banks
            )
        ]

    def rows(self) -> list[tuple]:
        """Return the recording's rows of the manifest."""
        split, group = self.stem.parent.name, (self.song or self.stem).stem
        return [
            (f"{split}/{self.stem.name}.flac", labels, i * SEGMENT_S, (i + 1) * SEGMENT_S, split, group)
            for i, labels in enumerate(self.labels.read_text(encoding="utf-8").split("\n"))
        ]


def prepare_instruments(
    midi_folder: Path,
    out: Path,
    soundfonts: Sequence[Path] = (),
    validation_soundfonts: Sequence[Path] = (),
    banks: Sequence[Path] = (),
    hours: float = 4.0,
    validation_hours: float = 0.5,
    seed: int = 0,
    workers: int = 2,
    without: Sequence[Path] = (),
    recordings_hours: float = 0.0,
) -> int:
    """Render recordings to OUT/{train,validation} and write OUT/manifest.csv, without those already there.

    Args:
        midi_folder: songs, found recursively.
        out: the folder to write to.
        soundfonts: General MIDI soundfonts (.sf2, .sf3).
        validation_soundfonts: kept for validation; without them validation uses the others.
        banks: of recorded notes, whose names begin with their General MIDI program, see `sampler`; validation
            has none, where it has soundfonts of its own.
        hours: of train.
        validation_hours: of validation.
        seed: random seed.
        workers: processes.
        without: folders of recordings in which no instrument plays, such as those of `data prepare speech`,
            which train to name none.
        recordings_hours: of train besides: the banks' recordings as they are, each instrument for as long.

    Returns:
        The number of recordings rendered.

    Raises:
        ArgumentError: there are no soundfonts, or a number is out of its range.
        files.FileError: FluidSynth is missing; there are no songs; out holds recordings made otherwise; or
            recordings failed, which the message names and the manifest leaves out.
    """
    render.check_soundfonts([*soundfonts, *validation_soundfonts])
    recipe = {"soundfonts": soundfonts, "validation_soundfonts": validation_soundfonts, "banks": banks}
    preparing.check_recipe(out, {"midi_folder": midi_folder, "seed": seed, **recipe})
    split = render.split_by_song(render.find_songs(Path(midi_folder)))
    fonts = {"train": tuple(soundfonts), "validation": tuple(validation_soundfonts) or tuple(soundfonts)}
    excerpts = []
    for index, (name, length) in enumerate((("train", hours), ("validation", validation_hours))):
        held_out = name == "validation" and validation_soundfonts
        choices = fonts[name], () if held_out else tuple(banks)
        Path(out, name).mkdir(parents=True, exist_ok=True)
        count = round(length * 3600 / EXCERPT_S)
        songs = render.draw_songs(Path(out, name), split[name], count, (seed, index))
        for number, song in enumerate(songs):
            excerpts.append(Excerpt(Path(out, name, f"{number:05d}"), song, (seed, index, number), *choices))
    for number in range(round(recordings_hours * 3600 / EXCERPT_S) if banks else 0):
        stem = Path(out, "train", f"takes_{number:05d}")
        excerpts.append(Excerpt(stem, None, (seed, 2, number), (), tuple(banks)))
    todo = [excerpt for excerpt in excerpts if not excerpt.labels.exists()]
    reasons = render.run_jobs([excerpt.run for excerpt in todo], workers)
    with files.write_atomically(Path(out, "manifest.csv")) as partial, partial.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "labels", "start", "end", "split", "group"))
        written = (excerpt for excerpt in excerpts if excerpt.labels.exists())
        table.writerows(row for excerpt in written for row in excerpt.rows())
        table.writerows(
            row
            for folder in without
            for path in audio.find_recordings(folder)
            for row in list_unlabelled(path)
        )
    preparing.raise_failures(out, reasons, len(todo))
    return len(todo)


def list_unlabelled(path: Path) -> list[tuple]:
    """List a recording in which no instrument plays, as rows of the manifest.

    Returns:
        A row for each of its segments.
    """
    n_segments = int(audio.read_duration_s(path) / SEGMENT_S)
    return [
        (path.resolve(), "", i * SEGMENT_S, (i + 1) * SEGMENT_S, "train", path.stem)
        for i in range(n_segments)
    ]


def draw_arrangement(
    parts: list[Part], rng: np.random.Generator, soundfonts: Sequence[Path], banks: Sequence[Path]
) -> list[tuple[str, Part | None, Path]]:
    """Draw the instruments of an excerpt, their parts, and a soundfont or bank for each: one, or two to five.

    Args:
        parts: of a song.
        rng: random number generator.
        soundfonts: General MIDI soundfonts.
        banks: of recorded notes.

    Returns:
        Name, part and source of each; without a part it is a bank's recordings as they are.
    """
    parts = [performance.stretch(part, 1 / rng.uniform(0.8, 1.25)) for part in parts if not part.is_drum]
    parts = recipes.random_excerpt(parts, rng, EXCERPT_S)
    alone = rng.uniform() < SOLO_SHARE
    n_instruments = 1 if alone else int(rng.integers(2, 6))
    names = rng.choice(list(INSTRUMENTS), n_instruments, replace=False)
    long_notes = alone and rng.uniform() < LONG_NOTES_SHARE
    semitones = int(rng.integers(-5, 7))
    order = rng.permutation(len(parts))
    arrangement = []
    for i, name in enumerate(map(str, names)):
        source = _source(name, rng, soundfonts, banks)
        if alone and source in banks and rng.uniform() < RECORDINGS_SHARE:
            return [(name, None, source)]
        program = recipes.parse_program(source) if source in banks else None
        part = _part(name, parts[order[i % len(parts)]], program, rng, semitones, long_notes)
        arrangement.append((name, part, source))
    return arrangement


def draw_bank(rng: np.random.Generator, banks: Sequence[Path]) -> tuple[str, Path]:
    """Draw an instrument that has a bank, and one of its banks.

    Args:
        rng: random number generator.
        banks: of recorded notes.

    Returns:
        The instrument and the bank.
    """
    fitting = {name: _banks_of(name, banks) for name in INSTRUMENTS}
    name = str(rng.choice([name for name, chosen in fitting.items() if chosen]))
    return name, fitting[name][int(rng.integers(len(fitting[name])))]


def _banks_of(name: str, banks: Sequence[Path]) -> list[Path]:
    """Return those of an instrument."""
    return [bank for bank in banks if recipes.parse_program(bank) in INSTRUMENTS[name]]


def _source(name: str, rng: np.random.Generator, soundfonts: Sequence[Path], banks: Sequence[Path]) -> Path:
    """Return one of the banks of an instrument, or a soundfont."""
    fitting = _banks_of(name, banks)
    if rng.uniform() < len(fitting) / (len(fitting) + SOUNDFONTS_SHARE):
        return fitting[int(rng.integers(len(fitting)))]
    return soundfonts[int(rng.integers(len(soundfonts)))]


def _part(
    name: str, part: Part, program: int | None, rng: np.random.Generator, semitones: int, long_notes: bool
) -> Part:
    """Return an instrument's part, after a song's part or its rhythm alone."""
    if name == DRUMS:
        return draw_beat(EXCERPT_S, rng, KIT if rng.uniform() < 0.8 else PERCUSSION)
    part = replace(part, program=int(rng.choice(INSTRUMENTS[name])) if program is None else program)
    if long_notes:
        return draw_long_notes(part.program, EXCERPT_S, rng)
    return recipes.perform(part, semitones, rng)


def draw_long_notes(program: int, length_s: float, rng: np.random.Generator) -> Part:
    """Draw single notes of 0.5 to 4 s from all over an instrument's range, with rests between.

    Args:
        program: counted from 0.
        length_s: of the part.
        rng: random number generator.

    Returns:
        The part.
    """
    lowest, highest = recipes.get_range(program)
    rows, now_s = [], 0.1
    while now_s < length_s:
        held_s = float(np.exp(rng.uniform(np.log(0.5), np.log(4))))
        rows.append((now_s, now_s + held_s, rng.integers(lowest, highest + 1), rng.integers(40, 115)))
        now_s += held_s + rng.uniform(0, 0.8)
    return Part(np.array(rows, float), program=program)


def draw_beat(length_s: float, rng: np.random.Generator, kit: dict[int, float]) -> Part:
    """Draw a bar of sixteen steps of drums, and repeat it with small changes.

    Args:
        length_s: of the part.
        rng: random number generator.
        kit: how likely each step is, by key, as `KIT`.

    Returns:
        The part.
    """
    step_s = rng.uniform(0.08, 0.2)
    keys = np.array(list(kit))
    chosen = rng.uniform(size=len(keys)) < 0.6
    chosen[rng.integers(len(keys))] = True
    accents = rng.uniform(0.3, 2, len(keys)) * chosen
    bar = rng.uniform(size=(16, len(keys))) < np.array(list(kit.values())) * accents
    bar[0, np.flatnonzero(chosen)[0]] = True
    grid = np.tile(bar, (int(length_s / step_s / 16) + 1, 1))[: int(length_s / step_s)]
    grid &= rng.uniform(size=grid.shape) < 0.92
    grid |= (rng.uniform(size=grid.shape) < 0.02) & chosen
    steps, columns = np.nonzero(grid)
    notes = np.zeros((len(steps), 4))
    notes[:, ONSET] = np.maximum(steps * step_s + rng.normal(0, 0.006, len(steps)), 0)
    notes[:, OFFSET] = notes[:, ONSET] + 0.1
    notes[:, MIDI] = keys[columns]
    notes[:, VELOCITY] = np.clip(rng.normal(rng.uniform(50, 110), 12, len(steps)).round(), 1, 127)
    return Part(notes, is_drum=True)


def _sound(
    name: str, part: Part | None, source: Path, rng: np.random.Generator, reverb: fluidsynth.Reverb | None
) -> np.ndarray:
    """Return a part's sound, or recordings of a bank as they are."""
    if part is None:
        return sampler.load_bank(source).draw_recordings(EXCERPT_S, rng)
    if source.suffix in SOUNDFONTS:
        if name == VOICE and rng.uniform() < SUNG_SHARE:
            return singing.sing(part.notes, rng)
        return fluidsynth.synthesise([part], source, reverb)
    return sampler.load_bank(source).play(midi.sustain(part.notes, part.pedal))[0]


def _levelled(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return `EXCERPT_S` of a part, its louder moments (nine in ten are softer) at a random level."""
    layer = np.zeros(round(EXCERPT_S * SAMPLE_RATE), np.float32)
    layer[: len(waveform)] = waveform[: len(layer)]
    loudness = np.quantile(compute_envelope(layer), 0.9)
    return layer * np.float32(10 ** (rng.normal(0, LOUDNESS_DB) / 20) / max(loudness, 1e-6))


def compute_envelope(waveform: np.ndarray) -> np.ndarray:
    """Compute the level of a waveform.

    Args:
        waveform: (samples,) at 16 kHz.

    Returns:
        The root mean square of each `WINDOW_S` (windows,).
    """
    n_window = round(WINDOW_S * SAMPLE_RATE)
    windows = waveform[: len(waveform) // n_window * n_window].reshape(-1, n_window)
    return np.sqrt(np.square(windows).mean(axis=1) + 1e-20)


def label_segments(layers: dict[str, np.ndarray], total: np.ndarray) -> list[str]:
    """Label each segment of a mix with the instruments that are audible in it.

    Args:
        layers: envelopes of the instruments in the mix, by name.
        total: the envelope of the mix.

    Returns:
        The names of each segment, joined by `|`.
    """
    n_segment = round(SEGMENT_S / WINDOW_S)
    audible = {
        name: (layer > layer.max() * FAINT) & (layer > total * MASKED) for name, layer in layers.items()
    }
    return [
        "|".join(
            sorted(
                name
                for name, windows in audible.items()
                if windows[start : start + n_segment].sum() * WINDOW_S >= MIN_AUDIBLE_S
            )
        )
        for start in range(0, len(total) - n_segment + 1, n_segment)
    ]
