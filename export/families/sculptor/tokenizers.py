"""Reads the tokenizers of the language models: byte-level BPE, as Llama 3 and Qwen2 have it.

What is served knows ordinary text alone. The marks that a model was trained with (`<|eot_id|>`, `<|s_5|>`) are taken
out of the tokenizer and kept apart with their ids, so that none of them can come out of a user's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from tokenizers import Tokenizer, pre_tokenizers

from export.checkpoint_files import read_json, read_text
from export.errors import CheckpointError, listed

# LLaSA's has 17 MB.
_MOST_BYTES = 128 << 20
# What of BPE would cut or spell text in another way than these two models do.
_ABSENT = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
_NORMALISERS = ("NFC", "NFKC")
# Where Qwen2 cuts a text before it merges bytes; its files do not say.
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer without its marks.

    `text` is what its `tokenizer.json` has for the library `tokenizers`, `marks` the ids of what was taken out.
    `rows` is how many rows a table of embeddings must have for all of these ids. `sources` are the files it came from.
    """

    text: str
    marks: dict[str, int]
    rows: int
    sources: tuple[Path, ...]

    @cached_property
    def _library(self) -> Tokenizer:
        return Tokenizer.from_str(self.text)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, in which nothing is a mark."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def mark(self, name: str) -> int:
        """The id of a mark. Raises `CheckpointError`."""
        if name not in self.marks:
            raise CheckpointError(f"{self.sources[0]} has no {name}: it is not the tokenizer of a LLaSA checkpoint")
        return self.marks[name]


@dataclass(frozen=True)
class SpeechCodes:
    """Ids of speech: `<|s_0|>` is `first`, `count` follow each other, `end` ends a speech."""

    first: int
    count: int
    end: int


def read_llama(folder: Path) -> TextTokenizer:
    """The tokenizer of a Llama checkpoint in Hugging Face's layout (`tokenizer.json`). Raises `CheckpointError`."""
    return _read(folder / "tokenizer.json")


def read_qwen(folder: Path) -> TextTokenizer:
    """The tokenizer of `CosyVoice-BlankEN`: `vocab.json` and `merges.txt`, or `tokenizer.json`.

    Raises `CheckpointError`.
    """
    vocabulary, merges, whole = (folder / name for name in ("vocab.json", "merges.txt", "tokenizer.json"))
    if vocabulary.is_file() and merges.is_file():
        marks: dict[str, int] = {}
        settings = folder / "tokenizer_config.json"
        sources = [vocabulary, merges]
        if settings.is_file():
            sources.append(settings)
            marks = _marks(_decoder_entries(read_json(settings, _MOST_BYTES), settings), settings)
        head, *lines = read_text(merges, _MOST_BYTES).split("\n")
        lines = lines if head.startswith("#version") else [head, *lines]
        steps = [
            {"type": "Split", "pattern": {"Regex": QWEN_WORDS}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        ]
        content = {
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
            "model": {"type": "BPE", "vocab": read_json(vocabulary, _MOST_BYTES), "merges": list(filter(None, lines))},
        }
        return _assemble(content, marks, tuple(sources))
    if whole.is_file():
        return _read(whole)
    raise CheckpointError(
        f"{folder} has no tokenizer: download vocab.json, merges.txt and tokenizer_config.json of CosyVoice2-0.5B's "
        "CosyVoice-BlankEN into it"
    )


def speech_codes(tokenizer: TextTokenizer) -> SpeechCodes:
    """Where the codes of speech are among LLaSA's ids. Raises `CheckpointError` where they do not follow each other."""
    first, count = tokenizer.mark("<|s_0|>"), 1
    while (number := tokenizer.marks.get(f"<|s_{count}|>")) is not None:
        if number != first + count:
            raise CheckpointError(
                f"{tokenizer.sources[0]}: <|s_{count}|> is {number} instead of {first + count}; fetch it again"
            )
        count += 1
    return SpeechCodes(first, count, tokenizer.mark("<|SPEECH_GENERATION_END|>"))


def _read(path: Path) -> TextTokenizer:
    content = read_json(path, _MOST_BYTES)
    entries = content.get("added_tokens") or []
    if not isinstance(entries, list):
        raise _damaged(path, "added_tokens is no list")
    return _assemble(content, _marks(entries, path), (path,))


def _assemble(content: Mapping[str, Any], marks: dict[str, int], sources: tuple[Path, ...]) -> TextTokenizer:
    """A tokenizer of nothing but the parts of `content` that make ordinary text into ids."""
    path = sources[0]
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise _damaged(path, "its model is not BPE")
    if unlike := [name for name in _ABSENT if model.get(name)]:
        raise _damaged(path, f"its BPE has {unlike[0]}, which neither Llama 3 nor Qwen2 has")
    vocabulary = _vocabulary(model.get("vocab"), marks, path)
    _check_normaliser(content.get("normalizer"), path)
    if "ByteLevel" not in _step_types(content.get("pre_tokenizer"), path):
        raise _damaged(path, "it does not spell text byte by byte")
    plain: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": content.get("normalizer"),
        "pre_tokenizer": content.get("pre_tokenizer"),
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            **dict.fromkeys(_ABSENT[:-1]),
            "byte_fallback": False,
            "fuse_unk": False,
            "ignore_merges": model.get("ignore_merges") is True,
            "vocab": vocabulary,
            "merges": model.get("merges"),
        },
    }
    rows = 1 + max((*vocabulary.values(), *marks.values()))
    tokenizer = TextTokenizer(json.dumps(plain, ensure_ascii=False), marks, rows, sources)
    try:
        tokenizer.encode("试 a1\n")
    # The library raises nothing more special.
    except Exception as error:
        raise _damaged(path, " ".join(str(error).split())[:120]) from error
    return tokenizer


def _vocabulary(content: Any, marks: Mapping[str, int], path: Path) -> dict[str, int]:
    """Pieces of ordinary text and their ids, none of which is a mark's."""
    if not isinstance(content, dict) or not all(_is_id(number) for number in content.values()):
        raise _damaged(path, "its vocabulary is not one of texts and their numbers")
    plain = {text: number for text, number in content.items() if text not in marks}
    if len(set(plain.values())) != len(plain) or not set(plain.values()).isdisjoint(marks.values()):
        raise _damaged(path, "two of its texts have the same number")
    if missing := sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(plain)):
        raise _damaged(path, f"its vocabulary has no {listed(missing, 30)}, so that not every text can be spelled")
    return plain


def _marks(entries: list[Any], path: Path) -> dict[str, int]:
    """The ids of added tokens. Raises `CheckpointError`."""
    marks: dict[str, int] = {}
    for entry in entries:
        name, number = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not name or not _is_id(number) or marks.setdefault(name, number) != number:
            raise _damaged(path, "one of its added tokens has no text of its own or no number")
    if len(set(marks.values())) != len(marks):
        raise _damaged(path, "two of its added tokens have the same number")
    return marks


def _decoder_entries(settings: Mapping[str, Any], path: Path) -> list[Any]:
    """The added tokens of a `tokenizer_config.json`, as a `tokenizer.json` has them."""
    decoder = settings.get("added_tokens_decoder", {})
    if not isinstance(decoder, dict) or not all(number.isdecimal() and len(number) < 10 for number in decoder):
        raise _damaged(path, "its added_tokens_decoder has no numbers")
    return [entry | {"id": int(number)} if isinstance(entry, dict) else None for number, entry in decoder.items()]


def _check_normaliser(content: Any, path: Path) -> None:
    if content is not None and (not isinstance(content, dict) or content.get("type") not in _NORMALISERS):
        raise _damaged(path, f"it normalises text otherwise than by {' or '.join(_NORMALISERS)}")


def _step_types(content: Any, path: Path) -> set[str]:
    """Kinds of steps that cut a text into words. Raises `CheckpointError` for one that neither model has."""
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "Sequence" and isinstance(content.get("pretokenizers"), list):
        return {name for step in content["pretokenizers"] for name in _step_types(step, path) - {"Sequence"}}
    if kind not in ("Split", "ByteLevel"):
        raise _damaged(path, "it cuts text into words otherwise than Llama 3 and Qwen2 do")
    return {kind}


def _is_id(number: Any) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 24


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} is no tokenizer of Llama 3 or Qwen2: {why}; fetch it again")
