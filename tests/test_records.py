"""Records of outputs: what they hold, and the states of an output beside its record."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from audiocnn import files, records


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with its record."""
    (tmp_path / "song.wav").write_bytes(b"sound")
    (tmp_path / "song.mid").write_bytes(b"notes")
    record(tmp_path / "song.mid").write(tmp_path / "song.mid")
    return tmp_path / "song.mid"


def record(output: Path, **replaced: records.Content) -> records.Record:
    source = output.parent / "song.wav"
    written = {output.name: records.read_content(output)}
    return records.Record("song.wav", records.read_content(source), {"verb": "sing"}, written, replaced)


def test_is_read_as_it_was_written(output: Path) -> None:
    assert records.read(output) == record(output)
    assert records.list_recorded(output.parent) == {"song.mid.json"}
    assert records.read(output.parent / "song.wav") is None


def test_companions_are_names_in_the_folder(output: Path) -> None:
    made = dataclasses.replace(record(output), companions=("song.0001.mid",))
    made.write(output)
    assert records.read(output) == made
    dataclasses.replace(made, companions=("../song.wav",)).write(output)
    assert records.read(output) is None


def test_changes_are_named_however_deep(output: Path) -> None:
    made = dataclasses.replace(
        record(output), made_by={"verb": "sing", "options": {"key": "C", "how": {"loud": 1}}}
    )
    now = {"verb": "sing", "options": {"key": "C", "how": {"loud": 2}, "fast": True}}
    assert made.list_changes(made.made_by) == []
    assert made.list_changes(now) == ["loud", "fast"]


def set_time(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns))


def tear(path: Path) -> None:
    mtime_ns = path.stat().st_mtime_ns
    path.write_bytes(b"no")
    set_time(path, mtime_ns)


def edit(path: Path) -> None:
    path.write_bytes(b"NOTES")
    set_time(path, 1)


# What has become of an output -> how, and its state.
STATES: dict[str, tuple[Callable[[Path], object], records.State]] = {
    "as it was": (lambda path: None, "whole"),
    "touched": (lambda path: set_time(path, 1), "whole"),
    "gone": (lambda path: path.unlink(), "absent"),
    "emptied": (lambda path: path.write_bytes(b""), "absent"),
    "torn": (tear, "torn"),
    "edited": (edit, "foreign"),
}


@pytest.mark.parametrize("change", STATES)
def test_states(output: Path, change: str) -> None:
    make, state = STATES[change]
    make(output)
    assert records.inspect(output)[0] == state


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": {}}', "\x00", "[" * 100_000])
def test_a_broken_record_is_none(output: Path, content: str) -> None:
    (output.parent / ".audiocnn" / "song.mid.json").write_text(content)
    assert records.read(output) is None
    assert records.inspect(output)[0] == "foreign"


@pytest.mark.parametrize("name", ["../song.wav", "song.mid/../../song.wav", "/etc/passwd", "song.wav", ""])
def test_a_record_of_files_elsewhere_is_none(output: Path, name: str) -> None:
    made = record(output)
    made = dataclasses.replace(made, replaced={name: made.content})
    made.write(output)
    assert records.read(output) is None


@pytest.mark.parametrize("name", ["song.mid/a\0b", "song.mid/\ud800", "song.mid/" + "x" * 300])
def test_a_record_of_names_that_no_file_has(output: Path, name: str) -> None:
    made = record(output)
    (output.parent / ".audiocnn" / "song.mid.json").unlink()
    dataclasses.replace(made, files=made.files | {name: made.content}).write(output)
    assert records.inspect(output)[0] == "torn"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("gone.mid")])
def test_pipes_and_links_that_lead_nowhere_are_others(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "song.mid")
    assert records.inspect(tmp_path / "song.mid") == ("foreign", None)


def test_a_pipe_in_place_of_a_record_is_not_waited_for(output: Path) -> None:
    path = output.parent / ".audiocnn" / "song.mid.json"
    path.unlink()
    os.mkfifo(path)
    assert records.read(output) is None


def test_what_was_to_be_replaced_is_torn(output: Path) -> None:
    old = records.read_content(output)
    edit(output)
    new = record(output, **{output.name: old})
    output.write_bytes(b"notes")
    set_time(output, 2)
    assert new.inspect(output) == "torn"


def test_folders(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    assert records.inspect(page)[0] == "absent"
    contents = {}
    for name in ("index.html", "tone.wav"):
        (page / name).write_text(name)
        contents[f"page/{name}"] = records.read_content(page / name)
    assert records.inspect(page)[0] == "foreign"
    records.Record("song.wav", contents["page/tone.wav"], {}, contents, {}).write(page)
    (page / "notes.txt").write_text("somebody's own")
    assert records.inspect(page)[0] == "whole"
    (page / "tone.wav").unlink()
    assert records.inspect(page)[0] == "torn"
    (page / "index.html").write_text("INDEX.HTML")
    set_time(page / "index.html", 1)
    assert records.inspect(page)[0] == "foreign"


def test_sources_are_known_by_their_content(output: Path) -> None:
    source, made = output.with_name("song.wav"), record(output)
    copy = output.with_name("copy.wav")
    copy.write_bytes(b"sound")
    assert [made.compare_source(one, output.parent) for one in (source, copy)] == ["same", "same"]
    source.write_bytes(b"SOUND")
    set_time(source, 1)
    assert made.compare_source(source, output.parent) == "changed"
    copy.write_bytes(b"SOUND")
    set_time(copy, made.content.mtime_ns)  # one time and size, as those of files from one archive
    assert made.compare_source(copy, output.parent) == "other"


def test_names_at_the_limit() -> None:
    assert records.name_record("song.mid") == "song.mid.json"
    long = [records.name_record(start * 85) for start in ("é.", "ê.")]
    assert all(len(name) < 200 for name in long) and long[0] != long[1]


def test_a_record_that_cannot_be_written(output: Path) -> None:
    other = output.parent / "deep" / "song.mid"
    other.parent.mkdir()
    (other.parent / ".audiocnn").touch()
    with pytest.raises(files.FileError, match="is a file, not a folder"):
        record(output).write(other)
    assert records.read(other) is None
    assert records.list_recorded(other.parent) == set()


def test_what_made_it_is_compared_as_json() -> None:
    from audiocnn.notes import DecodingOptions

    made_by = {"decoding": DecodingOptions(), "styles": ("a", "b")}
    assert records.normalise(made_by)["styles"] == ["a", "b"]
    assert records.normalise(made_by)["decoding"]["onset_threshold"] == DecodingOptions().onset_threshold
