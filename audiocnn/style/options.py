"""What one may turn in style transfer, the same in Python and on the command line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StyleOptions:
    """What the optimiser is told.

    Args:
        content_weight: of the content's loss.
        style_weight: of the styles' losses, in sum.
        tv_weight: of the total variation, which smooths.
        content_layers: numbers of the backbone's stages whose maps are to be the content's; chosen to fit the
            backbone where empty.
        style_layers: of those whose statistics are to be the styles'; chosen likewise.
        statistic: the kind of style, gram, moments or wasserstein.
        style_scale: longer side of a style image as a share of the result's: how large its strokes become;
            0 leaves it as large as it is.
        start: what is painted over, content, noise or style.
        coarsest: longer side of the first scale, in pixels; each next one's is 1.4 times as long.
        iterations: of each scale.
        optimiser: adam or lbfgs.
        learning_rate: of adam.
        tile: side of the pieces that a big image is painted in, in pixels; 0 for as large as memory allows.
        seed: of the noise and of random weights.

    Raises:
        ValueError: a number out of its range.
    """

    content_weight: float = 0.05
    style_weight: float = 1.0
    tv_weight: float = 0.5
    content_layers: tuple[int, ...] = ()
    style_layers: tuple[int, ...] = ()
    statistic: Literal["gram", "moments", "wasserstein"] = "wasserstein"
    style_scale: float = 1.0
    start: Literal["content", "noise", "style"] = "content"
    coarsest: int = 128
    iterations: int = 100
    optimiser: Literal["adam", "lbfgs"] = "adam"
    learning_rate: float = 0.02
    tile: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("content_weight", "style_weight", "tv_weight", "style_scale", "tile"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("coarsest", "iterations", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
