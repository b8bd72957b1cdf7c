"""The options of style transfer by optimisation, the same in Python and on the command line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StyleOptions:
    """Options of style transfer by optimisation.

    Args:
        content_weight: of the content loss.
        style_weight: of the style losses, in sum.
        tv_weight: of the total variation, which smooths.
        content_layers: numbers of the backbone's stages whose feature maps are compared for the content; None
            for those that suit the backbone.
        style_layers: the same for the style.
        statistic: of style: gram, moments or wasserstein.
        style_scale: longer side of a style image as a share of the result's, by which its strokes grow; None
            keeps its size.
        start: what is painted over: content, noise or style.
        coarsest: longer side of the first scale, in pixels, of which each next is 1.4 times as long; None for
            the result's own scale alone.
        iterations: of each scale.
        optimiser: adam or lbfgs.
        learning_rate: of adam.
        tile: side of the tiles that a large image is painted in, in pixels; None for as large as memory
            allows.
        seed: of the noise and of random weights.

    Raises:
        ValueError: a number is out of its range.
    """

    content_weight: float = 0.05
    style_weight: float = 1.0
    tv_weight: float = 0.5
    content_layers: tuple[int, ...] | None = None
    style_layers: tuple[int, ...] | None = None
    statistic: Literal["gram", "moments", "wasserstein"] = "wasserstein"
    style_scale: float | None = 1.0
    start: Literal["content", "noise", "style"] = "content"
    coarsest: int | None = 128
    iterations: int = 100
    optimiser: Literal["adam", "lbfgs"] = "adam"
    learning_rate: float = 0.02
    tile: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("content_weight", "style_weight", "tv_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("style_scale", "coarsest", "iterations", "learning_rate", "tile"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}, expected more than 0")
