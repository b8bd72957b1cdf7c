"""NotesTask: training of note transcription, from waveforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.augment import SpecAugment
from audiocnn.backbones import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.models.notes import NotesModel
from audiocnn.notes import MAX_BEND, N_PITCHES, DecodingOptions, Note, decode
from audiocnn.ranges import ArgumentError
from audiocnn.training.base import Task, load_backbone
from audiocnn.training.checkpoint import TASKS

# Share of a segment's mean velocity error that is subtracted before squaring: a recording's level is
# arbitrary, and only the notes' relative levels show how hard they were struck.
FORGIVEN_LEVEL = 0.9
VELOCITY_WEIGHT = (
    10.0  # its squared error is a hundredth of the other losses: without a weight it is not learned
)
# The last frames of a segment, with little sound after them as when streaming, and the weight of each, where
# the other frames have 1.
N_STREAMING_FRAMES, STREAMING_WEIGHT = 3, 6.0


@TASKS.register
class NotesTask(NotesModel, Task):
    """Training of a NotesModel.

    Losses: binary cross-entropy of onset, frame and offset; squared error of velocity at onsets, less most of
    the mean error of a segment's notes; squared error of bend where notes sound.

    Args:
        front_end: as of `NotesModel`.
        backbone: as of `NotesModel`.
        decoding: as of `NotesModel`.
        bend: as of `NotesModel`.
        spec_augment: masks the spectrograms while training; off when None.
        learning_rate: highest rate of the schedule, see `Task`.
        weight_decay: of weights, see `Task`.
        start_from: a shipped model's name or a model file, whose backbone's weights training starts from, and
            its head's if it has the same outputs; or a Lightning checkpoint of any task, its backbone's
            alone.

    Raises:
        ArgumentError: a number is out of its range.
        FileError: start_from cannot be read or does not fit.
    """

    batch_form = "waveforms (batch, samples) and targets by name, in validation notes (batch, notes, 4)"

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        decoding: DecodingOptions = DecodingOptions(),  # noqa: B008, it is frozen
        bend: bool = False,
        spec_augment: SpecAugment | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
    ) -> None:
        super().__init__(front_end, backbone, decoding, bend)
        self.spec_augment = spec_augment or nn.Identity()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        if start_from:
            load_backbone(self.backbone, start_from)
            self._load_head(start_from)

    def _load_head(self, start_from: str) -> None:
        """Load the head of a model file with the same outputs."""
        path = weights.path(start_from)
        start = read_model(path) if path.suffix == ".safetensors" else None
        if isinstance(start, NotesModel) and start.head.outputs == self.head.outputs:
            self.head.load_state_dict(start.head.state_dict())

    def setup(self, stage: str) -> None:
        """Check that the data fit the model, and that segments are longer than the front end's windows.

        Args:
            stage: of the trainer.

        Raises:
            ArgumentError: they do not, see `checks.check_data`, or are not.
        """
        super().setup(stage)
        n_frames = getattr(getattr(self.datamodule, "segments", None), "n_frames", None)
        if n_frames is not None and n_frames <= self.n_incomplete:
            raise ArgumentError(
                f"segments.n_frames is {n_frames}, expected more than {self.n_incomplete}: the front end's "
                "windows reach so many frames beyond a segment's end"
            )

    def takes(self, batch: Any) -> bool:
        waveforms, targets = batch
        of_stage = isinstance(targets, dict) if self.trainer.training else targets.ndim == 3
        return waveforms.ndim == 2 and of_stage

    def training_step(self, batch: tuple[Tensor, dict[str, Tensor]]) -> Tensor:
        waveforms, targets = batch
        # The last frames' windows reach beyond the segment: without them, a segment ends as a stream does.
        n_frames = targets["frame"].shape[-1] - self.n_incomplete
        spectrogram = self.spectrogram(waveforms)[..., : n_frames * self.backbone.time_stride]
        logits = self.head(self.backbone(self.spec_augment(spectrogram)))
        targets = {name: target[..., :n_frames] for name, target in targets.items()}
        losses = self.losses(logits.float(), targets, frame_weights(n_frames).to(logits.device))
        self.log_dict({f"train/{name}": loss for name, loss in losses.items()}, on_step=False, on_epoch=True)
        loss = torch.stack(list(losses.values())).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True)
        return loss

    @property
    def n_incomplete(self) -> int:
        """Frames at a segment's end whose windows reach beyond it."""
        return self.front_end.reach // self.hop_length

    def losses(
        self,
        logits: Float[Tensor, "batch outputs pitches frames"],
        targets: dict[str, Tensor],
        weights: Float[Tensor, " frames"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Compute the loss of each output.

        They are summed over pitches and averaged over frames; of velocity and bend, averaged over notes.

        Args:
            logits: as `forward` returns them.
            targets: by the output's name, (batch, pitches, frames), see `notes.encode`.
            weights: of the frames; 1 each when None.

        Returns:
            The losses by the output's name.
        """
        by_name = dict(zip(self.head.outputs, logits.unbind(1), strict=True))
        losses = {
            name: N_PITCHES
            * functional.binary_cross_entropy_with_logits(by_name[name], targets[name], weights)
            for name in ("onset", "frame", "offset")
        }
        onset = targets["onset"]
        error = torch.sigmoid(by_name["velocity"]) - targets["velocity"]
        shared = (error * onset).sum((1, 2), keepdim=True) / (onset.sum((1, 2), keepdim=True) + 1)
        error = (error - FORGIVEN_LEVEL * shared).square()
        losses["velocity"] = VELOCITY_WEIGHT * (error * onset).sum() / (onset.sum() + 1)
        if self.bend:
            sounding = targets["frame"]
            error = (by_name["bend"] - targets["bend"].clamp(-MAX_BEND, MAX_BEND)).square()
            losses["bend"] = (error * sounding).sum() / (sounding.sum() + 1)
        return losses

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._score(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._score(batch, "test")

    def _score(self, batch: tuple[Tensor, Tensor], stage: str) -> None:
        """Transcribe a recording, (1, samples), and log F1 against its notes, (1, notes, 4)."""
        waveform, rows = batch
        notes = self.predict_step(waveform)[0]
        scores = _note_scores(rows[0].cpu().numpy(), notes)
        logged = {f"{stage}/{name}": value for name, value in scores.items()}
        self.log_dict(logged, prog_bar=True, batch_size=1, on_step=False, on_epoch=True)

    def predict_step(self, waveforms: Tensor) -> list[list[Note]]:
        """Transcribe each waveform.

        Args:
            waveforms: (batch, samples) at the model's sample rate.

        Returns:
            The notes of each.
        """
        scores = {name: channel.float().cpu().numpy() for name, channel in self.scores(waveforms).items()}
        return [
            decode({name: channel[i] for name, channel in scores.items()}, self.frame_s, self.decoding)
            for i in range(len(waveforms))
        ]


def frame_weights(n_frames: int) -> Tensor:
    """Create the weights of a segment's frames, 1 on average, the last `N_STREAMING_FRAMES` greater.

    Those are transcribed as a stream's newest frames are: without the sound after them.

    Args:
        n_frames: of the segment.

    Returns:
        Weights, (n_frames,).
    """
    weights = torch.ones(n_frames)
    weights[-N_STREAMING_FRAMES:] = STREAMING_WEIGHT
    return weights / weights.mean()


def _note_scores(rows: np.ndarray, notes: list[Note]) -> dict[str, float]:
    """F1 of onsets, and of onsets with offsets, by mir_eval."""
    import mir_eval  # 0.6 s

    if not len(rows) or not notes:
        value = float(not len(rows) and not notes)
        return {"note_f1": value, "note_offset_f1": value}
    estimate = np.array([(note.onset_s, note.offset_s, note.midi) for note in notes])
    reference = (rows[:, :2], mir_eval.util.midi_to_hz(rows[:, 2]))
    estimated = (estimate[:, :2], mir_eval.util.midi_to_hz(estimate[:, 2]))
    figures = mir_eval.transcription.precision_recall_f1_overlap
    return {
        name: figures(*reference, *estimated, offset_ratio=ratio)[2]  # pyright: ignore[reportArgumentType], None is documented
        for name, ratio in (("note_f1", None), ("note_offset_f1", 0.2))
    }
