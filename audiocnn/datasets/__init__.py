"""Data sets: folders of sound with notes, labels or pictures, read for training."""
