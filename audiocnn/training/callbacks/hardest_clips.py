"""What a training on clips shows while it runs: which labels it confuses, and the clips that are hardest."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np
from torch import Tensor

from audiocnn import audio, plots
from audiocnn.evaluate import collect_predictions
from audiocnn.evaluate.plots import plot_confusion_matrix
from audiocnn.inference.classify import classify
from audiocnn.labels import UNKNOWN
from audiocnn.training.callbacks.piano_rolls import log_folder, tell_loggers
from audiocnn.training.clips import ClipTask


class LogClips(lightning.Callback):
    """After each validation, the confusion matrix, and the hardest clips as sound and as plot.

    Hardest are those whose answers are least like what is right: a label or its absence that is far from 1 or
    0. To the log folder as confusion.png, hardest_0.wav and hardest_0.png, whose title says what was
    answered; and to every logger that takes images and sound, as Weights & Biases does.

    Args:
        n_hardest: how many clips are kept.
    """

    def __init__(self, n_hardest: int = 4) -> None:
        self.n_hardest = n_hardest
        self._values: list[np.ndarray] = []
        self._labels: list[tuple[str, ...]] = []
        self._hardest: list[tuple[float, int, np.ndarray]] = []  # how hard, number, samples

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
        values, right = outputs[0], pl_module.of_outputs(targets)[0]
        hard = float((values - right).abs().max())
        self._values.append(values.cpu().numpy())
        self._labels.append(tuple(pl_module.labels[i] for i in targets[0].nonzero().flatten().tolist()))
        self._hardest.append((hard, batch_idx, waveforms[0].cpu().numpy()))
        self._hardest = sorted(self._hardest, key=lambda one: -one[0])[: self.n_hardest]

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.sanity_checking or not isinstance(pl_module, ClipTask):
            return
        folder = log_folder(trainer)
        numbers = [str(number) for number in range(len(self._labels))]
        predictions = collect_predictions(numbers, self._labels, self._values, pl_module)
        names, counts = predictions.confusion_matrix
        if names:
            plot = folder / "confusion.png"
            plots.save_figure(plot_confusion_matrix(names, predictions.outputs, counts), plot)
            tell_loggers(trainer, "log_image", "val/confusion", str(plot), caption=["rows: reference labels"])
        for i, (_, number, samples) in enumerate(self._hardest):
            sound, plot = (folder / f"hardest_{i}{suffix}" for suffix in (".wav", ".png"))
            audio.save(sound, samples, pl_module.sample_rate)
            classify(sound, pl_module, device=str(pl_module.device)).to_png(plot)
            caption = [f"right: {', '.join(self._labels[number]) or UNKNOWN}"]
            tell_loggers(trainer, "log_audio", f"val/hardest_{i}", str(sound), caption=caption)
            tell_loggers(trainer, "log_image", f"val/hardest_{i}_picture", str(plot), caption=caption)
        self._values, self._labels, self._hardest = [], [], []
