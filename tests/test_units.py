import librosa
import numpy as np
import pytest

from audiocnn import units


@pytest.mark.parametrize(
    ("midi", "frequency_hz"), [(69, 440), (57, 220), (21, 27.5), (60, 261.6255653005986)]
)
def test_worked_examples(midi, frequency_hz):
    assert units.midi_to_hz(midi) == pytest.approx(frequency_hz, rel=1e-12)


def test_cents_are_those_of_librosa():
    midi = np.arange(0, 128, 0.01)
    np.testing.assert_allclose(librosa.hz_to_midi(units.midi_to_hz(midi)), midi, atol=1e-12)
    np.testing.assert_allclose(units.midi_to_hz(midi + 12), 2 * units.midi_to_hz(midi), rtol=1e-12)


@pytest.mark.parametrize("midi", range(128))
def test_note_names_are_those_of_librosa(midi):
    assert units.midi_to_note(midi) == librosa.midi_to_note(midi, unicode=False)
