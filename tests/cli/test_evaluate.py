"""`audiocnn evaluate` and `audiocnn data prepare`: folders of recordings with their notes."""

import json
import shutil
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
    missing = tmp_path / "none.sf2"
    done = run("data", "prepare", "render", tmp_path, tmp_path / "cache", "--soundfonts", missing)
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


def test_what_a_model_was_trained_on_is_refused_unless_asked_for(
    run, by_class: Path, one_tone: Path, tmp_path: Path
) -> None:
    from audiocnn.datasets.clips.finding import find_clips
    from audiocnn.datasets.clips.record import add_digests, record_split
    from audiocnn.datasets.clips.splits import SplitOptions, split_clips
    from audiocnn.models.file import write_model
    from audiocnn.models.load import load

    for number, path in enumerate(sorted(by_class.rglob("*.wav"))):  # all different
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples[: len(samples) - number], rate)
    model = load(one_tone)
    options = SplitOptions(validation=0.25, test=0.25)
    model.split = record_split(split_clips(add_digests(find_clips(by_class).clips), options))
    write_model(model, tmp_path / "mine.safetensors")
    moved = by_class.rename(by_class.parent / "moved")
    mine = moved / "mine.safetensors"
    counts = {part: len(digests) for part, digests in model.split.items()}
    line = ", ".join(f"{counts[part]} {part}" for part in sorted(counts))
    done = run("evaluate", "genre", moved, "--model", mine)
    assert (done.status, done.out) == (2, [])
    assert f"of its clips {line}; the model was trained on those of train: give --split test" in done.err[-1]
    for part, count in counts.items():
        done = run("evaluate", "genre", moved, "--model", mine, "--split", part)
        assert done.status == 0
        assert any(row.startswith(f"{count} clips ") for row in done.out)
        assert any(row.startswith(f"{count} of {count} clips evaluated, those of {part}") for row in done.out)
    soundfile.write(moved / "low" / "new.wav", 0.1 * soundfile.read(moved / "low" / "0.wav")[0], RATE)
    done = run("evaluate", "genre", moved, "--model", mine, "--split", "test")
    assert "1 of no split" in done.out[-1]
    done = run("evaluate", "genre", moved / "low", "--model", mine, "--layout", "nothing")
    assert (done.status, len(done.err)) == (2, 1)


def test_a_folder_that_the_model_does_not_know_is_evaluated_whole(
    run, by_class: Path, one_tone: Path
) -> None:
    from audiocnn.models.file import write_model
    from audiocnn.models.load import load

    model = load(one_tone)
    model.split = {"train": ["0" * 16], "validation": [], "test": []}
    write_model(model, by_class / "mine.safetensors")
    done = run("evaluate", "genre", by_class, "--model", by_class / "mine.safetensors")
    assert done.status == 0
    assert any(line.startswith("12 clips") for line in done.out)


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_an_output_that_cannot_be_is_told_before_the_work(
    run, by_class: Path, one_tone: Path, kind: str
) -> None:
    (by_class / "report").write_text("mine")
    output = by_class / "report" if kind == "a file" else by_class / "report" / "below"
    done = run("evaluate", "genre", by_class, "--model", one_tone, "--output", output)
    assert (done.status, done.out) == (1, [])
    assert done.err[-1].startswith(f"{output}: ")
    assert (by_class / "report").read_text() == "mine"


def test_a_report_that_is_replaced_is_told(run, by_class: Path, one_tone: Path) -> None:
    command = ("evaluate", "genre", by_class, "--model", one_tone, "--output", by_class / "report")
    assert run(*command).err == []
    done = run(*command)
    assert done.status == 0
    assert f"{by_class}/report: the report in it is replaced" in done.err


NASTY = "<img src=x onerror=alert(1)>[red]|a`\n*b*\x1b[31m"


def test_names_are_shown_as_they_are(run, by_class: Path, one_tone: Path) -> None:
    """Of a class, a clip that is wrong and one that is unreadable: no HTML, no markup, each in one line."""
    (by_class / "low" / "0.wav").rename(by_class / "high" / f"{NASTY}.wav")
    (by_class / "low" / f"{NASTY}2.wav").write_text("no sound")
    done = run("evaluate", "genre", by_class, "--model", one_tone, "--output", by_class / "report")
    assert done.status == 1
    assert len(done.err) == 1
    page = (by_class / "report" / "report.md").read_text()
    assert "<img" not in page and "\x1b" not in page
    shown = r"&lt;img src=x onerror=alert(1)&gt;\[red\]\|a\`\\n\*b\*\\x1b\[31m"
    assert f"| high/{shown}.wav | high | low " in page
    assert any(line.startswith("- ") and shown in line for line in page.splitlines())
    assert "\x1b" not in "".join(done.out + done.err)


def test_labels_without_clips_are_shown_as_missing(run, by_class: Path, one_tone: Path) -> None:
    shutil.rmtree(by_class / "middle")
    done = run("evaluate", "genre", by_class, "--model", one_tone)
    assert next(line.split() for line in done.out if line.startswith("middle")) == ["middle", "0", *"––––"]


def test_a_clip_that_fails_does_not_lose_the_others(
    run, by_class: Path, one_tone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiocnn.evaluate import clips

    classify = clips.classify

    def fail_once(sound, models, **options):
        if len(sound[0]) == 999:
            raise RuntimeError("the network failed")
        return classify(sound, models, **options)

    monkeypatch.setattr(clips, "classify", fail_once)
    soundfile.write(by_class / "low" / "odd.wav", soundfile.read(by_class / "low" / "0.wav")[0][:999], RATE)
    done = run("evaluate", "genre", by_class, "--model", one_tone)
    assert (done.status, len(done.err)) == (1, 1)
    assert "odd.wav: RuntimeError: the network failed (traceback in " in done.err[0]
    assert "12 of 13 clips evaluated" in done.out
