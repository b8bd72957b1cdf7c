"""Data sets: folders of sound with notes, labels or images, read for training."""
