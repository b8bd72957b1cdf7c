"""StyleTask: training of feed-forward style-transfer networks by a perceptual loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from audiocnn import files, images
from audiocnn.models.file import read_model
from audiocnn.models.image import ImageModel
from audiocnn.models.load import find_model
from audiocnn.ranges import ArgumentError, Range
from audiocnn.style.losses import total_variation
from audiocnn.style.optimise import resize_to_side
from audiocnn.style.painters.base import Painter
from audiocnn.style.perceptual import LossOptions, PerceptualLoss, Target
from audiocnn.training.base import Task
from audiocnn.training.checkpoint import PARTS, TASKS

PARTS.register(LossOptions)


@TASKS.register
class StyleTask(Task):
    """Training of a painter, a style-transfer network that needs one forward pass for an image.

    Batches are images (batch, 3, rows, columns), from 0 to 1, and classes that are not used. The loss is
    content loss, style loss and total variation of the stylised image, as in `style.optimise`. An
    arbitrary-style painter gets a style for each image; one with fixed styles gets one of them per step.
    Styles are drawn at random in training, and taken in turn in validation.

    Args:
        network: the painter.
        styles: image files of the styles, in the order of the painter's style names; of an
            arbitrary-style painter also folders, each as often as a single image. Those used are kept in
            memory, 0.3 MB each at 384 pixels.
        style_size: longer side of the styles, in pixels.
        loss: weights of the perceptual loss, its network and its style statistic.
        learning_rate: highest rate of the schedule.
        weight_decay: of weights, not of norms and biases.
        start_from: a model file or shipped name of a painter of the same architecture, whose weights training
            starts from; or of a StyleBank with the first of the styles: then only the kernels of the others
            are trained.

    Raises:
        ArgumentError: there are more or fewer styles than the painter has.
        FileError: also in `setup`; a file cannot be read or does not fit.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"style_size": Range(1, 1 << 14, whole=True)}
    batch_form = "images (batch, 3, rows, columns) and classes"
    channels = 3  # of its images

    def __init__(
        self,
        network: Painter,
        styles: Sequence[str],
        style_size: int = 256,
        loss: LossOptions = LossOptions(),  # noqa: B008, it is frozen
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        start_from: str | None = None,
    ) -> None:
        super().__init__()
        _check_number(network, len(styles))
        self.network = network
        if start_from:
            _start_from(network, start_from)
        self.styles, self.style_size, self.loss = [*styles], style_size, loss
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def setup(self, stage: str) -> None:
        """Check that the data are images in colour; read the loss network, find the images of the styles."""
        super().setup(stage)
        backbone = read_model(find_model(self.loss.network, "images"), ImageModel).backbone
        self.network.load_encoder(backbone)
        self.perceptual_loss = PerceptualLoss(backbone, self.loss.statistic)
        self.choices = [[*images.find_images(path)] for path in self.styles]
        self.images: dict[Path, Tensor] = {}
        self.targets: dict[Path, Target] = {}
        for choice in self.choices:
            self._image(choice[0])

    @property
    def backbone(self) -> nn.Module:  # pyright: ignore[reportIncompatibleVariableOverride] (it has no stages)
        """The painter, all of whose layers learn at one rate."""
        return self.network

    def takes(self, batch: Any) -> bool:
        return batch[0].ndim == 4 and batch[0].shape[1] == self.channels

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        share = self.network.identity_share
        if share and torch.rand(()) < share:
            return (self.network.paint(batch[0]) - batch[0]).square().mean()
        return self.step(batch[0], torch.randint(2**31, (len(batch[0]),)).tolist(), "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._score(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._score(batch, batch_idx, "test")

    def _score(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> Tensor:
        """The loss of a batch in the styles whose turn it is."""
        n = len(batch[0])
        return self.step(batch[0], range(batch_idx * n, (batch_idx + 1) * n), stage)

    def step(self, content: Tensor, turns: Sequence[int], stage: str) -> Tensor:
        """Compute the loss of a batch; log it and its parts as means over the stage's batches.

        Args:
            content: images (batch, 3, rows, columns).
            turns: numbers that choose a style for each image.
            stage: train, val or test.

        Returns:
            The loss, a scalar.
        """
        self.perceptual_loss.to(content.device)
        styles, target = self._styles(content, turns)
        painted = self.network.paint(content, styles)
        content_loss, style_loss = self.perceptual_loss(painted, content, target)
        loss = self.loss.content_weight * content_loss + self.loss.style_weight * style_loss
        loss = loss + self.loss.tv_weight * total_variation(painted)
        values = {f"{stage}/loss": loss, f"{stage}/content": content_loss, f"{stage}/style": style_loss}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(content))
        return loss

    def _styles(self, content: Tensor, turns: Sequence[int]) -> tuple[list[Tensor] | list[str], Target]:
        """The styles as the painter takes them, and their style targets, for each image."""
        choices = [self._choice(turn) for turn in turns]
        if self.network.style_names is None:
            chosen = [self._image(path) for _, path in choices]
            squares = _squares(chosen, content.shape[-1], drawn=self.training).to(content) / 255
            return [squares], self.perceptual_loss.style_target(squares)
        number, path = choices[0]
        if path not in self.targets:
            self.targets[path] = self.perceptual_loss.style_target(self._image(path).to(content) / 255)
        target = self.targets[path]
        n = len(content)
        expanded = [tuple(part.expand(n, *part.shape[1:]) for part in of_layer) for of_layer in target]
        return [*self.network.style_names[number : number + 1]], expanded

    def _choice(self, turn: int) -> tuple[int, Path]:
        """The number of a style that is learned, and its image: each in turn, and of a folder each."""
        n_fixed = self.network.n_fixed
        n_learned = len(self.choices) - n_fixed
        number = n_fixed + turn % n_learned
        paths = self.choices[number]
        return number, paths[turn // n_learned % len(paths)]

    def _image(self, path: Path) -> Tensor:
        """(1, 3, rows, columns), bytes; read when it is first asked for."""
        if path not in self.images:
            pixels = torch.from_numpy(images.read_image(path).pixels)[None]
            resized = resize_to_side(pixels, self.style_size)
            self.images[path] = (resized.clamp(0, 1) * 255).round().byte()
        return self.images[path]

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Stylise images in the first style."""
        content = batch[0]
        if self.network.style_names is None:
            return self.network.paint(content, [self._image(self.choices[0][0]).to(content) / 255])
        return self.network.paint(content, self.network.style_names[:1])


def _check_number(painter: Painter, n_styles: int) -> None:
    """Check that a painter with fixed styles is given as many style images."""
    if painter.style_names is None:
        return
    expected = max(len(painter.style_names), 1)
    if n_styles != expected:
        raise ArgumentError(
            f"{n_styles} styles given, expected {expected}, as the {type(painter).__name__} has"
        )


def _start_from(painter: Painter, path: str) -> None:
    """Load a painter's weights from a file; FileError when it cannot be read or does not fit."""
    start = read_model(find_model(path, "style"), nn.Module)
    try:
        painter.start_from(start)
    except (ValueError, RuntimeError) as error:
        reason = f"holds another painter than the one that is to be trained: {error}"
        raise files.FileError(path, reason) from error


def _squares(styles: Sequence[Tensor], smallest: int, drawn: bool) -> Tensor:
    """A square of each style (1, 3, rows, columns): (styles, 3, side, side).

    If `drawn`, its side is random, from `smallest` to the side of the smallest style, and so is its position;
    else it is the largest centre crop.
    """
    side = min(min(style.shape[2:]) for style in styles)
    if not drawn:
        return torch.cat([images.crop_center(style, side) for style in styles])
    side = int(torch.randint(min(smallest, side), side + 1, ()))
    squares = []
    for style in styles:
        top, left = (int(torch.randint(n - side + 1, ())) for n in style.shape[2:])
        squares.append(style[..., top : top + side, left : left + side])
    return torch.cat(squares)
