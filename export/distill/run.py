"""Trains for as long as there is time, and leaves what has become of it after every minute."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from export.distill.clips import Clips
from export.distill.settings import Limit
from export.distill.training import Training
from export.errors import ExportError

_STEPS_BETWEEN_REPORTS = 100
_SECONDS_BETWEEN_SAVES = 60.0

# Seconds of any beginning.
Clock = Callable[[], float]


def train(
    training: Training,
    clips: Clips,
    limit: Limit,
    clock: Clock,
    save: Callable[[], None],
    report: Callable[[str], None],
) -> None:
    """Train until the limit.

    `clock` tells the seconds since this process began, which are added to those of the run so far. `save` is called
    each minute and at the end. Raises `ExportError` when a loss is no number: what was saved last stays.
    """
    settings = training.settings
    before, saved = training.seconds, clock()
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        while (share := limit.share(training.step, before + clock())) < 1:
            # The same segments for the same step, however often the run was interrupted.
            mel, audio = clips.segments(settings.batch, settings.segment, settings.seed * 10_000_019 + training.step)
            made = training.advance(mel, audio, share)
            training.seconds = before + clock()
            last = limit.share(training.step, training.seconds) >= 1
            due = last or clock() - saved >= _SECONDS_BETWEEN_SAVES
            if due or training.step % _STEPS_BETWEEN_REPORTS == 0:
                training.losses = {name: value.item() for name, value in made.items()}
                if not all(map(math.isfinite, training.losses.values())):
                    raise ExportError(
                        f"the training went wrong at step {training.step}: a loss is no number; go on from what was "
                        "saved with --resume, or begin again with a lower --learning-rate"
                    )
                told = ", ".join(f"{name} {value:.3f}" for name, value in training.losses.items())
                report(f"step {training.step}, {training.seconds / 60:.1f} min: {told}")
            if due:
                save()
                saved = clock()
