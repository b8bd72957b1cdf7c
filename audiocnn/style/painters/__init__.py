"""Networks that paint in one pass."""
