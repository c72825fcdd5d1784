"""Writes checkpoints of designed voices that were never trained, in the layouts of the real ones.

What comes out of them is no speech, but they have the size, the speed and the memory of the real ones, and speak longer
the longer a text is.
"""

from __future__ import annotations

from pathlib import Path

from export.families.sculptor.description import ATTRIBUTES
from export.families.sculptor.untrained_cosyvoice import write_cosyvoice
from export.families.sculptor.untrained_language import Weights
from export.families.sculptor.untrained_llasa import write_llasa
from export.families.sculptor.untrained_sizes import Llama, Size, cosyvoice_sizes, llasa_sizes, xcodec2_sizes
from export.families.sculptor.untrained_xcodec2 import write_xcodec2
from export.families.untrained_folder import new_folder

# As their publishers call the folders.
_LLASA, _XCODEC2, _COSYVOICE = "VoiceSculptor-VD", "xcodec2", "CosyVoice2-0.5B"


def write_untrained(folder: Path, *, seed: int, size: Size = "full", llama: Llama = "1b") -> None:
    """Write LLaSA, xcodec2 and CosyVoice2 with random weights into a folder that is new or empty.

    `llama` is the size of a full LLaSA. The same arguments give the same weights. Raises `CheckpointError`.
    """
    tags = [value for values in ATTRIBUTES.values() for value in values]
    with new_folder(folder) as made:
        write_llasa(made / _LLASA, llasa_sizes(size, llama), Weights(seed), tags)
        write_xcodec2(made / _XCODEC2, xcodec2_sizes(size), Weights(seed + 1))
        write_cosyvoice(made / _COSYVOICE, cosyvoice_sizes(size), Weights(seed + 2))
