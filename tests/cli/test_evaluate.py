"""`audiocnn evaluate` and `audiocnn data prepare`: folders of recordings with their notes."""

import json
from pathlib import Path

import pytest
import soundfile

RATE = 16_000


def test_evaluate(run, music: Path, model: Path, played) -> None:
    rows = "\n".join(f"{onset}\t{offset}\t{midi}\t64" for onset, offset, midi in played)
    (music / "song.tsv").write_text(f"onset_s\toffset_s\tmidi\tvelocity\n{rows}\n")
    done = run("evaluate", "notes", music, "--model", model, "--output", music / "report.json")
    assert (done.status, done.err) == (0, [])
    assert done.out[0].split() == ["note", "+", "offset", "+", "velocity", "frame"]
    assert done.out[2].split()[:7] == ["song.wav", *["100.0"] * 6]
    assert done.out[3].split()[:7] == ["mean", *["100.0"] * 6]
    assert json.loads((music / "report.json").read_text())["mean"]["note"]["f1"] == 1.0


def test_evaluate_goes_on_after_a_bad_file(run, music: Path, sound, model: Path) -> None:
    (music / "song.tsv").write_text("onset_s\toffset_s\tmidi\n0.5\t1.0\t69\n0.6\t0.6\t70\n")
    (music / "bad.tsv").write_text("nothing")
    for name in ("bad", "without"):
        soundfile.write(music / f"{name}.wav", sound(), RATE)
    done = run("evaluate", "notes", music, "--model", model)
    assert (done.status, len(done.out)) == (1, 4)
    assert done.out[2].split()[7:10] == ["–"] * 3
    assert done.err == [
        f"{music}/song.tsv: 1 notes without a length are taken for 1 ms",
        "+ velocity: 0 of 1 recordings have it, by what their notes hold",
        f"{music}: 1 recordings without notes beside them: without.wav",
        f"{music}/bad.tsv: not readable as .tsv: the header has no column onset_s: 'nothing'",
    ]


@pytest.mark.parametrize("suffix", ["mid", "jams"])
def test_evaluate_refuses_its_own_transcription(run, music: Path, model: Path, suffix: str) -> None:
    run("transcribe", music, "--model", model, "--formats", suffix, "wav")
    for renamed in (False, True):
        if renamed:
            (music / f"song.{suffix}").rename(music / f"tune.{suffix}")
            (music / "song.wav").rename(music / "tune.wav")
        done = run("evaluate", "notes", music, "--model", model)
        assert (done.status, len(done.err)) == (1, 2)
        ours = "1 file is a result" if renamed else "2 files are results"
        assert done.err[0] == f"{music}: {ours} of audiocnn: skipped"
        place = music / f"{'tune' if renamed else 'song'}.{suffix}"
        assert done.err[1].startswith(f"{place}: is no reference: transcribed by audiocnn")


def test_evaluate_without_notes(run, music: Path, model: Path) -> None:
    done = run("evaluate", "notes", music, "--model", model)
    assert (done.status, done.out) == (1, [])
    assert done.err == [f"{music}: no recording with notes beside it (.tsv, .mid, .midi, .jams)"]


def test_evaluate_keeps_its_inputs(run, music: Path, model: Path) -> None:
    (music / "song.tsv").write_text("onset_s\toffset_s\tmidi\n0.5\t1.0\t69\n")
    before = (music / "song.wav").read_bytes()
    done = run("evaluate", "notes", music, "--model", model, "--output", music / "song.wav")
    assert (done.status, done.out) == (1, [])
    assert done.err == [f"{music}/song.wav: is one of the inputs, expected another output"]
    assert (music / "song.wav").read_bytes() == before


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


@pytest.fixture
def by_class(tmp_path: Path, tone) -> Path:
    """A folder per class of three tones each, one of the high ones said to be low; and one of silence."""
    for label, samples in {"low": "low", "middle": "middle", "high": "high", "unknown": None}.items():
        (tmp_path / label).mkdir()
        for number in range(3):
            sounding = [samples] if samples else []
            soundfile.write(tmp_path / label / f"{number}.wav", tone(*sounding), RATE)
    (tmp_path / "high" / "2.wav").rename(tmp_path / "low" / "3.wav")
    return tmp_path


def test_evaluate_genre(run, by_class: Path, one_tone: Path, tmp_path: Path) -> None:
    done = run("evaluate", "genre", by_class, "--model", one_tone, "--output", tmp_path / "report")
    assert (done.status, done.err) == (0, [])
    rows = [line.split() for line in done.out]
    assert ["accuracy", "macro", "F1", "mAP", "calibration", "error"] in rows
    assert next(row for row in rows if row[:2] == ["12", "clips"])[2] == "91.7"
    assert next(row for row in rows if row[:1] == ["low"])[1:5] == ["4", "100.0", "75.0", "85.7"]
    assert next(row for row in rows if row[:1] == ["unknown"])[1:5] == ["3", "100.0", "100.0", "100.0"]
    assert done.out[-1] == f"{tmp_path}/report/report.md"
    assert (tmp_path / "report" / "confusion.png").is_file()


def test_evaluate_instrument_by_a_manifest(run, by_class: Path, many_tones: Path) -> None:
    table = "path,labels,start,end,split,group\nlow/0.wav,low,0,1,test,a\nlow/0.wav,low,1,2,test,a\n"
    (by_class / "clips.csv").write_text(table + "high/0.wav,low|middle,,,train,b\n")
    command = ("evaluate", "instrument", by_class / "clips.csv", "--model", many_tones, "--split")
    done = run(*command, "test")
    assert (done.status, done.err) == (0, [])
    assert [line.split()[:3] for line in done.out[1:3]] == [
        ["2", "clips", "100.0"],
        ["1", "recordings", "100.0"],
    ]
    done = run(*command, "validation")
    line = (
        "holds no clips of the split validation, but 2 test, 1 train, and the model does not say what it was"
    )
    assert (done.status, done.err) == (1, [f"{by_class}/clips.csv: {line} trained on"])
    done = run(*command, "exam")
    assert (done.status, len(done.err)) == (2, 1)
    assert done.err[0].startswith("audiocnn evaluate instrument: --split is 'exam', expected one of train")


def test_evaluate_labels_that_the_model_lacks(run, by_class: Path, one_tone: Path) -> None:
    (by_class / "low").rename(by_class / "bass")
    done = run("evaluate", "genre", by_class, "--model", one_tone)
    assert (done.status, done.out) == (2, [])
    reason = "clips have labels that the model lacks: bass (4), expected low, middle, high"
    assert done.err == [f"audiocnn evaluate genre: {reason} (see audiocnn evaluate genre --help)"]


def test_evaluate_labels_goes_on_after_a_bad_file(run, by_class: Path, one_tone: Path) -> None:
    (by_class / "low" / "0.wav").write_text("la la la\n" * 1000)
    done = run("evaluate", "genre", by_class, "--model", one_tone)
    assert (done.status, len(done.err)) == (1, 1)
    assert done.err[0].startswith(f"{by_class}/low/0.wav: no audio that libsndfile or FFmpeg can read")
    assert any(line.startswith("11 clips") for line in done.out)
