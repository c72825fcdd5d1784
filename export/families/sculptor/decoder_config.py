"""Sizes of a Llama or Qwen2, from the `config.json` of Hugging Face's layout."""

from __future__ import annotations

from pathlib import Path

from export.checkpoint_files import read_json
from export.families.sculptor.settings import Settings
from export.families.sculptor.transformer import DecoderConfig, RopeScaling

FILE_NAME = "config.json"
_MAX_LAYERS, _MAX_HEADS, _MAX_HEAD_SIZE = 256, 1024, 1024
_MAX_VOCABULARY, _MAX_CONTEXT = 1 << 24, 1 << 24


def read_decoder(path: Path, kind: str) -> DecoderConfig:
    """The sizes of a decoder of `kind`, "llama" or "qwen2".

    Raises `CheckpointError` for a setting that is missing or makes no sense, and for a variant that the modules are not
    written for.
    """
    # What is not set is written as null, or left out.
    content = {name: value for name, value in read_json(path).items() if value is not None}
    settings = Settings(str(path), content)
    settings.one_of("model_type", kind)
    settings.one_of("hidden_act", "silu", default="silu")
    settings.one_of("attention_bias", False, default=False)
    settings.one_of("mlp_bias", False, default=False)
    settings.one_of("use_sliding_window", False, default=False)
    width, heads = settings.whole("hidden_size"), settings.whole("num_attention_heads", most=_MAX_HEADS)
    key_heads = settings.whole("num_key_value_heads", most=heads, default=heads)
    if heads % key_heads:
        raise settings.wrong("num_key_value_heads", key_heads, f"a divisor of num_attention_heads, {heads}")
    if "head_dim" not in settings and width % heads:
        raise settings.wrong("num_attention_heads", heads, f"a divisor of hidden_size, {width}")
    size = settings.whole("head_dim", most=_MAX_HEAD_SIZE, default=width // heads)
    if size % 2:
        raise settings.wrong("head_dim", size, "an even number")
    # Newer files have all that concerns positions in one place.
    positions = settings.section("rope_parameters") if "rope_parameters" in settings else settings
    scaling = settings.section("rope_scaling") if "rope_scaling" in settings else positions
    return DecoderConfig(
        vocabulary=settings.whole("vocab_size", most=_MAX_VOCABULARY),
        width=width,
        layers=settings.whole("num_hidden_layers", most=_MAX_LAYERS),
        heads=heads,
        key_heads=key_heads,
        head_size=size,
        units=settings.whole("intermediate_size"),
        epsilon=settings.number("rms_norm_eps", 1e-12, 1.0),
        theta=positions.number("rope_theta", 1.0, 1e12, default=10000.0),
        context=settings.whole("max_position_embeddings", most=_MAX_CONTEXT),
        scaling=_scaling(scaling),
        biased=kind == "qwen2",
        tied=settings.content.get("tie_word_embeddings", False) is True,
    )


def _scaling(settings: Settings) -> RopeScaling | None:
    name = "type" if "type" in settings and "rope_type" not in settings else "rope_type"
    settings.one_of(name, "default", "llama3", default="default")
    if settings.content.get(name, "default") == "default":
        return None
    low = settings.number("low_freq_factor", 1e-6, 1e6)
    scaling = RopeScaling(
        factor=settings.number("factor", 1.0, 1e6),
        low=low,
        high=settings.number("high_freq_factor", 1e-6, 1e6),
        original=settings.whole("original_max_position_embeddings", most=_MAX_CONTEXT),
    )
    if scaling.high <= low:
        raise settings.wrong("high_freq_factor", scaling.high, f"larger than low_freq_factor, {low:g}")
    return scaling
