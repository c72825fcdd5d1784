"""Names and shapes of a KAN-TTS checkpoint's tensors, from its parameters.

Written down from the files and not from this project's modules, so that a checkpoint made of them shows whether the
modules expect the tensors that the files have.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from operator import mul
from typing import Any

from export.families.sambert.config import EMBEDDINGS

Shapes = dict[str, tuple[int, ...]]


def acoustic_shapes(params: Mapping[str, Any], vocabularies: Mapping[str, int]) -> Shapes:
    """Tensors of SAM-BERT: `params` as in `Model.KanTtsSAMBERT.params`, `vocabularies` rows by feature."""
    text, emotion, speaker = (params[f"{name}_units"] for name in ("encoder_projection", "emotion", "speaker"))
    condition = text + emotion + speaker
    widths = dict.fromkeys(EMBEDDINGS, params["embedding_dim"]) | {
        "emo_category": emotion,
        "speaker_category": speaker,
    }
    shapes: Shapes = {
        EMBEDDINGS[feature]: (rows, widths[feature])
        for feature, rows in vocabularies.items()
        if feature != "speaker_category" or not params.get("SE")
    }
    shapes |= _encoder(params)
    for predictor in ("pitch", "energy"):
        name = f"variance_adaptor.{predictor}_predictor"
        units = params["predictor_lstm_units"]
        shapes |= _fsmn(f"{name}.fsmn", params, "predictor", condition)
        shapes |= _lstm(f"{name}.blstm", params["predictor_num_memory_units"], units, both_ways=True)
        shapes |= _layer(f"{name}.fc", 1, 2 * units)
        shapes |= _layer(f"variance_adaptor.{predictor}_emb", text, 1, 9)
    name, units = "variance_adaptor.duration_predictor", params["dur_pred_lstm_units"]
    prenet = params["dur_pred_prenet_units"]
    shapes |= _prenet(f"{name}.prenet", [1, *prenet])
    shapes |= _lstm(f"{name}.lstm", prenet[-1] + condition, units, layers=2)
    shapes |= _layer(f"{name}.fc", 1, units)
    shapes |= {"variance_adaptor.dur_position_encoder.inv_timescales": (text,)}
    shapes |= _decoder(params, params["outputs_per_step"] * text + emotion + speaker)
    bands, memory, units = (params[name] for name in ("num_mels", "postnet_num_memory_units", "postnet_lstm_units"))
    shapes |= _fsmn("mel_postnet.fsmn", params, "postnet", bands)
    shapes |= _lstm("mel_postnet.lstm", memory, units)
    return shapes | _layer("mel_postnet.fc", bands, units)


def vocoder_shapes(params: Mapping[str, Any]) -> Shapes:
    """Tensors of KAN-TTS's HiFi-GAN: `params` as in `Model.Generator.params`; every layer is weight-normalised."""
    scales, kernels = params["upsample_scales"], params["upsample_kernal_sizes"]
    channels = [params["channels"] >> stage for stage in range(len(scales) + 1)]
    kernel = params["kernel_size"]
    shapes = _normed("conv_pre.conv1d", channels[0], params["in_channels"], kernel)
    for stage, (inputs, outputs) in enumerate(pairwise(channels)):
        # A transposed convolution's weight has its inputs first, and its bias is for its outputs.
        shapes |= _normed(f"transpose_upsamples.{stage}.1.deconv", inputs, outputs, kernels[stage])
        shapes[f"transpose_upsamples.{stage}.1.deconv.bias"] = (outputs,)
        shapes |= _normed(f"repeat_upsamples.{stage}.2.conv1d", outputs, inputs, kernel)
        blocks = zip(params["resblock_kernel_sizes"], params["resblock_dilations"], strict=True)
        for block, (size, dilations) in enumerate(blocks, start=stage * len(params["resblock_kernel_sizes"])):
            for half in ("convs1", "convs2"):
                for layer in range(len(dilations)):
                    shapes |= _normed(f"conv_blocks.{block}.{half}.{layer}.conv1d", outputs, outputs, size)
    shapes |= _normed("conv_post.conv1d", params["out_channels"], channels[-1], kernel)
    if source := params.get("nsf_params"):
        shapes |= _normed("source_module.ffn.0", 1, source["nb_harmonics"] + 1, 1)
        steps = list(accumulate([1, *reversed(scales[1:])], mul))
        for stage, step in enumerate(reversed(steps)):
            size = 1 if step == 1 else 2 * step
            shapes |= _normed(f"source_downs.{stage}.conv1d", channels[stage + 1], 1, size)
    return shapes


def _layer(name: str, outputs: int, inputs: int, *kernel: int, bias: bool = True) -> Shapes:
    weight: Shapes = {f"{name}.weight": (outputs, inputs, *kernel)}
    return weight | {f"{name}.bias": (outputs,)} if bias else weight


def _normed(name: str, first: int, second: int, kernel: int) -> Shapes:
    return {
        f"{name}.bias": (first,),
        f"{name}.weight_g": (first, 1, 1),
        f"{name}.weight_v": (first, second, kernel),
    }


def _norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _lstm(name: str, inputs: int, units: int, *, layers: int = 1, both_ways: bool = False) -> Shapes:
    shapes: Shapes = {}
    for layer in range(layers):
        for way in ("", "_reverse") if both_ways else ("",):
            end = f"l{layer}{way}"
            shapes[f"{name}.weight_ih_{end}"] = (4 * units, units if layer else inputs)
            shapes[f"{name}.weight_hh_{end}"] = (4 * units, units)
            shapes[f"{name}.bias_ih_{end}"] = shapes[f"{name}.bias_hh_{end}"] = (4 * units,)
    return shapes


def _fsmn(name: str, params: Mapping[str, Any], part: str, inputs: int) -> Shapes:
    units, hidden = params[f"{part}_num_memory_units"], params[f"{part}_ffn_inner_dim"]
    shapes: Shapes = {}
    for layer in range(params[f"{part}_fsmn_num_layers"]):
        shapes |= _layer(f"{name}.ffn_lst.{layer}.w_1", hidden, units if layer else inputs, 1)
        shapes |= _layer(f"{name}.ffn_lst.{layer}.w_2", units, hidden, 1, bias=False)
        shapes[f"{name}.memory_block_lst.{layer}.conv_dw.weight"] = (units, 1, params[f"{part}_filter_size"])
    return shapes


def _prenet(name: str, sizes: list[int]) -> Shapes:
    shapes: Shapes = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        # Between two layers stand a rectifier and a dropout.
        shapes |= _layer(f"{name}.fcs.{3 * layer}", outputs, inputs)
    return shapes


def _ffn(name: str, units: int, hidden: int, kernel: int) -> Shapes:
    return (
        _layer(f"{name}.w_1", hidden, units, kernel)
        | _layer(f"{name}.w_2", units, hidden, 1)
        | _norm(f"{name}.layer_norm", units)
    )


def _encoder(params: Mapping[str, Any]) -> Shapes:
    units, heads, embedding = (params[name] for name in ("encoder_num_units", "encoder_num_heads", "embedding_dim"))
    name, inner = "text_encoder.ling_enc", units // heads * heads
    shapes: Shapes = {f"{name}.position_enc.position_enc": (1, params["max_len"], embedding)}
    for layer in range(params["encoder_num_layers"]):
        block, inputs = f"{name}.fft.{layer}", units if layer else embedding
        shapes |= _norm(f"{block}.slf_attn.layer_norm", inputs)
        shapes |= _layer(f"{block}.slf_attn.w_qkv", 3 * inner, inputs)
        shapes |= _layer(f"{block}.slf_attn.fc", units, inner)
        shapes |= _ffn(f"{block}.pos_ffn", units, params["encoder_ffn_inner_dim"], 3)
    shapes |= _norm(f"{name}.ln", units)
    return shapes | _layer("text_encoder.ling_proj", params["encoder_projection_units"], units, bias=False)


def _decoder(params: Mapping[str, Any], memory: int) -> Shapes:
    units, heads, bands = (params[name] for name in ("decoder_num_units", "decoder_num_heads", "num_mels"))
    name, inner = "mel_decoder.mel_dec", units // heads * heads
    shapes = _prenet(f"{name}.prenet", [bands, *params["decoder_prenet_units"], units])
    shapes |= _layer(f"{name}.dec_in_proj", units, units + memory)
    for layer in range(params["decoder_num_layers"]):
        block = f"{name}.pnca.{layer}"
        shapes |= _norm(f"{block}.pnca_attn.layer_norm", units)
        shapes |= _layer(f"{block}.pnca_attn.w_x_qkv", 3 * inner, units)
        shapes |= _layer(f"{block}.pnca_attn.fc_x", units, inner)
        shapes |= _layer(f"{block}.pnca_attn.w_h_kv", 2 * inner, memory)
        shapes |= _layer(f"{block}.pnca_attn.fc_h", units, inner)
        shapes |= _ffn(f"{block}.pos_ffn", units, params["decoder_ffn_inner_dim"], 1)
    shapes |= _norm(f"{name}.ln", units)
    return shapes | _layer(f"{name}.dec_out_proj", params["outputs_per_step"] * bands, units)
