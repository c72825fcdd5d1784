"""The text tokenizers of voices whose language model reads text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from voice_file import BrokenVoiceError, VoiceFile

FILE_NAME = "text_tokenizer.json"

Tokenize = Callable[[str], list[int]]


class TokenizerShelf:
    """The tokenizers of a model repository, each read when it is first asked for and again when its file changes."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._read: dict[str, tuple[tuple[int, int], Tokenize]] = {}

    def get(self, voice: VoiceFile) -> Tokenize:
        """What turns a text into ids for the voice's language model. Raises `BrokenVoiceError`."""
        path = self._repository / voice.name / FILE_NAME
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            known = self._read.get(voice.name)
            if known is None or known[0] != stamp:
                known = self._read[voice.name] = (stamp, _load(path, voice))
        except (OSError, ValueError) as error:
            raise BrokenVoiceError(f"voice '{voice.name}' is broken: {FILE_NAME} {error}; export it again") from error
        return known[1]


def _load(path: Path, voice: VoiceFile) -> Tokenize:
    """Raises OSError and ValueError."""
    # Only a voice of this family needs the library.
    from tokenizers import Tokenizer

    content = path.read_text(encoding="utf-8")
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"cannot be read ({str(error)[:80]})") from error
    if tokenizer.get_added_tokens_decoder():
        raise ValueError("has added tokens, which a text could call up")
    first_control = (voice.generation or {}).get("sos")
    if not isinstance(first_control, int):
        raise ValueError("has no place in a voice without 'generation'")
    if tokenizer.get_vocab_size() > first_control:
        raise ValueError(f"has {tokenizer.get_vocab_size()} tokens, the language model {first_control}")
    return partial(_ids, tokenizer)


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids
