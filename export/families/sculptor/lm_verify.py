"""Compares a language model with what CosyVoice2 computes: embedded inputs, log-probabilities, the best codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.families.sculptor import cosyvoice_lm
from export.families.sculptor.cosyvoice_config import FILE_NAME, CosyVoiceConfig
from export.families.sculptor.language_model import LanguageModelPart
from export.inference import in_double, run_onnx
from export.verify import Array, Row, compare

Run = Callable[[Arrays], Arrays]

_NEEDED = ("lm_text", "lm_prompt_text", "lm_prompt_speech_token", "lm_input", "lm_logp", "lm_greedy_ids")


def language_model(checkpoint: Path) -> LanguageModelPart:
    """The part of a CosyVoice2 folder that `verify_language_model` compares. Raises `CheckpointError`."""
    return cosyvoice_lm.part(checkpoint, CosyVoiceConfig.read(checkpoint / FILE_NAME).language_model)


def verify_language_model(part: LanguageModelPart, path: Path, expected: Arrays, tolerance: float) -> list[Row]:
    """Check a part and its graph at `path` against the arrays of a reference. Raises `CheckpointError`.

    `lm_logp` is computed without a cache (all steps as one ragged batch), with one step by step, and that in a batch
    between a longer and a shorter text; `lm_greedy_ids` are the best codes of these.
    """
    if missing := [name for name in _NEEDED if name not in expected]:
        raise CheckpointError(f"the reference has no {missing[0]}: it is not one of a language model")
    first = part.vocabulary.first_code
    prompt = _prompt(expected, first)
    fed = [*prompt, *(expected["lm_greedy_ids"][:-1] + first)]
    count = len(expected["lm_greedy_ids"])
    stage = part.stage
    runs: tuple[Run, Run] = (partial(in_double, stage), partial(run_onnx, path))
    embedded = part.module.table.detach().numpy()[prompt], _table(path)[prompt]
    rows = [compare(part.role, "lm_input", embedded, expected["lm_input"][0], tolerance)]
    for name, logits in (
        ("", partial(_without_cache, part, fed, count)),
        (" cached", partial(_with_cache, part, [fed], count)),
        # Of other lengths and other contents.
        (" cached in a batch", partial(_with_cache, part, [fed[:1] * 9 + fed, fed, fed[7:]], count)),
    ):
        module, graph = (_log_softmax(logits(run)) for run in runs)
        rows.append(compare(part.role, f"lm_logp{name}", (module, graph), expected["lm_logp"], tolerance))
        best = module.argmax(-1), graph.argmax(-1)
        rows.append(compare(part.role, f"lm_greedy_ids{name}", best, expected["lm_greedy_ids"], 0.0))
    return rows


def empty_cache(stage: Stage, batch: int, capacity: int) -> Arrays:
    """`keys` and `values` of zeros for a language model's stage."""
    (keys,) = (tensor for tensor in stage.spec.inputs if tensor.name == "keys")
    layers, heads, _, size = keys.dims
    shape = (batch, layers, heads, capacity, size)
    return {name: np.zeros(shape, dtype=np.float32) for name in ("keys", "values")}


def _prompt(expected: Arrays, first: int) -> list[int]:
    """Start, text, task, prompt codes, as ids of the joint vocabulary; `first` is that of code 0."""
    text = np.concatenate((expected["lm_prompt_text"][0], expected["lm_text"][0]))
    return [
        first - 2,
        *map(int, text),
        first - 1,
        *(int(code) + first for code in expected["lm_prompt_speech_token"][0]),
    ]


def _without_cache(part: LanguageModelPart, fed: Sequence[int], count: int, run: Run) -> Array:
    """The logits after each of the last `count` ids [count, V], every row from the start."""
    counts = np.arange(len(fed) - count + 1, len(fed) + 1, dtype=np.int32)[:, None]
    ids = np.tile(np.array(fed, dtype=np.int32), (count, 1))
    nothing = {"lengths": np.zeros_like(counts), **empty_cache(part.stage, count, 1)}
    return run({"ids": ids, "counts": counts, **nothing})["logits"]


def _with_cache(part: LanguageModelPart, rows: Sequence[Sequence[int]], count: int, run: Run) -> Array:
    """The logits after each of the last `count` ids of the middle row [count, V], one id after another."""
    lengths = np.array([[len(row) - count + 1] for row in rows], dtype=np.int32)
    prompts = np.zeros((len(rows), int(lengths.max())), dtype=np.int32)
    for place, row in enumerate(rows):
        prompts[place, : lengths[place, 0]] = row[: lengths[place, 0]]
    cache = empty_cache(part.stage, len(rows), max(map(len, rows)) + 5)
    answer = run({"ids": prompts, "counts": lengths, "lengths": np.zeros_like(lengths), **cache})
    logits = [answer["logits"][len(rows) // 2]]
    _keep(cache, answer, np.zeros_like(lengths), lengths)
    for _ in range(count - 1):
        ids = np.array([[row[int(length)]] for row, (length,) in zip(rows, lengths, strict=True)], dtype=np.int32)
        one = np.ones_like(lengths)
        answer = run({"ids": ids, "counts": one, "lengths": lengths, **cache})
        logits.append(answer["logits"][len(rows) // 2])
        _keep(cache, answer, lengths, one)
        lengths = lengths + 1
    return np.stack(logits)


def _keep(cache: Arrays, answer: Arrays, lengths: Array, counts: Array) -> None:
    """Put the new keys and values of an answer into the cache behind those that are there."""
    for name in ("keys", "values"):
        for row, (start, count) in enumerate(zip(lengths[:, 0], counts[:, 0], strict=True)):
            cache[name][row, :, :, start : start + count] = answer[f"new_{name}"][row, :, :, :count]


def _table(path: Path) -> Array:
    """The graph's table of embeddings."""
    for constant in onnx.load(path).graph.initializer:
        if constant.name.startswith("table"):
            return numpy_helper.to_array(constant).astype(np.float32)
    raise CheckpointError(f"{path} has no table of embeddings: export the voice again")


def _log_softmax(logits: Array) -> Array:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result
