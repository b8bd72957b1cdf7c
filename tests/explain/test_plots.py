"""Plots of explanations: what is drawn lies where it belongs."""

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from audiocnn.explain.plots import (
    plot_crops,
    plot_embeddings,
    plot_frequency_responses,
    plot_kernels,
    plot_patches,
    plot_saliency_maps,
)
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform

MEL = LogMel(16_000, hop_length=1600, n_mels=64)  # ten frames a second


def test_crops_lie_at_their_seconds_and_bins() -> None:
    figure = plot_crops(torch.rand(64, 20), {"first": (slice(8, 16), slice(5, 10))}, MEL, start_s=3.0)
    (axes,) = figure.axes
    (frame,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
    assert frame.get_xy() == pytest.approx((3.45, 7.5))
    assert (frame.get_width(), frame.get_height()) == pytest.approx((0.5, 8))
    assert axes.get_xlim() == pytest.approx((2.95, 4.95))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["first"]


def test_a_saliency_map_is_red_for_and_blue_against_the_target() -> None:
    saliency_map = torch.zeros(64, 20)
    saliency_map[10, 5], saliency_map[20, 6] = 1, -1
    figure = plot_saliency_maps(torch.rand(64, 20), {"occlusion": saliency_map}, MEL)
    assert [axes.get_title("left") for axes in figure.axes] == ["spectrogram", "occlusion"]
    colours = figure.axes[1].images[1].get_array()
    red, blue = colours[10, 5], colours[20, 6]
    assert red[0] > 0.9 and red[2] < 0.1 and blue[2] > 0.9 and blue[0] < 0.1
    assert (colours[..., 3] > 0).sum() == 2  # the spectrogram is seen elsewhere


@pytest.mark.parametrize(
    ("front_end", "label"),
    [(MEL, "frequency (Hz)"), (Cqt(16_000, n_bins=64), "pitch"), (Waveform(16_000), "")],
)
def test_frequency_axes(front_end, label: str) -> None:
    figure = plot_saliency_maps(torch.rand(front_end.n_bins, 30), {}, front_end)
    assert figure.axes[0].get_ylabel() == label
    assert figure.axes[0].get_xlabel() == "time (s)"


def test_kernels_of_one_row_are_lines() -> None:
    figure = plot_kernels(torch.randn(3, 1, 80), names=["a", "b", "c"])
    assert [len(axes.lines[-1].get_xdata()) for axes in figure.axes] == [80] * 3
    assert not any(axes.images for axes in figure.axes)
    assert all(axes.images for axes in plot_kernels(torch.randn(2, 5, 5)).axes)


def test_frequency_responses_are_relative_to_each_filter() -> None:
    gains = torch.tensor([[1.0, 0.1, 0.01], [0.5, 5.0, 0.5]])
    axes, bar = plot_frequency_responses(gains, torch.tensor([0.0, 1000.0, 2000.0])).axes
    assert axes.images[0].get_array().T.tolist() == [
        pytest.approx([0, -20, -40]),
        pytest.approx([-20, 0, -20]),
    ]
    assert (axes.get_ylabel(), bar.get_ylabel()) == ("frequency (Hz)", "gain (dB)")


def test_patches_have_the_frequencies_of_their_bins_and_seconds_from_their_beginning() -> None:
    front_end = Cqt(16_000, bins_per_octave=12, n_bins=60, fmin=32.7032)  # C1 to B5
    place = (slice(11, 35), slice(40, 50))
    axes = plot_patches([torch.rand(24, 10)], front_end, ["a"], [place]).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["C2", "C3"]
    assert axes.get_yticks() == pytest.approx([1, 13], abs=0.01)
    assert axes.get_xlim() == pytest.approx((-0.5 * front_end.frame_s, 9.5 * front_end.frame_s))
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("pitch", "time (s)")


def test_patches_of_frames_alone_have_all_bins() -> None:
    crops, places = [torch.rand(64, 10), torch.rand(64, 8)], [(slice(5, 15),), (slice(0, 8),)]
    figure = plot_patches(crops, MEL, places=places, as_notes=True)
    assert all(axes.get_ylim() == (-0.5, 63.5) and axes.get_yticks().size for axes in figure.axes)
    assert [axes.get_ylabel() for axes in figure.axes] == ["pitch", ""]


def test_names_of_points_do_not_overlap_and_those_left_out_are_counted() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], *[[0.5, 0.5]] * 7])
    figure = plot_embeddings(points, [f"recording {i}" for i in range(9)])
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[:i])
    assert axes.get_title("left") == f"{9 - len(boxes)} of 9 names are not shown: they would overlap others"
    assert 4 <= len(boxes) < 9
