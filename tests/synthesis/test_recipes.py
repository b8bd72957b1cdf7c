"""Recipes: every draw can be played, is labelled within its instrument, and comes again with its seed."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import midi
from audiocnn.midi import Part
from audiocnn.synthesis import recipes

FONTS = (Path("a.sf2"), Path("b.sf2"))
BANKS = (Path("salamander"), Path("026-Acoustic Guitar (steel).sfz"))


@pytest.fixture
def song() -> list[Part]:
    """A melody over chords, 100 s long, the chords pedalled."""
    onsets = np.arange(0, 100, 0.5)
    melody = np.column_stack([onsets, onsets + 0.45, 72 + np.arange(200) % 12, np.full(200, 90)])
    chords = [
        np.column_stack([onsets[::2], onsets[::2] + 0.9, np.full(100, key), np.full(100, 70)])
        for key in (48, 52)
    ]
    pedal = np.column_stack([onsets[::4] + 0.1, onsets[::4] + 1.9])
    return [Part(melody), Part(np.concatenate(chords), pedal)]


def equal(first: recipes.Recipe, second: recipes.Recipe) -> bool:
    parts = [
        part for recipe in (first, second) for part in (*recipe.parts, *(part for _, part in recipe.sampled))
    ]
    half = len(parts) // 2
    same = all(
        np.array_equal(one.notes, two.notes)
        and np.array_equal(one.pedal, two.pedal)
        and one.program == two.program
        for one, two in zip(parts[:half], parts[half:], strict=True)
    )
    return same and (first.soundfont, first.reverb, first.touch) == (
        second.soundfont,
        second.reverb,
        second.touch,
    )


@pytest.mark.parametrize("programs", ["piano", "any"])
def test_every_draw_can_be_played(song: list[Part], programs: str) -> None:
    for seed in range(60):
        recipe = recipes.draw_recipe(song, np.random.default_rng(seed), programs, FONTS, BANKS, 20)
        pitched = [part for part in recipe.parts if not part.is_drum] + [part for _, part in recipe.sampled]
        assert pitched
        for part in pitched:
            low, high = recipes.get_range(part.program)
            onset_s, offset_s, pitch, velocity = part.notes.T
            assert len(part.notes) and low <= pitch.min() and pitch.max() <= high
            assert onset_s.min() >= 0 and offset_s.max() < 22 and (offset_s > onset_s).all()
            assert velocity.min() >= 1 and velocity.max() <= 127
            assert (velocity == velocity.round()).all() and (pitch == pitch.round()).all()
        assert equal(
            recipe, recipes.draw_recipe(song, np.random.default_rng(seed), programs, FONTS, BANKS, 20)
        )


def test_piano_is_one_part_on_a_piano(song: list[Part]) -> None:
    played, pedalled = set(), 0
    for seed in range(60):
        recipe = recipes.draw_recipe(song, np.random.default_rng(seed), "piano", FONTS, BANKS[:1], 20)
        (part,) = [*recipe.parts, *(part for _, part in recipe.sampled)]
        played |= {part.program} if recipe.parts else {recipe.sampled[0][0].name}
        pedalled += len(part.pedal) > 0
    assert {"salamander", 0, 1} <= played <= {"salamander", *recipes.PIANOS}
    assert 35 < pedalled < 60


def test_any_uses_many_programs_a_bank_only_for_its_own_and_drums_at_times(song: list[Part]) -> None:
    programs, drummed = set(), 0
    for seed in range(200):
        recipe = recipes.draw_recipe(song, np.random.default_rng(seed), "any", FONTS, BANKS, 20)
        programs |= {part.program for part in recipe.parts}
        drummed += any(part.is_drum for part in recipe.parts)
        assert all(part.program == 25 and bank == BANKS[1] for bank, part in recipe.sampled)
    assert len(programs) > 60
    assert programs <= set(recipes.PITCHED)
    assert 20 < drummed < 60


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("025-Guitar (nylon).sfz", 24),
        ("001-Piano.sfz", 0),
        ("001-salamander", 0),
        ("041", 40),
        ("024_Nylon_Guitar.pat", 24),
        ("salamander", None),
        ("1234.sfz", None),
    ],
)
def test_program_of_a_bank(name: str, program: int | None) -> None:
    assert recipes.parse_program(Path("banks", name)) == program


def test_a_part_moves_by_octaves_into_range() -> None:
    notes = np.array([[0, 1, 72, 80], [1, 2, 76, 80], [2, 3, 106, 80.0]])
    bass = recipes.fit_to_range(Part(notes, program=33))
    np.testing.assert_array_equal(bass.notes[:, midi.MIDI], [48, 52])
    celesta = recipes.fit_to_range(Part(notes[:2], program=8))
    np.testing.assert_array_equal(celesta.notes, notes[:2])


def test_a_strummed_chord_begins_from_the_lowest_note() -> None:
    notes = np.array([[1, 2, 64, 80], [1, 2, 60, 80], [1.01, 2, 67, 80], [3, 4, 60, 80.0]])
    strummed = recipes.strum(Part(notes), 0.02).notes
    np.testing.assert_allclose(strummed[:, :3], [[1, 2, 60], [1.02, 2, 64], [1.05, 2, 67], [3, 4, 60]])


def test_scattering_keeps_the_rhythm_and_draws_all_pitches() -> None:
    onsets = np.arange(2000.0)
    notes = np.column_stack([onsets, onsets + 0.5, np.full(2000, 60), np.full(2000, 80)])
    scattered = recipes.scatter_pitches(Part(notes), np.random.default_rng(0)).notes
    np.testing.assert_array_equal(scattered[:, [0, 1, 3]], notes[:, [0, 1, 3]])
    assert set(scattered[:, 2]) == set(range(21, 109))


def test_drums_are_quiet_and_as_long_as_the_music() -> None:
    beat = recipes.draw_drums(30.0, np.random.default_rng(0))
    assert beat.is_drum
    assert set(beat.notes[:, 2]) == {36, 38, 42}
    assert beat.notes[:, 3].max() <= 90
    assert 25 < beat.notes[-1, 1] <= 30.1
