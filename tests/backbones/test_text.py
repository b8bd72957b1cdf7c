"""Networks over tokens: the order of what k-max pooling keeps, wide convolutions, folding, both inputs."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from audiocnn import create_backbone
from audiocnn.backbones.text import DynamicCNN, TextCNN, TokenEmbedding, TopK, WideConv
from audiocnn.blocks.cost import count_macs, count_parameters

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]])


@pytest.mark.parametrize("name", ["textcnn_small", "dcnn_small"])
def test_tokens_and_their_one_hot_maps_are_the_same(name: str) -> None:
    torch.manual_seed(0)
    backbone = create_backbone(name, in_channels=10).eval()
    one_hot = functional.one_hot(TOKENS, 10).transpose(1, 2).float()
    torch.testing.assert_close(backbone(TOKENS), backbone(one_hot))


def test_likely_tokens_give_a_mean_vector() -> None:
    embedding = TokenEmbedding(3, 2)
    likely = torch.tensor([[[0.5], [0.25], [0.25]]])
    expected = embedding.weight[0] / 2 + embedding.weight[1] / 4 + embedding.weight[2] / 4
    torch.testing.assert_close(embedding(likely)[0, :, 0], expected)


@pytest.mark.parametrize("x", [torch.rand(2, 5), torch.rand(2, 4, 5), torch.zeros(5, dtype=torch.long)])
def test_wrong_input(x: torch.Tensor) -> None:
    with pytest.raises(
        ValueError, match=r"expected \(batch, frames\) of whole numbers or \(batch, 3, frames\)"
    ):
        TokenEmbedding(3, 2)(x)


@pytest.mark.parametrize("kind", [TextCNN, DynamicCNN])
def test_one_dimension_alone(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="dims is 2, expected 1: a sequence of tokens has no bins"):
        kind(dims=2)


def test_kernels_side_by_side() -> None:
    """Each kernel has a value for every token; kernels of 3, 4 and 5 begin 1, 1 and 2 before it."""
    torch.manual_seed(0)
    backbone = TextCNN(in_channels=10, embedding_channels=4, channels=2).eval()
    embedded, feature_maps = backbone.features(TOKENS)
    expected = []
    for size, kernel in zip((3, 4, 5), backbone.stages[1], strict=True):
        padded = functional.pad(embedded, ((size - 1) // 2, size // 2))
        expected.append(functional.conv1d(padded, kernel[0].weight, kernel[0].bias).relu())
    torch.testing.assert_close(feature_maps, torch.cat(expected, dim=1))
    assert backbone.receptive_field == 5


@pytest.mark.parametrize("act", ["relu", "tanh"])
@pytest.mark.parametrize("name", ["max", "average"])
def test_classifier_pools_where_kernels_lie_within_the_words(name: str, act: str) -> None:
    """c = max or mean of g(w . x_i ... x_i+k-1 + b) over i = 1 ... n - k + 1, of kernels of 3, 4 and 5."""
    torch.manual_seed(0)
    backbone = TextCNN(in_channels=10, embedding_channels=4, channels=2, global_pool=name, act=act).eval()
    pool, tokens = backbone.classifier(3)[0], TOKENS[:, :9]  # of nine words 7, 6 and 5 positions
    embedded, expected = backbone.stages[0](tokens), []
    for kernel in backbone.stages[1]:
        values = functional.conv1d(embedded, kernel[0].weight, kernel[0].bias)
        values = values.relu() if act == "relu" else values.tanh()
        expected.append(values.amax(dim=2) if name == "max" else values.mean(dim=2))
    torch.testing.assert_close(pool(backbone(tokens)), torch.cat(expected, dim=1))
    over_all = backbone(tokens).amax(dim=2) if name == "max" else backbone(tokens).mean(dim=2)
    assert not torch.allclose(pool(backbone(tokens)), over_all)


def test_fewer_words_than_a_kernel_has() -> None:
    """Of four words the kernel of 5 pools all positions, those of 3 and 4 the two and the one within."""
    torch.manual_seed(0)
    backbone = TextCNN(in_channels=10, embedding_channels=4, channels=2).eval()
    feature_map = backbone(TOKENS[:, :4])
    three, four, five = feature_map.chunk(3, dim=1)
    expected = [three[..., 1:3].amax(dim=2), four[..., 1], five.amax(dim=2)]
    torch.testing.assert_close(backbone.classifier(2)[0](feature_map), torch.cat(expected, dim=1))


def test_rows_are_convolved_folded_and_pooled_by_hand() -> None:
    """Two rows, one feature map: full convolutions of rows are added; the 3 largest stay in their order."""
    layer = WideConv(2, 1, 1, 2, fold=True, norm="none", act="none")
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([[[1.0, 2]], [[1, 0]]]))  # written as torch correlates
        layer.conv.bias.copy_(torch.tensor([10.0, 20]))
    x = torch.tensor([[[1.0, 0, 3], [5, 6, 0]]])
    # Row 0: 2, 1, 6, 3; row 1: 0, 5, 6, 0; together 2, 6, 12, 3; the biases add 30.
    assert layer(x, k=4).tolist() == [[[32, 36, 42, 33]]]
    assert layer(x, k=3).tolist() == [[[36, 42, 33]]]


def test_maps_of_a_row_stay_in_their_row() -> None:
    """A change of one row of the vectors reaches the feature maps of the row it is folded into, no others."""
    torch.manual_seed(0)
    layer = WideConv(4, 3, 2, 3, fold=True, norm="none", act="tanh")
    x = torch.randn(1, 12, 6)
    changed = x.clone()
    changed[:, 3:6] += 1  # the three feature maps of row 1
    different = (layer(x, k=8) != layer(changed, k=8)).any(dim=2).flatten().tolist()
    assert different == [True, True, False, False]


def test_k_falls_with_the_layers() -> None:
    backbone = DynamicCNN(in_channels=5, embedding_channels=8, maps=(2, 2, 2), kernel_sizes=(3, 3, 3))
    feature_maps = backbone.features(torch.zeros(1, 18, dtype=torch.long))
    assert [m.shape[-1] for m in feature_maps] == [18, 12, 6, 6]
    assert [m.shape[1] for m in feature_maps] == [8, 8, 4, 2]
    assert backbone.time_stride == 3
    assert backbone.receptive_field == math.inf


def test_one_layer_keeps_every_token() -> None:
    backbone = DynamicCNN(in_channels=5, embedding_channels=8, maps=(2,), kernel_sizes=(3,))
    assert backbone(torch.zeros(1, 7, dtype=torch.long)).shape == (1, 8, 7)


def test_classifier_sees_what_pooling_to_k_top_keeps() -> None:
    """The k_top largest of what is left are the k_top largest of all, in the same order."""
    x = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0))
    kept = TopK(20)(x)
    torch.testing.assert_close(TopK(4)(kept), TopK(4)(x))
    assert TopK(2)(torch.tensor([[[5.0, 1, 7, 6]]])).tolist() == [[[7, 6]]]
    assert TopK(3)(torch.tensor([[[5.0, 1]]])).tolist() == [[[5, 1, 0]]]


def test_sizes() -> None:
    """Kim: 300 numbers a token, 100 feature maps for each of kernels of 3, 4 and 5."""
    backbone = create_backbone("textcnn", in_channels=1000)
    assert count_parameters(backbone) == 300 * 1000 + 300 * 100 * (3 + 4 + 5) + 300
    # Kalchbrenner: 48 rows, 6 feature maps over 7; 24 rows of 6 feature maps, 14 over 5; each row by itself.
    dynamic = create_backbone("dcnn", in_channels=1000)
    assert count_parameters(dynamic) == 48 * 1000 + 48 * 6 * (7 + 1) + 24 * 14 * (6 * 5 + 1)
    assert dynamic.stage_channels == (48, 24 * 6, 12 * 14)
    # Of 20 tokens: 26 positions of the first convolution, 10 values kept, 14 positions of the second.
    macs = count_macs(dynamic, (1, 20), dtype=torch.long)
    assert macs == 26 * 48 * 6 * 7 + 14 * 24 * 14 * 6 * 5


def test_rows_that_cannot_be_folded() -> None:
    with pytest.raises(ValueError, match="embedding_channels is 10, expected a multiple of 4: 2 layers fold"):
        DynamicCNN(embedding_channels=10)
