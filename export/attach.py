"""Gives a voice of a repository another vocoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from itertools import count
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from export import manifest
from export.bundle import narrowed
from export.change import changing
from export.configs import Step
from export.errors import ExportError, listed
from export.mel import MelFormat, Statistics, bridge, check_match
from export.repository import Report, ensemble_configs, put_configs, put_stage, stage_configs
from export.specs import FLOATS, Precision
from export.vocoders.bridge import bridged
from export.vocoders.layouts import PITCH_STATISTICS
from export.vocoders.vocoder import Vocoder, vocoder_stage
from export.voice import FILE_NAME, Voice, VoiceFile

_CONFIG = "config.pbtxt"
_MEL = "mel"


class Quality(str, Enum):
    """What a vocoder is for, best first."""

    high = "high"
    balanced = "balanced"
    fast = "fast"


def attach(
    repository: Path,
    name: str,
    quality: Quality,
    vocoder: Vocoder,
    report: Report,
    *,
    replace: bool = False,
    statistics: Statistics | None = None,
    same_normalisation: bool = False,
    precisions: Collection[Precision] = FLOATS,
) -> str:
    """Export a vocoder as the `quality` of the voice `name`, and return the name of its stage.

    `statistics` are those that the voice's mel spectrogram is normalised by; they are kept in its `voice.json`.
    `same_normalisation` says that voice and vocoder were trained on mel spectrograms that were normalised alike. With
    `replace` the vocoder that the voice has for this quality gives way. Raises `ExportError`, and the repository is
    then as it was before.
    """
    voices = sorted(path.parent.name for path in repository.glob(f"*/{FILE_NAME}"))
    if name not in voices:
        raise ExportError(f"{repository} has no voice '{name[:60]}': it has {listed(voices) or 'none'}")
    with changing(repository) as change:
        file = VoiceFile.read(repository / name / FILE_NAME)
        before = file.voice
        old = before.qualities.get(quality.value)
        if old is not None and not replace:
            raise ExportError(
                f"the voice {name} has a {quality.value} vocoder, {name}_{old}: replace it with --replace"
            )
        sources = manifest.checksums(vocoder.sources)
        if (wanted := _pitch(sources)) and wanted != _pitch(file.sources):
            raise ExportError(
                f"the vocoder's {PITCH_STATISTICS} is not that of the voice {name}, which normalises its fundamental: "
                "put the voice's there"
            )
        steps = {role: Step.read(repository / f"{name}_{role}" / _CONFIG) for role in before.stages}
        mel = _with_statistics(before.mel, statistics)
        fitted = _fitted(vocoder, mel, _mel_channels(repository, steps.values()), same=same_normalisation)
        role = next(
            role
            for role in _roles(vocoder.architecture, quality)
            if role not in before.stages and not (repository / f"{name}_{role}").exists()
        )
        voice = _with_vocoder(dataclasses.replace(before, mel=mel), quality, role, fitted)
        (stage,) = narrowed([vocoder_stage(fitted, role)], precisions)
        put_stage(change, voice, stage, sources, report)
        model = f"{name}_{role}"
        put_configs(change, stage_configs(name, stage.spec))
        put_configs(change, ensemble_configs(voice, steps | {role: Step.of(model, stage.spec)}))
        change.write_text(Path(name, FILE_NAME), dataclasses.replace(file, voice=voice).text())
        for gone in sorted(set(before.stages) - set(voice.stages)):
            change.remove(Path(f"{name}_{gone}"))
            report(f"removed {name}_{gone}, which no quality uses any more")
    return model


def _pitch(sources: Mapping[str, str]) -> set[str]:
    return {digest for path, digest in sources.items() if Path(path).name == PITCH_STATISTICS}


def _with_statistics(mel: MelFormat, statistics: Statistics | None) -> MelFormat:
    if statistics is None:
        return mel
    if not mel.normalised:
        raise ExportError("the voice's mel spectrogram is not normalised: leave --voice-statistics out")
    return dataclasses.replace(mel, statistics=statistics)


def _fitted(vocoder: Vocoder, mel: MelFormat, channels: int, *, same: bool) -> Vocoder:
    """The vocoder for the voice's mel spectrogram, of `channels`. Raises `ExportError`."""
    check_match(mel, vocoder.mel)
    if vocoder.hop_length != mel.hop_length:
        raise ExportError(
            f"the vocoder makes {vocoder.hop_length} samples of a frame, which for the voice is {mel.hop_length} long"
        )
    if vocoder.channels > channels:
        raise ExportError(
            f"the vocoder takes {vocoder.channels} channels, of which the voice makes {channels}: it has a "
            "source (NSF) and serves voices with a fundamental (NSF) only"
        )
    if not same:
        return bridged(vocoder, channels, *bridge(mel, vocoder.mel))
    if not (mel.normalised and vocoder.mel.normalised):
        raise ExportError("--same-normalisation is for a voice and a vocoder whose mel spectrograms are normalised")
    # Normalised by its own statistics, a mel spectrogram is the same on every logarithmic scale.
    return bridged(vocoder, channels, np.ones(mel.bands), np.zeros(mel.bands))


def _mel_channels(repository: Path, steps: Iterable[Step]) -> int:
    """The channels of what the voice's vocoder is given: of the stage, whichever it is, that makes `mel`."""
    maker = next(step.model for step in steps if _MEL in step.outputs)
    config = text_format.Parse((repository / maker / _CONFIG).read_text(encoding="utf-8"), pb.ModelConfig())
    return int(next(output.dims[-1] for output in config.output if output.name == _MEL))


def _roles(architecture: str, quality: Quality) -> Iterator[str]:
    """Names for the stage, best first.

    A vocoder that is replaced keeps its own, so that none of its files changes before it is gone. None has a "_": a
    role must not begin another role and a "_".
    """
    yield architecture
    yield f"{quality.value}{architecture}"
    yield from (f"{quality.value}{architecture}{number}" for number in count(2))


def _with_vocoder(voice: Voice, quality: Quality, role: str, vocoder: Vocoder) -> Voice:
    roles = voice.qualities | {quality.value: role}
    best_first: list[str] = [known.value for known in Quality]
    qualities = {known: roles[known] for known in best_first if known in roles}
    unused = set(voice.qualities.values()) - set(qualities.values())
    return dataclasses.replace(
        voice,
        qualities=qualities,
        stages=(*(stage for stage in voice.stages if stage not in unused), role),
        frame_lead=max(voice.frame_lead, vocoder.lead),
        frame_tail=max(voice.frame_tail, vocoder.tail),
    )
