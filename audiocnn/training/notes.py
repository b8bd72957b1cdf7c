"""NotesTask: which notes sound when, from waveforms."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.augment import SpecAugment
from audiocnn.backbones import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.models.notes import NotesModel
from audiocnn.notes import MAX_BEND, N_PITCHES, DecodingOptions, Note, decode
from audiocnn.training.base import Task

# How much of an error that all notes of a segment share is forgiven: a recording's level is anyone's choice,
# and only how its notes compare tells how hard they were struck.
LEVEL_FREE = 0.9
VELOCITY_WEIGHT = (
    10.0  # its squared error is a hundredth of the other losses, and would not be learned beside them
)
NOW_FRAMES, NOW_WEIGHT = 3, 6.0  # frames without what comes after them, and how much more each of them counts


class NotesTask(NotesModel, Task):
    """The training of a NotesModel.

    Losses: binary cross-entropy of onset, frame and offset; squared error of velocity where notes begin,
    most of what a whole segment is off forgiven, and of bend where they sound.

    Args:
        mask: masks on the spectrograms while training.
        start_from: a shipped model's name or a model file, whose backbone's weights training starts from, and its head's if it has the
            same outputs.

    The first four arguments are those of `NotesModel`, learning_rate and weight_decay those of `Task`.
    """

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        decoding: DecodingOptions = DecodingOptions(),  # noqa: B008, it is frozen
        bend: bool = False,
        mask: SpecAugment | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
    ) -> None:
        super().__init__(front_end, backbone, decoding, bend)
        self.mask = mask or SpecAugment()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        if start_from:
            start = read_model(weights.path(start_from))
            self.backbone.load_state_dict(start.backbone.state_dict())
            if start.head.outputs == self.head.outputs:
                self.head.load_state_dict(start.head.state_dict())

    def training_step(self, batch: tuple[Tensor, dict[str, Tensor]]) -> Tensor:
        waveforms, targets = batch
        # The last frames' windows reach beyond the segment: without them, a segment ends as live sound does.
        n_frames = targets["frame"].shape[-1] - self.n_blurred
        spectrogram = self.mask(self.spectrogram(waveforms)[..., : n_frames * self.backbone.time_stride])
        logits = self.head(self.backbone(spectrogram))
        targets = {name: target[..., :n_frames] for name, target in targets.items()}
        losses = self.losses(logits.float(), targets, now_weights(n_frames).to(logits.device))
        self.log_dict({f"train/{name}": loss for name, loss in losses.items()}, on_step=False, on_epoch=True)
        loss = torch.stack(list(losses.values())).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True)
        return loss

    @property
    def n_blurred(self) -> int:
        """Frames at a segment's end whose windows reach beyond it."""
        return self.front_end.reach // self.hop_length

    def losses(
        self, logits: Tensor, targets: dict[str, Tensor], weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Each output's loss: summed over pitches, averaged over frames; velocity and bend over notes.

        Args:
            weights: of the frames' scores, (frames,).
        """
        by_name = dict(zip(self.head.outputs, logits.unbind(1), strict=True))
        losses = {
            name: N_PITCHES
            * functional.binary_cross_entropy_with_logits(by_name[name], targets[name], weights)
            for name in ("onset", "frame", "offset")
        }
        attack = targets["onset"]
        error = torch.sigmoid(by_name["velocity"]) - targets["velocity"]
        common = (error * attack).sum((1, 2), keepdim=True) / (attack.sum((1, 2), keepdim=True) + 1)
        error = (error - LEVEL_FREE * common).square()
        losses["velocity"] = VELOCITY_WEIGHT * (error * attack).sum() / (attack.sum() + 1)
        if self.bend:
            sounding = targets["frame"]
            error = (by_name["bend"] - targets["bend"].clamp(-MAX_BEND, MAX_BEND)).square()
            losses["bend"] = (error * sounding).sum() / (sounding.sum() + 1)
        return losses

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        waveform, rows = batch
        notes = self.predict_step(waveform)[0]
        scores = _note_scores(rows[0].cpu().numpy(), notes)
        self.log_dict({f"val/{name}": value for name, value in scores.items()}, prog_bar=True, batch_size=1)

    def predict_step(self, waveforms: Tensor) -> list[list[Note]]:
        """The notes of each waveform."""
        scores = {name: channel.float().cpu().numpy() for name, channel in self.scores(waveforms).items()}
        return [
            decode({name: channel[i] for name, channel in scores.items()}, self.frame_s, self.decoding)
            for i in range(len(waveforms))
        ]


def now_weights(n_frames: int) -> Tensor:
    """Weights of a segment's frames, 1 on average: its last ones are heard as live listening hears now.

    Shape: (n_frames,).
    """
    weights = torch.ones(n_frames)
    weights[-NOW_FRAMES:] = NOW_WEIGHT
    return weights / weights.mean()


def _note_scores(rows: np.ndarray, notes: list[Note]) -> dict[str, float]:
    """mir_eval's F1 of onsets, and of onsets with offsets."""
    import mir_eval  # 0.6 s

    if not len(rows) or not notes:
        value = float(not len(rows) and not notes)
        return {"note_f1": value, "note_offset_f1": value}
    estimate = np.array([(note.onset_s, note.offset_s, note.midi) for note in notes])
    reference = (rows[:, :2], mir_eval.util.midi_to_hz(rows[:, 2]))
    estimated = (estimate[:, :2], mir_eval.util.midi_to_hz(estimate[:, 2]))
    figures = mir_eval.transcription.precision_recall_f1_overlap
    return {
        name: figures(*reference, *estimated, offset_ratio=ratio)[2]  # pyright: ignore[reportArgumentType]
        for name, ratio in (("note_f1", None), ("note_offset_f1", 0.2))
    }
