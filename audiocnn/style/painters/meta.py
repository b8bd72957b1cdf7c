"""A style image -> the network that paints in it, which a hypernetwork predicts in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.conv import conv
from audiocnn.blocks.dynamic import conv_each
from audiocnn.blocks.hyper import KernelGenerator
from audiocnn.models.painters import PAINTERS
from audiocnn.registry import InitArgs
from audiocnn.style.extract import layers_of
from audiocnn.style.losses import SMALLEST, Sums, gaussian, moments, sums
from audiocnn.style.painters.adain import backwards, up_to
from audiocnn.style.painters.feedforward import cropped, filled

N_CHANNELS = 16  # in and out of a block of a kernel, where the layers' widths have it as a divisor
N_EMBEDDING = 64  # numbers from which it is made
N_DIRECTIONS = 24  # of a layer's channels, along which the hypernetwork is told how they go together
LEAST_VARIANCE = 1e-5  # of maps, relative to the largest: what varies less is not enlarged
LEAST_COLOUR = 1e-4, 1e-9  # variance of a colour, relative to their mean and at least: grey ones have a root


class Predicted(NamedTuple):
    """Of each style what the network that paints in it is made of.

    Shape: mean (batch, channels) and root of the covariance (batch, channels, channels) of the encoder's
    maps; what is added to the decoder's kernels, in blocks (batch, blocks, n, n, 3, 3); its biases (batch,
    channels of all layers); mean (batch, 3) and covariance (batch, 3, 3) of the colours.
    """

    mean: Tensor
    root: Tensor
    kernels: Tensor
    biases: Tensor
    colour: Tensor
    colours: Tensor


@PAINTERS.register
class MetaNet(InitArgs, nn.Module):
    """Images in the style of others, by a network made for each from what a backbone sees there.

    The encoder's maps get the mean and covariance of the style's; a decoder, whose kernels and biases the
    style changes, makes a image of them; and that gets the mean and covariance of the style's colours. What
    was painted is painted over.
    Shape: (batch, 3, rows, columns), from 0 to 1, and styles (batch, 3, rows', columns') -> as the images.
    Source: Shen, Yan, Zeng, "Neural style transfer via meta networks", 2018: means and deviations of VGG's
    maps, a hidden layer, and from it the filters of the transfer network; covariances: Li et al., "Universal
    style transfer via feature transforms", 2017. Differs: the hypernetwork is also told how channels go
    together; it predicts changes of kernels, in blocks made by one small shared generator (`blocks.hyper`),
    for a layer of weights for each filter.
    Raises: ValueError when the layer is not the first of a block.

    Args:
        backbone: the encoder, and what sees the style; a copy up to the layer is kept; it does not learn.
        layer: the number of its stage that is decoded, the first of a block.
        n_hidden: numbers that stand for a style.
        n_passes: how often is painted; training learns by the last.
    """

    def __init__(self, backbone: VGG, layer: int, n_hidden: int = 64, n_passes: int = 2) -> None:
        super().__init__()
        self.layer, self.n_hidden, self.n_passes = layer, n_hidden, n_passes
        self.backbone, self.n_halvings = up_to(backbone, layer)
        self.layers = [one for one in layers_of(backbone)[1] if one <= layer]
        into, self.widths, self.enlarges = zip(*backwards(backbone, self.n_halvings), strict=True)
        shapes = [(*shape, 3, 3) for shape in zip(self.widths, into, strict=True)]
        self.decode = nn.ParameterList(nn.init.kaiming_normal_(torch.empty(shape)) for shape in shapes)
        self.last = conv(self.widths[-1], 3, 3, dims=2, padding_mode="reflect")
        seen = [backbone.stage_channels[one] for one in self.layers]
        self.directions = nn.ParameterList(_orthogonal(min(n, N_DIRECTIONS), n) for n in seen)
        n_seen = sum(2 * n + _n_pairs(min(n, N_DIRECTIONS)) for n in seen) + 3 + _n_pairs(3)
        self.to_hidden = nn.Sequential(nn.LayerNorm(n_seen), nn.Linear(n_seen, n_hidden), nn.ReLU())
        n_block = math.gcd(N_CHANNELS, *into, *self.widths)
        self.generate = KernelGenerator(n_block, 3, dims=2, n_embedding=N_EMBEDDING)
        self.blocks = [(shape[0] // n_block, shape[1] // n_block) for shape in shapes]
        self.to_embeddings = _nothing(n_hidden, N_EMBEDDING * sum(out * into for out, into in self.blocks))
        self.to_biases = _nothing(n_hidden, sum(self.widths))

    def train(self, mode: bool = True) -> MetaNet:
        super().train(mode)
        self.backbone.eval()
        return self

    def predict(self, styles: Tensor) -> Predicted:
        """The networks of styles (batch, 3, rows, columns)."""
        maps = self.backbone.features(filled(styles, 2**self.n_halvings))
        with torch.autocast(styles.device.type, enabled=False):
            colour, colours = gaussian(sums(styles.double()))  # of a grey image nothing is left in single
            told = [colour, 10 * _pairs(colours)]
            for layer, along in zip(self.layers, self.directions, strict=True):
                told += _told(sums(maps[layer].float()), along)
            hidden = self.to_hidden(torch.cat(told, dim=1).float())
            embeddings = self.to_embeddings(hidden).view(-1, N_EMBEDDING)
            kernels = self.generate(embeddings).unflatten(0, (len(styles), -1))
            mean, covariance = gaussian(sums(maps[self.layer].double()))
            root = _power(covariance, 0.5)
            return Predicted(mean, root, kernels, self.to_biases(hidden), colour, colours)

    def forward(
        self, images: Tensor, styles: Tensor | Sequence[Tensor], weights: Sequence[float] = (1.0,)
    ) -> Tensor:
        """Of several styles, each (batch, 3, rows', columns'), by a mixture of their networks.

        A style of batch 1 is for all images.
        """
        styles = [styles] if isinstance(styles, Tensor) else styles
        networks = [self.predict(style) for style in styles]
        shares = [weight / sum(weights) for weight in weights]
        mixed = [
            torch.stack([share * part for share, part in zip(shares, parts, strict=True)]).sum(0)
            for parts in zip(*networks, strict=True)
        ]
        network = Predicted(*(part.expand(len(images), *part.shape[1:]) for part in mixed))
        layers = self._layers(network)
        made = images
        with torch.no_grad():
            for _ in range(self.n_passes - 1):
                made = self._painted(made, network, layers)
        return self._painted(made, network, layers)

    def _painted(self, images: Tensor, network: Predicted, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        maps = _styled(self.backbone(filled(images, 2**self.n_halvings)), network.mean, network.root)
        for (kernel, bias), enlarges in zip(layers, self.enlarges, strict=True):
            around = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
            maps = functional.relu(conv_each(around, kernel, bias, padding=0))
            if enlarges:
                maps = functional.interpolate(maps, scale_factor=2, mode="nearest")
        painted = cropped(self.last(maps).sigmoid(), images)
        return _coloured(painted, network.colour, network.colours).to(images).clamp(0, 1)

    def _layers(self, network: Predicted) -> list[tuple[Tensor, Tensor]]:
        """Kernel (batch, out, in, 3, 3) and bias (batch, out) of each layer of the decoder."""
        parts = network.kernels.split([out * into for out, into in self.blocks], dim=1)
        kernels = [  # of parts (batch, out * in, n, n, 3, 3) with n channels out and in
            common + part.unflatten(1, shape).transpose(2, 3).flatten(3, 4).flatten(1, 2)
            for common, part, shape in zip(self.decode, parts, self.blocks, strict=True)
        ]
        return [*zip(kernels, network.biases.split(self.widths, dim=1), strict=True)]


@torch.no_grad()
def _styled(maps: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Maps with this mean of their channels and this root of their covariance.

    Shape: (batch, channels, rows, columns), (batch, channels), (batch, channels, channels) -> as the maps.
    """
    exact = maps.flatten(2).double()
    mean_now, covariance_now = gaussian(sums(exact))
    turned = root @ _power(covariance_now, -0.5) @ (exact - mean_now[:, :, None])
    return (turned + mean[:, :, None]).view_as(maps).to(maps)


def _power(covariance: Tensor, exponent: float) -> Tensor:
    """A symmetric power of covariance matrices, (batch, channels, channels), of which none learns."""
    values, vectors = torch.linalg.eigh(covariance)
    values = torch.maximum(values, LEAST_VARIANCE * values[:, -1:] + SMALLEST)
    return vectors * values[:, None] ** exponent @ vectors.transpose(1, 2)


def _coloured(painted: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Images, in double precision, with this mean and covariance of their colours; what paints them learns.

    Shape: (batch, 3, rows, columns), (batch, 3), (batch, 3, 3) -> as the images.
    """
    exact = painted.flatten(2).double()
    mean_now, covariance_now = gaussian(sums(exact))
    white = torch.linalg.solve_triangular(_root(covariance_now), exact - mean_now[:, :, None], upper=False)
    return (_root(covariance) @ white + mean[:, :, None]).view_as(painted)


def _root(colours: Tensor) -> Tensor:
    """A triangular root: that by `_power` has no gradient where two values are the same, as of a grey one."""
    relative, least = LEAST_COLOUR
    size = relative * colours.diagonal(dim1=1, dim2=2).mean(1) + least
    return torch.linalg.cholesky(colours + size[:, None, None] * torch.eye(3).to(colours))


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


def _nothing(n_in: int, n_out: int) -> nn.Linear:
    """A layer that gives zeros until it learns: at first all styles have the same decoder."""
    layer = nn.Linear(n_in, n_out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
