"""Recordings with notes -> batches."""
