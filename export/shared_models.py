"""Interfaces of the models that all voices share; see docs/architecture.md for what each does."""

from __future__ import annotations

from dataclasses import dataclass

from export.specs import Axis, DType, TensorSpec

CLAUSES = Axis("clauses", 1, 1, 64)
UNITS = Axis("units", 1, 64, 128)
FEATURES = Axis("features", 1, 1, 16)
FRAMES = Axis("frames", 1, 384, 1024)
SAMPLES = Axis("samples", 1, 100_000, 1_000_000)
BLOCKS = Axis("blocks", 1, 4, 60_000)
STYLE = Axis("style", 1, 4, 4096)


@dataclass(frozen=True)
class PythonModel:
    """A Python model. `max_batch_size` 0: the axes are the whole shape. `instances` stub processes serve it."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int = 0
    instances: int = 1
    decoupled: bool = False


def _text(name: str, *, optional: bool = True) -> TensorSpec:
    return TensorSpec(name, DType.STRING, (1,), optional)


def _number(name: str) -> TensorSpec:
    return TensorSpec(name, DType.FP32, (1,), optional=True)


# What a request may say; the router adds QUALITY, STYLE, ATTRIBUTES and SEED.
REQUEST = (
    _text("TEXT", optional=False),
    _text("VOICE"),
    _text("SPEAKER"),
    _text("EMOTION"),
    _number("SPEED"),
    _number("PITCH"),
    _number("ENERGY"),
    _text("DICTIONARY"),
)
ANSWER = (
    TensorSpec("AUDIO", DType.INT16, (SAMPLES,)),
    TensorSpec("SAMPLE_RATE", DType.INT32, (1,)),
    TensorSpec("EVENTS", DType.STRING, (1,)),
)

TTS = PythonModel(
    "tts",
    (
        *REQUEST,
        _text("QUALITY"),
        _text("STYLE"),
        # Of a designed voice: a JSON object of attributes, and what the same speech comes of again.
        _text("ATTRIBUTES"),
        TensorSpec("SEED", DType.INT32, (1,), optional=True),
    ),
    ANSWER,
    decoupled=True,
)
TEXT_FRONTEND = PythonModel(
    "text_frontend",
    (
        *(TensorSpec(t.name, t.dtype, t.axes, optional=True) for t in REQUEST),
        # A style stage's answer, which the router alone has, and one block of the plan in place of TEXT.
        TensorSpec("style", DType.FP32, (STYLE,), optional=True),
        _text("block"),
    ),
    (
        TensorSpec("units", DType.INT32, (CLAUSES, UNITS, FEATURES)),
        TensorSpec("unit_lengths", DType.INT32, (CLAUSES, 1)),
        TensorSpec("speed", DType.FP32, (CLAUSES, 1)),
        TensorSpec("pitch", DType.FP32, (CLAUSES, 1)),
        TensorSpec("contour", DType.FP32, (CLAUSES, 1)),
        TensorSpec("energy", DType.FP32, (CLAUSES, 1)),
        TensorSpec("clauses", DType.STRING, (CLAUSES, 1)),
        # What will be sent back block by block.
        TensorSpec("plan", DType.STRING, (BLOCKS,)),
        # Asked for by the router alone: what is wrong with the request (an error that passes through a model-to-model
        # call loses its code).
        _text("problem", optional=False),
        # Asked for by clients, of a block: how it is read.
        _text("reading", optional=False),
    ),
)
ALIGNER = PythonModel(
    "aligner",
    (
        TensorSpec("durations", DType.FP32, (UNITS,)),
        TensorSpec("unit_lengths", DType.INT32, (1,)),
        TensorSpec("speed", DType.FP32, (1,)),
        TensorSpec("clauses", DType.STRING, (1,)),
    ),
    (
        TensorSpec("alignment", DType.INT32, (FRAMES,)),
        TensorSpec("frame_lengths", DType.INT32, (1,)),
        TensorSpec("timings", DType.STRING, (1,)),
    ),
    max_batch_size=16,
)
POSTPROCESS = PythonModel(
    "postprocess",
    (
        TensorSpec("audio", DType.FP32, (CLAUSES, SAMPLES)),
        TensorSpec("timings", DType.STRING, (CLAUSES, 1)),
        TensorSpec("energy", DType.FP32, (CLAUSES, 1)),
    ),
    ANSWER,
)

SHARED = (TTS, TEXT_FRONTEND, ALIGNER, POSTPROCESS)
