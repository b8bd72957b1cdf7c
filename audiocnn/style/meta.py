"""A style picture -> the network that paints in it: kernels that a hypernetwork predicts in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.dynamic import conv_each
from audiocnn.blocks.hyper import KernelGenerator
from audiocnn.blocks.norm import norm
from audiocnn.style.extract import first_stages, layers_of
from audiocnn.style.feedforward import STRIDE, cropped, decoder, encoder, filled
from audiocnn.style.losses import moments, sums

N_EMBEDDING = 64  # numbers from which a block of a kernel is made
N_HIDDEN = 64


class MetaNet(nn.Module):
    """Pictures in the style of others, by residual blocks whose kernels come from what a backbone sees there.

    Encoder and decoder know no style.
    Shape: (batch, 3, rows, columns), from 0 to 1, and styles (batch, 3, rows', columns') -> as the pictures.
    Source: Shen, Yan, Zeng, "Neural style transfer via meta networks", 2018: means and deviations of VGG's
    maps, a hidden layer, and from it the filters of the transfer network. Differs: kernels are made in blocks
    by one small shared generator (`blocks.hyper`), for a layer of weights for each filter; only the residual
    blocks are predicted.

    Args:
        backbone: what sees the style, of which a copy of the stages looked at is kept; it does not learn.
        width: channels of the first maps.
        n_blocks: residual blocks, of two convolutions each.
        n_hidden: numbers that stand for a style.
    """

    def __init__(self, backbone: VGG, width: int = 16, n_blocks: int = 3, n_hidden: int = 256) -> None:
        super().__init__()
        self.width, self.n_blocks, self.n_hidden = width, n_blocks, n_hidden
        _, self.layers = layers_of(backbone)
        self.backbone = first_stages(backbone, self.layers[-1])
        n_seen = 2 * sum(backbone.stage_channels[layer] for layer in self.layers)
        self.encode, self.decode = encoder(width, 0), decoder(width)
        self.generate = KernelGenerator(width, 3, dims=2, n_embedding=N_EMBEDDING, n_hidden=N_HIDDEN)
        n_kernels = 2 * n_blocks * 4**2  # of width × width each, 4 by 4 in a layer
        self.to_hidden = nn.Sequential(nn.LayerNorm(n_seen), nn.Linear(n_seen, n_hidden), nn.ReLU())
        self.to_embeddings = nn.Linear(n_hidden, n_kernels * N_EMBEDDING)
        self.norms = nn.ModuleList(norm("instance", 4 * width, dims=2) for _ in range(2 * n_blocks))

    def train(self, mode: bool = True) -> MetaNet:
        super().train(mode)
        self.backbone.eval()
        return self

    def kernels(self, styles: Tensor) -> Tensor:
        """Of each style the kernels of all layers: (batch, layers, out, in, 3, 3)."""
        maps = self.backbone.features(filled(styles, self.backbone.time_stride))
        seen = [one for layer in self.layers for one in moments(sums(maps[layer]))]
        embeddings = self.to_embeddings(self.to_hidden(torch.cat(seen, dim=1)))
        blocks = self.generate(embeddings.view(-1, N_EMBEDDING) / 2)  # four are summed
        # (batch, layers, out, in) blocks of (width, width, 3, 3)
        blocks = blocks.view(len(styles), 2 * self.n_blocks, 4, 4, *blocks.shape[1:])
        return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)

    def forward(
        self, pictures: Tensor, styles: Tensor | Sequence[Tensor], weights: Sequence[float] = (1.0,)
    ) -> Tensor:
        """Of several styles, each (batch, 3, rows', columns'), by a mixture of their kernels."""
        styles = [styles] if isinstance(styles, Tensor) else styles
        mixed = [
            weight / sum(weights) * self.kernels(style) for style, weight in zip(styles, weights, strict=True)
        ]
        kernels = torch.stack(mixed).sum(0).expand(len(pictures), -1, -1, -1, -1, -1)
        maps = self.encode(filled(pictures, STRIDE))
        for block in range(self.n_blocks):
            branch = functional.relu(self.norms[2 * block](self._layer(maps, kernels[:, 2 * block])))
            maps = maps + self.norms[2 * block + 1](self._layer(branch, kernels[:, 2 * block + 1]))
        return cropped(self.decode(maps), pictures)

    @staticmethod
    def _layer(maps: Tensor, kernel: Tensor) -> Tensor:
        return conv_each(maps, kernel, None, stride=1, padding="same", dilation=1, groups=1)
