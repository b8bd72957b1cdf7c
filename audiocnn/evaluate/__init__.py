"""What models hear against what is right -> figures: notes by mir_eval's, labels by scikit-learn's."""

from audiocnn.evaluate.clips import ClipReport, Predictions, evaluate_clips
from audiocnn.evaluate.notes import MEASURES, Report, Score, evaluate_folder, match, pairs, score
from audiocnn.evaluate.page import classes_table, figures_table, write

__all__ = [
    "MEASURES",
    "ClipReport",
    "Predictions",
    "Report",
    "Score",
    "classes_table",
    "evaluate_clips",
    "evaluate_folder",
    "figures_table",
    "match",
    "pairs",
    "score",
    "write",
]
