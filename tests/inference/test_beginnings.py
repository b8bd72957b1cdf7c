"""The first and last moments of a recording: notes at 0 s are found, none lasts longer than the sound."""

from collections.abc import Callable

import numpy as np
import pytest

import audiocnn
from audiocnn import audio
from audiocnn.formats.sound import synthesise
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.models.notes import NotesModel
from audiocnn.notes import Note, decode
from tests.inference.streams import always, at_random, transcribe_chunks

SHIPPED = ["notes-piano", "notes"]
CHORD = (48, 60, 64, 67)
RATE = 16_000


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> NotesModel:
    return audiocnn.load(request.param)


@pytest.fixture(scope="module")
def play() -> Callable[..., np.ndarray]:
    """Synthesises notes as plucked tones, (samples,), up to a time in seconds."""

    def play(notes: list[Note], end_s: float) -> np.ndarray:
        samples = np.zeros(round(end_s * RATE), np.float32)
        for note in notes:
            tone, first = 0.1 * synthesise(note, RATE), round(note.onset_s * RATE)
            samples[first : first + len(tone)] += tone[: len(samples) - first]
        return samples

    return play


@pytest.mark.parametrize("silence_ms", [0, 1, 5, 10, 20])
def test_a_chord_at_the_beginning(shipped: NotesModel, play, silence_ms: int) -> None:
    onset_s = silence_ms / 1000
    samples = play([Note(onset_s, 0.8, midi) for midi in CHORD], 1.5)
    notes = audiocnn.transcribe((samples, RATE), shipped).notes
    assert {note.midi for note in notes} >= set(CHORD)
    of_chord = [note for note in notes if note.midi in CHORD]
    assert [note.onset_s for note in of_chord] == pytest.approx([onset_s] * len(CHORD), abs=0.03)
    assert min(note.onset_s for note in notes) >= 0


def test_music_cut_on_an_onset(shipped: NotesModel, examples) -> None:
    """A bounce that begins with the first note, which is at 0.5 s."""
    samples = audio.load(examples / "menuet_piano.flac", RATE)
    whole = [note for note in audiocnn.transcribe((samples, RATE), shipped).notes if note.onset_s < 2]
    cut = audiocnn.transcribe((samples[RATE // 2 :], RATE), shipped).notes
    first = sorted(note.midi for note in whole if note.onset_s < 0.55)
    assert sorted(note.midi for note in cut if note.onset_s < 0.05) == first != []


@pytest.mark.parametrize("end_s", [0.9, 0.6, 0.53])
def test_notes_end_with_the_recording(shipped: NotesModel, play, end_s: float) -> None:
    notes = audiocnn.transcribe((play([Note(0.5, 3, midi) for midi in CHORD], end_s), RATE), shipped).notes
    assert max((note.offset_s for note in notes), default=0) <= end_s
    assert all(note.offset_s > note.onset_s for note in notes)
    if end_s > 0.6:
        assert {note.midi for note in notes} >= set(CHORD)


@pytest.mark.parametrize("block_s", [0.1, 20.0])
def test_the_same_in_blocks_and_live(shipped: NotesModel, play, block_s: float) -> None:
    samples = play([Note(0, 0.8, midi) for midi in CHORD], 1.3)
    expected = audiocnn.transcribe((samples, RATE), shipped, block_s=None, keep_scores=True)
    for sizes in (always(100), at_random(1, 5000)):
        stream = StreamingTranscriber(shipped, block_s=block_s, keep_scores=True)
        notes = transcribe_chunks(stream, samples, sizes)
        assert [(note.midi, round(note.onset_s, 4)) for note in notes] == [
            (note.midi, round(note.onset_s, 4)) for note in expected.notes
        ]
        for name, scores in expected.scores.items():
            np.testing.assert_allclose(stream.scores[name], scores, atol=1e-4)
    again = decode(expected.scores, expected.frame_s, shipped.decoding)
    assert [(note.midi, note.onset_s) for note in again] == [
        (note.midi, note.onset_s) for note in expected.notes
    ]
