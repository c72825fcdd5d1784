"""What a CosyVoice2 config must say before anything is loaded by it."""

from __future__ import annotations

import pytest

from export.errors import CheckpointError
from export.families.sculptor.cosyvoice_config import CosyVoiceConfig, SamplingConfig

TEXT = """
__set_seed1: !apply:random.seed [1986]
sample_rate: 24000
llm_input_size: 32
spk_embed_dim: 192
token_frame_rate: 25
token_mel_ratio: 2
chunk_size: 25
llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <llm_input_size>
    llm_output_size: !ref <llm_input_size>
    speech_token_size: 6561
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: ''
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: 48
    output_size: 80
    spk_embed_dim: !ref <spk_embed_dim>
    vocab_size: 6561
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        output_size: 48
        attention_heads: 4
        linear_units: 96
        num_blocks: 2
        normalize_before: True
        input_layer: 'linear'
        pos_enc_layer_type: 'rel_pos_espnet'
        selfattention_layer_type: 'rel_selfattn'
        input_size: 48
        use_cnn_module: False
        macaron_style: False
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        cfm_params: !new:omegaconf.DictConfig
            content:
                solver: 'euler'
                t_scheduler: 'cosine'
                inference_cfg_rate: 0.7
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: 320
            out_channels: 80
            channels: [64]
            attention_head_dim: 16
            n_blocks: 1
            num_mid_blocks: 2
            num_heads: 4
            act_fn: 'gelu'
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: 64
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
        cond_channels: 48
"""


@pytest.fixture
def reading(tmp_path):
    def read(*changes):
        text = TEXT
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "cosyvoice2.yaml"
        path.write_text(text, encoding="utf-8")
        return CosyVoiceConfig.read(path)

    return read


def test_sizes_and_constants_come_from_the_file(reading):
    config = reading(("num_blocks: 2", "num_blocks: 3"), ("inference_cfg_rate: 0.7", "inference_cfg_rate: 0.5"))
    assert (config.flow.encoder.width, config.flow.encoder.blocks, config.flow.guidance) == (48, 3, 0.5)
    assert (config.flow.estimator.channels, config.flow.estimator.head_size, config.flow.chunk) == (64, 16, 25)
    assert config.language_model.sampling == SamplingConfig(top_p=0.8, top_k=25, window=10, tau=0.1)
    assert (config.hift.upsample_rates, config.hift.fft_hop, config.hift.breath) == ((8, 5, 3), 4, 0.003)


def test_the_estimator_of_the_first_release_says_itself_that_it_is_causal(reading):
    first = ("CausalConditionalDecoder", "ConditionalDecoder")
    assert reading(first, ("in_channels: 320", "in_channels: 320\n            causal: True")) == reading()
    with pytest.raises(CheckpointError, match=r"no flow\.decoder\.estimator\.causal"):
        reading(first)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sample_rate: 24000", "sample_rate: 22050", "sample_rate is 22050, not 24000"),
        ("flow.CausalMaskedDiffWithXvec", "flow.MaskedDiffWithXvec", "flow is MaskedDiffWithXvec, not Causal"),
        ("!new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec", "", "flow is no class, not CausalMaskedDiffWithXvec"),
        ("linear_units: 96", "linear_units: -1", "flow.encoder.linear_units is -1, not a whole number from 1"),
        ("linear_units: 96", "linear_units: 99999999999", "linear_units is 99999999999, not a whole number"),
        ("linear_units: 96", "linear_units: True", "linear_units is True, not a whole number"),
        ("linear_units: 96", "linear_units: 9.5", "linear_units is 9.5, not a whole number"),
        ("        linear_units: 96\n", "", "has no flow.encoder.linear_units"),
        ("num_blocks: 2", "num_blocks: 100000", "num_blocks is 100000, not a whole number from 1 to 256"),
        ("attention_heads: 4", "attention_heads: 5", "attention_heads is 5, not a divisor of output_size, 48"),
        ("        input_size: 48", "        input_size: 64", "flow.encoder.input_size is 64, not 48"),
        ("use_cnn_module: False", "use_cnn_module: True", "use_cnn_module is True, not False"),
        ("'rel_pos_espnet'", "'rel_pos'", "pos_enc_layer_type is rel_pos, not rel_pos_espnet"),
        ("channels: [64]", "channels: [64, 64]", "channels is .64, 64., not a list of one"),
        ("act_fn: 'gelu'", "act_fn: 'snake'", "act_fn is snake, not gelu"),
        ("inference_cfg_rate: 0.7", "inference_cfg_rate: .nan", "inference_cfg_rate is nan, not a number"),
        ("solver: 'euler'", "solver: 'midpoint'", "solver is midpoint, not euler"),
        ("top_p: 0.8", "top_p: 1.8", "llm.sampling.top_p is 1.8, not a number"),
        ("upsample_rates: [8, 5, 3]", "upsample_rates: [8, 5]", "upsample_rates is .8, 5., not as long as"),
        ("upsample_rates: [8, 5, 3]", "upsample_rates: 8", "upsample_rates is 8, not a list"),
        ("[[1, 3, 5], [1, 3, 5], [1, 3, 5]]", "[[1], 3]", r"resblock_dilation_sizes\[1\] is 3, not a list"),
        ("<chunk_size> * <token_mel_ratio>", "<chunk_size>", "static_chunk_size is 25, not 50"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(reading, old, new, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        reading((old, new))
    assert "\n" not in str(caught.value)
