"""A image and a style's number -> the image in that style: one network, with a bank of kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.dynamic import ConvBank
from audiocnn.blocks.norm import norm
from audiocnn.models.painters import PAINTERS
from audiocnn.registry import InitArgs
from audiocnn.style.painters.feedforward import STRIDE, cropped, decoder, encoder, filled


@PAINTERS.register
class StyleBank(InitArgs, nn.Module):
    """Images in one of several styles, or in a mixture of them, which may differ from region to region.

    Encoder and decoder know no style; each style is a kernel of the bank. Without one they give the image
    back.
    Shape: (batch, 3, rows, columns), from 0 to 1, and a choice -> the same.
    Source: Chen et al., "StyleBank: an explicit representation for neural image style transfer", 2017.
    Differs: one convolution for each style, for two.

    Args:
        styles: their names.
        width: channels of the first maps.
        n_blocks: residual blocks of the encoder.
    """

    def __init__(self, styles: Sequence[str], width: int = 16, n_blocks: int = 1) -> None:
        super().__init__()
        if not styles or len(set(styles)) < len(styles):
            raise ValueError(f"styles are {[*styles]}, expected at least one, and none twice")
        self.styles, self.width, self.n_blocks = [*styles], width, n_blocks
        self.encode, self.decode = encoder(width, n_blocks), decoder(width)
        self.bank = ConvBank(len(styles), 4 * width, 4 * width, 3, dims=2, bias=False)
        self.norm = norm("instance", 4 * width, dims=2)

    def forward(self, images: Tensor, choice: Tensor | None = None, masks: Tensor | None = None) -> Tensor:
        """Images in the styles chosen.

        Args:
            choice: a style's number for each image (batch,), or shares of all (batch, styles); without it
                and masks the images come back as they are.
            masks: where each style goes, (batch, styles, rows, columns), from 0 to 1; else the image stays.
        """
        maps = self.encode(filled(images, STRIDE))
        if masks is not None:
            maps = self._mixed(maps, functional.interpolate(masks, size=maps.shape[2:], mode="area"))
        elif choice is not None:
            maps = self._styled(maps, choice)
        return cropped(self.decode(maps), images)

    def _styled(self, maps: Tensor, choice: Tensor) -> Tensor:
        return functional.relu(self.norm(self.bank(maps, choice)))

    def _mixed(self, maps: Tensor, masks: Tensor) -> Tensor:
        mixed = maps * (1 - masks.sum(1, keepdim=True)).clamp(min=0)
        for number in range(len(self.styles)):
            choice = torch.full((len(maps),), number, device=maps.device)
            mixed = mixed + masks[:, number : number + 1] * self._styled(maps, choice)
        return mixed

    def added(self, style: str) -> StyleBank:
        """A network with one more style, whose kernel is all that is left to learn; the others stay."""
        grown = StyleBank([*self.styles, style], self.width, self.n_blocks)
        state = self.state_dict()
        state["bank.weight"] = torch.cat([state["bank.weight"], grown.bank.weight.detach()[-1:]])
        grown.load_state_dict(state)
        return grown

    def learn_from(self, number: int) -> None:
        """From now on only the kernels of the styles from this number on learn."""
        self.requires_grad_(False)
        weight = self.bank.weight.requires_grad_()
        learns = torch.arange(len(weight)) >= number
        weight.register_hook(
            lambda gradient: gradient * learns.view(-1, *[1] * (gradient.ndim - 1)).to(gradient)
        )
