"""`audiocnn stylize`: what is written where, what stays, and what is printed."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import images

FAST = ("--size", 64, "--iterations", 2, "--coarsest", 64)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two images, one of them in a folder, and a style beside them."""
    rng = np.random.default_rng(0)
    for name in ("album/cat.png", "album/deep/dog.jpg", "night.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        images.write_image(images.Image(rng.uniform(size=(3, 64, 64)).astype(np.float32)), tmp_path / name)
    return tmp_path


def test_beside_the_image(run, album: Path) -> None:
    done = run("stylize", album / "album/cat.png", "--style", album / "night.png", *FAST)
    target = album / "album/cat.night.png"
    plan = f"{album}/album/cat.png: 64 × 64 pixels, untiled, about 0.0 GB of memory"
    assert (done.status, done.out) == (0, [plan, f"{album}/album/cat.png -> {target}"])
    assert images.read_image(target).size == (64, 64)
    again = run("stylize", album / "album/cat.png", "--style", album / "night.png", *FAST)
    assert again.out == [f"{album}/album/cat.png: already done, see {target} (--overwrite does it again)"]


def test_a_folder_and_a_bad_image(run, album: Path) -> None:
    (album / "album/bad.png").write_text("la la la")
    out = album / "out"
    done = run("stylize", album / "album", "--style", album / "night.png", "--output", out, *FAST)
    assert done.status == 1
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*g")) == [
        "cat.night.png",
        "deep/dog.night.jpg",
    ]
    assert len(done.err) == 1 and done.err[0].startswith(f"{album}/album/bad.png: no image")


def test_images_on_the_way(run, album: Path) -> None:
    target = album / "made.png"
    command = ("stylize", album / "album/cat.png", "--style", album / "night.png", "--output", target)
    assert run(*command, *FAST, "--every", 1).status == 0
    assert sorted(path.name for path in album.glob("made*")) == ["made.0001.png", "made.png"]
    (album / "made.0001.png").write_text("precious")
    done = run(*command, *FAST, "--every", 1, "--strength", 0.5)
    assert (done.status, (album / "made.0001.png").read_text()) == (1, "precious")
    assert f"{album}/made.0001.png: was changed since audiocnn wrote it" in done.err[0]


def test_images_on_the_way_are_made_again_where_one_is_gone(run, album: Path) -> None:
    options = ("--size", 32, "--coarsest", 32, "--iterations", 3, "--every", 1)
    command = ("stylize", album / "album/cat.png", "--style", album / "night.png", *options)
    assert run(*command).status == 0
    images = sorted((album / "album").glob("cat.night*"))
    assert [path.name for path in images] == ["cat.night.0001.png", "cat.night.0002.png", "cat.night.png"]
    for path in images:
        path.unlink()
        assert "already done" not in run(*command).out[-1]
        assert sorted((album / "album").glob("cat.night*")) == images
        assert "already done" in run(*command).out[-1]
    images[0].write_text("precious")
    done = run(*command)
    assert (done.status, done.out, images[0].read_text()) == (1, [], "precious")
    assert done.err[0].startswith(f"{images[0]}: was changed since audiocnn wrote it")


def test_styles_of_one_name_are_told_apart_in_the_line(run, album: Path) -> None:
    for number, folder in enumerate("xy"):
        (album / folder).mkdir()
        (album / folder / "wave.png").write_bytes(
            (album / ("night.png", "album/cat.png")[number]).read_bytes()
        )
    command = ("stylize", album / "album/cat.png", *FAST, "--style")
    target = album / "album/cat.wave.png"
    assert run(*command, album / "x/wave.png").out[-1].endswith(f" -> {target}")
    replaced = " (in place of the result with another style)"
    assert run(*command, album / "y/wave.png").out[-1].endswith(f" -> {target}{replaced}")
    assert "already done" in run(*command, album / "y/wave.png").out[-1]


def test_a_model_that_does_not_paint_is_refused_once(run, album: Path) -> None:
    done = run("stylize", album / "album", "--model", "genre")
    expected = "genre: holds ClipModel, expected a network that paints, such as adain, "
    assert (done.status, done.out, len(done.err)) == (1, [], 1)
    assert done.err[0].startswith(expected)


def test_images_on_the_way_overwrite_no_input(run, album: Path) -> None:
    content = album / "album" / "cat.png"
    content = content.rename(content.with_name("made.0001.png"))
    before = content.read_bytes()
    how = ("--style", album / "night.png", "--output", content.with_name("made.png"), "--every", 1)
    done = run("stylize", content, *how, *FAST, "--overwrite")
    assert (done.status, done.err) == (1, [f"{content}: is one of the inputs, expected another output"])
    assert content.read_bytes() == before


def test_a_result_of_another_image_is_kept(run, album: Path) -> None:
    target = album / "made.png"
    how = ("--style", album / "night.png", "--output", target, *FAST)
    assert run("stylize", album / "album/cat.png", *how).status == 0
    done = run("stylize", album / "album/deep/dog.jpg", *how)
    kept = f"{target}: is the result of album/cat.png: kept (--overwrite replaces it)"
    assert (done.status, done.out, done.err) == (1, [], [kept])


def test_into_a_folder_that_is_there(run, album: Path) -> None:
    (album / "out").mkdir()
    done = run(
        "stylize", album / "album/cat.png", "--style", album / "night.png", "--output", album / "out", *FAST
    )
    assert (done.status, (album / "out" / "cat.night.png").exists()) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--every", 0], "--every is 0, expected 1 or more"),
        (["--model", "udnie", "--iterations", 5], "--iterations is given, expected none: a model paints"),
        (["--model", "udnie", "--content-weight", 0], "--content-weight is given, expected none: a model"),
        (["--model", "udnie", "--tile", "null"], "--tile is given, expected none: a model paints"),
        (["--model", "udnie", "--backbone", "vgg"], "--backbone is given, expected none: a model paints"),
    ],
)
def test_arguments_without_effect(run, album: Path, arguments: list, reason: str) -> None:
    done = run("stylize", album / "album/cat.png", "--style", album / "night.png", *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].startswith(f"audiocnn stylize: {reason}")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--iterations", 0], "--iterations is 0, expected a whole number from 1"),
        (["--weights", 1, 2], "2 weights given, expected 1, one for each style"),
        (["--start", "chaos"], "--start is 'chaos', expected one of content, noise, style"),
    ],
)
def test_wrong_arguments(run, album: Path, arguments: list, reason: str) -> None:
    done = run("stylize", album / "album/cat.png", "--style", album / "night.png", *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].startswith(f"audiocnn stylize: {reason}")


def test_without_a_style(run, album: Path) -> None:
    done = run("stylize", album / "album/cat.png")
    assert done.status == 2
    assert done.err[0].startswith("audiocnn stylize: no --style given, expected one or more images or sounds")


@pytest.mark.parametrize("which", ["album/cat.png", "night.png"])
def test_an_image_of_which_nothing_is_seen_is_named(run, album: Path, which: str) -> None:
    nothing = images.Image(np.ones((3, 8, 8), np.float32), np.zeros((1, 8, 8), np.float32))
    images.write_image(nothing, album / which)
    done = run("stylize", album / "album/cat.png", "--style", album / "night.png", *FAST)
    assert (done.status, len(done.err)) == (1, 1)
    assert done.err[0].startswith(f"{album / which}: is transparent everywhere")


def test_a_style_that_is_missing(run, album: Path) -> None:
    done = run("stylize", album / "album/cat.png", "--style", album / "none.png")
    assert (done.status, done.err) == (1, [f"{album}/none.png: No such file or directory"])


def test_sounds(run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, n_channels in (("song.wav", 2), ("rain.flac", 1)):
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal((8000, n_channels)), 16_000)
    command = ("stylize", tmp_path / "song.wav", "--style", tmp_path / "rain.flac", "--iterations", "3")
    target = tmp_path / "song.rain.wav"
    done = run(*command)
    assert (done.status, done.out) == (0, [f"{tmp_path}/song.wav -> {target}"])
    info = soundfile.info(target)
    assert (info.samplerate, info.channels, info.frames) == (16_000, 2, 8000)
    refused = run(*command, "--overwrite", "--masks", tmp_path / "song.wav")
    assert refused.status == 2 and "--masks is given, expected none: it is for images" in refused.err[0]
    refused = run(*command, "--size", 64)
    assert refused.status == 2 and "--size is given, expected none: it is for images" in refused.err[0]
    (tmp_path / "song.wav").write_bytes(b"text")
    broken = run(*command, "--overwrite")
    assert broken.status == 1 and broken.err[0].startswith(f"{tmp_path}/song.wav: no audio")
