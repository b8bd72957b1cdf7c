import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from audiocnn import files


def test_written_appears_whole_in_folders_made_for_it(tmp_path):
    path = tmp_path / "a" / "b" / "song.mid"
    with files.write_atomically(path) as partial:
        partial.write_bytes(b"notes")
        assert (partial.parent, partial.suffix) == (path.parent, ".mid")
        assert partial.name.startswith(".")
        assert not path.exists()
    assert path.read_bytes() == b"notes"
    assert os.listdir(path.parent) == ["song.mid"]


@pytest.mark.parametrize("failure", [KeyError("x"), KeyboardInterrupt()])
def test_failure_leaves_what_was_there(tmp_path, failure):
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")
    with pytest.raises(type(failure)), files.write_atomically(path) as partial:
        partial.write_bytes(b"half of the ne")
        raise failure
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("write", [files.write_atomically, files.stage])
def test_ended_as_the_file_is_created(tmp_path, monkeypatch, write):
    def interrupt(descriptor):
        os.close(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_lock", interrupt)
    with pytest.raises(KeyboardInterrupt), write(tmp_path / "song"):
        pass
    assert [path for path in tmp_path.rglob("*") if path.name != "song"] == []


WRITE = """
import sys, time
from audiocnn import files
with files.write_atomically(sys.argv[1]) as partial:
    print(partial.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    command = [sys.executable, "-c", WRITE, str(tmp_path / "other.mid")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as living, subprocess.Popen(command, **pipes) as killed:
        partials = [process.stdout.readline().strip() for process in (living, killed)]
        killed.kill()
        killed.wait()
        assert sorted(os.listdir(tmp_path)) == sorted(partials)
        with files.write_atomically(tmp_path / "song.mid"):
            pass
        assert sorted(os.listdir(tmp_path)) == [partials[0], "song.mid"]
        living.communicate()
    assert sorted(os.listdir(tmp_path)) == ["other.mid", "song.mid"]


def test_taken_for_abandoned_before_it_is_locked(tmp_path, monkeypatch):
    lock, removed = files._lock, []

    def remove_and_lock(*arguments):
        if not removed:
            removed.append(next(tmp_path.iterdir()))
            removed[0].unlink()
        return lock(*arguments)

    monkeypatch.setattr(files, "_lock", remove_and_lock)
    with files.write_atomically(tmp_path / "song.mid") as partial:
        assert [*tmp_path.iterdir()] == [partial] == removed
        assert not lock(os.open(partial, os.O_RDWR), False)


def test_name_as_long_as_the_system_allows(tmp_path):
    path = tmp_path / ("x" * 251 + ".mid")
    with files.write_atomically(path) as partial:
        partial.touch()
    assert path.exists()


def test_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "out").touch()
    with (
        pytest.raises(files.FileError, match=r"out/song\.mid: .*/out is a file, not a folder$"),
        files.write_atomically(tmp_path / "out" / "song.mid"),
    ):
        pass
    with (
        pytest.raises(files.FileError, match=r"out/deep/song\.mid: Not a directory$"),
        files.write_atomically(tmp_path / "out" / "deep" / "song.mid"),
    ):
        pass


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_no_name_of_a_file(name):
    with pytest.raises(files.FileError, match="is a folder, expected a file"), files.write_atomically(name):
        pass


def test_folder_where_a_file_is_needed(tmp_path):
    (tmp_path / "song.mid").mkdir()
    with (
        pytest.raises(files.FileError, match=r"song\.mid: Is a directory$"),
        files.write_atomically(tmp_path / "song.mid") as partial,
    ):
        partial.touch()
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with (
        pytest.raises(files.FileError, match=r"song\.mid: Permission denied$"),
        files.write_atomically(tmp_path / "song.mid") as partial,
    ):
        partial.touch()


def test_full_disk(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with (
            pytest.raises(files.FileError, match=r"song\.mid: File too large$"),
            files.write_atomically(tmp_path / "song.mid") as partial,
        ):
            partial.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


def test_error_is_one_line_and_survives_a_worker_process():
    error = pickle.loads(pickle.dumps(files.FileError("a.wav", "first\n  second")))
    assert str(error) == "a.wav: first second"
    assert (error.path, error.reason) == ("a.wav", "first second")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.wav", r"a\nb.wav"),
        ("\x1b[2J\x07.wav", r"\x1b[2J\x07.wav"),
        (os.fsdecode(b"\xffcaf\xe9.wav"), r"\xffcaf\xe9.wav"),
        ("a\u202egpj.wav\u2028\x9b", r"a\u202egpj.wav\u2028\x9b"),
        ("\ud800", r"\ud800"),
        ("Händel – 月光 🎹 [b].wav", "Händel – 月光 🎹 [b].wav"),
    ],
)
def test_names_that_a_terminal_would_obey(name: str, shown: str):
    assert files.printable(name) == shown
    assert str(files.FileError(name, "damaged")) == f"{shown}: damaged"
    shown.encode()


def test_a_message_leaves_out_the_middle_of_a_long_path() -> None:
    line = str(files.FileError("a" * 5000 + "/b.wav", "File name too long"))
    assert len(line) < 450 and line.endswith("/b.wav: File name too long")


@pytest.mark.parametrize("path", ["http://x/y.ckpt", "https://x", "s3://b/c", "c:/x", "http/x", "a/http:/x"])
def test_addresses_are_shown_as_they_were_given(path):
    assert str(files.FileError(Path(path), "no")) == f"{path}: no"


def test_inputs_are_known_by_any_path(tmp_path):
    song, pipe = tmp_path / "song.wav", tmp_path / "pipe"
    song.touch()
    os.link(song, tmp_path / "hard")
    (tmp_path / "soft").symlink_to("hard")
    os.mkfifo(pipe)
    protected = files.identify([song, pipe, tmp_path / "gone", "a\0"])
    assert len(protected) == 2
    for name in ("song.wav", "hard", "soft", "../" + tmp_path.name + "/song.wav", "pipe"):
        with pytest.raises(files.FileError, match="is one of the inputs, expected another output"):
            files.check_writable(tmp_path / name, protected)
    files.check_writable(tmp_path / "gone", protected)
