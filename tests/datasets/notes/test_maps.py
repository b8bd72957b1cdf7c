"""MAPS: which recordings are used, on which side of the split, and what stands in the cache."""

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.notes import maps


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three pieces on four pianos, one of them a test piano that plays `tune`."""
    names = ("bach_AkPnBcht", "bach_AkPnCGdD", "tune_AkPnBcht", "tune_ENSTDkCl", "chpn-p1_SptkBGAm")
    for name in names:
        folder = tmp_path / "source" / name.rpartition("_")[2]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"MAPS_MUS-{name}.wav", np.full((4410, 2), 0.25), 44_100)
        text = "OnsetTime\tOffsetTime\tMidiPitch\n\n0.05\t0.09\t64\n0.01\t0.09\t60\n"
        (folder / f"MAPS_MUS-{name}.txt").write_text(text)
    return tmp_path / "source"


def test_splits_by_piano_without_test_pianos_and_their_pieces(source: Path) -> None:
    split = {path.stem: part for path, part in maps.split_by_piano(maps.find_maps(source)).items()}
    assert split == {
        "MAPS_MUS-bach_AkPnBcht": "train",
        "MAPS_MUS-bach_AkPnCGdD": "validation",
        "MAPS_MUS-chpn-p1_SptkBGAm": "train",
    }


def test_writes_sound_and_notes_in_order_and_only_once(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert maps.prepare_maps(source, out) == 3
    waveform, rate = soundfile.read(out / "validation" / "MAPS_MUS-bach_AkPnCGdD.wav")
    assert (rate, waveform.shape) == (16_000, (1600,))
    np.testing.assert_allclose(waveform[400:1200], 0.25, atol=1e-3)
    assert (out / "validation" / "MAPS_MUS-bach_AkPnCGdD.tsv").read_text() == (
        "onset_s\toffset_s\tmidi\tvelocity\n0.010000\t0.090000\t60\t64\n0.050000\t0.090000\t64\t64\n"
    )
    assert maps.prepare_maps(source, out) == 0


def test_a_recording_without_its_notes_is_made_again(source: Path, tmp_path: Path) -> None:
    maps.prepare_maps(source, tmp_path / "out")
    (tmp_path / "out" / "train" / "MAPS_MUS-bach_AkPnBcht.tsv").unlink()
    assert maps.prepare_maps(source, tmp_path / "out") == 1


@pytest.mark.parametrize("separator", [",", "\t"])
def test_reads_tables_of_either_separator(tmp_path: Path, separator: str) -> None:
    rows = separator.join(["0.5", "1.25", "60.0", "53.0"])
    (tmp_path / "MAPS_MUS-a_b.tsv").write_text(f"# onset,offset,note,velocity\n{rows}\n")
    np.testing.assert_array_equal(maps.read_labels(tmp_path / "MAPS_MUS-a_b.flac"), [[0.5, 1.25, 60, 53]])


def test_reads_midi_with_the_pedal(tmp_path: Path) -> None:
    file = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=480)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(70, 60, 0.5, 1.0)]
    piano.control_changes = [pretty_midi.ControlChange(64, 127, 0.75), pretty_midi.ControlChange(64, 0, 2.0)]
    file.instruments.append(piano)
    file.write(str(tmp_path / "MAPS_MUS-a_b.mid"))
    np.testing.assert_allclose(maps.read_labels(tmp_path / "MAPS_MUS-a_b.wav"), [[0.5, 2.0, 60, 70]])


def test_refuses_a_folder_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match="no MAPS recordings"):
        maps.prepare_maps(tmp_path, tmp_path / "out")


def test_recordings_that_fail_are_named_and_the_others_written(source: Path, tmp_path: Path) -> None:
    (source / "AkPnBcht" / "MAPS_MUS-bach_AkPnBcht.wav").write_text("no sound")
    (source / "SptkBGAm" / "MAPS_MUS-chpn-p1_SptkBGAm.txt").write_text("OnsetTime\nnone at all\n")
    with pytest.raises(files.FileError, match="2 of 3 recordings failed, the others are written:") as caught:
        maps.prepare_maps(source, tmp_path / "out")
    assert "bach_AkPnBcht.wav: no audio" in str(caught.value)
    assert "chpn-p1_SptkBGAm.txt: no table of 3 numbers a line" in str(caught.value)
    assert len([*(tmp_path / "out").rglob("*.tsv")]) == 1


def test_what_is_reserved_is_counted(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps.prepare_maps(source, tmp_path / "out")
    assert capsys.readouterr().out.startswith(f"{source}: 3 of 5 recordings are used; other ones")
