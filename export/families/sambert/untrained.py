"""Writes Sambert checkpoints that were never trained, in the layout of the real ones.

What comes out of them is no speech, but they have the size, the speed and the memory of a real voice, and its lengths.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml

from export.errors import CheckpointError, listed
from export.families.sambert.config import EMBEDDINGS
from export.families.sambert.layout import CONFIGURATION, VOICES, VOICES_FILE
from export.families.sambert.shapes import acoustic_shapes, vocoder_shapes
from export.families.sambert.symbols import MANDARIN
from export.families.sambert.untrained_weights import acoustic_weights, vocoder_weights
from export.families.untrained_folder import new_folder

Size = Literal["full", "small"]

# hop, window, n_fft, bands, fmin, fmax of KAN-TTS's own audio_config files
_AUDIO = {
    8000: (100, 600, 2048, 80, 0.0, 4000.0),
    16000: (200, 1000, 2048, 80, 0.0, 8000.0),
    24000: (240, 1024, 1024, 80, 50.0, 8000.0),
    48000: (600, 2400, 4096, 128, 0.0, 12000.0),
}
# channels, scales and kernels of the causal upsampling, and dilations of its HiFi-GANs
_VOCODERS = {
    8000: (256, (5, 5, 2, 2), (10, 10, 4, 4), (1, 3, 5, 7)),
    16000: (256, (10, 5, 2, 2), (20, 10, 4, 4), (1, 3, 5, 7)),
    24000: (512, (8, 5, 3, 2), (16, 10, 6, 4), (1, 3, 5)),
    48000: (512, (10, 5, 3, 2, 2), (20, 10, 6, 4, 4), (1, 3, 5, 7)),
}
_SPEAKERS = ("F7", "F74", "FBYN", "FRXL", "M7", "xiaoyu")
_SPEAKER_EMBEDDING = 192
# Mean and standard deviation of the fundamental, Hz.
_PITCH = ((200.0,), (40.0,))

_FULL = {
    "embedding_dim": 512,
    "encoder_num_layers": 8,
    "encoder_num_heads": 8,
    "encoder_num_units": 128,
    "encoder_ffn_inner_dim": 1024,
    "encoder_projection_units": 32,
    "speaker_units": 32,
    "emotion_units": 32,
    "predictor_filter_size": 41,
    "predictor_fsmn_num_layers": 3,
    "predictor_num_memory_units": 128,
    "predictor_ffn_inner_dim": 256,
    "predictor_shift": 0,
    "predictor_lstm_units": 128,
    "dur_pred_prenet_units": [128, 128],
    "dur_pred_lstm_units": 128,
    "decoder_prenet_units": [256, 256],
    "decoder_num_layers": 12,
    "decoder_num_heads": 8,
    "decoder_num_units": 128,
    "decoder_ffn_inner_dim": 1024,
    "outputs_per_step": 3,
    "postnet_filter_size": 41,
    "postnet_fsmn_num_layers": 4,
    "postnet_num_memory_units": 256,
    "postnet_ffn_inner_dim": 512,
    "postnet_shift": 17,
    "postnet_lstm_units": 128,
}
_SMALL = _FULL | {
    "embedding_dim": 64,
    "encoder_num_layers": 2,
    "encoder_num_heads": 4,
    "encoder_num_units": 32,
    "encoder_ffn_inner_dim": 64,
    "encoder_projection_units": 16,
    "speaker_units": 8,
    "emotion_units": 8,
    "predictor_fsmn_num_layers": 2,
    "predictor_num_memory_units": 32,
    "predictor_ffn_inner_dim": 32,
    "predictor_lstm_units": 16,
    "dur_pred_prenet_units": [16, 16],
    "dur_pred_lstm_units": 16,
    "decoder_prenet_units": [32, 32],
    "decoder_num_layers": 2,
    "decoder_num_heads": 4,
    "decoder_num_units": 32,
    "decoder_ffn_inner_dim": 64,
    "postnet_fsmn_num_layers": 2,
    "postnet_num_memory_units": 32,
    "postnet_ffn_inner_dim": 64,
    "postnet_lstm_units": 32,
}
_SMALL_CHANNELS = 32


def write_untrained(
    folder: Path,
    sample_rate: int,
    *,
    seed: int,
    nsf: bool = False,
    se: bool = False,
    causal: bool = True,
    size: Size = "full",
    voices: Sequence[str] = ("F7",),
) -> None:
    """Write a checkpoint with random weights into a folder that is new or empty, in ModelScope's layout of today.

    `sample_rate` in Hz is one of KAN-TTS's: 8000, 16000, 24000, 48000. `nsf` adds a harmonic source to the vocoder,
    `se` makes it a voice with a speaker embedding instead of speakers, `causal` is about the vocoder's convolutions.
    The same arguments give the same weights. Raises `CheckpointError`.
    """
    if sample_rate not in _AUDIO:
        raise CheckpointError(f"no Sambert voice has {sample_rate} Hz: use {listed(map(str, _AUDIO))}")
    if not voices or len(set(voices)) < len(voices):
        raise CheckpointError(f"the voices {listed(voices) or '(none)'} need names, each another one")
    with new_folder(folder) as made:
        for number, name in enumerate(voices):
            generator = torch.Generator().manual_seed(seed + number)
            _write_voice(made / VOICES / name, sample_rate, generator, nsf=nsf, se=se, causal=causal, size=size)
        (made / VOICES / VOICES_FILE).write_text(json.dumps({"voices": list(voices)}), encoding="utf-8")
        model = {"type": "sambert-hifigan", "lang_type": "pinyin", "sample_rate": sample_rate}
        configuration = {"framework": "pytorch", "task": "text-to-speech", "model": model}
        (made / CONFIGURATION).write_text(json.dumps(configuration, indent=1), encoding="utf-8")


def acoustic_params(sample_rate: int, *, nsf: bool, se: bool, size: Size) -> dict[str, Any]:
    """`Model.KanTtsSAMBERT.params` of such a voice."""
    bands = _AUDIO[sample_rate][3]
    params: dict[str, Any] = dict(_FULL if size == "full" else _SMALL)
    params |= {"max_len": 900 if sample_rate == 48000 else 800, "num_mels": bands + 2 if nsf else bands}
    if nsf:
        params["NSF"] = True
    if se:
        params |= {"SE": True, "speaker_units": _SPEAKER_EMBEDDING}
    if nsf and se:
        params |= _global_pitch()
    return params


def vocoder_params(sample_rate: int, *, nsf: bool, se: bool, causal: bool, size: Size) -> dict[str, Any]:
    """`Model.Generator.params` of such a voice."""
    channels, scales, kernels, dilations = _VOCODERS[sample_rate]
    if not causal:
        # Cropped on both sides alike.
        kernels = tuple(kernel + (kernel - scale) % 2 for kernel, scale in zip(kernels, scales, strict=True))
    params: dict[str, Any] = {
        "in_channels": _AUDIO[sample_rate][3],
        "out_channels": 1,
        "channels": channels if size == "full" else _SMALL_CHANNELS,
        "kernel_size": 7,
        "upsample_scales": list(scales),
        "upsample_kernal_sizes": list(kernels),
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilations": [list(dilations) for _ in range(3)],
        "bias": True,
        "causal": causal,
        "nonlinear_activation": "LeakyReLU",
        "nonlinear_activation_params": {"negative_slope": 0.1},
        "use_weight_norm": True,
    }
    if nsf:
        params["nsf_params"] = {"nb_harmonics": 7, "sampling_rate": sample_rate} | (_global_pitch() if se else {})
    return params


def _global_pitch() -> dict[str, Any]:
    return {"nsf_norm_type": "global", "nsf_f0_global_minimum": 30.0, "nsf_f0_global_maximum": 730.0}


def _write_voice(
    folder: Path, sample_rate: int, generator: torch.Generator, *, nsf: bool, se: bool, causal: bool, size: Size
) -> None:
    speakers = _SPEAKERS[:1] if se else _SPEAKERS
    acoustic = acoustic_params(sample_rate, nsf=nsf, se=se, size=size)
    vocoder = vocoder_params(sample_rate, nsf=nsf, se=se, causal=causal, size=size)
    vocabularies = {feature: len(MANDARIN.get(feature, speakers)) + 3 for feature in EMBEDDINGS}
    audio = {"audio_config": _audio_config(sample_rate)}
    unit = {
        "cleaners": "english_cleaners",
        "lfeat_type_list": ",".join(EMBEDDINGS),
        "speaker_list": ",".join(speakers),
    }
    model = acoustic_weights(acoustic, acoustic_shapes(acoustic, vocabularies), generator)
    config = {"model_type": "sambert", "Model": {"KanTtsSAMBERT": {"params": acoustic}}, "linguistic_unit": unit}
    _write_part(folder / "am", config | audio, {"steps": 0, "model": model})
    states = {"generator": vocoder_weights(vocoder_shapes(vocoder), generator)}
    _write_part(
        folder / "voc",
        {"model_type": "hifigan", "Model": {"Generator": {"params": vocoder}}} | audio,
        {"steps": 0, "model": states},
    )
    _write_yaml(folder / "audio_config.yaml", audio)
    if nsf and not se:
        np.save(folder / "am" / "mvn.npy", np.array(_PITCH, dtype=np.float32))
    if se:
        np.save(folder / "am" / "se.npy", torch.randn(1, _SPEAKER_EMBEDDING, generator=generator).numpy())


def _audio_config(sample_rate: int) -> dict[str, Any]:
    names = ("hop_length", "win_length", "n_fft", "n_mels", "fmin", "fmax")
    levels = {"max_norm": 1.0, "symmetric": False, "min_level_db": -100.0, "ref_level_db": 20, "preemphasize": False}
    own = dict(zip(names, _AUDIO[sample_rate], strict=True))
    return {"sampling_rate": sample_rate, **own, "norm_type": "mean_std", **levels}


def _write_part(folder: Path, config: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    (folder / "ckpt").mkdir(parents=True)
    _write_yaml(folder / "config.yaml", config)
    torch.save(checkpoint, folder / "ckpt" / "checkpoint_0.pth")


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
