"""Compares the decoder of xcodec2 with what upstream computes: embedded codes, frames, waveform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.families.sculptor.xcodec2 import load_xcodec2
from export.families.sculptor.xcodec2_decoder import Xcodec2
from export.families.sculptor.xcodec2_stage import CODES, XCODEC2, random_codes, xcodec2_stage
from export.specs import FLOATS, DType, StageSpec, TensorSpec
from export.verify import Array, Chain, Row, both, compare, read_reference

_EMBEDDING, _BACKBONE = "embedding", "backbone"
_ARRAYS = {"code": 3, "embedding": 3, "fc": 3, "backbone": 3, "wav": 3}
# Codes that another item of a batch is longer.
_LONGER = 11


class _Embedding(nn.Module):
    def __init__(self, decoder: Xcodec2) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """codes [B, T] → [B, T, embedding], and that as the transformer takes it [B, T, width]."""
        vectors = self.decoder.embedded(codes)
        return vectors, self.decoder.projected(vectors)


class _Backbone(nn.Module):
    def __init__(self, decoder: Xcodec2) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, fc: Tensor, codes: Tensor) -> Tensor:
        """fc [B, T, width], codes [B, T] (negative: padding) → [B, T, width]."""
        return self.decoder.backbone(fc, codes)


def xcodec2_verification_stages(checkpoint: Path) -> Sequence[Stage]:
    """What `verify_xcodec2` compares: the embedding of codes, the transformer, the stage that is served."""
    decoder = load_xcodec2(checkpoint)
    config = decoder.config
    codes = TensorSpec("codes", DType.INT32, (CODES,))
    vectors, frames, made = (
        TensorSpec(name, DType.FP32, (CODES, width))
        for name, width in ((_EMBEDDING, config.embedding), ("fc", config.width), (_BACKBONE, config.width))
    )
    return (
        Stage(
            StageSpec(_EMBEDDING, (codes,), (vectors, frames)),
            _Embedding(decoder).eval(),
            partial(random_codes, decoder.codes),
        ),
        Stage(
            StageSpec(_BACKBONE, (frames, codes), (made,), precisions=FLOATS),
            _Backbone(decoder).eval(),
            partial(_random_frames, decoder.codes),
        ),
        xcodec2_stage(decoder),
    )


def _random_frames(
    count: int, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    frames, codes = spec.inputs
    shape = (batch, lengths[CODES.label], frames.dims[1])
    return {
        frames.name: generator.standard_normal(shape).astype(np.float32),
        codes.name: generator.integers(0, count, shape[:2], dtype=np.int32),
    }


def verify_xcodec2(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check `xcodec2_verification_stages` and their graphs against every array of a reference.

    Each array is compared twice: alone, and in a batch between longer items of other contents. Raises
    `CheckpointError` where the reference is of something else.
    """
    expected = read_reference(reference)
    if wrong := [name for name, axes in _ARRAYS.items() if name not in expected or expected[name].ndim != axes]:
        raise CheckpointError(f"{reference} has no {', '.join(wrong)} as xcodec2 gives them")
    (embedding, embedding_path), (backbone, backbone_path), (decoder, decoder_path) = chain
    fc, wav = expected["fc"], expected["wav"][:, 0]
    rows = []
    for item, suffix in ((0, ""), (1, " in a batch")):
        codes = _codes(expected["code"][:, 0], item)
        embedded = both(embedding, embedding_path, {"codes": codes})
        for name in (_EMBEDDING, "fc"):
            rows.append(
                compare(
                    _EMBEDDING, name + suffix, _pair(embedded, name, item, expected[name]), expected[name], tolerance
                )
            )
        inputs = {"fc": _frames(fc, item), "codes": codes}
        made = _pair(both(backbone, backbone_path, inputs), _BACKBONE, item, expected[_BACKBONE])
        rows.append(compare(_BACKBONE, _BACKBONE + suffix, made, expected[_BACKBONE], tolerance))
        audio = _pair(both(decoder, decoder_path, {"codes": codes}), "audio", item, wav)
        rows.append(compare(XCODEC2, f"wav{suffix}", audio, wav, end_to_end))
    return rows


def _codes(codes: Array, item: int) -> Array:
    """codes [1, T] alone, where the item is 0, or as the second of three items of more codes."""
    if item:
        others, padded = np.pad(codes, ((0, 0), (0, _LONGER)), mode="reflect"), np.pad(codes, ((0, 0), (0, _LONGER)))
        padded[:, codes.shape[1] :] = -1
        codes = np.concatenate([others[:, ::-1], padded, others // 2])
    return codes.astype(np.int32)


def _frames(frames: Array, item: int) -> Array:
    """The same for frames [1, T, width]."""
    if item:
        others = np.pad(frames, ((0, 0), (0, _LONGER), (0, 0)), mode="reflect")
        frames = np.concatenate([-others, others, 0.5 * others])
    return frames.astype(np.float32)


def _pair(sides: tuple[Arrays, Arrays], name: str, item: int, wanted: Array) -> tuple[Array, Array]:
    """An item's first values of module and graph: so many as are wanted."""
    module, graph = (side[name][item : item + 1, : wanted.shape[1]] for side in sides)
    return module, graph
