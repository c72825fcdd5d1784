"""A CosyVoice2 checkpoint that was never trained, in the folder of the real one."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from export.families.sculptor.cosyvoice_config import FILE_NAME, CosyVoiceConfig
from export.families.sculptor.untrained_foreign import (
    CAMPPLUS,
    SPEECH_TOKENIZER,
    write_campplus,
    write_speech_tokenizer,
)
from export.families.sculptor.untrained_language import State, Weights, decoder_weights, embedding, end_row
from export.families.sculptor.untrained_modules import flow_weights, hift_weights
from export.families.sculptor.untrained_sizes import CosyVoiceSizes
from export.families.sculptor.untrained_text import write_text_tokenizer

_CODES, _ENDS = 6561, 3
# It ends where about a fifth of all its tokens are text: at 25 codes a second, that is 0.16 s of speech for each.
_SHARE_OF_TEXT = 0.2
_NEVER = -30.0

_YAML = """\
sample_rate: 24000
llm_input_size: {width}
llm_output_size: {width}
spk_embed_dim: 192
qwen_pretrain_path: ''
token_frame_rate: 25
token_mel_ratio: 2
chunk_size: 25
num_decoding_left_chunks: -1

llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <llm_input_size>
    llm_output_size: !ref <llm_output_size>
    speech_token_size: {codes}
    length_normalized_loss: True
    lsm_weight: 0
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1

flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: {flow}
    output_size: 80
    spk_embed_dim: !ref <spk_embed_dim>
    output_type: 'mel'
    vocab_size: {codes}
    input_frame_rate: !ref <token_frame_rate>
    only_mask_loss: True
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        output_size: {flow}
        attention_heads: {heads}
        linear_units: {units}
        num_blocks: {blocks}
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0.1
        normalize_before: True
        input_layer: 'linear'
        pos_enc_layer_type: 'rel_pos_espnet'
        selfattention_layer_type: 'rel_selfattn'
        input_size: {flow}
        use_cnn_module: False
        macaron_style: False
        static_chunk_size: !ref <chunk_size>
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: 240
        n_spks: 1
        spk_emb_dim: 80
        cfm_params: !new:omegaconf.DictConfig
            content:
                sigma_min: 1e-06
                solver: 'euler'
                t_scheduler: 'cosine'
                training_cfg_rate: 0.2
                inference_cfg_rate: 0.7
                reg_loss_type: 'l1'
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: 320
            out_channels: 80
            channels: [{channels}]
            dropout: 0.0
            attention_head_dim: {head_size}
            n_blocks: {transformers}
            num_mid_blocks: {middle_blocks}
            num_heads: {estimator_heads}
            act_fn: 'gelu'
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
            num_decoding_left_chunks: !ref <num_decoding_left_chunks>

hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: {vocoder}
    nb_harmonics: 8
    sampling_rate: !ref <sample_rate>
    nsf_alpha: 0.1
    nsf_sigma: 0.003
    nsf_voiced_threshold: 10
    upsample_rates: [8, 5, 3]
    upsample_kernel_sizes: [16, 11, 7]
    istft_params:
        n_fft: 16
        hop_len: 4
    resblock_kernel_sizes: [3, 7, 11]
    resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    source_resblock_kernel_sizes: [7, 7, 11]
    source_resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    lrelu_slope: 0.1
    audio_limit: 0.99
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: {f0_channels}
"""


def write_cosyvoice(folder: Path, sizes: CosyVoiceSizes, weights: Weights) -> None:
    """Write every file of a CosyVoice2-0.5B folder but its sample speakers into a new folder."""
    blank = folder / "CosyVoice-BlankEN"
    blank.mkdir(parents=True)
    values = {name: value for name, value in vars(sizes).items() if isinstance(value, int)}
    config = _YAML.format(width=sizes.decoder.width, codes=_CODES, **values)
    (folder / FILE_NAME).write_text(config, encoding="utf-8")
    _write_config(blank / "config.json", sizes)
    write_text_tokenizer(blank, vocabulary=sizes.text)
    read = CosyVoiceConfig.read(folder / FILE_NAME)
    torch.save(_language_model(sizes, weights), folder / "llm.pt")
    torch.save(flow_weights(read.flow, weights), folder / "flow.pt")
    torch.save(hift_weights(read.hift, weights), folder / "hift.pt")
    write_campplus(folder / CAMPPLUS, weights)
    write_speech_tokenizer(folder / SPEECH_TOKENIZER, weights)


def _write_config(path: Path, sizes: CosyVoiceSizes) -> None:
    decoder = sizes.decoder
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": sizes.text,
        "eos_token_id": sizes.text,
        "hidden_act": "silu",
        "hidden_size": decoder.width,
        "intermediate_size": decoder.units,
        "max_position_embeddings": 32768,
        "max_window_layers": decoder.layers,
        "model_type": "qwen2",
        "num_attention_heads": decoder.heads,
        "num_hidden_layers": decoder.layers,
        "num_key_value_heads": decoder.key_heads,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
        "vocab_size": sizes.vocabulary,
    }
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _language_model(sizes: CosyVoiceSizes, weights: Weights) -> State:
    decoder, rows = sizes.decoder, _CODES + _ENDS
    texts = embedding(decoder, sizes.vocabulary, weights, text=slice(None))
    head = embedding(decoder, rows, weights, text=slice(0, 0))
    head[_CODES:] = 0.0
    head[_CODES] = end_row(decoder, _SHARE_OF_TEXT)
    bias = torch.zeros(rows)
    bias[_CODES + 1 :] = _NEVER
    return {
        "llm_embedding.weight": embedding(decoder, 2, weights, text=slice(0, 0)),
        "llm.model.model.embed_tokens.weight": texts,
        **{f"llm.model.model.{name}": value for name, value in decoder_weights(decoder, weights)},
        "llm.model.lm_head.weight": texts,
        "llm_decoder.weight": head,
        "llm_decoder.bias": bias,
        "speech_embedding.weight": embedding(decoder, rows, weights, text=slice(0, 0)),
    }
