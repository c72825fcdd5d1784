"""Tokenizers of checkpoints that were never trained: real byte-level BPE in the files of the real ones, learnt from a
page of Mandarin instead of the web.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from export.families.sculptor.design import SENTENCE
from export.families.sculptor.tokenizers import QWEN_WORDS
from export.style import presets

# Llama 3 keeps up to three digits together.
_LLAMA_WORDS = QWEN_WORDS.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
# Of Llama 3, in the order of their numbers; between and after them are 245 reserved ones, which are for nothing.
_LLAMA_SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_2|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
_LLAMA_RESERVED = 245
_LLASA_SPECIAL = tuple(
    f"<|{kind}_{bound}|>"
    for kind in ("TEXT_GENERATION", "TEXT_UNDERSTANDING", "SPEECH_GENERATION", "SPEECH_UNDERSTANDING")
    for bound in ("START", "END")
)
_QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_PROMPT_END = "<|endofprompt|>"

# In bytes: two Chinese characters, as most texts of the real ones have at most.
_LONGEST = 6
# There is no more in the corpus.
_LEARNT = 1024

_CORPUS = (
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nConvert the text to speech:",
    "system user assistant",
    "今天天气真好，我们去公园散步吧。花都开了，孩子们在草地上跑来跑去。",
    "北京今天天气怎么样？明天会不会下雨？我不知道，你呢？",
    "你好，我是一个会说话的声音。请问有什么可以帮您的吗？",
    "从前有一座山，山上有一座庙，庙里有一个老和尚在讲故事。",
    "他的声音很低，说得很慢，好像有很多话要说，又不想说出来。",
    "这是一位年轻的女性，声音清亮甜美，语速很快，充满活力和热情。",
    SENTENCE,
    "一二三四五六七八九十，百千万亿，年月日时分秒，上下左右前后。",
)


def write_llasa_tokenizer(path: Path, *, vocabulary: int, codes: int, tags: Iterable[str]) -> dict[str, int]:
    """Write a `tokenizer.json` as LLaSA's: `vocabulary` texts, Llama's specials, LLaSA's, the codes, then the tags.

    `tags` are values of attributes without the marks around them. Returns the numbers of all tokens.
    """
    own = (*_LLASA_SPECIAL, *(f"<|s_{code}|>" for code in range(codes)))
    added = (_PROMPT_END, *(f"<|{tag}|>" for tag in tags))
    reserved = tuple(f"<|reserved_special_token_{number}|>" for number in range(3, 3 + _LLAMA_RESERVED))
    content = _learnt(_LLAMA_WORDS, vocabulary)
    content["added_tokens"] = [
        {"id": vocabulary + number, "content": token, "special": special} | _EXACT
        for number, (token, special) in enumerate(_marked(_LLAMA_SPECIAL + reserved, own + added))
    ]
    first = _LLAMA_SPECIAL[0]
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {first: {"id": first, "ids": [vocabulary], "tokens": [first]}},
    }
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    numbers: dict[str, int] = Tokenizer.from_file(str(path)).get_vocab()
    return numbers


def write_text_tokenizer(folder: Path, *, vocabulary: int) -> None:
    """Write `vocab.json`, `merges.txt` and `tokenizer_config.json` as Qwen2's into a folder."""
    content = _learnt(QWEN_WORDS, vocabulary)
    special = {
        str(vocabulary + number): {"content": token, "special": True} | _EXACT
        for number, token in enumerate(_QWEN_SPECIAL)
    }
    texts = {
        "vocab.json": json.dumps(content["model"]["vocab"], ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *(" ".join(pair) for pair in content["model"]["merges"]), ""]),
        "tokenizer_config.json": json.dumps(
            {
                "add_prefix_space": False,
                "added_tokens_decoder": special,
                "additional_special_tokens": list(_QWEN_SPECIAL[1:]),
                "bos_token": None,
                "eos_token": _QWEN_SPECIAL[0],
                "errors": "replace",
                "model_max_length": 32768,
                "pad_token": _QWEN_SPECIAL[0],
                "tokenizer_class": "Qwen2Tokenizer",
                "unk_token": None,
            },
            indent=2,
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


_EXACT = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def _marked(special: Sequence[str], own: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Tokens and whether a decoder leaves them out: LLaSA's own are in its texts."""
    yield from ((token, True) for token in special)
    yield from ((token, False) for token in own)


def _learnt(words: str, vocabulary: int) -> dict[str, Any]:
    """The content of a `tokenizer.json` with as many texts, those that were not learnt being ones that never occur."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC() if words == QWEN_WORDS else None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(vocabulary, _LEARNT),
        max_token_length=_LONGEST,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*_CORPUS, *(preset.instruction for preset in presets.load())], trainer)
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    known = content["model"]["vocab"]
    known |= {f"<unused{number}>": number for number in range(len(known), vocabulary)}
    return content
