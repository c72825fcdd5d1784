"""Inferences on the other models of this server, by Triton's model-to-model calls.

Triton 2.51 never ends a call to a model that answers as it goes and whose process dies meanwhile, and goes on calling
that model ready. Such a call is therefore read by a thread of its own, and given up when the model answers nothing else
either.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils
from design_chain import Arrays
from design_errors import FailedDesignError
from design_prompt import Ids
from design_settings import Model

# Seconds of silence after which a model is asked whether it is there, and how often that is done before the call is
# given up: a model that is asked for more than it can do at once lets requests wait.
_LOOK = 2.0
_LOOKS = 300
# Codes in an answer: half a second of speech.
_EVERY = 25

_Answer = tuple[Ids, str]


def infer(model: Model, inputs: Arrays) -> list[npt.NDArray[Any]]:
    """One inference; the outputs in the order of the model's settings. Raises `FailedDesignError`."""
    response = _request(model, inputs, model.outputs).exec()
    _check(model, response)
    return [pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in model.outputs]


def generate(model: Model, inputs: Arrays) -> Iterator[_Answer]:
    """The answers of a language model as they come: new codes, and the reason for the end in the last one.

    Raises `FailedDesignError`.
    """
    given = {"key": _key(), "every": np.array([_EVERY], dtype=np.int32)} | inputs
    answers: SimpleQueue[_Answer | Exception | None] = SimpleQueue()
    Thread(target=_read, args=(model, given, answers), name=model.name, daemon=True).start()
    while (answer := _next(model, answers)) is not None:
        if isinstance(answer, Exception):
            raise answer
        yield answer


def _read(model: Model, inputs: Arrays, answers: SimpleQueue[_Answer | Exception | None]) -> None:
    """Put all answers of a call into a queue, and None or what went wrong after them."""
    try:
        for response in _request(model, inputs, ("tokens", "end")).exec(decoupled=True):
            # An error is the last there is: reading on would wait for ever.
            _check(model, response)
            if response.output_tensors():
                tokens, end = (pb_utils.get_output_tensor_by_name(response, name) for name in ("tokens", "end"))
                answers.put((np.array(tokens.as_numpy()), end.as_numpy()[0].decode("utf-8")))
        answers.put(None)
    except Exception as error:
        answers.put(error)


def _next(model: Model, answers: SimpleQueue[_Answer | Exception | None]) -> _Answer | Exception | None:
    for _ in range(_LOOKS):
        try:
            return answers.get(timeout=_LOOK)
        except Empty:
            _look(model)
    raise FailedDesignError(f"{model.name} said nothing for {_LOOK * _LOOKS:.0f} s: ask again when it has less to do")


def _look(model: Model) -> None:
    """Raise `FailedDesignError` where the model's process is dead. To end what nobody began does nothing."""
    for response in _request(model, {"key": _key()}, ("tokens", "end")).exec(decoupled=True):
        _check(model, response)


def _key() -> npt.NDArray[np.object_]:
    return np.array([uuid4().hex.encode()], dtype=np.object_)


def _request(model: Model, inputs: Arrays, outputs: tuple[str, ...]) -> Any:
    return pb_utils.InferenceRequest(
        model_name=model.name,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(outputs),
    )


def _check(model: Model, response: Any) -> None:
    if response.has_error():
        reason = " ".join(response.error().message().split()) or "no reason given"
        raise FailedDesignError(f"{model.name}: {reason}")
