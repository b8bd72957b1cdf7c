"""AutoencoderTask: a backbone trained on images without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import Backbone
from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import conv_transpose
from audiocnn.blocks.norm import create_norm
from audiocnn.ranges import Range
from audiocnn.training.base import StepTask
from audiocnn.training.checkpoint import TASKS


class MirrorDecoder(nn.Module):
    """A decoder that mirrors a backbone: for each stage a transposed convolution to its input's size.

    Kernels are as long as their stride needs, at least three; all layers but the last are followed by batch
    norm and ReLU. Feature maps that strides make too long are cropped at the end of an axis, too short ones
    padded with zeros.

    Shape:
        (batch, backbone.out_channels, ..., frames) -> (batch, backbone.in_channels, *size).

    Args:
        backbone: the encoder.
        size: of the images: a number for all axes, or one for each.
    """

    def __init__(self, backbone: Backbone, size: Size) -> None:
        super().__init__()
        dims = backbone.dims
        self.sizes = [to_tuple(size, dims, "size"), *_map_sizes(backbone, to_tuple(size, dims, "size"))]
        channels = (backbone.in_channels, *backbone.stage_channels)
        self.stages = nn.ModuleList()
        for i in reversed(range(len(self.sizes) - 1)):
            stride = tuple(-(-n // m) for n, m in zip(self.sizes[i], self.sizes[i + 1], strict=True))
            kernel = tuple(max(2 * step - 1, 3) for step in stride)
            grow = conv_transpose(channels[i + 1], channels[i], kernel, dims=dims, stride=stride, bias=i == 0)
            rest = [create_norm("batch", channels[i], dims=dims), nn.ReLU()] if i else []
            self.stages.append(nn.Sequential(grow, *rest))

    def forward(self, x: Tensor) -> Tensor:
        for stage, size in zip(self.stages, reversed(self.sizes[:-1]), strict=True):
            x = _crop_or_pad(stage(x), size)
        return x


@TASKS.register
class AutoencoderTask(StepTask):
    """Training of a backbone as the encoder of a denoising autoencoder, without labels.

    A part of each image is masked, and a decoder restores the whole from the backbone's last feature map. The
    loss is the mean squared error over all pixels. `start_from` of other tasks takes the backbone from the
    checkpoints.

    Shape:
        (batch, channels, *size) -> the same.

    Source:
        Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", 2011; hiding:
        Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008.

    Differs:
        All layers are trained at once, not greedily. Strides are undone by transposed convolutions.

    Args:
        backbone: the encoder.
        size: of the images: a number for all axes, or one for each.
        hidden: share of a training image's pixels that are set to 0 at the encoder's input; without any the
            encoder could learn the identity where feature maps have more values than the image.
        learning_rate: highest rate of the schedule.
        weight_decay: of weights, not of norms and biases.

    Raises:
        ValueError: a number is out of its range, or the sizes are not as many as the backbone has dims.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"hidden": Range(0, 0.99)}
    batch_form = "images (batch, channels, rows, columns) and classes"

    def __init__(
        self,
        backbone: Backbone,
        size: int | tuple[int, ...],
        hidden: float = 0.5,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__()
        self.backbone, self.hidden = backbone, hidden
        self.size = size[0] if not isinstance(size, int) and len({*size}) == 1 else size
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.decoder = MirrorDecoder(backbone, size)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.backbone.in_channels

    def takes(self, batch: Any) -> bool:
        return batch[0].ndim == 2 + self.backbone.dims

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.backbone(images))

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Compute the loss of images, whose classes are not used."""
        images = batch[0]
        visible = images
        if self.training:
            visible = images * (torch.rand_like(images) >= self.hidden)
        loss = functional.mse_loss(self(visible), images)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(images))
        return loss

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Restore images."""
        return self(batch[0])


def _map_sizes(backbone: Backbone, size: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The size of each feature map of images with this size."""
    training = backbone.training
    with torch.no_grad():
        maps = backbone.eval().features(torch.zeros(1, backbone.in_channels, *size))
    backbone.train(training)
    return [tuple(stage_map.shape[2:]) for stage_map in maps]


def _crop_or_pad(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The feature map cropped, or padded with zeros, at the end of each axis to this size."""
    missing = [n - m for n, m in zip(size, x.shape[2:], strict=True)]
    return functional.pad(x, [side for n in reversed(missing) for side in (0, n)]) if any(missing) else x
