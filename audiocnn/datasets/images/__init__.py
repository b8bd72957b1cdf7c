"""Images -> batches."""
