"""DenseNets: the channels and sizes that their transitions leave."""

import pytest
import torch

from audiocnn import create_backbone
from audiocnn.backbones.densenet import DenseNet


def test_channels_by_the_paper() -> None:
    """Blocks of 6, 12, 24 and 16 layers add 32 channels each; transitions halve them."""
    with torch.device("meta"):
        backbone = create_backbone("densenet121")
    assert backbone.stage_channels == (64, 256, 512, 1024, 1024)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("n_frames", [16, 17, 31, 33, 50])
def test_a_last_cell_that_stands_alone_is_kept(dims: int, n_frames: int) -> None:
    backbone = DenseNet(dims=dims, depths=(1, 1, 1), growth=2).eval()
    feature_maps = backbone.features(torch.rand(1, 1, *(n_frames,) * dims))
    assert [m.shape[-1] for m in feature_maps] == [-(-n_frames // stride) for stride in (4, 4, 8, 16)]


def test_dropout_within_layers_in_training_alone() -> None:
    torch.manual_seed(0)
    backbone = DenseNet(depths=(2, 2), growth=4, norm="none", drop=0.5)
    x = torch.rand(1, 1, 32, 32)
    assert not torch.equal(backbone(x), backbone(x))
    backbone.eval()
    torch.testing.assert_close(backbone(x), backbone(x), rtol=0, atol=0)
