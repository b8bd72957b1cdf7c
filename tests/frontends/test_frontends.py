"""Front ends against torchaudio and librosa; time kept over ten minutes; the way to ONNX."""

import sys

import numpy as np
import pytest
import torch

from audiocnn import audio
from audiocnn.augment.torchaudio_import import import_torchaudio
from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.stft import Stft
from audiocnn.units import midi_to_hz

RATE = 16_000
NOISE = np.random.default_rng(0).standard_normal(2 * RATE) * 0.1

FRONT_ENDS = {
    "stft": lambda: Stft(RATE, n_fft=1024, hop_length=300),
    "logmel": lambda: LogMel(RATE, n_fft=1024, hop_length=256, n_mels=64),
    "cqt": lambda: Cqt(RATE, hop_length=512, fmin=55.0, n_bins=60, max_length=2046, floor=1e-4),
}


@pytest.fixture(params=FRONT_ENDS)
def front_end(request) -> FrontEnd:
    return FRONT_ENDS[request.param]()


@pytest.fixture(scope="module")
def torchaudio():
    """torchaudio, also beside a CPU-only torch."""
    import_torchaudio("transforms")
    return sys.modules["torchaudio"]


def spectrogram(front_end: FrontEnd, waveform: np.ndarray) -> np.ndarray:
    """Shape: (samples,) -> (bins, frames)."""
    return front_end(torch.tensor(waveform, dtype=torch.float32)[None])[0, 0].numpy()


def sine(frequency_hz: float, amplitude: float = 1.0, duration_s: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency_hz / RATE * np.arange(round(duration_s * RATE)))


# Against other implementations


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_stft_is_torchaudios(torchaudio, power: float) -> None:
    waveform = torch.tensor(NOISE, dtype=torch.float32)[None]
    theirs = torchaudio.transforms.Spectrogram(1024, hop_length=300, power=power, pad_mode="constant")(
        waveform
    )
    ours = Stft(RATE, n_fft=1024, hop_length=300, power=power)(waveform)
    torch.testing.assert_close(ours[:, 0], theirs, rtol=1e-4, atol=1e-6)


def test_stft_is_librosas() -> None:
    import librosa

    theirs = np.abs(librosa.stft(NOISE, n_fft=1024, hop_length=300, pad_mode="constant"))
    np.testing.assert_allclose(spectrogram(Stft(RATE, 1024, 300), NOISE), theirs, rtol=1e-4, atol=1e-5)


def test_logmel_is_torchaudios(torchaudio) -> None:
    mel = torchaudio.transforms.MelSpectrogram(
        RATE,
        2048,
        hop_length=512,
        f_min=30.0,
        n_mels=80,
        norm="slaney",
        mel_scale="slaney",
        pad_mode="constant",
    )
    waveform = torch.tensor(NOISE, dtype=torch.float32)[None]
    ours = LogMel(RATE, n_mels=80, fmin=30.0, floor=1e-6)(waveform)
    torch.testing.assert_close(torch.exp(ours[:, 0]), mel(waveform) + 1e-6, rtol=1e-4, atol=0)


def test_logmel_is_librosas() -> None:
    import librosa

    theirs = librosa.feature.melspectrogram(y=NOISE, sr=RATE, fmax=7000, n_mels=80, pad_mode="constant")
    ours = spectrogram(LogMel(RATE, n_mels=80, fmax=7000.0), NOISE)
    np.testing.assert_allclose(np.exp(ours), theirs + 1e-6, rtol=1e-4)


def test_logmel_below_the_greatest_power_is_librosas_top_db_at_any_level() -> None:
    import librosa

    front_end = LogMel(RATE, n_mels=80, floor=1e-12, top_db=60.0)
    loud, soft = (spectrogram(front_end, gain * NOISE) for gain in (10.0, 0.1))
    np.testing.assert_allclose(soft, loud, atol=1e-3)
    powers = librosa.feature.melspectrogram(y=10 * NOISE, sr=RATE, n_mels=80, pad_mode="constant")
    decibels = librosa.power_to_db(powers, ref=np.max, top_db=60.0) + 60
    above = decibels > 30  # where 1 in log(1 + m / f) does not count
    np.testing.assert_allclose(loud[above] * 10 / np.log(10), decibels[above], atol=0.01)
    assert loud.max() == pytest.approx(np.log(1 + 1e6), rel=1e-5)
    assert not spectrogram(front_end, 0 * NOISE).any()


def test_cqt_is_librosas() -> None:
    """An odd hop keeps librosa from resampling; above 3 kHz it loses the wavelets' negative frequencies."""
    import librosa

    front_end = Cqt(RATE, hop_length=501, fmin=27.5, n_bins=92)
    frequencies = 27.5 * 2 ** (np.arange(92) / 12)
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequencies, sr=RATE)
    theirs = librosa.cqt(
        NOISE,
        sr=RATE,
        hop_length=501,
        fmin=27.5,
        n_bins=92,
        sparsity=0,
        scale=False,
        pad_mode="constant",
        dtype=np.complex128,
    )
    low = frequencies < 3000
    assert low.sum() == 82
    theirs = np.abs(theirs) / lengths[:, None]
    errors = np.linalg.norm(spectrogram(front_end, NOISE) - theirs, axis=1) / np.linalg.norm(theirs, axis=1)
    assert errors[low].max() < 1e-4
    assert errors.max() < 3e-4


def test_every_bin_of_the_cqt_is_librosas_wavelet() -> None:
    import librosa

    front_end = Cqt(RATE, hop_length=512, fmin=55.0, n_bins=250, bins_per_octave=36)
    frequencies = 55 * 2 ** (np.arange(250) / 36)
    wavelets, _ = librosa.filters.wavelet(
        freqs=frequencies, sr=RATE, pad_fft=False, norm=1, dtype=np.complex128, gamma=0
    )
    responses = [_at_frames(np.trim_zeros(wavelet), 512) for wavelet in wavelets]
    np.testing.assert_allclose(spectrogram(front_end, NOISE), responses, rtol=1e-4, atol=1e-7)


def _at_frames(wavelet: np.ndarray, hop_length: int) -> np.ndarray:
    """Magnitudes of the noise convolved with a wavelet that is centred on each frame."""
    n_before = len(wavelet) // 2
    padded = np.pad(NOISE, (len(wavelet) - 1 - n_before, n_before))
    stretches = np.lib.stride_tricks.sliding_window_view(padded, len(wavelet))[::hop_length]
    return np.abs(stretches @ wavelet[::-1])


def test_longest_window_of_the_cqt() -> None:
    """A bin that asks for a longer window has a Hann window of exactly max_length samples."""
    from scipy.signal import get_window

    front_end = Cqt(RATE, hop_length=512, fmin=110.0, n_bins=1, max_length=2046, floor=None)
    phasor = np.exp(2j * np.pi * 110 / RATE * np.arange(-1023, 1023))
    window = get_window("hann", 2046)
    expected = _at_frames((window * phasor / window.sum())[1:], 512)  # the window's first sample is 0
    np.testing.assert_allclose(spectrogram(front_end, NOISE)[0], expected, rtol=1e-4, atol=1e-7)
    assert front_end.reach == 1024


# What a front end means


@pytest.mark.parametrize("amplitude", [1.0, 0.01])
def test_sine_of_amplitude_a_gives_half_of_a(amplitude: float) -> None:
    linear = spectrogram(Cqt(RATE, fmin=55.0, n_bins=60), sine(440, amplitude))[36]
    np.testing.assert_allclose(linear[12:-12], amplitude / 2, rtol=1e-3)
    logarithmic = spectrogram(Cqt(RATE, fmin=55.0, n_bins=60, floor=1e-3), sine(440, amplitude))[36]
    np.testing.assert_allclose(logarithmic, np.log1p(linear / 1e-3), rtol=1e-5)


def test_sine_of_amplitude_a_in_the_stft() -> None:
    bin_hz = RATE / 1024
    middle = spectrogram(Stft(RATE, n_fft=1024, hop_length=256), sine(40 * bin_hz, 0.5))[:, 10:-10]
    np.testing.assert_allclose(middle[40], 0.25 * 512, rtol=1e-4)  # half the amplitude times the window's sum
    assert (middle.argmax(axis=0) == 40).all()


def test_440_hz_is_a4() -> None:
    cqt = spectrogram(Cqt(RATE, fmin=float(midi_to_hz(21)), n_bins=88), sine(440))
    assert 21 + cqt.mean(axis=1).argmax() == 69
    mel = LogMel(RATE, n_mels=229)
    peak = int(spectrogram(mel, sine(440)).mean(axis=1).argmax())
    spectrum_hz = torch.linspace(0, RATE / 2, mel.bank.shape[1])
    assert float(spectrum_hz[mel.bank[peak].argmax()]) == pytest.approx(440, abs=RATE / 2048)


@pytest.mark.parametrize(
    ("name", "silent"), [("stft", 0.0), ("logmel", np.log(1e-6)), ("cqt", pytest.approx(0, abs=1e-5))]
)
def test_silence(name: str, silent: float) -> None:
    values = spectrogram(FRONT_ENDS[name](), np.zeros(RATE))
    assert values.min() == values.max() == pytest.approx(silent)


def test_batch_is_one_by_one(front_end: FrontEnd) -> None:
    waveforms = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1))
    together = front_end(waveforms)
    assert together.shape == (3, 1, front_end.n_bins, 1 + 5000 // front_end.hop_length)
    for one, waveform in zip(together, waveforms, strict=True):
        torch.testing.assert_close(one, front_end(waveform[None])[0], rtol=1e-5, atol=1e-5)


# Time


@pytest.mark.parametrize("n_samples", [1, 299, 511, 512, 513, 4999])
def test_frames(front_end: FrontEnd, n_samples: int) -> None:
    assert spectrogram(front_end, np.zeros(n_samples)).shape == (
        front_end.n_bins,
        1 + n_samples // front_end.hop_length,
    )
    assert front_end.frame_s == front_end.hop_length / RATE


def test_frame_i_is_centred_on_sample_i_times_hop(front_end: FrontEnd) -> None:
    """A click there is strongest in frame i, and as loud in the frames on both sides of it."""
    waveform = np.zeros(30 * front_end.hop_length)
    waveform[17 * front_end.hop_length] = 1
    loudness = spectrogram(front_end, waveform).sum(axis=0)
    assert loudness.argmax() == 17
    assert loudness[16] == pytest.approx(loudness[18], rel=0.01)


def test_pieces_have_the_frames_of_the_whole(front_end: FrontEnd) -> None:
    hop, whole = front_end.hop_length, spectrogram(front_end, NOISE)
    margin = -(-front_end.reach // hop)
    for first, last in [(0, 7), (11, 29), (40, 41)]:
        start = max(first - margin, 0)
        segment = spectrogram(front_end, NOISE[start * hop : (last + margin) * hop])[
            :, first - start : last - start
        ]
        np.testing.assert_allclose(segment, whole[:, first:last], rtol=5e-5, atol=1e-6)


def test_reach_is_all_that_a_frame_hears(front_end: FrontEnd) -> None:
    hop, reach = front_end.hop_length, front_end.reach
    waveform = torch.tensor(NOISE, dtype=torch.float32)[None].requires_grad_()
    front_end(waveform)[..., 20].sum().backward()
    reached = np.flatnonzero(waveform.grad[0])
    assert 20 * hop - reach <= reached[0] < reached[-1] <= 20 * hop + reach


@pytest.mark.parametrize(
    "front_end",
    [
        Stft(RATE, n_fft=2048, hop_length=512),
        Cqt(RATE, hop_length=512, fmin=26.9755, n_bins=294, bins_per_octave=36, max_length=2046),
    ],
    ids=["stft", "cqt"],
)
def test_clicks_over_ten_minutes(front_end: FrontEnd, clicks: tuple) -> None:
    """Frames of 32 ms, in blocks of a file of another rate, locate each click to 5 ms, to the end."""
    path, truth_s = clicks
    found_s = _peaks(_loudness(front_end, path)) * front_end.frame_s
    assert len(found_s) == len(truth_s) == 600
    errors_s = found_s - truth_s
    assert np.abs(errors_s).max() < 0.005
    assert abs(errors_s[:60].mean()) < 0.0005
    assert abs(errors_s[-60:].mean()) < 0.0005


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    """A file of ten minutes at 44.1 kHz with a click somewhere in each second, and the clicks' times."""
    positions = np.arange(600) * 44_100 + np.random.default_rng(3).integers(10_000, 34_000, 600)
    waveform = np.zeros(600 * 44_100, np.float32)
    waveform[positions] = 0.9
    path = tmp_path_factory.mktemp("clicks") / "clicks.wav"
    audio.save(path, waveform, 44_100)
    return path, positions / 44_100


def _loudness(front_end: FrontEnd, path) -> np.ndarray:
    """Log energy of each frame of a file that is read in blocks of 400 frames, with `reach` around them."""
    hop, margin = front_end.hop_length, front_end.reach // front_end.hop_length
    assert front_end.reach == margin * hop
    n_samples = (400 + 2 * margin) * hop
    segments = []
    for block in audio.read_blocks(path, RATE, n_samples, overlap=2 * margin * hop):
        energy = np.square(spectrogram(front_end, block)[:100]).mean(
            axis=0
        )  # below 200 Hz no window is short
        first = margin if segments else 0
        segments.append(energy[first : margin + 400] if len(block) == n_samples else energy[first:])
    loudness = np.concatenate(segments)
    assert len(loudness) == 1 + 600 * RATE // hop
    return np.log(loudness + 1e-12)


def _peaks(loudness: np.ndarray) -> np.ndarray:
    """Times of loudness peaks in frames: the tops of parabolas through three frames."""
    before, centre, after = loudness[:-2], loudness[1:-1], loudness[2:]
    found = np.flatnonzero((centre > before) & (centre >= after) & (centre > loudness.max() - 3))
    before, centre, after = before[found], centre[found], after[found]
    return found + 1 + (after - before) / (2 * (2 * centre - before - after))


# Inside a model


def test_not_in_the_state_dict(front_end: FrontEnd) -> None:
    assert front_end.state_dict() == {}
    assert list(front_end.buffers())


def test_follows_the_device(front_end: FrontEnd) -> None:
    out = front_end.to("meta")(torch.zeros(2, 4000, device="meta"))
    assert out.device.type == "meta"
    assert out.shape == (2, 1, front_end.n_bins, 1 + 4000 // front_end.hop_length)


@pytest.mark.gpu
def test_same_values_on_a_gpu(front_end: FrontEnd) -> None:
    waveform = torch.tensor(NOISE, dtype=torch.float32)[None]
    expected = front_end(waveform)
    torch.testing.assert_close(front_end.cuda()(waveform.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # from the exporter itself
def test_onnx(front_end: FrontEnd, tmp_path) -> None:
    """Exported with a length of its own, a front end gives the same frames of other lengths."""
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "front_end.onnx"
    torch.onnx.export(
        front_end.eval(),
        (torch.zeros(1, 8000),),
        path,
        dynamo=True,
        input_names=["waveforms"],
        dynamic_shapes=({1: torch.export.Dim("n_samples", min=2)},),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n_samples in (8000, 12_345, 700):
        waveform = NOISE[None, :n_samples].astype(np.float32)
        (theirs,) = session.run(None, {"waveforms": waveform})
        np.testing.assert_allclose(theirs[0, 0], spectrogram(front_end, waveform[0]), rtol=1e-3, atol=1e-4)


def test_highest_bin_must_be_below_half_the_rate() -> None:
    with pytest.raises(
        ValueError, match=r"the highest bin is at 7902.1 Hz, expected it and its bandwidth below"
    ):
        Cqt(RATE, fmin=float(midi_to_hz(21)), n_bins=99)


@pytest.mark.parametrize("bin", [9, 23, 41])
def test_a_sine_of_a_bins_frequency_is_loudest_there(front_end: FrontEnd, bin: int) -> None:
    assert front_end.bins_hz.shape == (front_end.n_bins,)
    sine = 0.1 * torch.sin(2 * torch.pi * front_end.bins_hz[bin] * torch.arange(RATE) / RATE)
    assert int(front_end(sine[None])[0, 0, :, front_end(sine[None]).shape[-1] // 2].argmax()) == bin


def test_magnitudes_undo_the_logarithm() -> None:
    waveforms = torch.from_numpy(NOISE[None]).float()
    stft = Stft(RATE, n_fft=1024, hop_length=256)
    assert torch.equal(stft.magnitudes(stft(waveforms)), stft(waveforms))
    power = Stft(RATE, n_fft=1024, hop_length=256, power=2.0)
    torch.testing.assert_close(power.magnitudes(power(waveforms)), stft(waveforms))
    arguments = {"sample_rate": RATE, "fmin": 55.0, "n_bins": 60, "max_length": 2046}
    plain, logarithmic = Cqt(**arguments), Cqt(**arguments, floor=1e-4)
    torch.testing.assert_close(logarithmic.magnitudes(logarithmic(waveforms)), plain(waveforms))
    for top_db in (None, 70.0):
        mel = LogMel(RATE, n_fft=1024, hop_length=256, n_mels=40, top_db=top_db)
        powers = mel.bank @ power(waveforms)
        expected = powers.sqrt() if top_db is None else (powers / powers.max()).sqrt()
        torch.testing.assert_close(mel.magnitudes(mel(waveforms)), expected, atol=1e-4, rtol=1e-3)
