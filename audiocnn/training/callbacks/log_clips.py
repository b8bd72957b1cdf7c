"""LogClips: which labels a training on clips confuses, and the clips that are hardest for it."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np
from torch import Tensor

from audiocnn import audio
from audiocnn.evaluate import collect_predictions
from audiocnn.evaluate.plots import plot_confusion_matrix
from audiocnn.inference.classify import classify
from audiocnn.labels import UNKNOWN
from audiocnn.ranges import NOT_NEGATIVE
from audiocnn.training.callbacks.loggers import get_log_folder, log_figure, log_media
from audiocnn.training.clips import ClipTask


class LogClips(lightning.Callback):
    """After each validation, log the confusion matrix, and the hardest clips as sound and as plot.

    The hardest are those with the greatest error of a label: an absent one that is predicted with a
    probability near 1, or a present one near 0. They go to the log folder as confusion.png, hardest_0.wav and
    hardest_0.png, whose title holds the prediction; and to every logger that takes images and sound.

    Args:
        n_hardest: how many clips are kept.
    """

    def __init__(self, n_hardest: int = 4) -> None:
        NOT_NEGATIVE.check("n_hardest", n_hardest)
        self.n_hardest = n_hardest
        self._values: list[np.ndarray] = []
        self._labels: list[tuple[str, ...]] = []
        self._hardest: list[tuple[float, int, np.ndarray]] = []  # greatest error, number, samples

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: tuple[Tensor, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking or not isinstance(pl_module, ClipTask):
            return
        waveforms, targets = batch
        values, expected = outputs[0], pl_module.to_output_targets(targets)[0]
        error = float((values - expected).abs().max())
        self._values.append(values.cpu().numpy())
        self._labels.append(tuple(pl_module.labels[i] for i in targets[0].nonzero().flatten().tolist()))
        self._hardest.append((error, batch_idx, waveforms[0].cpu().numpy()))
        self._hardest = sorted(self._hardest, key=lambda one: -one[0])[: self.n_hardest]

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.sanity_checking or not isinstance(pl_module, ClipTask):
            return
        folder = get_log_folder(trainer)
        numbers = [str(number) for number in range(len(self._labels))]
        predictions = collect_predictions(numbers, self._labels, self._values, pl_module)
        names, counts = predictions.confusion_matrix
        if names:
            figure = plot_confusion_matrix(names, predictions.outputs, counts)
            log_figure(trainer, "val/confusion", "confusion.png", figure)
        for i, (_, number, samples) in enumerate(self._hardest):
            sound, plot = (folder / f"hardest_{i}{suffix}" for suffix in (".wav", ".png"))
            audio.save(sound, samples, pl_module.sample_rate)
            classify(sound, pl_module, device=str(pl_module.device)).to_png(plot)
            caption = [f"reference: {', '.join(self._labels[number]) or UNKNOWN}"]
            log_media(trainer, "log_audio", f"val/hardest_{i}", str(sound), caption=caption)
            log_media(trainer, "log_image", f"val/hardest_{i}_plot", str(plot), caption=caption)
        self._values, self._labels, self._hardest = [], [], []
