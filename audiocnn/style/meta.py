"""A style picture -> the network that paints in it: kernels that a hypernetwork predicts in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.dynamic import conv_each
from audiocnn.blocks.hyper import KernelGenerator
from audiocnn.style.extract import first_stages, layers_of
from audiocnn.style.feedforward import STRIDE, cropped, encoder, filled
from audiocnn.style.losses import SMALLEST, Sums, gaussian, moments, sums

N_EMBEDDING = 64  # numbers from which a block of a kernel is made
N_DIRECTIONS = 24  # of a layer's channels, along which the hypernetwork is told how they go together
LEAST_VARIANCE = 1e-6  # of a colour, so that a grey style has a root


class Predicted(NamedTuple):
    """Of each style what the network that paints in it is made of.

    Shape: blocks of kernels (batch, blocks, width, width, 3, 3); scales and shifts of all norms
    (batch, 2 * channels); mean (batch, 3) and covariance (batch, 3, 3) of the colours.
    """

    blocks: Tensor
    scales: Tensor
    mean: Tensor
    covariance: Tensor


class MetaNet(nn.Module):
    """Pictures in the style of others, by a network made for each from what a backbone sees there.

    The kernels of residual blocks and decoder, the scales of their norms and the colours come from the style;
    encoder and last layer know none.
    Shape: (batch, 3, rows, columns), from 0 to 1, and styles (batch, 3, rows', columns') -> as the pictures.
    Source: Shen, Yan, Zeng, "Neural style transfer via meta networks", 2018: means and deviations of VGG's
    maps, a hidden layer, and from it the filters of the transfer network; scales and shifts: Ghiasi et al.,
    "Exploring the structure of a real-time, arbitrary neural artistic stylization network", 2017. Differs:
    kernels are made in blocks by one small shared generator (`blocks.hyper`), for a layer of weights for each
    filter; the hypernetwork is also told how channels go together; what is painted has the mean and
    covariance of the style's red, green and blue.

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
        self.encode = encoder(width, 0)
        self.last = ConvNormAct(width, 3, 9, dims=2, padding_mode="reflect", norm="none", act="none")
        # Channels out and in of the layers that are predicted, in widths.
        self.predicted = [*[(4, 4)] * (2 * n_blocks), (2, 4), (1, 2)]
        self.n_scales = [2 * width * out for out, _ in self.predicted]
        seen = [backbone.stage_channels[layer] for layer in self.layers]
        self.directions = nn.ParameterList(_orthogonal(min(n, N_DIRECTIONS), n) for n in seen)
        n_seen = sum(2 * n + _n_pairs(min(n, N_DIRECTIONS)) for n in seen) + 3 + _n_pairs(3)
        self.to_hidden = nn.Sequential(nn.LayerNorm(n_seen), nn.Linear(n_seen, n_hidden), nn.ReLU())
        n_made = sum(out * into for out, into in self.predicted)
        self.to_embeddings = nn.Linear(n_hidden, n_made * N_EMBEDDING)
        self.generate = KernelGenerator(width, 3, dims=2, n_embedding=N_EMBEDDING, n_hidden=N_EMBEDDING)
        self.to_scales = nn.Linear(n_hidden, sum(self.n_scales))
        nn.init.normal_(self.to_scales.weight, std=0.01)
        nn.init.zeros_(self.to_scales.bias)

    def train(self, mode: bool = True) -> MetaNet:
        super().train(mode)
        self.backbone.eval()
        return self

    def predict(self, styles: Tensor) -> Predicted:
        """The networks of styles (batch, 3, rows, columns)."""
        maps = self.backbone.features(filled(styles, self.backbone.time_stride))
        with torch.autocast(styles.device.type, enabled=False):
            found = [sums(maps[layer].float()) for layer in self.layers]
            mean, covariance = gaussian(sums(styles.double()))  # of a grey picture nothing is left in single
            told = [mean, 10 * _pairs(covariance)]
            for one, along in zip(found, self.directions, strict=True):
                told += _told(one, along)
            hidden = self.to_hidden(torch.cat(told, dim=1).float())
            embeddings = self.to_embeddings(hidden).view(-1, N_EMBEDDING)
            blocks = self.generate(embeddings / 2).unflatten(0, (len(styles), -1))  # mostly four are summed
            return Predicted(blocks, self.to_scales(hidden), mean, covariance)

    def forward(
        self, pictures: Tensor, styles: Tensor | Sequence[Tensor], weights: Sequence[float] = (1.0,)
    ) -> Tensor:
        """Of several styles, each (batch, 3, rows', columns'), by a mixture of their networks.

        A style of batch 1 is for all pictures.
        """
        styles = [styles] if isinstance(styles, Tensor) else styles
        shares = [weight / sum(weights) for weight in weights]
        networks = [self.predict(style) for style in styles]
        mixed = [
            torch.stack([share * part for share, part in zip(shares, parts, strict=True)]).sum(0)
            for parts in zip(*networks, strict=True)
        ]
        network = Predicted(*(part.expand(len(pictures), *part.shape[1:]) for part in mixed))
        layers = iter(self._layers(network))
        maps = self.encode(filled(pictures, STRIDE))
        for _ in range(self.n_blocks):
            branch = functional.relu(_convolved(maps, *next(layers)))
            maps = maps + _convolved(branch, *next(layers))
        for layer in layers:
            larger = functional.interpolate(maps, scale_factor=2, mode="nearest")
            maps = functional.relu(_convolved(larger, *layer))
        painted = cropped(self.last(maps), pictures)
        return _coloured(painted, network.mean, network.covariance).to(pictures).clamp(0, 1)

    def _layers(self, network: Predicted) -> list[tuple[Tensor, Tensor]]:
        """Kernel (batch, out, in, 3, 3), and scale and shift (batch, 2 * out), of each layer predicted."""
        blocks = network.blocks.split([out * into for out, into in self.predicted], dim=1)
        kernels = [
            # As much is summed in each layer. (batch, out * in, width, width, 3, 3) with width out and in.
            (4 / into) ** 0.5 * block.unflatten(1, (out, into)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
            for block, (out, into) in zip(blocks, self.predicted, strict=True)
        ]
        return [*zip(kernels, network.scales.split(self.n_scales, dim=1), strict=True)]


def _convolved(maps: Tensor, kernel: Tensor, scales: Tensor) -> Tensor:
    """Maps through a convolution and an instance norm, those of each picture's own."""
    around = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
    made = functional.instance_norm(conv_each(around, kernel, padding=0))
    scale, shift = scales[..., None, None].chunk(2, dim=1)
    return made * (1 + scale) + shift


def _coloured(maps: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Maps moved and turned linearly, each picture's, so that its channels have this mean and covariance.

    Shape: (batch, channels, rows, columns), (batch, channels), (batch, channels, channels) -> as the maps, in
    double precision.
    """
    exact = maps.double()
    mean_now, covariance_now = gaussian(sums(exact))
    even = torch.eye(maps.shape[1]).to(exact)
    size = covariance_now.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    root_now = torch.linalg.cholesky(covariance_now + (1e-4 * size + LEAST_VARIANCE) * even)
    root = torch.linalg.cholesky(covariance + LEAST_VARIANCE * even)
    white = torch.linalg.solve_triangular(root_now, exact.flatten(2) - mean_now[:, :, None], upper=False)
    return (root @ white + mean[:, :, None]).view_as(maps)


def _told(found: Sums, directions: Tensor) -> tuple[Tensor, ...]:
    """Of a layer's maps what the hypernetwork is told: (batch, numbers) each.

    Means, deviations, and how channels go together along some directions, as roots, relative to their spread.
    """
    covariance = gaussian(found)[1]
    size = covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] + SMALLEST
    pairs = _pairs(directions @ (covariance / size) @ directions.T)
    return *moments(found), pairs.sign() * (pairs.abs() + 1e-4).sqrt()


def _pairs(symmetric: Tensor) -> Tensor:
    """Each two channels once: (batch, channels, channels) -> (batch, pairs)."""
    rows, columns = torch.triu_indices(*symmetric.shape[1:])
    return symmetric[:, rows, columns]


def _n_pairs(n: int) -> int:
    return n * (n + 1) // 2


def _orthogonal(n: int, n_channels: int) -> nn.Parameter:
    return nn.Parameter(nn.init.orthogonal_(torch.empty(n, n_channels)))
