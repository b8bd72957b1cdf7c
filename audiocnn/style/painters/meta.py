"""MetaNet: a network that paints in any style, by parameters that a hypernetwork predicts from the style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.conv import conv
from audiocnn.blocks.dynamic import convolve_each
from audiocnn.blocks.hyper import KernelGenerator
from audiocnn.models.painters import PAINTERS
from audiocnn.style.extract import layers_of
from audiocnn.style.losses import SMALLEST, Moments, compute_moments, gaussian, mean_and_deviation
from audiocnn.style.painters.base import AnyStylePainter, crop_to, mirrored_layers

N_CHANNELS = 16  # in and out of a block of a kernel, where the layers' widths have it as a divisor
N_EMBEDDING = 64  # numbers from which a block of a kernel is generated
N_DIRECTIONS = 24  # of a layer's channels, along which the hypernetwork is given their covariance
MIN_VARIANCE = 1e-5  # of feature maps, relative to the largest: what varies less is not enlarged
MIN_COLOUR_VARIANCE = 1e-4  # relative to the mean of the three colours: grey images have a root
MIN_GREY_VARIANCE = 1e-9  # of a colour where all three are constant


class Parameters(NamedTuple):
    """What the network that paints in a style is made of, for each style of a batch.

    Attributes:
        mean: of the encoder's feature maps, (batch, channels).
        root: of their covariance, (batch, channels, channels).
        kernels: what is added to the decoder's kernels, in blocks, (batch, blocks, n, n, 3, 3).
        biases: of the decoder, (batch, channels of all layers).
        colour_mean: (batch, 3).
        colour_covariance: (batch, 3, 3).
    """

    mean: Tensor
    root: Tensor
    kernels: Tensor
    biases: Tensor
    colour_mean: Tensor
    colour_covariance: Tensor


@PAINTERS.register
class MetaNet(AnyStylePainter):
    """A painter in any style, by parameters that a hypernetwork predicts from the style's feature maps.

    The encoder's feature maps get the mean and covariance of the style's; a decoder, whose kernels and biases
    depend on the style, makes an image of them; that gets the mean and covariance of the style's colours. The
    painted image is painted again, `n_passes` times in all.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> the same.

    Source:
        Shen, Yan, Zeng, "Neural style transfer via meta networks", 2018: means and deviations of VGG's
        feature maps, a hidden layer, and from it the filters of the transfer network; covariances: Li et al.,
        "Universal style transfer via feature transforms", 2017.

    Differs:
        The hypernetwork's input has covariances too. It predicts changes of kernels, in blocks that one small
        shared generator makes (`blocks.hyper`), where the paper has a layer of weights for each filter.

    Args:
        backbone: the encoder, of which a copy up to the layer is kept; it does not learn.
        layer: number of its stage that is decoded, the first of a block.
        n_hidden: numbers that stand for a style.
        n_passes: how often is painted; training learns by the last.

    Raises:
        ValueError: the layer is not the first of a block.
    """

    def __init__(self, backbone: VGG, layer: int, n_hidden: int = 64, n_passes: int = 2) -> None:
        super().__init__(backbone, layer)
        self.n_passes = n_passes
        self.layers = [one for one in layers_of(backbone)[1] if one <= layer]
        into, self.widths, self.enlarges = zip(*mirrored_layers(backbone, self.n_halvings), strict=True)
        shapes = [(*shape, 3, 3) for shape in zip(self.widths, into, strict=True)]
        self.decode = nn.ParameterList(nn.init.kaiming_normal_(torch.empty(shape)) for shape in shapes)
        self.last = conv(self.widths[-1], 3, 3, dims=2, padding_mode="reflect")
        channels = [backbone.stage_channels[one] for one in self.layers]
        self.directions = nn.ParameterList(_orthogonal(min(n, N_DIRECTIONS), n) for n in channels)
        n_inputs = sum(2 * n + _n_pairs(min(n, N_DIRECTIONS)) for n in channels) + 3 + _n_pairs(3)
        self.to_hidden = nn.Sequential(nn.LayerNorm(n_inputs), nn.Linear(n_inputs, n_hidden), nn.ReLU())
        n_block = math.gcd(N_CHANNELS, *into, *self.widths)
        self.generate = KernelGenerator(n_block, 3, dims=2, n_embedding=N_EMBEDDING)
        self.blocks = [(shape[0] // n_block, shape[1] // n_block) for shape in shapes]
        n_embeddings = sum(n_out * n_in for n_out, n_in in self.blocks)
        self.to_embeddings = _zero_linear(n_hidden, N_EMBEDDING * n_embeddings)
        self.to_biases = _zero_linear(n_hidden, sum(self.widths))

    def predict(self, styles: Tensor) -> Parameters:
        """Predict the parameters of the networks that paint in styles.

        Args:
            styles: images (batch, 3, rows, columns).

        Returns:
            The parameters for each.
        """
        maps = self.encode(styles)
        with torch.autocast(styles.device.type, enabled=False):
            colours = gaussian(compute_moments(styles.double()))  # of a grey image nothing is left in single
            inputs = [colours[0], 10 * _pairs(colours[1])]
            for layer, directions in zip(self.layers, self.directions, strict=True):
                inputs += _describe(compute_moments(maps[layer].float()), directions)
            hidden = self.to_hidden(torch.cat(inputs, dim=1).float())
            embeddings = self.to_embeddings(hidden).view(-1, N_EMBEDDING)
            kernels = self.generate(embeddings).unflatten(0, (len(styles), -1))
            mean, covariance = gaussian(compute_moments(maps[-1].double()))
            return Parameters(mean, _power(covariance, 0.5), kernels, self.to_biases(hidden), *colours)

    def mix(self, content: Tensor, styles: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
        predicted = [self.predict(style) for style in styles]
        mixed = [
            torch.stack([share * part for share, part in zip(shares, parts, strict=True)]).sum(0)
            for parts in zip(*predicted, strict=True)
        ]
        parameters = Parameters(*(part.expand(len(content), *part.shape[1:]) for part in mixed))
        layers = self._layers(parameters)
        images = content
        with torch.no_grad():
            for _ in range(self.n_passes - 1):
                images = self._paint_once(images, parameters, layers)
        return self._paint_once(images, parameters, layers)

    def _paint_once(
        self, images: Tensor, parameters: Parameters, layers: Sequence[tuple[Tensor, Tensor]]
    ) -> Tensor:
        maps = _with_gaussian(self.encode(images)[-1], parameters.mean, parameters.root)
        for (kernel, bias), enlarges in zip(layers, self.enlarges, strict=True):
            padded = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
            maps = functional.relu(convolve_each(padded, kernel, bias, padding=0))
            if enlarges:
                maps = functional.interpolate(maps, scale_factor=2, mode="nearest")
        painted = crop_to(self.last(maps).sigmoid(), images)
        coloured = _with_colours(painted, parameters.colour_mean, parameters.colour_covariance)
        return coloured.to(images).clamp(0, 1)

    def _layers(self, parameters: Parameters) -> list[tuple[Tensor, Tensor]]:
        """Kernel (batch, out, in, 3, 3) and bias (batch, out) of each layer of the decoder."""
        parts = parameters.kernels.split([n_out * n_in for n_out, n_in in self.blocks], dim=1)
        kernels = [  # of parts (batch, out * in, n, n, 3, 3) with n channels out and in
            common + part.unflatten(1, shape).transpose(2, 3).flatten(3, 4).flatten(1, 2)
            for common, part, shape in zip(self.decode, parts, self.blocks, strict=True)
        ]
        return [*zip(kernels, parameters.biases.split(self.widths, dim=1), strict=True)]


@torch.no_grad()
def _with_gaussian(maps: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Feature maps with this mean of their channels and this root of their covariance.

    Shape: (batch, channels, rows, columns), (batch, channels), (batch, channels, channels) -> as the feature
    maps.
    """
    exact = maps.flatten(2).double()
    own_mean, own_covariance = gaussian(compute_moments(exact))
    coloured = root @ _power(own_covariance, -0.5) @ (exact - own_mean[:, :, None])
    return (coloured + mean[:, :, None]).view_as(maps).to(maps)


def _power(covariance: Tensor, exponent: float) -> Tensor:
    """A symmetric power of covariance matrices, (batch, channels, channels), of which none learns."""
    values, vectors = torch.linalg.eigh(covariance)
    values = torch.maximum(values, MIN_VARIANCE * values[:, -1:] + SMALLEST)
    return vectors * values[:, None] ** exponent @ vectors.transpose(1, 2)


def _with_colours(painted: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Images, in double precision, with this mean and covariance of their colours; they have a gradient.

    Shape: (batch, 3, rows, columns), (batch, 3), (batch, 3, 3) -> as the images.
    """
    exact = painted.flatten(2).double()
    own_mean, own_covariance = gaussian(compute_moments(exact))
    white = torch.linalg.solve_triangular(_root(own_covariance), exact - own_mean[:, :, None], upper=False)
    return (_root(covariance) @ white + mean[:, :, None]).view_as(painted)


def _root(colours: Tensor) -> Tensor:
    """A triangular root: `_power` has no gradient where two eigenvalues are equal, as of grey images."""
    smallest = MIN_COLOUR_VARIANCE * colours.diagonal(dim1=1, dim2=2).mean(1) + MIN_GREY_VARIANCE
    return torch.linalg.cholesky(colours + smallest[:, None, None] * torch.eye(3).to(colours))


def _describe(moments: Moments, directions: Tensor) -> tuple[Tensor, ...]:
    """The hypernetwork's input from a layer's feature maps: (batch, numbers) each.

    Means, deviations, and the covariance along some directions, as roots, relative to its trace.
    """
    covariance = gaussian(moments)[1]
    size = covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] + SMALLEST
    pairs = _pairs(directions @ (covariance / size) @ directions.T)
    return *mean_and_deviation(moments), pairs.sign() * (pairs.abs() + 1e-4).sqrt()


def _pairs(symmetric: Tensor) -> Tensor:
    """Each two channels once: (batch, channels, channels) -> (batch, pairs)."""
    rows, columns = torch.triu_indices(*symmetric.shape[1:])
    return symmetric[:, rows, columns]


def _n_pairs(n: int) -> int:
    return n * (n + 1) // 2


def _orthogonal(n: int, n_channels: int) -> nn.Parameter:
    return nn.Parameter(nn.init.orthogonal_(torch.empty(n, n_channels)))


def _zero_linear(n_in: int, n_out: int) -> nn.Linear:
    """A layer that gives zeros until it learns: at first all styles have the same decoder."""
    layer = nn.Linear(n_in, n_out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
