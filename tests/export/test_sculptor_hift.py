"""CosyVoice2's vocoder: what is served is what was trained, whatever the window and whatever is beside it."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from export.errors import CheckpointError
from export.families.sculptor.f0_predictor import REACH
from export.families.sculptor.hift import Hift, Snake, hift_of, layers, load_hift
from export.families.sculptor.hift_served import ServedHift
from export.families.sculptor.hift_source import F0_UNIT, HarmonicSource, frames_of
from export.families.sculptor.hift_stage import ConstantHift, hift_vocoder, track_of
from export.vocoders.nsf import NOISE_FRAMES, PHASE_UNIT
from tests.export.sculptor_vocoder import SMALL, mask, normal_mel, small_hift

HOP = 480


@pytest.fixture(scope="module")
def hift():
    hift = small_hift()
    # A snake that does nothing cannot be in the weights around it: its frequency is 0.
    hift.stages[0][0].before_dilated[0].alpha[3] = 0
    return hift


@pytest.fixture(scope="module")
def vocoder(hift):
    return hift_vocoder(hift)


def tracked(hift, mel, present=None):
    return track_of(hift)(mel, torch.ones(mel.shape[:2]) if present is None else present)


def test_what_is_served_is_what_was_trained(hift):
    mel, source = normal_mel(2, 12), torch.randn(2, 12, HOP) / 10
    served = ServedHift(hift)(mel, torch.ones(2, 12), source)
    assert served.shape == (2, 12 * HOP)
    torch.testing.assert_close(served, hift(mel, source.flatten(1)), rtol=0, atol=1e-5)


def test_an_utterance_in_a_batch_with_longer_ones_sounds_as_alone(hift):
    mel, source, served = normal_mel(3, 20), torch.randn(3, 20, HOP) / 10, ServedHift(hift)
    together = served(mel, mask((20, 7, 11), 20), source)
    for row, length in enumerate((20, 7, 11)):
        alone = hift(mel[row : row + 1, :length], source[row : row + 1, :length].flatten(1))
        torch.testing.assert_close(together[row : row + 1, : length * HOP], alone, rtol=0, atol=1e-5)


def test_a_frame_that_is_repeated_at_the_end_is_padding(hift, vocoder):
    mel = tracked(hift, normal_mel(1, 9))
    repeated = torch.cat([mel, mel[:, -1:].expand(-1, 5, -1)], dim=1)
    assert frames_of(repeated).tolist() == [[1.0] * 9 + [0.0] * 5]
    torch.testing.assert_close(vocoder.module(repeated)[:, : 9 * HOP], vocoder.module(mel), rtol=0, atol=1e-5)


def test_windows_join_without_a_seam(hift, vocoder):
    frames = 2 * (vocoder.lead + vocoder.tail)
    mel = tracked(hift, normal_mel(1, frames + 1))
    whole = vocoder.module(mel)
    start = frames // 2
    window = vocoder.module(mel[:, start - vocoder.lead : start + 1 + vocoder.tail])
    own = slice(vocoder.lead * HOP, (vocoder.lead + 1) * HOP)
    torch.testing.assert_close(window[:, own], whole[:, start * HOP : (start + 1) * HOP], rtol=0, atol=1e-5)


def test_more_context_is_not_asked_for_than_needed(hift, vocoder):
    frames = 2 * (vocoder.lead + vocoder.tail)
    mel = tracked(hift, normal_mel(1, frames + 1)).double()
    start = frames // 2
    module = ConstantHift(copy.deepcopy(hift)).double()
    whole = module(mel)[:, start * HOP : (start + 1) * HOP]
    # The first frame of a window is there for its phase alone.
    for lead, tail in ((vocoder.lead - 2, vocoder.tail), (vocoder.lead, vocoder.tail - 1)):
        window = module(mel[:, start - lead : start + 1 + tail])[:, lead * HOP : (lead + 1) * HOP]
        assert not torch.equal(window, whole)
        assert (window - whole).abs().max() > 1e-12


def test_the_track_of_a_frame_is_settled_when_the_frames_that_it_hears_are_there(hift):
    mel = normal_mel(1, 40)
    now, later = tracked(hift, mel[:, :25]), tracked(hift, mel)
    torch.testing.assert_close(now[:, : 25 - REACH], later[:, : 25 - REACH], rtol=0, atol=1e-6)
    assert (now[:, 25 - REACH :, -3] != later[:, 25 - REACH : 25, -3]).any()


def test_the_track_of_a_batch_is_that_of_each_utterance_alone(hift):
    mel = normal_mel(2, 30)
    together = tracked(hift, mel, mask((30, 13), 30))
    torch.testing.assert_close(together[1:, :13], tracked(hift, mel[1:, :13]), rtol=0, atol=1e-6)
    assert (together[1, 13:, -3] == 0).all()
    assert frames_of(together)[1].tolist() == [1.0] * 13 + [0.0] * 17


def test_frame_numbers_begin_anew_with_the_noise(hift):
    number = tracked(hift, normal_mel(1, NOISE_FRAMES + 3))[0, :, -1]
    assert number.tolist() == [*range(NOISE_FRAMES), 0, 1, 2]


def test_the_phase_of_a_tone_is_that_of_its_cycles(hift):
    track = track_of(hift)
    track.predictor = nn.Module()
    track.predictor.forward = lambda mel, mask: torch.full(mel.shape[:2], 203.125) * mask
    made = track(normal_mel(1, 600), torch.ones(1, 600))
    # 4.0625 cycles in a frame, exactly, however many there were.
    assert (made[0, :, -2] * PHASE_UNIT * 16).tolist() == [frame % 16 for frame in range(1, 601)]
    assert (made[0, :, -3] * F0_UNIT).unique().tolist() == pytest.approx([203.125])


def test_the_source_rings_at_the_multiples_of_f0_where_there_is_speech_and_hisses_elsewhere(hift):
    source = HarmonicSource(SMALL, hift.mixture, HOP)
    mel = torch.zeros(1, 100, 83)
    mel[..., -3], mel[..., -2] = 200 / F0_UNIT, torch.arange(1, 101) * 4 % 1 / PHASE_UNIT
    mel[..., -1] = torch.arange(100)
    tone = source(mel, torch.zeros(1, 100, HOP))[0, 10:90].flatten()
    spectrum = torch.fft.rfft(torch.atanh(tone) - hift.mixture.bias).abs() * 2 / len(tone)
    peaks = [round(200 * multiple * len(tone) / 24000) for multiple in (1, 2, 3, 4)]
    assert spectrum[peaks].tolist() == pytest.approx((0.1 * hift.mixture.weight[0].abs()).tolist(), rel=1e-3)
    mel[..., -3] = 0
    noise = torch.randn(1, 100, HOP)
    silent = torch.atanh(source(mel, noise)) - hift.mixture.bias
    torch.testing.assert_close(silent, noise * 0.1 / 3, rtol=0, atol=1e-5)


def upstream_shapes(config):
    """Names and shapes of a hift.pt, written down from the files and not from this project's modules."""
    spectrum, stages = config.fft_size + 2, len(config.upsample_rates)
    widths = [config.channels >> stage for stage in range(stages + 1)]
    shapes = {"m_source.l_linear.weight": (1, config.harmonics + 1), "m_source.l_linear.bias": (1,)}

    def normed(name, first, second, kernel, bias=None):
        shapes[f"{name}.bias"] = (first if bias is None else bias,)
        shapes[f"{name}.parametrizations.weight.original0"] = (first, 1, 1)
        shapes[f"{name}.parametrizations.weight.original1"] = (first, second, kernel)

    def block(name, width, kernel, dilations):
        for layer in range(len(dilations)):
            for half in ("1", "2"):
                normed(f"{name}.convs{half}.{layer}", width, width, kernel)
                shapes[f"{name}.activations{half}.{layer}.alpha"] = (width,)

    normed("conv_pre", widths[0], config.bands, 7)
    normed("conv_post", spectrum, widths[-1], 7)
    kinds = list(zip(config.kernels, config.dilations, strict=True))
    for stage in range(stages):
        normed(f"ups.{stage}", widths[stage], widths[stage + 1], config.upsample_kernels[stage], widths[stage + 1])
        stride = 1
        for rate in config.upsample_rates[stage + 1 :]:
            stride *= rate
        shapes[f"source_downs.{stage}.weight"] = (widths[stage + 1], spectrum, 2 * stride if stride > 1 else 1)
        shapes[f"source_downs.{stage}.bias"] = (widths[stage + 1],)
        source = config.source_kernels[stage], config.source_dilations[stage]
        block(f"source_resblocks.{stage}", widths[stage + 1], *source)
        for kind, (kernel, dilations) in enumerate(kinds):
            block(f"resblocks.{len(kinds) * stage + kind}", widths[stage + 1], kernel, dilations)
    for layer in range(5):
        inputs = config.f0_channels if layer else config.bands
        normed(f"f0_predictor.condnet.{2 * layer}", config.f0_channels, inputs, 3)
    shapes["f0_predictor.classifier.weight"], shapes["f0_predictor.classifier.bias"] = (1, config.f0_channels), (1,)
    return shapes


FULL = dataclasses.replace(
    SMALL,
    channels=512,
    harmonics=8,
    kernels=(3, 7, 11),
    dilations=((1, 3, 5),) * 3,
    source_kernels=(7, 7, 11),
    source_dilations=((1, 3, 5),) * 3,
    f0_channels=512,
)


@pytest.mark.parametrize("config", [SMALL, FULL], ids=["small", "full size"])
def test_upstreams_names_and_no_others_are_loaded(config):
    state = {name: torch.full(shape, 0.01) for name, shape in upstream_shapes(config).items()}
    hift = hift_of(config, state, "hift.pt")
    # g · v / ‖v‖ of equal values.
    weight = hift.input.weight
    assert weight.flatten().tolist()[0] == pytest.approx(0.01 / weight[0].numel() ** 0.5)


def test_a_checkpoint_gives_the_vocoder_that_was_saved(hift, tmp_path):
    state = {
        f"{name}.{key}": value for name, layer in layers(hift).items() for key, value in layer.state_dict().items()
    }
    torch.save(state, tmp_path / "hift.pt")
    mel, source = normal_mel(1, 5), torch.randn(1, 5 * HOP) / 10
    assert torch.equal(load_hift(SMALL, tmp_path / "hift.pt")(mel, source), hift(mel, source))


def test_a_tensor_that_is_missing_is_told_by_its_name_in_the_file():
    state = {name: torch.full(shape, 0.01) for name, shape in upstream_shapes(SMALL).items()}
    del state["resblocks.1.activations2.0.alpha"]
    with pytest.raises(CheckpointError, match=r"missing: resblocks.1.activations2.0.alpha"):
        hift_of(SMALL, state, "hift.pt")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kernels": (3, 4)}, "a convolution of 4 taps"),
        ({"upsample_kernels": (16, 11, 6)}, "upsamples by 3 with 6 taps"),
        ({"channels": 12}, "base_channels .* is 12"),
        ({"fft_size": 10}, "n_fft 10 and hop_len 4"),
    ],
)
def test_sizes_that_no_vocoder_has_are_refused(change, told):
    with pytest.raises(CheckpointError, match=told):
        hift_of(dataclasses.replace(SMALL, **change), {}, "hift.pt")


def test_a_vocoder_whose_frames_are_of_another_length_is_refused():
    other = Hift(dataclasses.replace(SMALL, upsample_rates=(8, 5, 5)))
    with pytest.raises(CheckpointError, match="800 samples of a frame, not 480"):
        hift_vocoder(other)


def test_a_snake_of_frequency_zero_passes_everything():
    snake = Snake(1).requires_grad_(False)
    snake.alpha.zero_()
    x = torch.randn(1, 1, 9)
    assert torch.equal(snake(x), x)
