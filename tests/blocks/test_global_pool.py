"""Pooling of whole feature maps against torch's own and examples by hand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.global_pool import GLOBAL_POOLS, GlobalAttention, SpatialPyramidPool, create_global_pool


def make_feature_map(*sizes: int) -> Tensor:
    return torch.randn(2, 3, *sizes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sizes", [(13,), (5, 7), (1,), (1, 1)])
def test_average_and_max(sizes: tuple[int, ...]) -> None:
    x = make_feature_map(*sizes)
    axes = tuple(range(2, x.dim()))
    torch.testing.assert_close(create_global_pool("average", 3)(x), x.mean(axes))
    assert torch.equal(create_global_pool("max", 3)(x), x.amax(axes))


@pytest.mark.parametrize("sizes", [(4,), (2, 2)])
def test_attention_by_hand(sizes: tuple[int, ...]) -> None:
    """Scores of 0, ln 2, ln 3 and ln 4 give weights of 0.1, 0.2, 0.3 and 0.4."""
    module = GlobalAttention(2, hidden_channels=1)
    nn.init.zeros_(module.score.bias)
    nn.init.constant_(module.score.weight, 10)
    nn.init.zeros_(module.hidden.bias)
    module.hidden.weight.data = torch.tensor([[1.0, 0.0]])
    scores = torch.atanh(torch.tensor([1.0, 2.0, 3.0, 4.0]).log() / 10)
    x = torch.stack([scores, torch.tensor([10.0, 20.0, 30.0, 40.0])]).reshape(1, 2, *sizes)
    weights = module.weights(x)
    assert weights.shape == (1, *sizes)
    assert weights.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert module(x)[0, 1].item() == pytest.approx(30)


def test_attention_is_learnt() -> None:
    module = create_global_pool("attention", 3)
    module(make_feature_map(4, 5)).square().sum().backward()
    assert all(p.grad.any() for name, p in module.named_parameters() if name != "score.bias")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = module(make_feature_map(4, 5))
    torch.testing.assert_close(y, module(make_feature_map(4, 5)), atol=0.02, rtol=0.02)


def test_unknown_global_pool() -> None:
    with pytest.raises(ValueError, match="global_pool is 'sum', expected one of average, max, attention"):
        create_global_pool("sum", 3)


@pytest.mark.parametrize("sizes", [(13,), (16,), (3,), (1,), (13, 13), (4, 9), (2, 3)])
def test_pyramid_is_torchs_adaptive_pooling(sizes: tuple[int, ...]) -> None:
    x = make_feature_map(*sizes)
    adaptive = {1: functional.adaptive_max_pool1d, 2: functional.adaptive_max_pool2d}[len(sizes)]
    expected = torch.cat([adaptive(x, n).flatten(1) for n in (1, 2, 3, 6)], dim=1)
    module = SpatialPyramidPool((1, 2, 3, 6))
    assert torch.equal(module(x), expected)
    assert expected.shape[1] == module.out_channels(3, dims=len(sizes))


def test_pyramid_of_the_paper() -> None:
    """He et al., 2014: 50 parts of 6x6, 3x3, 2x2 and 1x1, for 256 channels 12,800 numbers."""
    module = SpatialPyramidPool((6, 3, 2, 1))
    assert module.out_channels(256, dims=2) == 12_800
    assert module(torch.zeros(1, 256, 13, 13)).shape == (1, 12_800)


def test_pyramid_by_hand() -> None:
    x = torch.tensor([[[1.0, 5.0, 2.0, 3.0, 4.0]]])
    # Of 5 positions in 2 parts, the third is in both.
    assert SpatialPyramidPool((1, 2))(x).tolist() == [[5, 5, 4]]
    assert SpatialPyramidPool((2,))(torch.arange(9.0).reshape(1, 1, 3, 3)).tolist() == [[4, 5, 7, 8]]


@pytest.mark.parametrize("levels", [(), (0, 2)])
def test_wrong_levels(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"levels are .*, expected numbers from 1 on"):
        SpatialPyramidPool(levels)


class Every(nn.Module):
    """All poolings of a feature map and of its first bin, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.ModuleList(
            [*(create_global_pool(name, 3) for name in GLOBAL_POOLS), SpatialPyramidPool()]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [module(view) for module in self.pools for view in (x, x[:, :, 0])]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net, x, path = Every().eval(), make_feature_map(6, 9), tmp_path / "net.onnx"
    torch.onnx.export(net, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    theirs = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    for their, our in zip(theirs, net(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(their), our)
