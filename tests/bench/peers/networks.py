"""The demo voice's networks: as PyTorch modules, and as the ONNX files that the server serves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.peers.speech import Array


class TorchNetworks:
    """The modules of a checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        # Not above: what is measured with ONNX Runtime alone would have PyTorch in its memory.
        import torch

        from export.families.fastspeech2.checkpoint import load

        self._torch = torch
        self._loaded = load(checkpoint)

    def encode(self, units: Array, lengths: Array, pitch: Array, contour: Array) -> tuple[Array, Array]:
        """See `Networks`."""
        with self._torch.inference_mode():
            tensors = map(self._torch.from_numpy, (units, lengths, pitch, contour))
            hidden, durations, _, _ = self._loaded.encoder(*tensors)
            return hidden.numpy(), durations.numpy()

    def vocode(self, hidden: Array, alignment: Array, lengths: Array) -> Array:
        """See `Networks`."""
        with self._torch.inference_mode():
            audio: Array = self._loaded.vocoder(
                self._loaded.decoder(*map(self._torch.from_numpy, (hidden, alignment, lengths)))
            ).numpy()
            return audio


class OnnxNetworks:
    """A session for each of the files of `encoder`, `decoder` and `vocoder`, with that many threads.

    With the accelerator `openvino` it runs the vocoder, as it does in the service.
    """

    def __init__(self, files: Mapping[str, Path], threads: int, accelerator: str = "") -> None:
        import onnxruntime
        import ort_openvino

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._sessions: dict[str, Any] = {
            role: ort_openvino.Session(file, threads)
            if accelerator == "openvino" and role == "vocoder"
            else onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
            for role, file in files.items()
        }

    def encode(self, units: Array, lengths: Array, pitch: Array, contour: Array) -> tuple[Array, Array]:
        """See `Networks`."""
        inputs = {"units": units, "unit_lengths": lengths, "pitch": pitch, "contour": contour}
        hidden, durations = self._sessions["encoder"].run(["hidden", "durations"], inputs)
        return hidden, durations

    def vocode(self, hidden: Array, alignment: Array, lengths: Array) -> Array:
        """See `Networks`."""
        inputs = {"hidden": hidden, "alignment": alignment, "frame_lengths": lengths}
        (mel,) = self._sessions["decoder"].run(["mel"], inputs)
        audio: Array = self._sessions["vocoder"].run(["audio"], {"mel": mel})[0]
        return audio
