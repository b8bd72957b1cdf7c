"""Data sets of images: their files -> batches."""
