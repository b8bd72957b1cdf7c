"""The command line, with a model made by hand that hears pure tones: so the notes are known."""

import inspect
import io
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import onnxruntime
import pretty_midi
import pytest
import soundfile
import torch

import audiocnn
from audiocnn import formats, listen, models
from audiocnn.backbones import HarmonicNet
from audiocnn.cli import VERBS, main, transcription
from audiocnn.notes import Note
from audiocnn.spectrogram import Cqt
from audiocnn.tasks import modelfile
from audiocnn.tasks.model import NotesModel

MODEL = Path(__file__).parent / "golden" / "tones.safetensors"
RATE = 16_000
MUSIC = [
    (0.5, 1.0, 69),
    (1.2, 2.0, 72),
    (1.2, 2.0, 76),
    (2.5, 2.8, 81),
    (3.2, 3.6, 60),
]  # onset, offset, MIDI


def tone_model() -> NotesModel:
    """A network of two channels: the level of the front end at each pitch, and how fast it rises."""
    front_end = Cqt(RATE, 512, fmin=26.975577, n_bins=294, bins_per_octave=36, max_length=2046)
    model = NotesModel(front_end, HarmonicNet(channels=2)).eval()
    with torch.no_grad():
        for weights in model.backbone.stages.parameters():
            weights.zero_()
        stem, head = model.backbone.stem[0].weight.zero_(), model.head.project
        stem[0, 4, 1, 1] = 1  # channel 4 is the middle bin of the pitch itself
        stem[1, 4, 1] = torch.tensor([-1.0, 0.0, 1.0])
        head.bias.copy_(torch.tensor([-6.0, -6.0, -20.0, 0.0]))
        head.weight.zero_()
        head.weight[0, 1], head.weight[1, 0], head.weight[3, 0] = 100, 150, 6
    return model


def sound(notes=MUSIC, duration_s: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Pure tones that fade, (samples,)."""
    samples = np.zeros(round(duration_s * rate))
    for onset_s, offset_s, midi in notes:
        time_s = np.arange(round(onset_s * rate), round(offset_s * rate)) / rate - onset_s
        edges = np.clip(np.minimum(time_s / 0.01, (offset_s - onset_s - time_s) / 0.02), 0, 1)
        tone = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time_s) * np.exp(-time_s)
        samples[round(onset_s * rate) :][: len(tone)] += 0.4 * edges * tone
    return samples


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with a song."""
    soundfile.write(tmp_path / "song.wav", sound(), RATE)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs a command line; gives its exit status and its lines on the standard output and error."""

    def run(*arguments: object) -> SimpleNamespace:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out.splitlines(), err=err.splitlines())

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def assert_is_the_music(notes: list[Note]) -> None:
    assert [note.midi for note in sorted(notes, key=lambda note: (round(note.onset_s, 1), note.midi))] == [
        midi for *_, midi in MUSIC
    ]
    for note, (onset_s, offset_s, _) in zip(
        sorted(notes, key=lambda n: (round(n.onset_s, 1), n.midi)), MUSIC, strict=True
    ):
        assert note.onset_s == pytest.approx(onset_s, abs=0.02)
        assert note.offset_s == pytest.approx(offset_s, abs=0.04)


# The model of these tests


def test_golden_model_is_the_one_made_by_hand() -> None:
    """A model file of format version 1: later versions read it too."""
    made, read = tone_model(), modelfile.load(MODEL)
    assert json.dumps(modelfile.describe(read)) == json.dumps(modelfile.describe(made, NotesModel))
    for name, tensor in made.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name


# Help


def test_help_tells_the_verbs_within_half_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from audiocnn.cli import main; raise SystemExit(main())", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert all(f"  {verb} " in done.stdout for verb in VERBS)
    # Time of the processor, which other programs running do not lengthen.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 0.5


def test_version(run) -> None:
    assert run("--version").out == [audiocnn.__version__]


@pytest.mark.parametrize("arguments", [["sing"], ["data"], ["evaluate", "song.wav"]])
def test_no_such_verb(run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, [])
    assert done.err[-1] == f"audiocnn: no such verb: {' '.join(arguments)}"


@pytest.mark.parametrize("verb", [verb for verb, (home, _) in VERBS.items() if "training" not in home])
def test_each_verb_explains_itself(run, verb: str) -> None:
    done = run(*verb.split(), "--help")
    assert done.status == 0
    assert done.out[0].startswith(f"usage: audiocnn {verb}")


def test_one_name_and_one_default_in_python_and_here() -> None:
    here = inspect.signature(transcription.transcribe).parameters
    for there in (listen.transcribe, listen.Transcription.to_midi):
        shared = set(here) & set(inspect.signature(there).parameters)
        assert shared >= (
            {"model", "whole", "batch_size", "device"} if there is listen.transcribe else {"tempo"}
        )
        for name in shared - {"knobs"}:
            assert here[name].default == inspect.signature(there).parameters[name].default, name
    assert set(get_args(transcription.Format)) == set(formats.WRITERS)


# transcribe


def test_hears_the_notes_and_tells_so(run, music: Path) -> None:
    done = run("transcribe", music / "song.wav", "--model", MODEL, "--formats", "csv")
    assert (done.status, done.err) == (0, [])
    assert done.out == [f"{music}/song.wav: 5 notes -> {music}/song.csv"]
    assert_is_the_music(formats.read(music / "song.csv"))


def test_every_format(run, music: Path) -> None:
    original = (music / "song.wav").read_bytes()
    done = run("transcribe", music, "--model", MODEL, "--formats", *formats.WRITERS)
    assert (done.status, done.err) == (0, [])
    assert names(music) == sorted(
        ["song.wav", "song.notes.wav"] + [f"song.{name}" for name in formats.WRITERS if name != "wav"]
    )
    assert (music / "song.wav").read_bytes() == original
    for name in ("mid", "csv", "json", "jams"):
        assert_is_the_music(formats.read(music / f"song.{name}"))
    assert soundfile.info(music / "song.notes.wav").duration == pytest.approx(4.0)
    with np.load(music / "song.npz") as scores:
        assert scores["onset"].shape == (88, 126)
    # What this wrote is no recording to be heard next time.
    assert run("transcribe", music, "--model", MODEL).out == [
        f"{music}/song.wav: done already, see {music}/song.mid"
    ]


def test_what_is_there_stays_unless_told(run, music: Path) -> None:
    (music / "song.mid").write_text("precious")
    command = ("transcribe", music, "--model", MODEL, "--formats", "mid", "csv")
    assert run(*command).out == [f"{music}/song.wav: 5 notes -> {music}/song.csv"]
    assert run(*command).out == [f"{music}/song.wav: done already, see {music}/song.mid {music}/song.csv"]
    assert (music / "song.mid").read_text() == "precious"
    assert run(*command, "--overwrite").status == 0
    assert_is_the_music(formats.read(music / "song.mid"))


def test_folders_in_folders_out(run, tmp_path: Path) -> None:
    for name in ("in/a.wav", "in/live/b.flac", "in/live/.hidden/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, sound(), RATE)
    done = run("transcribe", tmp_path / "in", "--model", MODEL, "--output", tmp_path / "out" / "notes")
    assert done.status == 0
    assert len(done.out) == 2
    assert names(tmp_path / "out") == ["notes/a.mid", "notes/live/b.mid"]


def test_two_recordings_of_one_name_in_a_folder(run, music: Path) -> None:
    soundfile.write(music / "song.flac", sound([(1, 2, 69)]), RATE)
    assert run("transcribe", music, "--model", MODEL, "--formats", "csv").status == 0
    assert names(music) == ["song.flac", "song.flac.csv", "song.wav", "song.wav.csv"]
    assert len(formats.read(music / "song.flac.csv")) == 1
    assert_is_the_music(formats.read(music / "song.wav.csv"))


def test_two_recordings_for_one_place(run, music: Path) -> None:
    (music / "other").mkdir()
    soundfile.write(music / "other" / "song.wav", sound([(1, 2, 69)]), RATE)
    files = [music / "song.wav", music / "other" / "song.wav"]
    done = run("transcribe", *files, "--model", MODEL, "--formats", "csv", "--output", music / "out")
    assert done.status == 1
    stem = music / "out" / "song.wav"
    assert done.err == [f"{files[1]}: its notes would be written where those of {files[0]} are, to {stem}.*"]
    assert_is_the_music(formats.read(music / "out" / "song.wav.csv"))


def test_a_recording_named_twice_is_heard_once(run, music: Path) -> None:
    done = run("transcribe", music, music / "song.wav", "--model", MODEL)
    assert (done.status, len(done.out)) == (0, 1)


def test_knobs(run, music: Path) -> None:
    command = ("transcribe", music, "--model", MODEL, "--formats", "csv", "--overwrite")
    run(*command, "--lowest_pitch", 70, "--highest_pitch", 76)
    assert [note.midi for note in formats.read(music / "song.csv")] == [76, 72]
    assert run(*command, "--onset_threshold", 1.0).out == [f"{music}/song.wav: 0 notes -> {music}/song.csv"]
    run(*command, "--minimum_note_ms", 600)
    assert [note.midi for note in formats.read(music / "song.csv")] == [76, 72]


def test_tempo_and_quantise(run, music: Path) -> None:
    command = ("transcribe", music, "--model", MODEL, "--overwrite")
    run(*command, "--tempo", 100)
    assert_is_the_music(formats.read(music / "song.mid"))
    assert pretty_midi.PrettyMIDI(str(music / "song.mid")).get_tempo_changes()[1] == pytest.approx([100])
    run(*command, "--tempo", 100, "--quantise")
    sixteenths = np.array([note.onset_s for note in formats.read(music / "song.mid")]) / 0.15
    np.testing.assert_allclose(sixteenths, np.round(sixteenths), atol=1e-3)
    run(*command)
    _, tempi = pretty_midi.PrettyMIDI(str(music / "song.mid")).get_tempo_changes()
    assert tempi == pytest.approx(
        [formats.estimate_tempo(listen.transcribe(music / "song.wav", MODEL).notes)]
    )


def test_whole_and_in_blocks(run, music: Path) -> None:
    tables = []
    for how in ([], ["--whole"], ["--batch_size", 2]):
        run("transcribe", music, "--model", MODEL, "--formats", "csv", "--overwrite", *how)
        tables.append((music / "song.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--formats", "mp3"], "argument --formats: invalid choice: 'mp3'"),
        (["--tempo", "fast"], "argument --tempo: invalid float value: 'fast'"),
        (["--tempo", 0], "tempo is 0.0, expected 4 to 1000"),
        (["--batch_size", 0], "batch_size is 0, expected 1 or more"),
        (["--onset_threshold", 2], "onset_threshold is 2.0, expected more than 0 and at most 1"),
        (["--lowest_pitch", 90, "--highest_pitch", 80], "pitches are 90 to 80"),
        (["--device", "abacus"], "device is 'abacus': "),
        (["--quantize"], "unrecognized arguments: --quantize"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(run, music: Path, arguments: list, reason: str) -> None:
    done = run("transcribe", music, "--model", MODEL, *arguments)
    assert (done.status, len(done.err)) == (2, 1)
    assert done.err[0].startswith(f"audiocnn transcribe: {reason}")
    assert names(music) == ["song.wav"]


def test_a_bar_where_there_is_a_terminal(run, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for: take this for a terminal
    done = run("transcribe", music, "--model", MODEL)
    assert done.status == 0
    assert any("song.wav" in line and "100%" in line for line in done.err)


# listen


@pytest.fixture
def heard(run, monkeypatch: pytest.MonkeyPatch):
    """Runs `audiocnn listen` on samples (samples, channels)."""

    def heard(samples: np.ndarray, *arguments: object) -> SimpleNamespace:
        pcm = io.BytesIO((samples * 32_767).astype("<i2").tobytes())
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pcm, isatty=lambda: False))
        return run("listen", "--model", MODEL, *arguments)

    return heard


def test_listen(heard) -> None:
    done = heard(sound(rate=44_100))
    latency_s = listen.Listener(modelfile.load(MODEL)).latency_s
    assert (done.status, done.err) == (0, [])
    assert done.out[0] == f"latency {latency_s:.3f} s, and up to 0.250 s until a block is full"
    events = [line.split() for line in done.out[1:]]
    assert [(kind, pitch) for _, kind, pitch, *_ in events[:2]] == [("on", "A4"), ("off", "A4")]
    assert sorted(pitch for _, kind, pitch, *_ in events if kind == "on") == ["A4", "A5", "C4", "C5", "E5"]
    assert sorted(pitch for _, kind, pitch in (event[:3] for event in events) if kind == "off") == [
        "A4",
        "A5",
        "C4",
        "C5",
        "E5",
    ]
    assert [float(time_s) for time_s, kind, *_ in events if kind == "on"] == pytest.approx(
        [0.5, 1.2, 1.2, 2.5, 3.2], abs=0.02
    )
    assert all(1 <= int(event[3]) <= 127 for event in events if event[1] == "on")


def test_listen_with_less_look_ahead_and_more_channels(heard) -> None:
    samples = np.stack([sound(rate=22_050), np.zeros(4 * 22_050)], axis=1) * 2
    options = ("--sample_rate", 22_050, "--channels", 2)
    done = heard(samples / 2.5, *options, "--look_ahead_s", 0.13)
    assert done.out[0] == "latency 0.128 s, and up to 0.032 s until a block is full"
    assert sum(" on " in line for line in done.out) == 5


def test_listen_in_a_range_of_pitches(heard) -> None:
    done = heard(sound(), "--sample_rate", RATE, "--lowest_pitch", 75)
    assert [line.split()[2] for line in done.out[1:]] == ["E5", "E5", "A5", "A5"]


def test_low_latency(heard) -> None:
    done = heard(sound(), "--sample_rate", RATE, "--low_latency")
    assert done.out[0] == "latency 0.096 s, and up to 0.032 s until a block is full"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--look_ahead_s", 0.01], "look_ahead_s is 0.01, expected at least this model's 0.096"),
        (["--channels", 0], "channels is 0, expected 1 or more"),
        (["--sample_rate", 1], "sample_rate is 1, expected 1000 to 1000000"),
    ],
)
def test_listen_to_wrong_arguments(heard, arguments: list, reason: str) -> None:
    done = heard(sound(), *arguments)
    assert (done.status, done.out) == (2, [])
    assert done.err == [f"audiocnn listen: {reason} (see audiocnn listen --help)"]


@pytest.mark.slow
def test_listen_tells_while_the_sound_goes_on_until_interrupted() -> None:
    command = [sys.executable, "-c", "from audiocnn.cli import main; raise SystemExit(main())", "listen"]
    options = ["--model", str(MODEL), "--sample_rate", str(RATE), "--look_ahead_s", "0.16"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], **pipes) as process:
        process.stdin.write((sound()[:RATE] * 32_767).astype("<i2").tobytes())
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"latency 0.160 s")
        assert process.stdout.readline().split()[1:3] == [b"on", b"A4"]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b""


@pytest.mark.slow
def test_interrupted_transcribe_leaves_whole_files_only(tmp_path: Path) -> None:
    for number in range(30):
        soundfile.write(tmp_path / f"{number:02}.wav", sound(duration_s=20), RATE)
    command = [sys.executable, "-c", "from audiocnn.cli import main; raise SystemExit(main())", "transcribe"]
    options = [str(tmp_path), "--model", str(MODEL), "--formats", "json", "png"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], **pipes) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b""
    written = [path for path in tmp_path.iterdir() if path.suffix != ".wav"]
    assert 2 <= len(written) < 60
    assert not [path for path in written if path.name.startswith(".")]
    for path in tmp_path.glob("*.json"):
        assert_is_the_music(formats.read(path))


# evaluate


def test_evaluate(run, music: Path) -> None:
    rows = "\n".join(f"{onset}\t{offset}\t{midi}\t64" for onset, offset, midi in MUSIC)
    (music / "song.tsv").write_text(f"onset_s\toffset_s\tmidi\tvelocity\n{rows}\n")
    done = run("evaluate", "notes", music, "--model", MODEL, "--output", music / "report.json")
    assert (done.status, done.err) == (0, [])
    assert done.out[0].split() == ["onset", "+", "offset", "+", "velocity", "frame"]
    assert done.out[2].split()[:7] == ["song.wav", *["100.0"] * 6]
    assert done.out[3].split()[:7] == ["mean", *["100.0"] * 6]
    assert json.loads((music / "report.json").read_text())["mean"]["onset"]["f1"] == 1.0


def test_evaluate_goes_on_after_a_bad_file(run, music: Path) -> None:
    (music / "song.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n0.5\t1.0\t69\t64\n")
    (music / "bad.tsv").write_text("nothing")
    soundfile.write(music / "bad.wav", sound(), RATE)
    done = run("evaluate", "notes", music, "--model", MODEL)
    assert (done.status, len(done.err), len(done.out)) == (1, 1, 4)
    assert done.err[0].startswith(f"{music}/bad.tsv: not readable as .tsv")


def test_evaluate_without_notes(run, music: Path) -> None:
    done = run("evaluate", "notes", music, "--model", MODEL)
    assert (done.status, done.out) == (1, [])
    assert done.err == [f"{music}: no recording with notes beside it (.tsv, .mid, .midi, .jams)"]


# data prepare


def test_prepare_maps(run, music: Path) -> None:
    source = music / "MAPS_MUS-one_AkPnBcht.wav"
    (music / "song.wav").rename(source)
    source.with_suffix(".txt").write_text("OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.0\t69\n")
    done = run("data", "prepare", "maps", music, music / "cache")
    assert (done.status, done.out[-1]) == (0, f"1 recordings written to {music}/cache")
    assert names(music / "cache") == ["train/MAPS_MUS-one_AkPnBcht.tsv", "train/MAPS_MUS-one_AkPnBcht.wav"]


def test_prepare_from_nothing(run, tmp_path: Path) -> None:
    done = run("data", "prepare", "maps", tmp_path, tmp_path / "cache")
    assert (done.status, len(done.err)) == (1, 1)
    assert done.err[0].startswith(f"{tmp_path}: no MAPS recordings")
    done = run("data", "prepare", "render", tmp_path, tmp_path / "cache")
    assert (done.status, len(done.err)) == (1, 1)


# export, models


def test_export_a_model_again(run, tmp_path: Path) -> None:
    done = run("export", tmp_path / "again.safetensors", "--model", MODEL)
    assert (done.status, done.err) == (0, [])
    assert (tmp_path / "again.safetensors").read_bytes() == MODEL.read_bytes()


@pytest.mark.slow
def test_onnx_gives_the_scores_of_torch(run, tmp_path: Path) -> None:
    assert run("export", tmp_path / "tones.onnx", "--model", MODEL).status == 0
    assert names(tmp_path) == ["tones.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "tones.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata == {"sample_rate": "16000", "hop_length": "512"}
    task, music = modelfile.load(MODEL), sound(duration_s=6).astype(np.float32)
    for n_samples in (1, 511, 512, 20_000, 96_000):
        waveform = music[None, :n_samples]
        with torch.inference_mode():
            wanted = task.scores(torch.from_numpy(waveform))
        got = dict(zip(wanted, session.run(None, {"waveform": waveform}), strict=True))
        for name, scores in wanted.items():
            assert got[name].shape == (1, 88, 1 + n_samples // 512)
            np.testing.assert_allclose(got[name], scores.numpy(), atol=1e-4)
    # Frame i is sample i * hop_length: A4 begins at 0.5 s.
    assert got["onset"][0, 69 - 21, : RATE // 512].argmax() == pytest.approx(0.5 * RATE / 512, abs=0.7)


def test_export_without_the_onnx_extra(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocnn.tasks.onnxfile.find_spec", lambda name: None)
    done = run("export", tmp_path / "m.onnx", "--model", MODEL)
    assert done.status == 1
    assert done.err == [f"{tmp_path}/m.onnx: needs onnx and onnxscript: pip install 'audiocnn[onnx]'"]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["m.pt", "--model", MODEL], "out is m.pt, expected a name that ends in .safetensors or .onnx"),
        (["m.onnx"], "give either --model, or --config and --ckpt_path"),
        (["m.onnx", "--model", MODEL, "--config", "c"], "give either --model, or --config and --ckpt_path"),
        (["m.onnx", "--ckpt_path", "c"], "give either --model, or --config and --ckpt_path"),
    ],
)
def test_export_wrongly_asked_for(run, arguments: list, reason: str) -> None:
    done = run("export", *arguments)
    assert done.status == 2
    assert done.err == [f"audiocnn export: {reason} (see audiocnn export --help)"]


def test_models(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    assert run("models").out == []
    (tmp_path / "notes-piano.safetensors").write_bytes(MODEL.read_bytes())
    assert run("models").out == [f"notes-piano       0.0 MB  {tmp_path}/notes-piano.md"]
