"""Front ends: waveforms in, spectrograms out, as modules that live on the model's device.

Place in the flow: waveform -> spectrogram; (batch, samples) -> (batch, 1, bins, frames). Conventions: frame i
is centred on sample i * hop_length, and a waveform counts as silent before its first and after its last
sample; so there are 1 + samples // hop_length frames, and a chunk of a long waveform has the same frames as
the whole wherever it holds all `reach` samples on both sides of a frame's centre.
"""

from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.stft import Stft
from audiocnn.frontends.waveform import Waveform

__all__ = ["Cqt", "FrontEnd", "LogMel", "Stft", "Waveform"]
