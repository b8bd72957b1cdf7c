"""`audiocnn evaluate` and `audiocnn data prepare`: folders of recordings with their notes."""

import json
from pathlib import Path

import soundfile

RATE = 16_000


def test_evaluate(run, music: Path, model: Path, played) -> None:
    rows = "\n".join(f"{onset}\t{offset}\t{midi}\t64" for onset, offset, midi in played)
    (music / "song.tsv").write_text(f"onset_s\toffset_s\tmidi\tvelocity\n{rows}\n")
    done = run("evaluate", "notes", music, "--model", model, "--output", music / "report.json")
    assert (done.status, done.err) == (0, [])
    assert done.out[0].split() == ["onset", "+", "offset", "+", "velocity", "frame"]
    assert done.out[2].split()[:7] == ["song.wav", *["100.0"] * 6]
    assert done.out[3].split()[:7] == ["mean", *["100.0"] * 6]
    assert json.loads((music / "report.json").read_text())["mean"]["onset"]["f1"] == 1.0


def test_evaluate_goes_on_after_a_bad_file(run, music: Path, sound, model: Path) -> None:
    (music / "song.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n0.5\t1.0\t69\t64\n")
    (music / "bad.tsv").write_text("nothing")
    soundfile.write(music / "bad.wav", sound(), RATE)
    done = run("evaluate", "notes", music, "--model", model)
    assert (done.status, len(done.err), len(done.out)) == (1, 1, 4)
    assert done.err[0].startswith(f"{music}/bad.tsv: not readable as .tsv")


def test_evaluate_without_notes(run, music: Path, model: Path) -> None:
    done = run("evaluate", "notes", music, "--model", model)
    assert (done.status, done.out) == (1, [])
    assert done.err == [f"{music}: no recording with notes beside it (.tsv, .mid, .midi, .jams)"]


def test_prepare_maps(run, music: Path) -> None:
    source = music / "MAPS_MUS-one_AkPnBcht.wav"
    (music / "song.wav").rename(source)
    source.with_suffix(".txt").write_text("OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.0\t69\n")
    done = run("data", "prepare", "maps", music, music / "cache")
    assert (done.status, done.out[-1]) == (0, f"1 recordings written to {music}/cache")
    written = sorted(path.name for path in (music / "cache" / "train").iterdir())
    assert written == ["MAPS_MUS-one_AkPnBcht.tsv", "MAPS_MUS-one_AkPnBcht.wav"]


def test_prepare_from_nothing(run, tmp_path: Path) -> None:
    done = run("data", "prepare", "maps", tmp_path, tmp_path / "cache")
    assert (done.status, len(done.err)) == (1, 1)
    assert done.err[0].startswith(f"{tmp_path}: no MAPS recordings")
    done = run("data", "prepare", "render", tmp_path, tmp_path / "cache")
    assert (done.status, len(done.err)) == (1, 1)
