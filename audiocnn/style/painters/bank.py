"""StyleBank: a network that paints in the styles of a bank of kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.dynamic import ConvBank
from audiocnn.blocks.norm import create_norm
from audiocnn.models.painters import PAINTERS
from audiocnn.ranges import ArgumentError
from audiocnn.style.painters.base import Masks, Painter, Styles, crop_to, pad_to_stride
from audiocnn.style.painters.feedforward import STRIDE, decoder, encoder

IDENTITY_SHARE = 0.5  # of the training steps: T = 2 in the paper's section 4.1


@PAINTERS.register
class StyleBank(Painter):
    """A painter in one of its styles, or in a mixture of them, which may differ from region to region.

    Encoder and decoder are the same for all styles; each style is a kernel of the bank. Without a style they
    give the image back.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> the same.

    Source:
        Chen et al., "StyleBank: an explicit representation for neural image style transfer", 2017.

    Differs:
        One convolution for each style, where the paper has two.

    Args:
        styles: their names.
        width: channels of the first feature maps.
        n_blocks: residual blocks of the encoder.

    Raises:
        ArgumentError: there is no style, or one twice.
    """

    def __init__(self, styles: Sequence[str], width: int = 16, n_blocks: int = 1) -> None:
        super().__init__()
        if isinstance(styles, str) or not all(isinstance(style, str) for style in styles):
            raise ArgumentError(f"styles are {styles!r}, expected a list of names")
        if not styles or len(set(styles)) < len(styles):
            raise ArgumentError(f"styles are {[*styles]}, expected at least one, and none twice")
        self.styles = [*styles]
        self.identity_share = IDENTITY_SHARE
        self.encode, self.decode = encoder(width, n_blocks), decoder(width)
        self.bank = ConvBank(len(styles), 4 * width, 4 * width, 3, dims=2, bias=False)
        self.norm = create_norm("instance", 4 * width, dims=2)

    @property
    def style_names(self) -> list[str]:
        return self.styles

    def paint(
        self, content: Tensor, styles: Styles = (), weights: Sequence[float] = (), masks: Masks = ()
    ) -> Tensor:
        numbers = [self._number(style) for style in styles]
        maps = self.encode(pad_to_stride(content, STRIDE))
        if masks:
            maps = self._in_regions(maps, numbers, masks)
        elif styles:
            shares = self._shares(numbers, weights or [1.0] * len(numbers)).to(maps)
            maps = self._styled(maps, shares)
        return crop_to(self.decode(maps), content)

    def _number(self, style: object) -> int:
        if not isinstance(style, str) or style not in self.styles:
            raise ArgumentError(f"style is {style!r}, expected one of {', '.join(self.styles)}")
        return self.styles.index(style)

    def _shares(self, numbers: Sequence[int], weights: Sequence[float]) -> Tensor:
        """The share of each of the bank's styles, (styles,), in sum 1."""
        shares = torch.zeros(len(self.styles))
        for number, weight in zip(numbers, weights, strict=True):
            shares[number] += weight
        return shares / shares.sum()

    def _styled(self, maps: Tensor, shares: Tensor) -> Tensor:
        return functional.relu(self.norm(self.bank(maps, shares.expand(len(maps), -1))))

    def _in_regions(self, maps: Tensor, numbers: Sequence[int], masks: Sequence[Tensor]) -> Tensor:
        """Feature maps with each style where its mask is."""
        chosen = sorted({*numbers})
        pairs = [*zip(numbers, masks, strict=True)]
        of_styles = [torch.stack([mask for one, mask in pairs if one == number]).sum(0) for number in chosen]
        regions = torch.cat(of_styles, dim=1).clamp(0, 1)
        regions = functional.interpolate(regions, size=maps.shape[2:], mode="area")
        mixed = maps * (1 - regions.sum(1, keepdim=True)).clamp(min=0)
        for number, region in zip(chosen, regions.split(1, dim=1), strict=True):
            mixed = mixed + region * self._styled(maps, self._shares([number], [1.0]).to(maps))
        return mixed

    def add_style(self, name: str) -> StyleBank:
        """Return a network with one more style, whose kernel is random, beside those of this one.

        Args:
            name: of the style.
        """
        grown = StyleBank(**{**self.init_args, "styles": [*self.styles, name]})
        weights = self.state_dict()
        weights["bank.weight"] = torch.cat([weights["bank.weight"], grown.bank.weight.detach()[-1:]])
        grown.load_state_dict(weights)
        return grown

    def start_from(self, other: nn.Module) -> None:
        """Take the weights of another bank of the same styles, or of the first of them.

        Of the first: these styles stay as they are, and only the kernels of the others learn.

        Args:
            other: a bank of the same width and number of blocks.

        Raises:
            ArgumentError: it is no bank, or not of the first styles.
            RuntimeError: it is of another shape.
        """
        if isinstance(other, StyleBank):
            known, own = other.styles, self.styles
            if known != own[: len(known)]:
                raise ArgumentError(f"start has the styles {known}, expected the first of {own}")
            for name in own[len(known) :]:
                other = other.add_style(name)
            if len(known) < len(own):
                self.fix_styles(len(known))
        super().start_from(other)

    def fix_styles(self, n: int) -> None:
        """Let only the kernels of the styles from the n-th on learn.

        Args:
            n: styles that stay as they are.
        """
        self.n_fixed, self.identity_share = n, 0.0  # encoder and decoder do not learn
        self.requires_grad_(False)
        weight = self.bank.weight.requires_grad_()
        learns = torch.arange(len(weight)) >= n
        weight.register_hook(
            lambda gradient: gradient * learns.view(-1, *[1] * (gradient.ndim - 1)).to(gradient)
        )
