"""Finds the three checkpoints of a designed voice in one folder, by what is in them and not by how they are called.

```
CHECKPOINT/
  VoiceSculptor-VD/    a LLaSA checkpoint in the layout of Hugging Face
  xcodec2/             its codec
  CosyVoice2-0.5B/     CosyVoice2 with its pretrained text tokenizer
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from export.checkpoint_files import read_json
from export.errors import CheckpointError, listed
from export.families.sculptor.cosyvoice_config import FILE_NAME

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"
_DIMENSIONS = "dims.json"
BLANK = "CosyVoice-BlankEN"
_COSYVOICE_FILES = (
    FILE_NAME,
    "llm.pt",
    "flow.pt",
    "hift.pt",
    "campplus.onnx",
    "speech_tokenizer_v2.onnx",
    f"{BLANK}/{_CONFIG}",
    f"{BLANK}/vocab.json",
    f"{BLANK}/merges.txt",
    f"{BLANK}/tokenizer_config.json",
)
_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Kind:
    """One of the checkpoints: how it is called, the files it has, where it is had, and what may be done with it.

    Of the files after a bar, one is enough.
    """

    name: str
    files: tuple[str, ...]
    source: str
    terms: str
    is_there: Callable[[Path], bool]


@dataclass(frozen=True)
class SculptorFolder:
    """The folders of the checkpoints that a designed voice is made of."""

    llasa: Path
    xcodec2: Path
    cosyvoice: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """All the files that are read."""
        return tuple(path for kind, folder in zip(KINDS, self._folders, strict=True) for path in _present(kind, folder))

    @property
    def _folders(self) -> tuple[Path, Path, Path]:
        return self.llasa, self.xcodec2, self.cosyvoice


def find(checkpoint: Path) -> SculptorFolder:
    """The checkpoints in a folder, or in the folders inside it.

    Raises `CheckpointError` that names what is missing and where to get it, or what is there twice.
    """
    if not checkpoint.is_dir():
        raise CheckpointError(f"there is no folder {checkpoint}: docs/voice-sculptor.md says what goes into one")
    candidates = [checkpoint, *sorted(path for path in checkpoint.iterdir() if path.is_dir())]
    found = {kind.name: [folder for folder in candidates if kind.is_there(folder)] for kind in KINDS}
    if missing := [kind for kind in KINDS if not found[kind.name]]:
        wanted = "; ".join(f"{kind.name} ({kind.source}, {kind.terms})" for kind in missing)
        raise CheckpointError(f"{checkpoint} lacks {wanted}: download each into a folder of its own in there")
    for kind in KINDS:
        if len(found[kind.name]) > 1:
            names = listed(folder.name for folder in found[kind.name])
            raise CheckpointError(f"{checkpoint} has {kind.name} more than once, {names}: leave one")
        _check_files(kind, found[kind.name][0])
    return SculptorFolder(*(found[kind.name][0] for kind in KINDS))


def _check_files(kind: Kind, folder: Path) -> None:
    """Raise `CheckpointError` that names every file that a checkpoint lacks."""
    lacking = [
        names.replace("|", " or ")
        for names in kind.files
        if not any((folder / name).is_file() for name in names.split("|"))
    ]
    if lacking:
        raise CheckpointError(f"{folder} lacks {listed(lacking, 200)}: fetch the whole of {kind.source} ({kind.terms})")


def _present(kind: Kind, folder: Path) -> Iterator[Path]:
    """The files of a checkpoint that are read; of weights in several files, all of them."""
    for names in kind.files:
        for name in names.split("|"):
            path = folder / name
            if path.is_file():
                yield path
                if name == _INDEX:
                    yield from sorted(folder.glob(f"{Path(_WEIGHTS).stem}-*-of-*.safetensors"))
                break


def _is_llasa(folder: Path) -> bool:
    return _is_model(folder, "llama", "LlamaForCausalLM")


def _is_xcodec2(folder: Path) -> bool:
    return _is_model(folder, "xcodec2", "XCodec2Model") or (folder / _DIMENSIONS).is_file()


def _is_cosyvoice(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _COSYVOICE_FILES[:4])


def _is_model(folder: Path, kind: str, architecture: str) -> bool:
    """Whether the config of Hugging Face's layout in a folder is of that kind. Raises `CheckpointError`."""
    path = folder / _CONFIG
    content = read_json(path) if path.is_file() else {}
    architectures = content.get("architectures")
    named = isinstance(architectures, list) and architecture in architectures
    return named or content.get("model_type") == kind


KINDS = (
    Kind(
        "a LLaSA checkpoint",
        (_CONFIG, "tokenizer.json", f"{_WEIGHTS}|{_INDEX}"),
        f"{_HUB}/ASLP-lab/VoiceSculptor-VD",
        "made from LLaSA, whose own licence is CC-BY-NC-4.0: no commercial use",
        _is_llasa,
    ),
    Kind(
        "an xcodec2 checkpoint",
        (f"{_CONFIG}|{_DIMENSIONS}", _WEIGHTS),
        f"{_HUB}/HKUSTAudio/xcodec2",
        "its licence is on that page",
        _is_xcodec2,
    ),
    Kind(
        "a CosyVoice2 checkpoint",
        _COSYVOICE_FILES,
        f"{_HUB}/FunAudioLLM/CosyVoice2-0.5B",
        "Apache-2.0",
        _is_cosyvoice,
    ),
)
