"""Networks over sequences of tokens: words, notes, chords.

A token is a number below in_channels, the size of the vocabulary. The input is (batch, frames)
of tokens, or (batch, in_channels, frames) of the probability of each token; one-hot, both
are the same.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import only_dims
from audiocnn.blocks.conv import ConvNormAct, conv
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.blocks.norm import create_norm
from audiocnn.blocks.pool import dynamic_k, k_max

MIDI_PITCHES = 128
EMBEDDING_START = 0.25  # most that a number of a word's vector is at the start, in Kim's program
NO_BINS = "a sequence of tokens has no bins"


class TokenEmbedding(nn.Embedding):
    """A vector for each token, or the mean vector of tokens, weighted by their probabilities.

    Raises:
        ValueError: for an input of another shape.

    Shape:
        (batch, frames) or (batch, tokens, frames) -> (batch, channels, frames).
    """

    def forward(
        self, input: Shaped[Tensor, " batch *tokens_and_frames"]
    ) -> Float[Tensor, "batch channels frames"]:
        if input.ndim == 2 and not input.is_floating_point():
            return super().forward(input).transpose(1, 2)
        if input.ndim != 3 or input.shape[1] != self.num_embeddings:
            raise ValueError(
                f"the input is {tuple(input.shape)} of {input.dtype}, expected (batch, frames) of whole"
                f" numbers or (batch, {self.num_embeddings}, frames)"
            )
        return torch.matmul(self.weight.t(), input)


TEXT_CNNS: dict[str, dict[str, Any]] = {
    "textcnn": {},
    "textcnn_small": {"embedding_channels": 32, "channels": 32},
}


@register(TEXT_CNNS)
class TextCNN(Backbone):
    """Parallel convolutions with kernels of different lengths over the vectors of tokens.

    Args:
        dims: 1 or 2, the axes after channels.
        in_channels: size of the vocabulary.
        embedding_channels: length of a token's vector.
        channels: for each kernel size.
        kernel_sizes: of the parallel convolutions.
        global_pool: of the classifier, as `create_global_pool`: over the positions i = 1 ... n - k + 1 at
            which a kernel of k words lies within the n words.
        norm: of convolutions, as `create_norm`.
        drop: dropout probability of the classifier.
        common: act, as `Backbone`.

    Raises:
        ValueError: dims is not 1.

    Shape:
        (batch, frames) or (batch, in_channels, frames) -> (batch, channels * len(kernel_sizes), frames).

    Source:
        Kim, "Convolutional neural networks for sentence classification", 2014, figure 1: CNN-rand.

    Differs:
        The feature map has a position for each word; at its ends kernels reach beyond the words, over zeros,
        which the classifier leaves out. Where a kernel is longer than the sequence it pools them all.
    """

    of_tokens = True

    def __init__(
        self,
        *,
        dims: int = 1,
        in_channels: int = MIDI_PITCHES,
        embedding_channels: int = 300,
        channels: int = 100,
        kernel_sizes: tuple[int, ...] = (3, 4, 5),
        global_pool: str = "max",
        norm: str = "none",
        drop: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(only_dims(dims, 1, NO_BINS), in_channels, norm=norm, **common)
        self.channels, self.kernel_sizes = channels, kernel_sizes
        self.global_pool, self.drop = global_pool, drop
        kernels = ParallelBranches(
            ConvNormAct(
                embedding_channels,
                channels,
                size,
                padding=(_reach(size),),
                **self.layer_options,
            )
            for size in kernel_sizes
        )
        embedding = TokenEmbedding(in_channels, embedding_channels)
        nn.init.uniform_(embedding.weight, -EMBEDDING_START, EMBEDDING_START)
        self.stages = nn.ModuleList([embedding, kernels])
        self.stage_channels = (embedding_channels, channels * len(kernel_sizes))
        self.time_stride = 1

    def classifier(self, n_classes: int) -> nn.Module:
        return nn.Sequential(
            PoolWithin(self.global_pool, self.channels, self.kernel_sizes),
            nn.Dropout(self.drop),
            nn.Linear(self.out_channels, n_classes),
        )


def _reach(kernel_size: int) -> tuple[int, int]:
    """The positions before and after its own that a kernel reaches."""
    return (kernel_size - 1) // 2, kernel_size // 2


class PoolWithin(nn.Module):
    """The pooling of each kernel's channels over the positions at which it lies within the sequence.

    Args:
        global_pool: as `create_global_pool`.
        channels: of each kernel.
        kernel_sizes: of the kernels.

    Shape:
        (batch, channels * len(kernel_sizes), frames) -> (batch, channels * len(kernel_sizes)).

    Source:
        As `TextCNN`, equations 2 to 4.
    """

    def __init__(self, global_pool: str, channels: int, kernel_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel_sizes = kernel_sizes
        self.pools = nn.ModuleList(create_global_pool(global_pool, channels) for _ in kernel_sizes)

    def forward(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch channels"]:
        parts = x.chunk(len(self.kernel_sizes), dim=1)
        return torch.cat(
            [
                pool(_within(part, size))
                for pool, part, size in zip(self.pools, parts, self.kernel_sizes, strict=True)
            ],
            dim=1,
        )


def _within(x: Tensor, kernel_size: int) -> Tensor:
    before, after = _reach(kernel_size)
    return x[..., before : x.shape[-1] - after] if x.shape[-1] >= kernel_size else x


class ParallelBranches(nn.ModuleList):
    """The outputs of parallel modules, one after the other as channels.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, sum of the modules' channels, ..., frames).
    """

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        return torch.cat([module(x) for module in self], dim=1)


class WideConv(nn.Module):
    """Each row of a token's vector convolved by itself, with full padding.

    Args:
        rows: of the input.
        in_maps: feature maps of each row of the input.
        out_maps: feature maps of each row of the output.
        kernel_size: frames of each kernel.
        fold: add rows by pairs.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.

    Shape:
        (batch, rows * in_maps, frames) -> (batch, rows' * out_maps, k), where rows' are half the rows if
        folded. Channels are row by row, in a row feature map by feature map.

    Source:
        Kalchbrenner, Grefenstette, Blunsom, "A convolutional neural network for modelling sentences", 2014.

    Differs:
        The bias comes before folding and pooling, which is the same function.
    """

    def __init__(
        self, rows: int, in_maps: int, out_maps: int, kernel_size: int, *, fold: bool, norm: str, act: str
    ) -> None:
        super().__init__()
        self.out_maps, self.fold = out_maps, fold
        self.conv = conv(
            rows * in_maps,
            rows * out_maps,
            kernel_size,
            dims=1,
            padding="full",
            groups=rows,
            bias=norm == "none",
        )
        self.norm = create_norm(norm, (rows // 2 if fold else rows) * out_maps, dims=1)
        self.act = create_act(act)

    def forward(
        self, x: Float[Tensor, "batch in_channels frames"], k: int
    ) -> Float[Tensor, "batch out_channels k"]:
        y = self.conv(x)
        if self.fold:  # (batch, rows * feature maps, frames) -> (batch, rows / 2 * feature maps, frames)
            y = y.unflatten(1, (-1, 2, self.out_maps)).sum(dim=2).flatten(1, 2)
        return self.act(self.norm(k_max(y, k)))


DYNAMIC_CNNS: dict[str, dict[str, Any]] = {
    "dcnn": {},
    "dcnn_small": {"embedding_channels": 16, "maps": (4, 6), "kernel_sizes": (5, 3)},
}


@register(DYNAMIC_CNNS)
class DynamicCNN(Backbone):
    """Wide convolutions, each followed by the k largest values of each channel in their order; k falls.

    Layer l of L keeps (L - l) / L of the input's frames, the last one as many as the one before it; the
    classifier keeps k_top of those, which are the k_top that the last layer of the paper keeps. What is kept
    depends on the sequence: a frame of the output has no fixed position in time.

    Args:
        dims: 1 or 2, the axes after channels.
        in_channels: size of the vocabulary.
        embedding_channels: length of a token's vector: rows of the first layer.
        maps: number of feature maps of a row, for each layer.
        kernel_sizes: of each layer.
        k_top: frames that the classifier reads.
        fold: whether each layer adds its rows by pairs.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.
        drop: dropout probability of the classifier.

    Raises:
        ValueError: dims is not 1, or the rows cannot be folded.

    Shape:
        (batch, frames) or (batch, in_channels, frames) -> (batch, stage_channels[-1], ceil(frames / L)).

    Source:
        Kalchbrenner, Grefenstette, Blunsom, "A convolutional neural network for modelling sentences", 2014;
        the sizes are those for binary sentiment, as FredericGodin/DynamicCNN has them from the authors'
        program.

    Differs:
        Sequences with fewer than k_top values left end in zeros.
    """

    of_tokens = True

    def __init__(
        self,
        *,
        dims: int = 1,
        in_channels: int = MIDI_PITCHES,
        embedding_channels: int = 48,
        maps: tuple[int, ...] = (6, 14),
        kernel_sizes: tuple[int, ...] = (7, 5),
        k_top: int = 4,
        fold: bool = True,
        norm: str = "none",
        act: str = "tanh",
        drop: float = 0.5,
    ) -> None:
        super().__init__(only_dims(dims, 1, NO_BINS), in_channels, norm=norm, act=act)
        self.k_top, self.drop = k_top, drop
        if fold and embedding_channels % 2 ** len(maps):
            raise ValueError(
                f"embedding_channels is {embedding_channels}, expected a multiple of {2 ** len(maps)}:"
                f" {len(maps)} layers fold"
            )
        rows, before = embedding_channels, 1
        stages: list[nn.Module] = [TokenEmbedding(in_channels, embedding_channels)]
        stage_channels = [embedding_channels]
        for n_maps, kernel_size in zip(maps, kernel_sizes, strict=True):
            stages.append(WideConv(rows, before, n_maps, kernel_size, fold=fold, norm=norm, act=act))
            rows, before = rows // 2 if fold else rows, n_maps
            stage_channels.append(rows * before)
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(stage_channels)
        self.time_stride = len(maps)
        self.receptive_field = math.inf  # which values are the largest is for the whole sequence to say

    def features(self, x: Tensor) -> list[Tensor]:
        embedding, *layers = self.stages
        feature_maps, n_frames, n_layers = [embedding(x)], x.shape[-1], len(layers)
        for i, layer in enumerate(layers, start=1):
            # The last layer keeps what the one before it does: the classifier chooses k_top of them.
            k = dynamic_k(min(i, n_layers - 1), n_layers, n_frames, 1) if n_layers > 1 else n_frames
            feature_maps.append(layer(feature_maps[-1], k))
        return feature_maps

    def classifier(self, n_classes: int) -> nn.Module:
        return nn.Sequential(
            TopK(self.k_top),
            nn.Flatten(),
            nn.Dropout(self.drop),
            nn.Linear(self.k_top * self.out_channels, n_classes),
        )


class TopK(nn.Module):
    """The k largest values of each channel in their order, with zeros after them where there are fewer.

    Args:
        k: number of values.

    Shape:
        (batch, channels, frames) -> (batch, channels, k).
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch channels k"]:
        missing = self.k - x.shape[-1]
        return functional.pad(x, (0, missing)) if missing > 0 else k_max(x, self.k)
