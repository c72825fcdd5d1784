"""Hardware profiles: one set of config values for one kind of machine, and why each value is what it is.

`cpu` is rendered as every model's plain `config.pbtxt`, the others as `configs/<profile>.pbtxt`, which Triton takes
with `--model-config-name`. The GPU profiles are changes of the RTX 3090's, and a change cannot be written without its
reason (`Profile.like`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from export.specs import Precision, StageKind


@dataclass(frozen=True)
class Serving:
    """How Triton serves the stages of one kind.

    `instances` run at once (per GPU); a batch holds up to `max_batch` clauses (or fewer, where the stage allows only
    fewer), is sent off at once when it has one of the `preferred` sizes and otherwise waits up to `delay_us`
    microseconds for company. `max_batch` is 8 at least, since the ensemble sends a text's clauses as one request. A
    stage is warmed up at the preferred sizes, too.
    """

    instances: int
    max_batch: int
    preferred: tuple[int, ...] = ()
    delay_us: int = 0


@dataclass(frozen=True)
class Profile:
    """Values for one kind of machine; `why` has a reason for each field after it.

    A language model has one instance, which writes up to `language_model.max_batch` texts at once. `accelerator` is
    what computes those stages on a processor that may be in bfloat16; empty is ONNX Runtime alone. With `batching`,
    clauses of several requests share a run of a stage, and are padded to buckets so that they can. The fields from
    there on are the parameters of the model `tts`. Of the thresholds, `…_free_bytes` is the free memory below which and
    `…_used_fraction` the share of used memory above which that step of degradation is taken, on the host and on each
    GPU alike; 0 switches one off. The windows of a vocoder are a multiple of `window_step` frames; 0 leaves that to the
    voice. A time of 0 is never, `max_loaded_voices` 0 no bound. `base` is the profile that this
    one is a change of.
    """

    name: str
    hardware: str
    why: Mapping[str, str]
    encoder: Serving
    decoder: Serving
    vocoder: Serving
    style: Serving
    language_model: Serving
    text_frontend_instances: int
    precision: Precision
    session: Mapping[str, str]
    accelerator: str
    batching: bool
    qualities: tuple[str, ...]
    max_in_flight: int
    max_waiting: int
    first_chunk_frames: int
    max_chunk_frames: int
    window_step: int
    idle_unload_seconds: float
    max_loaded_voices: int
    default_deadline_seconds: float
    small_free_bytes: int
    small_used_fraction: float
    light_free_bytes: int
    light_used_fraction: float
    shed_free_bytes: int
    shed_used_fraction: float
    queue_wait_seconds: float
    recover_seconds: float
    base: Profile | None = None

    @property
    def gpu(self) -> bool:
        """Whether it is for a machine with a GPU."""
        return (self.base or self).name != "cpu"

    def serving(self, kind: StageKind) -> Serving:
        """The values for the stages of one kind."""
        value: Serving = getattr(self, kind.value)
        return value

    def router_parameters(self) -> dict[str, str]:
        """The config parameters of the model `tts`."""
        names = [field.name for field in fields(self)]
        values = {name: getattr(self, name) for name in names[names.index("batching") : names.index("base")]}
        return {name: _text(value) for name, value in values.items()}

    def like(self, name: str, hardware: str, **changes: tuple[Any, str]) -> Profile:
        """This profile with changes, each a value and the reason for it."""
        values: dict[str, Any] = {field: value for field, (value, _) in changes.items()}
        why = {**self.why, **{field: reason for field, (_, reason) in changes.items()}}
        return replace(self, name=name, hardware=hardware, why=why, base=self.base or self, **values)


def _text(value: float | bool | tuple[str, ...]) -> str:
    if isinstance(value, tuple | bool):
        return json.dumps(value)
    return str(int(value)) if value == int(value) else repr(value)
