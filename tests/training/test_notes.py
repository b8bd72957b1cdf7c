"""NotesTask: its losses by hand, and that it learns what notes are."""

import math
from pathlib import Path
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.harmonic import HarmonicNet
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.models.file import write_model
from audiocnn.notes import LOWEST_MIDI, N_PITCHES, DecodingOptions, Note, encode
from audiocnn.training.notes import STREAMING_WEIGHT, NotesTask, _note_scores, frame_weights
from audiocnn.units import midi_to_hz

RATE, HOP, N_FRAMES = 8000, 256, 96
NOTES = [
    Note(0.30, 0.70, 60, 100),
    Note(0.30, 1.10, 64, 60),
    Note(0.75, 1.50, 67, 80),
    Note(1.20, 1.60, 48, 110),
    Note(1.60, 2.20, 60, 90),
    Note(2.00, 2.60, 72, 70),
    Note(2.30, 2.70, 48, 50),
]


def tiny(**arguments) -> NotesTask:
    """A network for pitches from A0 on, with three bins a semitone."""
    torch.manual_seed(0)
    front_end = Cqt(RATE, HOP, fmin=26.9755, n_bins=252, bins_per_octave=36, max_length=1022, floor=1e-4)
    backbone = HarmonicNet(channels=8, harmonics=(1, 2, 3), dilations=(((12, 1), (1, 1)), ((1, 2), (1, 2))))
    return NotesTask(front_end, backbone, **arguments)


def played(notes: list[Note]) -> Tensor:
    """Decaying tones with three harmonics: (1, samples)."""
    waveform = np.zeros((N_FRAMES - 1) * HOP)
    for note in notes:
        first, last = round(note.onset_s * RATE), round(note.offset_s * RATE)
        times_s = np.arange(last - first) / RATE
        for harmonic in (1, 2, 3):
            phase = 2 * np.pi * harmonic * float(midi_to_hz(note.midi)) * times_s
            waveform[first:last] += note.velocity / 1000 / harmonic * np.sin(phase) * np.exp(-2 * times_s)
    return torch.tensor(waveform, dtype=torch.float32)[None]


def targets(notes: list[Note]) -> dict[str, Tensor]:
    return {name: torch.tensor(array)[None] for name, array in encode(notes, N_FRAMES, HOP / RATE).items()}


def test_outputs() -> None:
    task = tiny()
    assert task.sample_rate == RATE
    waveforms = torch.zeros(2, 10 * HOP)
    assert task(waveforms).shape == (2, 4, N_PITCHES, 11)
    assert {name: score.shape for name, score in task.scores(waveforms).items()} == dict.fromkeys(
        ("onset", "frame", "offset", "velocity"), (2, N_PITCHES, 11)
    )
    assert "bend" in tiny(bend=True).scores(waveforms)


def test_one_dimension() -> None:
    task = NotesTask(
        LogMel(RATE, 1024, HOP, n_mels=40), DilatedNet(in_channels=40, channels=8, dilations=(1, 2))
    )
    assert task(torch.zeros(2, 10 * HOP)).shape == (2, 4, N_PITCHES, 11)


def test_losses_by_hand() -> None:
    """One frame sounds of 88 x 2; an onset at 1 and its neighbour at 0.5."""
    shape = (1, N_PITCHES, 2)
    truth = {name: torch.zeros(shape) for name in ("onset", "frame", "offset", "velocity", "bend")}
    truth["onset"][0, 7] = torch.tensor([0.5, 1.0])
    truth["velocity"][0, 7] = 0.9
    truth["frame"][0, 7, 1] = 1
    truth["bend"][0, 7, 1] = 3.0  # counts as MAX_BEND, one semitone
    logits = torch.zeros(1, 5, N_PITCHES, 2)
    logits[0, 1, 7, 1] = 2.0
    logits[0, 4, 7, 1] = 0.25
    losses = {name: loss.item() for name, loss in tiny(bend=True).losses(logits, truth).items()}
    assert losses == pytest.approx(
        {
            "onset": N_PITCHES * math.log(2),  # whatever the truth is, at a logit of 0
            "frame": (175 * math.log(2) + math.log(1 + math.exp(-2))) / 2,
            "offset": N_PITCHES * math.log(2),
            # Both are 0.4 off; of what they share, 0.4 * 1.5 / (1.5 + 1), nine tenths are forgiven.
            "velocity": 10 * (0.5 + 1.0) * (0.4 - 0.9 * 0.24) ** 2 / (1.5 + 1),
            "bend": (1 - 0.25) ** 2 / (1 + 1),
        }
    )


def test_a_quieter_recording_costs_little_velocity() -> None:
    truth = targets(NOTES)
    logits = torch.zeros(1, 4, N_PITCHES, N_FRAMES)
    logits[0, 3] = torch.logit((truth["velocity"][0] - 0.2).clamp(0.01, 0.99))
    quieter = tiny().losses(logits, truth)["velocity"].item()
    logits[0, 3] = torch.logit(torch.tensor(0.5))
    assert quieter < 0.05 < tiny().losses(logits, truth)["velocity"].item()


def test_the_present_weighs_more() -> None:
    weights = frame_weights(10)
    assert weights.mean() == pytest.approx(1)
    assert (weights / weights[0]).tolist() == pytest.approx([1.0] * 7 + [STREAMING_WEIGHT] * 3)


def test_training_ends_where_windows_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of a segment does not depend on its last frames, whose windows reach beyond it."""
    waveforms = played(NOTES)
    losses = []
    for truth in (targets(NOTES), targets(NOTES)):
        truth["frame"][0, 29, -2:] = len(losses)  # other targets of the last frames in the second run
        task = tiny()
        monkeypatch.setattr(task, "log_dict", lambda *_, **__: None)  # there is no trainer
        monkeypatch.setattr(task, "log", lambda *_, **__: None)
        assert task.n_incomplete == task.front_end.reach // HOP == 2
        losses.append(task.training_step((waveforms, truth)).item())
    assert losses[0] == losses[1]


def test_perfect_logits_lose_nothing() -> None:
    truth = targets([])
    logits = torch.full((1, 4, N_PITCHES, N_FRAMES), -30.0)
    losses = tiny().losses(logits, truth)
    assert max(loss.item() for loss in losses.values()) < 1e-9


def predict(task: NotesTask, waveforms: Tensor) -> list[list[Note]]:
    with torch.inference_mode():
        return task.predict_step(waveforms)


def test_learns_a_recording(learned: NotesTask) -> None:
    """After some steps on it, it finds each note: pitch, onset, offset, and about the velocity."""
    (found,) = predict(learned, played(NOTES))
    found, expected = (
        sorted(notes, key=lambda note: (round(note.onset_s, 1), note.midi)) for notes in (found, NOTES)
    )
    assert [note.midi for note in found] == [note.midi for note in expected]
    for ours, truth in zip(found, expected, strict=True):
        assert ours.onset_s == pytest.approx(truth.onset_s, abs=0.02)
        assert ours.offset_s == pytest.approx(truth.offset_s, abs=0.1)
        assert ours.velocity == pytest.approx(truth.velocity, abs=25)


def test_learned_net_hears_nothing_in_silence(learned: NotesTask) -> None:
    assert predict(learned, torch.zeros(2, 3 * RATE)) == [[], []]


def test_knobs_of_the_task_are_used(learned: NotesTask) -> None:
    kept, learned.decoding = learned.decoding, DecodingOptions(lowest_pitch=61)
    (found,) = predict(learned, played(NOTES))
    learned.decoding = kept
    assert sorted(note.midi for note in found) == [64, 67, 72]


@pytest.fixture(scope="module")
def learned() -> NotesTask:
    """A tiny net after 150 steps on one recording and its silence."""
    task = tiny().train()
    waveforms = torch.cat([played(NOTES), torch.zeros(1, (N_FRAMES - 1) * HOP)])
    truth = {name: torch.cat([t, torch.zeros_like(t)]) for name, t in targets(NOTES).items()}
    spectrograms = task.spectrogram(waveforms)
    optimizer = torch.optim.Adam(task.parameters(), lr=0.02)
    losses = []
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 150)
        loss = torch.stack(list(task.losses(task.head(task.backbone(spectrograms)), truth).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20
    return task.eval()


# Under Lightning's trainer


def test_starts_from_another_model(learned: NotesTask, tmp_path: Path) -> None:
    write_model(learned, tmp_path / "learned.safetensors")
    task = tiny(start_from=str(tmp_path / "learned.safetensors"))
    for name, tensor in learned.backbone.state_dict().items():
        assert torch.equal(task.backbone.state_dict()[name], tensor)
    assert torch.equal(task.head.project.weight, learned.head.project.weight)
    with_bend = tiny(bend=True, start_from=str(tmp_path / "learned.safetensors"))  # has another head
    assert torch.equal(with_bend.head.project.weight, tiny(bend=True).head.project.weight)


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*LeafSpec.*is deprecated:FutureWarning"
)
def test_fit_lowers_the_loss_and_validates() -> None:
    task = tiny(learning_rate=1e-2)
    (waveform,), truth = played(NOTES), {name: target[0] for name, target in targets(NOTES).items()}
    rows = torch.tensor([(note.onset_s, note.offset_s, note.midi, note.velocity) for note in NOTES])
    before = _loss(task)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        task, DataLoader([(waveform, truth)] * 8, batch_size=2), DataLoader([(waveform, rows)], batch_size=1)
    )
    assert trainer.global_step == 8
    assert _loss(task) < 0.8 * before
    logged = trainer.callback_metrics
    assert {"train/loss", "train/onset", "train/velocity", "val/note_f1", "val/note_offset_f1"} <= set(logged)
    assert 0 <= logged["val/note_f1"] <= 1


def _loss(task: NotesTask) -> float:
    with torch.no_grad():
        return sum(task.losses(task(played(NOTES)), targets(NOTES)).values()).item()


def test_norms_and_biases_do_not_decay() -> None:
    task = tiny(weight_decay=0.3)
    task._trainer = SimpleNamespace(estimated_stepping_batches=5)
    decaying, others = task.configure_optimizers()["optimizer"].param_groups
    assert decaying["weight_decay"] == 0.3
    assert others["weight_decay"] == 0.0
    spared = {id(p) for p in others["params"]}
    for name, p in task.named_parameters():
        assert (id(p) in spared) == (p.ndim == 1 or name.endswith("bias")), name
    assert len(decaying["params"]) + len(others["params"]) == len(list(task.parameters()))


# Its measure while training


def rows_of(notes: list[Note]) -> np.ndarray:
    return np.array([(note.onset_s, note.offset_s, note.midi, note.velocity) for note in notes]).reshape(
        -1, 4
    )


def test_validation_scores() -> None:
    """Two of three notes found, one of them with its offset, and one more that is not there."""
    truth = [Note(0.0, 1.0, 60), Note(1.0, 2.0, 62), Note(2.0, 3.0, 64)]
    found = [Note(0.04, 1.1, 60), Note(1.0, 1.5, 62), Note(2.2, 3.0, 64)]
    assert _note_scores(rows_of(truth), found) == pytest.approx({"note_f1": 2 / 3, "note_offset_f1": 1 / 3})
    assert _note_scores(rows_of(truth), truth) == {"note_f1": 1.0, "note_offset_f1": 1.0}


@pytest.mark.parametrize(("truth", "found", "score"), [([], [], 1.0), (NOTES, [], 0.0), ([], NOTES, 0.0)])
def test_validation_scores_of_nothing(truth: list[Note], found: list[Note], score: float) -> None:
    assert _note_scores(rows_of(truth), found) == {"note_f1": score, "note_offset_f1": score}


def test_lowest_row_is_a0() -> None:
    assert tiny().front_end.init_args["fmin"] * 2 ** (1 / 36) == pytest.approx(
        float(midi_to_hz(LOWEST_MIDI)), rel=1e-4
    )
