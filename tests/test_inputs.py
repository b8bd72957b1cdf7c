"""Finding the files of a kind: what is found, counted and named, in folders of every kind of entry."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from audiocnn import audio, files, images, inputs, records

CONTENT = records.Content(2, 0, "")


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


# What stands in a folder and cannot be read -> how it is made, and what is said of it.
UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "dangling link": (lambda path: path.symlink_to("gone.wav"), "links to gone.wav, which does not exist"),
    "link to itself": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    "link to a folder above": (lambda path: path.symlink_to("."), "links to a folder that it lies in"),
    "pipe": (lambda path: os.mkfifo(path), "is a pipe, expected a file"),
    "link to a pipe": (
        lambda path: (os.mkfifo(path.parent / ".pipe"), path.symlink_to(".pipe")),
        "is a pipe, expected a file",
    ),
    "socket": (bind, "is a socket, expected a file"),
    "link to a device": (lambda path: path.symlink_to(os.devnull), "is a device, expected a file"),
}
FINDERS = {".wav": audio.find_recordings, ".png": images.find_images}


@pytest.mark.parametrize("suffix", FINDERS)
@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_named(tmp_path: Path, what: str, suffix: str) -> None:
    make, reason = UNREADABLE[what]
    (tmp_path / f"good{suffix}").touch()
    make(tmp_path / f"bad{suffix}")
    found = FINDERS[suffix](tmp_path)
    assert found.paths == [tmp_path / f"good{suffix}"]
    assert [str(error) for error in found.unreadable] == [f"{tmp_path}/bad{suffix}: {reason}"]


@pytest.mark.parametrize("what", [what for what in UNREADABLE if what != "link to a folder above"])
@pytest.mark.parametrize("read", [audio.find_recordings, images.find_images, images.read_image])
def test_what_cannot_be_read_as_an_argument(tmp_path: Path, what: str, read: Callable) -> None:
    make, reason = UNREADABLE[what]
    make(tmp_path / "bad")
    with pytest.raises(files.FileError, match=reason if read is not images.read_image else "/bad: "):
        read(tmp_path / "bad")


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(audio.AudioError, match="is a pipe, expected a file"):
        audio.load(tmp_path / "pipe.wav", 16_000)


def test_a_name_with_a_null_character() -> None:
    with pytest.raises(audio.AudioError, match="embedded null byte"):
        audio.find_recordings("a\0.wav")


def test_a_folder_without_files_says_why(tmp_path: Path) -> None:
    for name in (".hidden.wav", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "bad.wav").symlink_to("gone")
    reason = rf"no audio in this folder \(.*\); 1 file is hidden: skipped; {tmp_path}/bad.wav: links to gone"
    with pytest.raises(audio.AudioError, match=reason):
        audio.find_recordings(tmp_path)


def test_results_are_no_inputs(tmp_path: Path) -> None:
    for name in ("song.wav", "song.notes.wav", "page/tone.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("song.notes.wav", "page"):
        records.Record("song.wav", CONTENT, {}, {name: CONTENT}, {}).write(tmp_path / name)
    found = audio.find_recordings(tmp_path)
    assert found.paths == [tmp_path / "song.wav"]
    assert found.describe_skipped() == "2 files are results of audiocnn: skipped"
    assert audio.find_recordings(tmp_path / "song.notes.wav").paths == [tmp_path / "song.notes.wav"]


def test_what_somebody_put_in_the_place_of_a_result_is_found(tmp_path: Path) -> None:
    recording = tmp_path / "song.notes.wav"
    records.Record("song.wav", CONTENT, {}, {recording.name: CONTENT}, {}).write(recording)
    recording.write_bytes(b"somebody's own")
    assert audio.find_recordings(tmp_path).paths == [recording]


def test_linked_folders_are_searched_once_and_real_names_go_first(tmp_path: Path) -> None:
    for name in ("in/z/a.wav", "elsewhere/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "in" / "a").symlink_to("z")
    for name in ("other", "same"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "elsewhere")
    found = audio.find_recordings(tmp_path / "in")
    names = [path.relative_to(tmp_path / "in").as_posix() for path in found]
    assert names in (["other/b.wav", "z/a.wav"], ["same/b.wav", "z/a.wav"])
    assert (found.unreadable, found.describe_skipped()) == ([], "")


def test_a_folder_that_may_not_be_read() -> None:
    # Permissions do not hold for root, who becomes nobody first, to whom pytest's folders are closed.
    code = "import os, sys; from audiocnn import audio; os.geteuid() or os.setuid(65534)\n"
    code += "print(*audio.find_recordings(sys.argv[1]).unreadable)"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "closed").mkdir(mode=0o000)
        Path(folder, "a.wav").touch()
        words = [sys.executable, "-c", code, folder]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == f"{folder}/closed: Permission denied\n", done.stderr


def test_skipped_in_words() -> None:
    assert inputs.Found("image").describe_skipped() == ""
    text = "1 file is no image, 3 are results of audiocnn, 1 is hidden: skipped"
    assert inputs.Found("image", n_others=1, n_results=3, n_hidden=1).describe_skipped() == text
    text = "1 file is a result of audiocnn, 2 are hidden: skipped"
    assert inputs.Found("image", n_results=1, n_hidden=2).describe_skipped() == text
