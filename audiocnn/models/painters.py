"""The registry of painters: networks that paint an image in a style in one pass, as model files name them.

The classes live in `audiocnn.style`, which imports the models; so they enter here by their names alone, and
are imported when a model file names one.
"""

from torch import nn

from audiocnn.registry import Registry

PAINTERS: Registry[nn.Module] = Registry(
    "painters",
    {
        "TransferNet": "audiocnn.style.painters.feedforward",
        "StyleBank": "audiocnn.style.painters.bank",
        "AdaIN": "audiocnn.style.painters.adain",
        "MetaNet": "audiocnn.style.painters.meta",
    },
)
