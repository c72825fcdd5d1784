"""The language models: codes per second of the backend's scheduler against the eager module with its cache."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.figures import mib, number, table
from bench.sculptor import runner
from bench.sculptor.setting import THREADS, SculptorSetting
from bench.sculptor.stages import kept, session
from bench.sculptor.voices import LANGUAGE_MODELS
from bench.setting import Section
from export.bundle import Arrays
from export.families.sculptor.language_model import LanguageModelPart
from export.profile_values import PLAIN


@dataclass(frozen=True)
class Work:
    """Ids of a prompt, codes after it, how often it is done, and how many do it at once."""

    length: int
    codes: int
    turns: int
    batches: tuple[int, ...] = (1, 2, 4, 8, 16)


WORK = {"small": Work(200, 60, 3), "full": Work(64, 12, 2)}
_QUICK = Work(16, 4, 1, (1, 2))
# Lengths of prompts that are computed alone and side by side, and the codes after them.
RAGGED, STEPS = (40, 3, 17, 64, 1), 4


def measure(setting: SculptorSetting) -> dict[str, Any]:
    """The section."""
    found: dict[str, Any] = {"threads": THREADS, "rows": [], "exactness": [], "memory": []}
    for size in setting.sizes:
        made = setting.voice(size)
        for role in LANGUAGE_MODELS:
            if made.has(role):
                about = {"size": size, "model": role}
                for name, rows in model(setting, made.language_model(role), made.folder(role), WORK[size]).items():
                    found[name] += [about | row for row in rows]
    return found


def model(
    setting: SculptorSetting, part: LanguageModelPart, folder: Path, full: Work
) -> dict[str, list[dict[str, Any]]]:
    """Speed, exactness and memory of one."""
    runner.importable()
    torch.set_num_threads(THREADS)
    file = folder / part.stage.spec.file_name(part.precisions[0])
    work = setting.pick(full, _QUICK)
    setting.tell(f"{part.role}, {file.parent.parent.name}")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        memory = pool.apply(kept, (file, first(part, work.length)))
    return {
        "rows": speeds(setting, part, file, work),
        "exactness": [{"largest_difference": exactness(part, file)}],
        "memory": [memory],
    }


def speeds(setting: SculptorSetting, part: LanguageModelPart, file: Path, work: Work) -> list[dict[str, Any]]:
    """Medians of turns of both ways, for each number of rows."""
    from lm_graph import Graph

    length, codes = work.length, work.codes
    known = runner.settings(part, PLAIN, max(work.batches))
    rows = []
    with runner.scheduler(Graph(session(file), known), known) as running:
        for batch in work.batches:
            setting.tell(f"{part.role}, {batch} at once")
            given = runner.prompts(known.first_code, batch, length)
            taken: dict[str, list[float]] = {"first": [], "runner": [], "eager": []}
            for _ in range(work.turns):
                first_code, rest = runner.generated(running, given, codes)
                taken["first"].append(first_code)
                taken["runner"].append(rest / (codes - 1))
                taken["eager"].append(_eager(runner.Eager(part, batch, length, codes), codes))
            step = {way: statistics.median(times) for way, times in taken.items()}
            rows.append(
                {
                    "batch": batch,
                    "prompt_ids_per_second": batch * length / step["first"],
                    "runner_codes_per_second": batch / step["runner"],
                    "eager_codes_per_second": batch / step["eager"],
                }
            )
    return rows


def _eager(module: runner.Eager, codes: int) -> float:
    """Seconds of a step."""
    module.step()
    begin = time.perf_counter()
    for _ in range(codes - 1):
        module.step()
    return (time.perf_counter() - begin) / (codes - 1)


def first(part: LanguageModelPart, length: int) -> Arrays:
    """What the graph is given for one prompt."""
    sizes = part.sizes
    nothing = np.zeros((1, sizes.layers, sizes.key_heads, 1, sizes.head_size), np.float32)
    count = np.array([[length]], np.int32)
    ids = np.array(runner.prompts(part.vocabulary.first_code, 1, length), np.int32)
    return {"ids": ids, "counts": count, "lengths": 0 * count, "keys": nothing, "values": nothing}


def exactness(part: LanguageModelPart, file: Path) -> float:
    """The largest difference of a logit between prompts side by side, with the codes after them, and each alone."""
    from lm_graph import Cache, Graph

    known = runner.settings(part, PLAIN, len(RAGGED))
    graph = Graph(session(file), known)
    given = [runner.prompts(known.first_code, 1, length, seed)[0] for seed, length in enumerate(RAGGED)]
    codes = [known.first_code + row for row in range(len(given))]

    def logits(rows: list[int]) -> list[Any]:
        cache = Cache(known)
        found, keys, values = graph.begin([given[row] for row in rows])
        cache.append(keys, values, [len(given[row]) for row in rows])
        steps = [found]
        for _ in range(STEPS):
            found, keys, values = graph.go_on([codes[row] for row in rows], cache)
            cache.extend(keys, values)
            steps.append(found)
        return steps

    together = logits(list(range(len(given))))
    return max(
        float(np.abs(step[0] - among[row]).max())
        for row in range(len(given))
        for step, among in zip(logits([row]), together, strict=True)
    )


def show(result: dict[str, Any]) -> str:
    """Tables of speed, exactness and memory."""
    speed = []
    for row in result["rows"]:
        ours, eager = row["runner_codes_per_second"], row["eager_codes_per_second"]
        prompt = row["prompt_ids_per_second"]
        first_columns = (row["size"], row["model"], row["batch"], number(ours), number(eager))
        speed.append((*first_columns, f"{ours / eager:.2f}", number(prompt)))
    head = ("size", "model", "at once", "codes per s", "eager with cache", "ratio", "ids of prompts per s")
    exact = [(row["size"], row["model"], f"{row['largest_difference']:.1e}") for row in result["exactness"]]
    memory = [
        (row["size"], row["model"], number(row["file_mib"]), *map(mib, (row["loaded_mib"], row["after_mib"])))
        for row in result["memory"]
    ]
    return "\n\n".join(
        [
            f"{result['threads']} threads.",
            table(head, speed),
            "Largest difference of a logit between ragged prompts side by side and each alone:",
            table(("size", "model", "difference"), exact),
            "MiB that a process of its own has for a model (resident):",
            table(("size", "model", "files", "loaded", "after a prompt"), memory),
        ]
    )


SECTION = Section("language_models", "Language models", measure, show)
