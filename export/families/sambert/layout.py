"""Finds a Sambert voice in a checkpoint folder, in any of the layouts that ModelScope and KAN-TTS write.

* today: `voices/voices.json`, `voices/<voice>/{am,voc}/{config.yaml,ckpt/checkpoint_<steps>.pth}`
* fine-tuning: `basemodel_16k/{sambert,hifigan}/{config.yaml,ckpt/checkpoint_<steps>.pth}`
* v1.0: `voices.zip` and `configuration.json`; see `legacy`
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from export.archives import unpack_zip
from export.checkpoint_files import read_checkpoint, read_json, read_yaml, tensors
from export.errors import CheckpointError, listed
from export.families.sambert.config import EMBEDDINGS
from export.families.sambert.files import Parts, SambertFiles, assemble, check_units, section, split_names
from export.families.sambert.legacy import CHECKPOINT, read_legacy
from export.families.sambert.symbols import MANDARIN

CONFIGURATION = "configuration.json"
VOICES = "voices"
VOICES_FILE = "voices.json"

_ARCHIVE = "voices.zip"
_CONFIG = "config.yaml"
_AUDIO = "audio_config"
# Folders of the acoustic model and of the vocoder.
_PAIRS = (("am", "voc"), ("sambert", "hifigan"))
_STEPS = re.compile(r"checkpoint_(\d+)\.pth")


def find(checkpoint: Path, voice: str | None = None) -> SambertFiles:
    """Read a voice of a checkpoint: the one called `voice`, or else the first one.

    `checkpoint` is a folder in one of the layouts, or the folder of a single voice in it. Raises `CheckpointError`.
    """
    if not checkpoint.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {checkpoint}: docs/sambert.md says where to get one")
    if (checkpoint / VOICES / VOICES_FILE).is_file():
        return _read(_chosen(checkpoint / VOICES, voice), checkpoint)
    if (checkpoint / _ARCHIVE).is_file():
        return _read_archive(checkpoint, voice)
    models = {folder.name: folder for folder in sorted(checkpoint.glob("basemodel_*")) if _pair(folder)}
    if models:
        name = voice or next(iter(models))
        if name not in models:
            raise CheckpointError(f"{checkpoint} has no voice {name[:60]}, only {listed(models)}")
        return _read(models[name], checkpoint)
    if (checkpoint / "am" / CHECKPOINT).is_file() or _pair(checkpoint):
        folder = checkpoint.resolve()
        if voice not in (None, folder.name):
            raise CheckpointError(
                f"{checkpoint} is the voice {folder.name} alone: leave the voice {str(voice)[:60]} out"
            )
        return _read(folder, folder.parent.parent)
    there = listed(sorted(item.name for item in checkpoint.iterdir()), 100) or "nothing"
    raise CheckpointError(
        f"{checkpoint} is no Sambert checkpoint: {VOICES}/{VOICES_FILE}, {_ARCHIVE}, basemodel_*/sambert or am and voc "
        f"are expected, there is {there}"
    )


def _chosen(voices: Path, voice: str | None) -> Path:
    path = voices / VOICES_FILE
    names = read_json(path).get("voices")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise CheckpointError(f'{path} names no voices: {{"voices": ["NAME"]}} is expected')
    if twice := {name for name in names if names.count(name) > 1}:
        raise CheckpointError(
            f"{path} names the voice {listed(sorted(twice))} twice: give every voice a name of its own"
        )
    if strange := [name for name in names if Path(name).name != name or name == ".."]:
        raise CheckpointError(f"{path} has a path for a voice, {listed(strange, 60)}: a folder's name is expected")
    name = names[0] if voice is None else voice
    if name not in names:
        raise CheckpointError(f"{voices.parent} has no voice {name[:60]}, only {listed(names)}")
    if not (voices / name).is_dir():
        there = listed(known for known in names if (voices / known).is_dir()) or "none of them"
        raise CheckpointError(f"{path} names the voice {name}, but has no folder of it; there is {there}")
    return voices / name


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """The folders of a voice's acoustic model and vocoder; the vocoder's need not be there."""
    return next(((folder / am, folder / voc) for am, voc in _PAIRS if (folder / am).is_dir()), None)


def _read(folder: Path, root: Path) -> SambertFiles:
    """The voice in `folder` of the checkpoint `root`."""
    path = root / CONFIGURATION
    if (folder / "am" / CHECKPOINT).is_file():
        return assemble(folder.name, read_legacy(folder, read_json(path), path), None)
    configuration = read_json(path) if path.is_file() else {}
    model = configuration.get("model")
    sample_rate = model.get("sample_rate") if isinstance(model, dict) else None
    return assemble(folder.name, _read_parts(folder), sample_rate if isinstance(sample_rate, int) else None)


def _read_archive(checkpoint: Path, voice: str | None) -> SambertFiles:
    archive = checkpoint / _ARCHIVE
    with tempfile.TemporaryDirectory(prefix="voices-") as work:
        unpack_zip(archive, Path(work))
        try:
            folder = _chosen(Path(work) / VOICES, voice)
            path = checkpoint / CONFIGURATION
            files = assemble(folder.name, read_legacy(folder, read_json(path), path), None)
        except CheckpointError as error:
            # The user has no such folder.
            raise CheckpointError(str(error).replace(work, str(archive))) from error
    return replace(files, sources=(path, archive))


def _read_parts(folder: Path) -> Parts:
    pair = _pair(folder)
    if pair is None:
        raise CheckpointError(f"{folder} has no acoustic model: a folder am with config.yaml and ckpt is expected")
    (acoustic_config, params, acoustic_path), (vocoder_config, vocoder_params, vocoder_path) = (
        _part(part, model) for part, model in zip(pair, ("KanTtsSAMBERT", "Generator"), strict=True)
    )
    config_path = pair[0] / _CONFIG
    unit = section(acoustic_config, config_path, "linguistic_unit")
    check_units(unit, config_path)
    acoustic = tensors(read_checkpoint(acoustic_path), "model", path=acoustic_path)
    _expect(acoustic, EMBEDDINGS["sy"], "SAM-BERT acoustic model", acoustic_path)
    vocoder = tensors(read_checkpoint(vocoder_path), "model", "generator", path=vocoder_path)
    _expect(vocoder, "conv_pre.conv1d.bias", "HiFi-GAN of KAN-TTS", vocoder_path)
    own = folder / "audio_config.yaml"
    configs = [(own, read_yaml(own))] if own.is_file() else []
    configs += [(config_path, acoustic_config), (pair[1] / _CONFIG, vocoder_config)]
    return Parts(
        params=params,
        acoustic=acoustic,
        vocoder_params=vocoder_params,
        vocoder=vocoder,
        audio=tuple((path, section(config, path, _AUDIO)) for path, config in configs if _AUDIO in config),
        symbols=dict(MANDARIN) | {"speaker_category": split_names(unit.get("speaker_list"), config_path)},
        arrays=(pair[0], folder),
        sources=(*(path for path, _ in configs), acoustic_path, vocoder_path),
    )


def _part(folder: Path, model: str) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """The config of an acoustic model or a vocoder, its parameters, and its checkpoint of the most steps."""
    path = folder / _CONFIG
    config = read_yaml(path)
    params = section(config, path, "Model", model, "params")
    steps = {int(match[1]): item for item in folder.glob("ckpt/*") if (match := _STEPS.fullmatch(item.name))}
    if not steps:
        raise CheckpointError(f"{folder / 'ckpt'} has no checkpoint_<steps>.pth; fetch the checkpoint again")
    return config, params, steps[max(steps)]


def _expect(state: dict[str, Tensor], name: str, what: str, path: Path) -> None:
    if name not in state:
        raise CheckpointError(f"{path} has no {name} but {listed(state, 80)}: not a {what}")
