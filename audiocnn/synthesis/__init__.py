"""MIDI -> recordings with notes: soundfonts, samples, voices."""
