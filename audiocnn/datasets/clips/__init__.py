"""Clips with labels -> batches."""
