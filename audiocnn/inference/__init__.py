"""Inference: sound and a model in, notes or labels out; whole files, blocks or live."""
