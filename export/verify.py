"""Compares modules and exported graphs with reference arrays, stage by stage.

Each stage is fed the reference's own inputs, so that errors do not add up; the last row is the whole chain.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import CheckpointError
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.stages import Stage, stages
from export.onnx_export import Arrays, export_stage, in_double, run_onnx

END_TO_END = "end_to_end"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One compared array: the largest absolute error of the module and of the ONNX graph, and what is allowed."""

    stage: str
    array: str
    module_error: float
    onnx_error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether both errors are within the tolerance (NaN is not)."""
        return self.module_error <= self.tolerance and self.onnx_error <= self.tolerance


def read_reference(path: Path) -> Arrays:
    """The arrays of a reference file. Raises `CheckpointError` when it is missing or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, AttributeError) as error:
        raise CheckpointError(f"cannot read reference {path}: {error}") from error


Chain = list[tuple[Stage, Path]]


def export_chain(checkpoint: Path, folder: Path) -> Chain:
    """Every stage of a checkpoint with the ONNX file that it was just exported to."""
    chain = [(stage, folder / f"{stage.spec.role}.onnx") for stage in stages(load(checkpoint))]
    for stage, path in chain:
        export_stage(stage.module, stage.spec, stage.sample, path)
    return chain


def verify_fastspeech2(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check a chain against `ids [T]`, `durations f0 energy [1,T]`, `mel [1,M,80]` and `wav [1,300M,1]`."""
    expected = read_reference(reference)
    missing = {"ids", "durations", "f0", "energy", "mel", "wav"} - set(expected)
    if missing:
        raise CheckpointError(f"{reference} lacks {', '.join(sorted(missing))}: not a fastspeech2 reference")
    ids = expected["ids"].astype(np.int32)[None, :, None]
    start: Arrays = {
        "units": ids,
        "unit_lengths": np.array([[ids.shape[1]]], dtype=np.int32),
        "pitch": np.zeros((1, 1), dtype=np.float32),
    }
    durations = expected["durations"][0].astype(np.int64)
    alignment = np.repeat(np.arange(durations.size, dtype=np.int32), durations)[None]
    frames: Arrays = {
        "alignment": alignment,
        "frame_lengths": np.array([[alignment.shape[1]]], dtype=np.int32),
    }
    (encoder, encoder_path), (decoder, decoder_path), (vocoder, vocoder_path) = chain

    def both(stage: Stage, path: Path, inputs: Arrays) -> tuple[Arrays, Arrays]:
        return in_double(stage.module, inputs, stage.spec), run_onnx(path, inputs)

    rows: list[Row] = []

    def compare(stage: str, array: str, pair: tuple[Array, Array], target: Array, limit: float) -> None:
        errors = [
            float(np.abs(value.astype(np.float64) - target).max()) if value.shape == target.shape else float("inf")
            for value in pair
        ]
        rows.append(Row(stage, array, errors[0], errors[1], limit))

    encoded = both(encoder, encoder_path, start)
    rounded = (np.round(encoded[0]["durations"]), np.round(encoded[1]["durations"]))
    compare("encoder", "durations", rounded, expected["durations"], tolerance)
    for array, name in (("f0", "f0_contour"), ("energy", "energy_contour")):
        compare("encoder", array, (encoded[0][name], encoded[1][name]), expected[array], tolerance)
    # The references do not hold the hidden states; the module's in float64 stand in for them.
    hidden = {"hidden": encoded[0]["hidden"].astype(np.float32)}
    mel = both(decoder, decoder_path, hidden | frames)
    compare("decoder", "mel", (mel[0]["mel"], mel[1]["mel"]), expected["mel"], tolerance)
    wav = expected["wav"][..., 0]
    audio = both(vocoder, vocoder_path, {"mel": expected["mel"]})
    compare(vocoder.spec.role, "wav", (audio[0]["audio"], audio[1]["audio"]), wav, tolerance)
    chained = (
        in_double(vocoder.module, {"mel": mel[0]["mel"].astype(np.float32)}, vocoder.spec)["audio"],
        run_onnx(vocoder_path, run_onnx(decoder_path, {"hidden": encoded[1]["hidden"]} | frames))["audio"],
    )
    compare(END_TO_END, "wav", chained, wav, end_to_end)
    return rows
