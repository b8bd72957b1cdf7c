"""Predictions against references -> metrics: of notes mir_eval's, of labels scikit-learn's."""

from audiocnn.evaluate.clips import ClipReport, evaluate_clips
from audiocnn.evaluate.notes import MEASURES, Score, match_notes, score_notes
from audiocnn.evaluate.predictions import Predictions, collect_predictions
from audiocnn.evaluate.references import NotesReport, evaluate_notes, find_pairs, read_reference
from audiocnn.evaluate.report import prepare_folder, tabulate_labels, tabulate_metrics, write_report

__all__ = [
    "MEASURES",
    "ClipReport",
    "NotesReport",
    "Predictions",
    "Score",
    "collect_predictions",
    "evaluate_clips",
    "evaluate_notes",
    "find_pairs",
    "match_notes",
    "prepare_folder",
    "read_reference",
    "score_notes",
    "tabulate_labels",
    "tabulate_metrics",
    "write_report",
]
