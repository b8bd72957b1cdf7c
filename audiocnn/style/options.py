"""The options of style transfer by optimisation, the same in Python and on the command line."""

from dataclasses import dataclass
from typing import Literal

from audiocnn.ranges import NOT_NEGATIVE, POSITIVE, ArgumentError, Range, check_fields


@dataclass(frozen=True)
class StyleOptions:
    """Options of style transfer by optimisation.

    Args:
        content_weight: weight of the content loss.
        style_weight: weight of the style loss, summed over styles.
        tv_weight: weight of the total variation, which smooths the image.
        content_layers: indices of the backbone's stages whose feature maps are compared for the content; None
            for the backbone's defaults.
        style_layers: indices of the stages for the style, likewise.
        statistic: statistic of the style loss: gram, moments or wasserstein.
        style_scale: longer side of a style image relative to that of the result, which scales its brush
            strokes; None keeps its size.
        start: image that the optimisation starts from: content, noise or style.
        coarsest: minimum of the longer side at the first scale, in pixels; each scale is 1.4 times as large
            as the one before; None for the result's own scale alone.
        iterations: iterations at each scale.
        optimiser: adam or lbfgs.
        learning_rate: learning rate of adam.
        tile: side of the tiles that a large image is optimised in, in pixels; None for as large as memory
            allows.
        seed: seed of the noise and of random weights.

    Raises:
        ArgumentError: a number is out of its range, or neither content nor style has a weight.
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
        check_fields(self, **RANGES)
        if not self.content_weight + self.style_weight:
            raise ArgumentError("content_weight and style_weight are 0, expected one of them above 0")


SIDE = Range(1, 1_000_000, whole=True)  # in pixels
RANGES = {
    "content_weight": NOT_NEGATIVE,
    "style_weight": NOT_NEGATIVE,
    "tv_weight": NOT_NEGATIVE,
    "style_scale": Range(0.01, 100),
    "coarsest": SIDE,
    "iterations": Range(1, 1_000_000, whole=True),
    "learning_rate": POSITIVE,
    "tile": SIDE,
    "seed": Range(0, (1 << 63) - 1, whole=True),
}
