"""basic-pitch's notes of recordings, with its default settings; runs in an environment of its own.

    PEER_PYTHON tests/bench/peer_notes.py INPUT OUTPUT [INPUT OUTPUT ...]

OUTPUT.mid is the file that basic-pitch makes, OUTPUT.csv a table that `audiocnn.formats.read_notes` reads.
To make such an environment, without TensorFlow:

    python -m venv peer
    peer/bin/pip install onnxruntime librosa mir_eval pretty_midi scikit-learn
    peer/bin/pip install 'numpy<2' 'resampy<0.4.3' 'setuptools<81'
    peer/bin/pip install --no-deps basic-pitch==0.4.0
"""

import csv
import sys
from pathlib import Path

from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
from basic_pitch.inference import Model, predict

HEADER = ("onset_s", "offset_s", "midi", "velocity")


def main() -> None:
    """Writes each OUTPUT."""
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        raise SystemExit("usage: peer_notes.py INPUT OUTPUT [INPUT OUTPUT ...]")
    model = Model(build_icassp_2022_model_path(FilenameSuffix.onnx))
    for recording, output in zip(sys.argv[1::2], map(Path, sys.argv[2::2]), strict=True):
        _, midi, notes = predict(recording, model)
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix == ".mid":
            midi.write(str(output))
        else:
            write_table(notes, output)


def write_table(notes: list[tuple], path: Path) -> None:
    """Writes a note a line in the order of their onsets, velocities as basic-pitch gives them to MIDI."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for onset_s, offset_s, midi, amplitude, _ in sorted(notes, key=lambda note: note[:3]):
            table.writerow(
                (float(onset_s), float(offset_s), int(midi), max(round(127 * float(amplitude)), 1))
            )


if __name__ == "__main__":
    main()
