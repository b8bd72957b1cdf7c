"""The perceptual loss that feed-forward style transfer networks are trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import choose
from audiocnn.ranges import NOT_NEGATIVE, check_fields
from audiocnn.style.extract import Extractor, layers_of
from audiocnn.style.losses import STATISTICS, compute_moments, content_loss

Target = list[tuple[Tensor, ...]]  # a statistic of style, layer by layer


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """Options of the perceptual loss that style transfer networks are trained with.

    Args:
        network: a model file of an image classifier, or the name of a shipped one, whose feature maps are
            compared; the encoder of a network for arbitrary styles has its architecture and takes its
            weights.
        statistic: statistic of the style loss: gram, moments or wasserstein.
        content_weight: weight of the content loss.
        style_weight: weight of the style loss.
        tv_weight: weight of the total variation, which smooths the image.

    Raises:
        ValueError: there is no such statistic, or a weight is negative.
    """

    network: str = "vgg"
    statistic: Literal["gram", "moments", "wasserstein"] = "gram"
    content_weight: float = 0.2
    style_weight: float = 1.0
    tv_weight: float = 0.5

    def __post_init__(self) -> None:
        choose(STATISTICS, self.statistic, "statistic")
        weights = ("content_weight", "style_weight", "tv_weight")
        check_fields(self, **dict.fromkeys(weights, NOT_NEGATIVE))


class PerceptualLoss:
    """Content loss and style loss of images, by the feature maps of a frozen backbone.

    It is no `nn.Module`: as a submodule, its weights would be in the checkpoints of the network it trains.

    Args:
        backbone: backbone of the loss network.
        statistic: statistic of the style loss, a key of `losses.STATISTICS`.

    Raises:
        ValueError: there is no such statistic.

    Source:
        Johnson, Alahi, Li, "Perceptual losses for real-time style transfer and super-resolution", 2016,
        section 3.2.
    """

    def __init__(self, backbone: Backbone, statistic: str) -> None:
        self.content_layers, self.style_layers = layers_of(backbone)
        self.extractor = Extractor(backbone, [*self.content_layers, *self.style_layers])
        self.statistic = choose(STATISTICS, statistic, "statistic")

    def to(self, device: torch.device | str) -> PerceptualLoss:
        """Move the backbone to a device.

        Args:
            device: where the images are.

        Returns:
            The same loss.
        """
        self.extractor.to(device)
        return self

    @torch.no_grad()
    def style_target(self, images: Float[Tensor, "batch 3 rows columns"]) -> Target:
        """Compute the style statistics of images.

        Args:
            images: images in the style.

        Returns:
            The statistic of each style layer, one for each image.
        """
        return self._statistics(self.extractor(images))

    def _statistics(self, maps: dict[int, Tensor]) -> Target:
        return [self.statistic.of(compute_moments(maps[layer])) for layer in self.style_layers]

    def __call__(
        self,
        painted: Float[Tensor, "batch 3 rows columns"],
        content: Float[Tensor, "batch 3 rows columns"],
        target: Target,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Compute the content loss and the style loss, each the mean over its layers.

        Args:
            painted: the stylized images.
            content: the content images.
            target: statistics from `style_target`, for each image of the batch.

        Returns:
            The content loss and the style loss, scalars averaged over the batch.
        """
        with torch.no_grad():
            content_maps = self.extractor(content)
        maps = self.extractor(painted)
        content_losses = [content_loss(maps[layer], content_maps[layer]) for layer in self.content_layers]
        pairs = zip(self._statistics(maps), target, strict=True)
        style_losses = [self.statistic.distance(*pair) for pair in pairs]
        return torch.stack(content_losses).mean(), torch.stack(style_losses).mean()
