"""A language model's speech codes: begun by one call, asked for by others.

Triton 2.51 crashes where a model streams to another, so that the language models answer each call at once with what
there is (backends/language_model).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

import numpy as np
from design_errors import FailedDesignError
from design_prompt import Ids
from design_settings import Arrays, Infer, Model

# Seconds between two calls: a design takes some, and a call a thousandth of one.
PAUSE = 0.05
# Seconds without a code after which nothing more is waited for. A model that is asked for more than it can do at once
# lets requests wait.
PATIENCE = 600.0
# Codes that are worth an answer: half a second of speech.
_EVERY = 25


def write(
    infer: Infer, model: Model, prompt: Ids, *, seed: int, most: int, pause: Callable[[float], None] = time.sleep
) -> tuple[Ids, str]:
    """At most `most` codes [T] that go on from a prompt, and how they ended: "stop", "length" or "abort".

    Raises `FailedDesignError` and what `infer` raises.
    """
    key: Arrays = {"key": np.array([uuid4().hex.encode()], dtype=np.object_)}
    asked = {"prompt": prompt, "seed": _one(seed), "most": _one(most), "every": _one(_EVERY)}
    infer(model, key | asked)
    written = [np.zeros(0, dtype=np.int32)]
    waited = 0.0
    while waited < PATIENCE:
        tokens, ends = infer(model, key)
        written.append(tokens)
        end = ends[0].decode("utf-8")
        if end:
            return np.concatenate(written), end
        waited = 0.0 if len(tokens) else waited + PAUSE
        pause(PAUSE)
    raise FailedDesignError(f"{model.name} wrote nothing for {PATIENCE:.0f} s: ask again when it has less to do")


def _one(value: int) -> Ids:
    return np.array([value], dtype=np.int32)
