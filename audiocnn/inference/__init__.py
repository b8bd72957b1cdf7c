"""Inference: sound and a model -> notes or labels; whole recordings, in blocks, or live."""
