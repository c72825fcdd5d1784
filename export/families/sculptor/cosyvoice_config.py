"""Sizes and constants of a CosyVoice2 checkpoint, from its `cosyvoice2.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.families.sculptor import hyper_yaml
from export.families.sculptor.settings import Settings

FILE_NAME = "cosyvoice2.yaml"
# Upstream has these in its code: the blocks after upsampling, and how much longer that makes time.
UP_BLOCKS = 4
FRAMES_PER_TOKEN = 2
# Tokens and mel frames of CosyVoice2: every length in this family is counted in them.
SAMPLE_RATE, TOKEN_RATE, BANDS = 24000, 25, 80
_MAX_LAYERS = 256


@dataclass(frozen=True)
class EncoderConfig:
    """The upsampling conformer encoder: `blocks` before upsampling, `up_blocks` after it; look-ahead in tokens."""

    width: int
    heads: int
    units: int
    blocks: int
    up_blocks: int
    look_ahead: int


@dataclass(frozen=True)
class EstimatorConfig:
    """The causal estimator of the flow: a residual block and `transformers` attention blocks in each of its parts."""

    channels: int
    heads: int
    head_size: int
    transformers: int
    middle_blocks: int


@dataclass(frozen=True)
class FlowConfig:
    """Speech tokens and a speaker → mel; `guidance` is the weight of classifier-free guidance, `chunk` in tokens."""

    vocabulary: int
    speaker: int
    bands: int
    chunk: int
    guidance: float
    encoder: EncoderConfig
    estimator: EstimatorConfig


@dataclass(frozen=True)
class HiftConfig:
    """The HiFT vocoder; a kernel and its dilations per residual block, one source block per upsampling."""

    bands: int
    channels: int
    harmonics: int
    sample_rate: int
    amplitude: float
    breath: float
    voiced_from: float
    upsample_rates: tuple[int, ...]
    upsample_kernels: tuple[int, ...]
    fft_size: int
    fft_hop: int
    kernels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    source_kernels: tuple[int, ...]
    source_dilations: tuple[tuple[int, ...], ...]
    slope: float
    limit: float
    f0_channels: int


@dataclass(frozen=True)
class SamplingConfig:
    """Repetition-aware sampling: nucleus of `top_p` and `top_k`, drawn again where `window` repeats a token too often.

    A token is too often in the window where it is there `tau · window` times.
    """

    top_p: float
    top_k: int
    window: int
    tau: float


@dataclass(frozen=True)
class LanguageModelConfig:
    """The language model of speech tokens, whose own sizes are in `CosyVoice-BlankEN/config.json`."""

    width: int
    output: int
    codes: int
    sampling: SamplingConfig


@dataclass(frozen=True)
class CosyVoiceConfig:
    """A whole CosyVoice2 checkpoint."""

    language_model: LanguageModelConfig
    flow: FlowConfig
    hift: HiftConfig

    @classmethod
    def read(cls, path: Path) -> CosyVoiceConfig:
        """From a `cosyvoice2.yaml`, of which nothing is instantiated.

        Raises `CheckpointError` for a setting that is missing, makes no sense or is of another kind of model.
        """
        settings = Settings(str(path), hyper_yaml.read(path))
        settings.one_of("sample_rate", SAMPLE_RATE)
        settings.one_of("token_frame_rate", TOKEN_RATE, default=TOKEN_RATE)
        settings.one_of("token_mel_ratio", FRAMES_PER_TOKEN, default=FRAMES_PER_TOKEN)
        return cls(
            _language_model(settings.section("llm", "Qwen2LM")),
            _flow(settings),
            _hift(settings.section("hift", "HiFTGenerator")),
        )


def _language_model(settings: Settings) -> LanguageModelConfig:
    sampling = settings.section("sampling", "ras_sampling")
    return LanguageModelConfig(
        width=settings.whole("llm_input_size"),
        output=settings.whole("llm_output_size"),
        codes=settings.whole("speech_token_size"),
        sampling=SamplingConfig(
            top_p=sampling.number("top_p", 1e-6, 1),
            top_k=sampling.whole("top_k"),
            window=sampling.whole("win_size", least=0),
            tau=sampling.number("tau_r", 0, 1),
        ),
    )


def _flow(top: Settings) -> FlowConfig:
    settings = top.section("flow", "CausalMaskedDiffWithXvec")
    settings.one_of("output_size", BANDS)
    decoder = settings.section("decoder", "CausalConditionalCFM")
    method = decoder.section("cfm_params").section("content")
    method.one_of("solver", "euler")
    method.one_of("t_scheduler", "cosine")
    chunk = top.whole("chunk_size", default=TOKEN_RATE)
    return FlowConfig(
        vocabulary=settings.whole("vocab_size"),
        speaker=settings.whole("spk_embed_dim"),
        bands=BANDS,
        chunk=chunk,
        guidance=method.number("inference_cfg_rate", 0, 100),
        encoder=_encoder(settings),
        estimator=_estimator(decoder, chunk),
    )


def _encoder(flow: Settings) -> EncoderConfig:
    settings = flow.section("encoder", "UpsampleConformerEncoder")
    for name, value in (
        ("input_layer", "linear"),
        ("pos_enc_layer_type", "rel_pos_espnet"),
        ("selfattention_layer_type", "rel_selfattn"),
        ("normalize_before", True),
        ("use_cnn_module", False),
        ("macaron_style", False),
    ):
        settings.one_of(name, value)
    width, heads = settings.whole("output_size", least=2), settings.whole("attention_heads")
    if width % heads or width % 2:
        raise settings.wrong("attention_heads", heads, f"a divisor of output_size, {width}, which must be even")
    for place, name in ((flow, "input_size"), (settings, "input_size")):
        place.one_of(name, width)
    return EncoderConfig(
        width=width,
        heads=heads,
        units=settings.whole("linear_units"),
        blocks=settings.whole("num_blocks", most=_MAX_LAYERS),
        up_blocks=UP_BLOCKS,
        look_ahead=flow.whole("pre_lookahead_len", most=64),
    )


def _estimator(decoder: Settings, chunk: int) -> EstimatorConfig:
    # The first release calls it ConditionalDecoder, and says beside it that it is causal.
    settings = decoder.section("estimator", "CausalConditionalDecoder", "ConditionalDecoder")
    if decoder.class_of("estimator") == "ConditionalDecoder":
        settings.one_of("causal", True)
    settings.one_of("in_channels", 4 * BANDS)
    settings.one_of("out_channels", BANDS)
    settings.one_of("act_fn", "gelu")
    settings.one_of("static_chunk_size", chunk * FRAMES_PER_TOKEN, default=chunk * FRAMES_PER_TOKEN)
    channels = settings.wholes("channels")
    if len(channels) != 1:
        raise settings.wrong("channels", list(channels), "a list of one: the causal estimator keeps its length")
    return EstimatorConfig(
        channels=channels[0],
        heads=settings.whole("num_heads"),
        head_size=settings.whole("attention_head_dim"),
        transformers=settings.whole("n_blocks", most=_MAX_LAYERS),
        middle_blocks=settings.whole("num_mid_blocks", most=_MAX_LAYERS),
    )


def _hift(settings: Settings) -> HiftConfig:
    settings.one_of("in_channels", BANDS)
    settings.one_of("sampling_rate", SAMPLE_RATE)
    spectrum = settings.section("istft_params")
    predictor = settings.section("f0_predictor", "ConvRNNF0Predictor")
    predictor.one_of("num_class", 1)
    predictor.one_of("in_channels", BANDS)
    config = HiftConfig(
        bands=BANDS,
        channels=settings.whole("base_channels"),
        harmonics=settings.whole("nb_harmonics", most=64),
        sample_rate=SAMPLE_RATE,
        amplitude=settings.number("nsf_alpha", 0, 1),
        breath=settings.number("nsf_sigma", 0, 1),
        voiced_from=settings.number("nsf_voiced_threshold", 0, SAMPLE_RATE),
        upsample_rates=settings.wholes("upsample_rates", most=64),
        upsample_kernels=settings.wholes("upsample_kernel_sizes", most=256),
        fft_size=spectrum.whole("n_fft", least=4, most=4096),
        fft_hop=spectrum.whole("hop_len", most=1024),
        kernels=settings.wholes("resblock_kernel_sizes", most=256),
        dilations=settings.lists("resblock_dilation_sizes", most=256),
        source_kernels=settings.wholes("source_resblock_kernel_sizes", most=256),
        source_dilations=settings.lists("source_resblock_dilation_sizes", most=256),
        slope=settings.number("lrelu_slope", 0, 1),
        limit=settings.number("audio_limit", 1e-3, 1),
        f0_channels=predictor.whole("cond_channels"),
    )
    for one, other, names in (
        (config.upsample_rates, config.upsample_kernels, ("upsample_rates", "upsample_kernel_sizes")),
        (config.kernels, config.dilations, ("resblock_kernel_sizes", "resblock_dilation_sizes")),
        (
            config.source_kernels,
            config.source_dilations,
            ("source_resblock_kernel_sizes", "source_resblock_dilation_sizes"),
        ),
        (config.upsample_rates, config.source_kernels, ("upsample_rates", "source_resblock_kernel_sizes")),
    ):
        if len(one) != len(other):
            raise settings.wrong(names[0], list(one), f"as long as {names[1]}")
    return config
