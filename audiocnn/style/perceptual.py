"""The loss that networks which paint in one pass are trained by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import choose
from audiocnn.style.extract import Extractor, layers_of
from audiocnn.style.losses import STATISTICS, compute_moments, content_loss

Target = list[tuple[Tensor, ...]]  # a statistic of style, layer by layer


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """Options of the loss that painters are trained by.

    Args:
        network: a model file of an image classifier, or the name of a shipped one, whose feature maps are
            compared; the encoder of a painter in any style has its shape and takes its weights.
        statistic: of style: gram, moments or wasserstein.
        content_weight: of the content loss.
        style_weight: of the style loss.
        tv_weight: of the total variation, which smooths.

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
        for name in ("content_weight", "style_weight", "tv_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")


class PerceptualLoss:
    """How far images are from others in content and in style, by the feature maps of a frozen backbone.

    It is no `nn.Module`: as a part of one its weights would be in the checkpoints of what it trains.

    Args:
        backbone: of the loss network.
        statistic: of style, a name of `losses.STATISTICS`.

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
        """Compute the statistics that images in this style have.

        Args:
            images: of the style.

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
            painted: images.
            content: the images that they are painted of.
            target: of `style_target`, for each image of the batch.

        Returns:
            The means of the batch.
        """
        with torch.no_grad():
            content_maps = self.extractor(content)
        maps = self.extractor(painted)
        content_losses = [content_loss(maps[layer], content_maps[layer]) for layer in self.content_layers]
        pairs = zip(self._statistics(maps), target, strict=True)
        style_losses = [self.statistic.distance(*pair) for pair in pairs]
        return torch.stack(content_losses).mean(), torch.stack(style_losses).mean()
