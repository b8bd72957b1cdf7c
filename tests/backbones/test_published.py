"""Published counts: parameters and multiply-accumulates with 1000 classes, for RGB of 224x224 unless said.

Source: torchvision's documentation of its models' weights (`num_params`, and `GIGA FLOPS`, which are
multiply-accumulates to three decimals, at the size in which the weights were evaluated). Those of the
squeeze-and-excitation network: see its row.
"""

import math
from typing import Any

import pytest
import torch
from torch import nn

from audiocnn import create_backbone
from audiocnn.blocks.cost import count_macs, count_parameters

# (name, parameters, multiply-accumulates in 10^9 or None where nobody says, arguments)
PUBLISHED: list[tuple[str, int, float | None, dict[str, Any]]] = [
    ("resnet18", 11_689_512, 1.814, {}),
    ("resnet34", 21_797_672, 3.664, {}),
    ("resnet50", 25_557_032, 4.089, {}),
    ("resnet101", 44_549_160, 7.801, {}),
    ("resnet152", 60_192_808, 11.514, {}),
    # As published in 2016, with the stride in the first 1x1: the paper's table 1 has 3.8, 7.6 and 11.3.
    ("resnet50", 25_557_032, 3.858, {"stride_in": "1x1"}),
    ("resnet101", 44_549_160, 7.570, {"stride_in": "1x1"}),
    ("resnet152", 60_192_808, 11.282, {"stride_in": "1x1"}),
    # The authors' SE-ResNet-50 as in pretrained-models.pytorch; its count by the table of osmr/imgclsmob.
    ("se_resnet50", 28_088_024, None, {}),
    ("alexnet", 61_100_840, 0.714, {"padding": "published"}),
    # Of two GPUs and with response normalisation: Krizhevsky et al., 2012, "60 million parameters".
    ("alexnet_2012", 60_965_224, 0.724, {"padding": "published"}),
    ("vgg11", 132_863_336, 7.609, {}),
    ("vgg13", 133_047_848, 11.308, {}),
    ("vgg16", 138_357_544, 15.47, {}),
    ("vgg19", 143_667_240, 19.632, {}),
    ("vgg11_bn", 132_868_840, 7.609, {}),
    ("vgg13_bn", 133_053_736, 11.308, {}),
    ("vgg16_bn", 138_365_992, 15.47, {}),
    ("vgg19_bn", 143_678_248, 19.632, {}),
    # torchvision's 13,004,888 are with the two auxiliary classifiers, which only training reads.
    ("googlenet", 6_624_904, 1.498, {}),
    ("densenet121", 7_978_856, 2.834, {}),
    ("densenet169", 14_149_480, 3.36, {}),
    ("densenet201", 20_013_928, 4.291, {}),
    ("mobilenet_v2", 3_504_872, 0.301, {}),
    ("mnasnet1_0", 4_383_312, 0.314, {}),
    ("efficientnet_b0", 5_288_548, 0.386, {}),
    ("efficientnet_b1", 7_794_184, 0.687, {}),
    ("efficientnet_b2", 9_109_994, 1.088, {}),
    ("efficientnet_b3", 12_233_232, 1.827, {}),
    ("efficientnet_b4", 19_341_616, 4.394, {}),
    ("efficientnet_b5", 30_389_784, 10.266, {}),
    ("efficientnet_b6", 43_040_704, 19.068, {}),
    ("efficientnet_b7", 66_347_960, 37.746, {}),
    ("efficientnet_lite0", 4_652_008, None, {}),
]
# Where the weights were evaluated in another size than 224x224.
SIZES: dict[str, int] = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
}


def classifying(name: str, n_classes: int, **arguments: Any) -> nn.Module:
    """A network with the classifier that it was published with, without any numbers."""
    with torch.device("meta"):
        backbone = create_backbone(name, **arguments)
        return nn.Sequential(backbone, backbone.classifier(n_classes))


@pytest.mark.parametrize(
    ("name", "parameters", "gigamacs", "arguments"), PUBLISHED, ids=[row[0] for row in PUBLISHED]
)
def test_published_counts(
    name: str, parameters: int, gigamacs: float | None, arguments: dict[str, Any]
) -> None:
    model = classifying(name, 1000, in_channels=3, **arguments)
    assert count_parameters(model) == parameters
    if gigamacs is not None:
        size = SIZES.get(name, 224)
        assert math.isclose(count_macs(model, (1, 3, size, size)) / 1e9, gigamacs, abs_tol=6e-4)


# (name, parameters, classes, arguments) of networks that torchvision has not.
OTHERS: list[tuple[str, int, int, dict[str, Any]]] = [
    # LeCun et al., 1998, figure 2, with all 6 channels of S2 read by C3: 156 + 2,416 + 48,120 + 10,164 + 850.
    ("lenet5", 61_706, 10, {}),
    # Simonyan and Zisserman, table 2, in millions: A, A-LRN, C 133, 133, 134.
    ("vgg11_lrn", 132_863_336, 1000, {"in_channels": 3}),
    # D, with 1x1 for the last 3x3 in blocks of 256, 512 and 512 channels.
    ("vgg16_c", 138_357_544 - 8 * (256**2 + 2 * 512**2), 1000, {"in_channels": 3}),
    # The authors' models in Caffe's collection, layer by layer: NIN-ImageNet (29 MB), and NIN-CIFAR10.
    ("nin", 7_595_176, 1000, {"in_channels": 3}),
    ("nin_cifar", 966_986, 10, {"in_channels": 3}),
    # He et al., 2016, table 6: 0.27 million, 269,722 layer by layer; and two projections with norms.
    ("resnet20_cifar", 269_722 + 16 * 32 + 32 * 64 + 2 * (32 + 64), 10, {"in_channels": 3}),
]


@pytest.mark.parametrize(
    ("name", "parameters", "n_classes", "arguments"), OTHERS, ids=[row[0] for row in OTHERS]
)
def test_counts_of_the_papers(name: str, parameters: int, n_classes: int, arguments: dict[str, Any]) -> None:
    assert count_parameters(classifying(name, n_classes, **arguments)) == parameters


@pytest.mark.parametrize("name", ["lenet5", "vgg11_lrn", "nin_cifar", "locally_connected", "mlp"])
def test_counts_in_one_dimension_are_below(name: str) -> None:
    """Kernels, and the positions that a classifier reads, are of one axis instead of two."""
    one, two = (count_parameters(classifying(name, 10, dims=dims)) for dims in (1, 2))
    assert one < two


def test_lenet_reads_32_cells() -> None:
    """C1, C3, C5 and F6 with 28x28, 10x10, 1x1 positions and 84 values: multiplications by hand."""
    model = classifying("lenet5", 10, padding="published")
    by_hand = 28**2 * 6 * 25 + 10**2 * 16 * 6 * 25 + 120 * 16 * 25 + 120 * 84 + 84 * 10
    assert count_macs(model, (1, 1, 32, 32)) == by_hand
