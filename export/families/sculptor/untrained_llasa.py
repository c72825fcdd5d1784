"""A LLaSA checkpoint that was never trained, in the layout of Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import safetensors.torch
import torch

from export.families.sculptor.untrained_language import Weights, decoder_weights, embedding, end_row
from export.families.sculptor.untrained_sizes import LlasaSizes
from export.families.sculptor.untrained_text import write_llasa_tokenizer

_END = "<|SPEECH_GENERATION_END|>"
_CONTEXT = 131_072
# It ends where about half of all its tokens are text: at 50 codes a second, that is 20 ms of speech for each.
_SHARE_OF_TEXT = 0.5


def write_llasa(folder: Path, sizes: LlasaSizes, weights: Weights, tags: Iterable[str]) -> None:
    """Write `config.json`, `tokenizer.json` and `model.safetensors` (BF16, tied embeddings) into a new folder."""
    folder.mkdir()
    decoder = sizes.decoder
    numbers = write_llasa_tokenizer(folder / "tokenizer.json", vocabulary=sizes.text, codes=sizes.codes, tags=tags)
    rows, first = len(numbers), numbers["<|s_0|>"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": sizes.text,
        "eos_token_id": numbers[_END],
        "head_dim": decoder.head_size,
        "hidden_act": "silu",
        "hidden_size": decoder.width,
        "intermediate_size": decoder.units,
        "max_position_embeddings": _CONTEXT,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": decoder.heads,
        "num_hidden_layers": decoder.layers,
        "num_key_value_heads": decoder.key_heads,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "vocab_size": rows,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    table = embedding(decoder, rows, weights, text=slice(0, first))
    # The tags are behind the codes.
    table[first + sizes.codes :] = embedding(decoder, rows - first - sizes.codes, weights, text=slice(None))
    table[numbers[_END]] = end_row(decoder, _SHARE_OF_TEXT)
    state = {"model.embed_tokens.weight": table.to(torch.bfloat16)}
    state |= {f"model.{name}": value.to(torch.bfloat16) for name, value in decoder_weights(decoder, weights)}
    safetensors.torch.save_file(state, folder / "model.safetensors", {"format": "pt"})
