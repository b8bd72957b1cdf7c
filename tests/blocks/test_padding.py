"""Padding by name, against numpy's and by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiocnn.blocks.conv import ConvNormAct, conv
from audiocnn.blocks.fixed import FixedConv
from audiocnn.blocks.padding import PADDING_MODES, is_asymmetric, min_sizes, pad, pad_sides

NUMPY_MODES = {
    "zeros": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}


@pytest.mark.parametrize(
    ("padding", "kernel", "dilation", "sides"),
    [
        ("valid", (4,), (2,), ((0, 0),)),
        ("full", (4,), (2,), ((6, 6),)),
        ("same", (5,), (3,), ((6, 6),)),
        ("causal", (4,), (2,), ((6, 0),)),
        ("causal", (5, 4), (1, 2), ((2, 2), (6, 0))),
        ("full", (2, 3), (1, 2), ((1, 1), (4, 4))),
        (2, (3, 3), (1, 1), ((2, 2), (2, 2))),
        ((1, 3), (3, 3), (1, 1), ((1, 1), (3, 3))),
        (((0, 1), 3), (2, 3), (1, 1), ((0, 1), (3, 3))),
        (((1, 2),), (4,), (1,), ((1, 2),)),
    ],
)
def test_sides(padding, kernel, dilation, sides) -> None:
    assert pad_sides(padding, kernel, dilation) == sides
    assert is_asymmetric(sides) == any(before != after for before, after in sides)


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("sides", [((2, 3),), ((0, 1), (3, 2))])
def test_pad_is_numpys(mode: str, sides) -> None:
    x = torch.arange(20.0).reshape(4, 5) if len(sides) == 2 else torch.arange(5.0)
    expected = np.pad(x.numpy(), sides, mode=NUMPY_MODES[mode])
    np.testing.assert_array_equal(pad(x[None, None], sides, mode)[0, 0].numpy(), expected)


@pytest.mark.parametrize("sides", [((2, 3),), ((0, 1), (3, 2))])
def test_pad_by_a_constant_is_numpys(sides) -> None:
    x = torch.arange(20.0).reshape(4, 5) if len(sides) == 2 else torch.arange(5.0)
    expected = np.pad(x.numpy(), sides, constant_values=-1.5)
    np.testing.assert_array_equal(pad(x[None, None], sides, value=-1.5)[0, 0].numpy(), expected)


@pytest.mark.parametrize("mode", ["replicate", "reflect", "symmetric", "circular"])
def test_a_value_for_a_mode_without_any(mode: str) -> None:
    message = f"padding_value is 2.0 with padding_mode '{mode}', expected 0 or mode 'zeros'"
    with pytest.raises(ValueError, match=message):
        pad(torch.zeros(1, 1, 5), ((1, 1),), mode, 2.0)
    with pytest.raises(ValueError, match=message):
        conv(1, 1, 3, dims=1, padding_mode=mode, padding_value=2.0)
    with pytest.raises(ValueError, match=message):
        FixedConv([torch.ones(3)], padding_mode=mode, padding_value=2.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match=f"padding_value is {value}, expected a finite number"):
        conv(1, 1, 3, dims=1, padding_value=value)


@pytest.mark.parametrize(
    ("mode", "least"),
    [
        ("zeros", (3, 1)),
        ("replicate", (3, 1)),
        ("reflect", (3, 6)),
        ("symmetric", (3, 5)),
        ("circular", (3, 5)),
    ],
)
def test_min_sizes(mode: str, least) -> None:
    """A kernel of 3 needs 3 positions; 5 positions of padding are mirrored from 6 and wrapped from 5."""
    assert min_sizes(((0, 0), (5, 4)), (3, 3), (1, 2), mode) == least


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), ((1, 2, 3), 1), ((-1, 1), 0), (1,)])
def test_padding_out_of_range(padding) -> None:
    with pytest.raises(
        ValueError, match=r"padding is .*, expected one of valid, full, same, causal, a number"
    ):
        pad_sides(padding, (3, 3), (1, 1))


def test_padding_without_a_rule() -> None:
    with pytest.raises(ValueError, match="padding is 'half', expected one of valid, full, same, causal"):
        pad_sides("half", (3,), (1,))
    with pytest.raises(
        ValueError, match=r"kernel_size is \(4, 3\), expected odd sizes where padding is 'same'"
    ):
        pad_sides("causal", (4, 3), (1, 1))


class Padded(nn.Module):
    """Every mode in bins and frames, and in frames alone."""

    def forward(self, x: Tensor) -> list[Tensor]:
        options = [*((mode, 0.0) for mode in PADDING_MODES), ("zeros", -2.5)]
        return [pad(x, ((2, 1), (3, 4)), *one) for one in options] + [
            pad(x[:, 0], ((4, 0),), *one) for one in options
        ]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx_pads_any_number_of_frames(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net, path = Padded().eval(), tmp_path / "net.onnx"
    torch.onnx.export(
        net,
        (torch.randn(1, 1, 6, 9),),
        path,
        dynamo=True,
        input_names=["x"],
        dynamic_shapes={"x": {3: torch.export.Dim("frames", min=8)}},
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path)
    for n_frames in (8, 13):
        x = torch.randn(1, 1, 6, n_frames, generator=torch.Generator().manual_seed(0))
        for their, our in zip(session.run(None, {"x": x.numpy()}), net(x), strict=True):
            torch.testing.assert_close(torch.from_numpy(their), our)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx_of_a_network(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    net = nn.Sequential(
        ConvNormAct(1, 4, 5, dims=2, padding_mode="symmetric", stride=2, norm="layer_all", act="sigmoid"),
        ConvNormAct(4, 2, 3, dims=2, padding_value=-2.5, norm="layer"),
    ).eval()
    x, path = torch.randn(2, 1, 7, 10), tmp_path / "net.onnx"
    torch.onnx.export(net, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    (theirs,) = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(theirs), net(x), rtol=1e-4, atol=1e-5)
