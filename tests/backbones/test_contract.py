"""What every backbone promises; a new one is here by its name alone.

All networks are built and measured on the meta device, which computes shapes and nothing else. What needs
numbers is computed with the members in SMALL: one or more of each family.
"""

import inspect
import json
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audiocnn import create_backbone, list_backbones
from audiocnn.backbones import FAMILIES, Backbone, backbone_family
from audiocnn.backbones.base import to_channels_last
from audiocnn.backbones.resnet import ResNet
from audiocnn.blocks.cost import count_parameters
from audiocnn.blocks.norm import NORMS, create_norm
from audiocnn.blocks.pool import POOLS
from audiocnn.models import onnx
from audiocnn.models.file import describe, rebuild

MOST_PARAMETERS = 1_000_000  # of a small member


@dataclass(frozen=True)
class Sample:
    """A network that is computed with numbers.

    Attributes:
        arguments: that make it small.
        in_channels: those that it can have, of 1, 3 and 5.
        bins: of its spectrograms; 0 where it takes any.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    in_channels: tuple[int, ...] = (1, 3, 5)
    bins: int = 0


SMALL = {
    "dilated": Sample({"channels": 8, "dilations": (1, 3)}),
    "harmonic": Sample(
        {"channels": 6, "n_pitches": 30, "dilations": (((12, 1), (1, 2)), ((7, 2), (12, 4)))},
        in_channels=(1,),
        bins=3 * 48,
    ),
    "harmonic_unet": Sample(
        {
            "channels": 6,
            "middle_channels": 8,
            "pool": 3,
            "n_pitches": 30,
            "before": (((12, 1), (1, 2)),),
            "middle": (((7, 1), (12, 2)),),
            "after": (((1, 1), (1, 1)),),
        },
        in_channels=(1,),
        bins=3 * 48,
    ),
    "linear": Sample(),
    "mlp": Sample(),
    "lenet5": Sample(),
    "locally_connected": Sample(),
    **{name: Sample() for name in list_backbones("*_small")},
}
ANY = Sample()
# Of families that have not both.
DIMS: dict[str, tuple[int, ...]] = {
    "HarmonicNet": (2,),
    "HarmonicUNet": (2,),
    "MNet": (1,),
    "SampleCNN": (1,),
    "TextCNN": (1,),
    "DynamicCNN": (1,),
}


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(backbone_family(name)).parameters)


def dims_of(name: str) -> tuple[int, ...]:
    return DIMS.get(backbone_family(name).__name__, (1, 2))


ALL = [(name, dims) for name in list_backbones() for dims in dims_of(name)]
COMPUTED = [(name, dims) for name, dims in ALL if name in SMALL]
every = pytest.mark.parametrize(("name", "dims"), ALL)
computed = pytest.mark.parametrize(("name", "dims"), COMPUTED)


def create(name: str, dims: int, in_channels: int | None = None, **arguments: Any) -> Backbone:
    """A network in evaluation mode in which every path is open: random norms, also where they start at 0."""
    torch.manual_seed(0)
    sample = SMALL.get(name, ANY)
    of_input = {"dims": dims, "in_channels": in_channels or sample.in_channels[0]}
    taken = {key: value for key, value in of_input.items() if key in parameters_of(name)}
    backbone = create_backbone(name, **{**sample.arguments, **taken, **arguments}).eval()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.3)
    return backbone


@cache
def shapes_of(name: str, dims: int) -> Backbone:
    """A network without numbers, with the most channels that it takes: not to be changed."""
    with torch.device("meta"):
        return create(name, dims, SMALL.get(name, ANY).in_channels[-1])


def named(name: str, argument: str) -> bool:
    """Whether a network takes this argument as a name."""
    parameter = parameters_of(name).get(argument)
    return parameter is not None and isinstance(parameter.default, str)


def image(
    name: str, backbone: Backbone, n_frames: int, bins: int | None = None, batch: int = 1, device: str = "cpu"
) -> Tensor:
    """Random numbers from 0.5 to 1.5: (batch, in_channels, ..., n_frames)."""
    of_bins = (SMALL.get(name, ANY).bins or bins or n_frames,) if backbone.dims == 2 else ()
    shape = (batch, backbone.in_channels, *of_bins, n_frames)
    if device == "meta":
        return torch.empty(shape, device=device)
    return 0.5 + torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_small_member(family: str) -> None:
    _, members = FAMILIES[family]
    small = [name for name in members if name in SMALL]
    assert small, f"expected one of {members} in SMALL, or one called *_small"
    for name in small:
        assert count_parameters(shapes_of(name, dims_of(name)[-1])) <= MOST_PARAMETERS


@every
def test_feature_maps_have_their_channels_and_frames(name: str, dims: int) -> None:
    """On the meta device, for one frame more than its stride."""
    backbone = shapes_of(name, dims)
    n_frames = backbone.time_stride + 1
    feature_maps = backbone.features(image(name, backbone, n_frames, batch=2, device="meta"))
    assert backbone.dims == dims
    assert [m.shape[:2] for m in feature_maps] == [(2, channels) for channels in backbone.stage_channels]
    assert {m.ndim for m in feature_maps} == {2 + dims}
    assert feature_maps[-1].shape[-1] == math.ceil(n_frames / backbone.time_stride)
    assert backbone.out_channels == backbone.stage_channels[-1]
    assert backbone.time_grid % backbone.time_stride == 0


@every
def test_classifier_gives_logits(name: str, dims: int) -> None:
    backbone = shapes_of(name, dims)
    with torch.device("meta"):
        classifier = backbone.classifier(7).eval()
    shape = (2, backbone.out_channels, *(3,) * dims)
    assert classifier(torch.empty(shape, device="meta")).shape == (2, 7)


@pytest.mark.parametrize(("name", "dims"), [(name, dims_of(name)[-1]) for name in list_backbones()])
def test_description_rebuilds_it(name: str, dims: int) -> None:
    """Through JSON, as in a model file: every argument of the constructor is an attribute of its name."""
    backbone = shapes_of(name, dims)
    description = json.loads(json.dumps(describe(backbone)))
    with torch.device("meta"):
        again = rebuild(description)
    assert json.loads(json.dumps(describe(again))) == description
    assert _shapes(again) == _shapes(backbone)


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


@computed
def test_any_input_from_one_stride_on(name: str, dims: int) -> None:
    backbone = create(name, dims)
    stride = backbone.time_stride
    for n_frames in (stride, stride + 1, 2 * stride + 3):
        x = image(name, backbone, n_frames)
        with torch.no_grad():
            feature_maps = backbone.features(x)
            torch.testing.assert_close(backbone(x), feature_maps[-1])
        assert feature_maps[-1].shape[-1] == math.ceil(n_frames / stride)
        assert all(m.isfinite().all() for m in feature_maps)


@computed
def test_any_channels(name: str, dims: int) -> None:
    for in_channels in SMALL[name].in_channels[:-1]:  # the last is that of `shapes_of`
        with torch.device("meta"):
            backbone = create(name, dims, in_channels)
        assert backbone.in_channels == in_channels
        x = image(name, backbone, 2 * backbone.time_stride, device="meta")
        assert backbone(x).shape[1] == backbone.out_channels


@computed
def test_receptive_field(name: str, dims: int) -> None:
    """Found by gradient from the frames of one step of the grid, with weights that cut no path."""
    backbone = create(name, dims, **({"pool": "average"} if named(name, "pool") else {})).double()
    if math.isinf(backbone.receptive_field):
        return
    for parameter_name, parameter in backbone.named_parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
        parameter.data /= math.prod(parameter.shape[1:])
        if parameter_name.endswith("bias"):
            nn.init.zeros_(parameter)
    stride, reach = backbone.time_stride, backbone.receptive_field // 2
    each = backbone.time_grid // stride
    first = each * math.ceil((reach + 1) / backbone.time_grid)
    n_frames = (first + each) * stride + reach
    faint = 1e-9 * image(name, backbone, n_frames, bins=stride)  # where no activation has its ceiling
    x = faint.double().requires_grad_()
    feature_maps, reaches = backbone(x), []
    for i in range(first, first + each):
        (gradient,) = torch.autograd.grad(feature_maps[..., i].sum(), x, retain_graph=True)
        reached = gradient.flatten(0, -2).any(dim=0).nonzero().flatten().tolist()
        reaches += [i * stride - reached[0], reached[-1] - i * stride]
    assert max(reaches) == reach


def test_receptive_field_where_gradients_are_off() -> None:
    for off in (torch.no_grad(), torch.inference_mode()):
        backbone = create("nin_small", 1)
        with off:
            assert backbone.receptive_field == 41


@computed
def test_excerpts_have_the_features_of_the_whole(name: str, dims: int) -> None:
    """Where they begin on the grid, from the frames on that depend on nothing before their beginning."""
    backbone = create(name, dims)
    if math.isinf(backbone.receptive_field):
        return
    stride, grid, reach = backbone.time_stride, backbone.time_grid, backbone.receptive_field // 2
    start = 2 * grid
    x = image(name, backbone, start + reach + 3 * grid, bins=stride)
    with torch.no_grad():
        whole, excerpt = backbone(x)[..., start // stride :], backbone(x[..., start:])
    transient = math.ceil(reach / stride)
    assert excerpt.shape == whole.shape
    assert excerpt[..., transient:].numel() > 0
    torch.testing.assert_close(excerpt[..., transient:], whole[..., transient:], rtol=1e-4, atol=1e-5)


@computed
def test_gradient_reaches_every_parameter(name: str, dims: int) -> None:
    backbone = create(name, dims).train()
    x = image(name, backbone, max(2 * backbone.time_stride, 32), batch=2).requires_grad_()
    backbone(x).square().sum().backward()
    tensors = [("x", x), *backbone.named_parameters()]
    unreached = [name for name, tensor in tensors if tensor.grad is None or not tensor.grad.any()]
    assert unreached == []


@pytest.mark.parametrize(("name", "dims"), [case for case in COMPUTED if named(case[0], "norm")])
def test_any_norm(name: str, dims: int) -> None:
    for norm in NORMS:
        backbone = create(name, dims, norm=norm).train()
        kinds = {type(module) for module in backbone.modules()} & _classes_of_norms(dims)
        assert kinds == ({type(create_norm(norm, 1, dims=dims))} if norm != "none" else set())
        x = image(name, backbone, 2 * backbone.time_stride, batch=2)
        assert backbone(x).isfinite().all()


def _classes_of_norms(dims: int) -> set[type[nn.Module]]:
    return {type(create_norm(norm, 1, dims=dims)) for norm in NORMS if norm != "none"}


@pytest.mark.parametrize(("name", "dims"), [case for case in COMPUTED if named(case[0], "pool")])
def test_any_pool(name: str, dims: int) -> None:
    for pool in ("max", "average", "stochastic"):
        backbone = create(name, dims, pool=pool)
        assert any(type(module) is POOLS[pool] for module in backbone.modules())
        x = image(name, backbone, 2 * backbone.time_stride, batch=2)
        for training in (False, True):
            assert backbone.train(training)(x).isfinite().all()


@pytest.mark.parametrize(("width", "laid_out"), [(4, False), (8, True)])
def test_channels_last_but_where_it_corrupts_memory(width: int, laid_out: bool) -> None:
    backbone = ResNet(depths=(1, 1), widths=(width, 2 * width))  # with a strided 1 × 1 from `width` channels
    to_channels_last(backbone)
    kernels = [p for p in backbone.parameters() if p.ndim == 4 and p.shape[2] > 1 and p.shape[1] > 1]
    assert {p.is_contiguous(memory_format=torch.channels_last) for p in kernels} == {laid_out}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dims"), [(name, dims_of(name)[-1]) for name in SMALL])
def test_onnx_computes_the_same_feature_map(name: str, dims: int) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    backbone = create(name, dims)
    x = image(name, backbone, 2 * backbone.time_stride + 1)
    with onnx._quiet():
        program = torch.onnx.export(
            backbone, (x,), dynamo=True, input_names=["x"], verbose=False, optimize=False
        )
    session = runtime.InferenceSession(program.model_proto.SerializeToString())
    (exported,) = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(exported), backbone(x), rtol=1e-3, atol=1e-4)
