"""Listening: sound and a model in, notes or labels out; whole files, blocks or live."""

from audiocnn.listen.clips import Classification, ClipListener, Segment, Timeline, check_alike, classify
from audiocnn.listen.models import fused, load, load_clips, load_notes
from audiocnn.listen.notes import BLOCK_S, Listener, Transcription, transcribe

__all__ = [
    "BLOCK_S",
    "Classification",
    "ClipListener",
    "Listener",
    "Segment",
    "Timeline",
    "Transcription",
    "check_alike",
    "classify",
    "fused",
    "load",
    "load_clips",
    "load_notes",
    "transcribe",
]
