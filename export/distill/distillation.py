"""From the demo voice's checkpoint to a generator in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import torch

from export.distill.corpus import utterances
from export.distill.evaluation import evaluate
from export.distill.folder import Folder
from export.distill.generator import generator_config, packed
from export.distill.provenance import provenance
from export.distill.run import Clock, train
from export.distill.sentences import sentences
from export.distill.settings import Limit, Settings
from export.distill.teacher import Teacher
from export.distill.training import Training
from export.families.fastspeech2 import demo
from export.families.fastspeech2.checkpoint import load


def distill(
    settings: Settings,
    limit: Limit,
    checkpoint: Path,
    out: Path,
    device: torch.device,
    clock: Clock,
    report: Callable[[str], None],
    *,
    resume: bool = False,
) -> dict[str, float]:
    """Train a generator until the limit, leave it in the folder `out` and return how near it is to its teacher.

    `clock` tells the seconds since the beginning. Raises `ExportError` and OSError, where possible before any work.
    """
    teacher = load(checkpoint)
    voice = demo.voice("demo", teacher.vocoder_config.hop_length)
    folder = Folder(out)
    folder.prepare(resume=resume)
    config = generator_config(settings.channels, voice.mel)
    training = Training(settings, config, voice.sample_rate, device, half=device.type == "cuda")
    packed(training.average)
    if resume:
        training.restore(folder.state)
        report(f"going on at step {training.step}, {training.seconds / 60:.1f} min")
    report(f"{settings.sentences + settings.held_out} sentences: to units, and spoken on {device}")
    text = list(islice(sentences(settings.seed), settings.sentences + settings.held_out))
    spoken = utterances(text, settings.seed, teacher.symbols, voice.limits, voice.max_units)
    speaker = Teacher(teacher, device)
    # The last sentences are held out: all syllables are among the first.
    train_on, judge_by = spoken[: settings.sentences], spoken[settings.sentences :]
    clips, held_out = (
        speaker.speak([clause for clauses in part for clause in clauses]) for part in (train_on, judge_by)
    )
    seconds = len(clips.audio) / voice.sample_rate
    report(f"{len(clips.lengths)} clauses of {seconds / 3600:.2f} hours, after {clock():.0f} s")

    def save(evaluation: Mapping[str, float] | None = None) -> None:
        folder.save_state(training.state())
        folder.publish(training.average, voice.mel, provenance(training, teacher, seconds, evaluation))

    train(training, clips, limit, clock, save, report)
    found = evaluate(training.average, held_out, voice.sample_rate)
    save(found)
    return found
