"""The decoder of xcodec2: upstream's arithmetic, whatever is beside it, from the folder that is published."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from export.errors import CheckpointError
from export.families.sculptor.fourier import InverseSpectrum
from export.families.sculptor.xcodec2 import layers, load_xcodec2
from export.families.sculptor.xcodec2_decoder import Digits, MaskedGroupNorm, TransformerBlock, Xcodec2, Xcodec2Config
from export.families.sculptor.xcodec2_stage import xcodec2_stage
from export.families.sculptor.xcodec2_verify import verify_xcodec2, xcodec2_verification_stages
from export.onnx_export import export_stage
from export.specs import Axis, Precision
from export.verify import export_chain

SMALL = Xcodec2Config(64, 1, 1, 48, (4,) * 8, 40, 16000)


def small_decoder(seed=1):
    torch.manual_seed(seed)
    return Xcodec2(SMALL).eval().requires_grad_(False)


def random_codes(*shape):
    return torch.randint(0, 65536, shape, generator=torch.Generator().manual_seed(3), dtype=torch.int32)


@pytest.fixture(scope="module")
def decoder():
    return small_decoder()


@pytest.fixture
def folder(decoder, tmp_path):
    """As it is published: most of the file is the encoder."""
    state = {
        f"{name}.{key}": value for name, layer in layers(decoder).items() for key, value in layer.state_dict().items()
    }
    state |= {"generator.head.istft.window": torch.hann_window(160), "semantic_model.masked_spec_embed": torch.ones(9)}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "xcodec2", "codec_decoder_hidden_size": 64}))
    return tmp_path


def changed(folder, **tensors):
    """The folder with other tensors; None takes one away."""
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path) | tensors
    safetensors.torch.save_file({name: value for name, value in state.items() if value is not None}, path)
    return folder


def test_the_published_folder_gives_the_decoder_that_was_saved(decoder, folder):
    codes = random_codes(2, 9)
    assert torch.equal(load_xcodec2(folder)(codes), decoder(codes))


def test_the_levels_are_those_of_the_quantiser_it_was_trained_with(folder):
    codes = torch.tensor([[0, 1, 2, 3, 4]])
    assert load_xcodec2(folder).digits(codes)[0, :, :2].tolist() == [
        [-1, -1],
        [-0.5, -1],
        [0, -1],
        [0.5, -1],
        [-1, -0.5],
    ]
    dimensions = {"hidden_dim": 64, "depth": 1, "heads": 1, "vq_dim": 48, "hop_length": 40, "levels": [4] * 8}
    (folder / "dims.json").write_text(json.dumps(dimensions | {"sample_rate": 16000}))
    symmetric = load_xcodec2(folder).digits(codes)[0, :, 0]
    assert symmetric.tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1, -1])


def test_every_code_has_digits_of_its_own():
    digits = Digits((4,) * 8, symmetric=False)(torch.arange(65536).unsqueeze(0))
    assert len(digits[0].unique(dim=0)) == 65536


def test_codes_in_a_batch_with_longer_ones_sound_as_alone(decoder):
    codes = random_codes(3, 24)
    for row, length in ((1, 5), (2, 17)):
        codes[row, length:] = -1
    together = decoder(codes)
    for row, length in enumerate((24, 5, 17)):
        alone = decoder(codes[row : row + 1, :length])
        torch.testing.assert_close(together[row : row + 1, : 40 * length], alone, rtol=0, atol=1e-5)
        assert not together[row, 40 * length :].any()


def test_normalisation_of_a_whole_item_is_pytorchs():
    norm, x = MaskedGroupNorm(64), torch.randn(2, 64, 7)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(64))
        norm.bias.copy_(torch.randn(64))
        torch.testing.assert_close(
            norm(x, torch.ones(2, 1, 7)), F.group_norm(x, 32, norm.weight, norm.bias, eps=1e-6), rtol=0, atol=1e-5
        )


def test_upstreams_rotation_by_the_number_of_the_head_changes_nothing():
    """Upstream rotates [B, heads, T, size] as if the second axis were time."""
    torch.manual_seed(4)
    block, x = TransformerBlock(64, 4).requires_grad_(False), torch.randn(1, 6, 64)
    query, key, value = (
        part.unflatten(2, (4, 16)).transpose(1, 2)
        for part in block.projections(block.attention_norm(x)).chunk(3, dim=2)
    )
    angle = torch.arange(4.0)[:, None, None] * 10000 ** (-torch.arange(0, 16, 2) / 16)

    def turned(z):
        even, odd = z[..., ::2], z[..., 1::2]
        pair = (even * angle.cos() - odd * angle.sin(), odd * angle.cos() + even * angle.sin())
        return torch.stack(pair, dim=-1).flatten(3)

    attended = F.scaled_dot_product_attention(turned(query), turned(key), value).transpose(1, 2).flatten(2)
    y = x + block.mixture(attended)
    y = y + block.narrow(F.silu(block.widen(block.feed_forward_norm(y))))
    torch.testing.assert_close(block(x, torch.zeros(1, 1, 1, 6)), y, rtol=0, atol=1e-5)


def test_the_inverse_transform_is_upstreams():
    """Overlapping windows over the sum of the squared ones, as many samples cut off at each end."""
    window, magnitude, phase = torch.hann_window(160), torch.rand(1, 81, 9), torch.randn(1, 81, 9)
    frames = torch.fft.irfft(torch.polar(magnitude, phase), 160, dim=1) * window[:, None]
    shape = {"output_size": (1, 8 * 40 + 160), "kernel_size": (1, 160), "stride": (1, 40)}
    squares = F.fold(window.square()[:, None].expand(1, 160, 9), **shape)
    wanted = (F.fold(frames, **shape) / squares)[:, 0, 0, 60:-60]
    made = InverseSpectrum(window, 40, crop=60)(magnitude.unsqueeze(2), phase.unsqueeze(2), torch.ones(1, 1, 1, 9))
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-5)


def test_the_graphs_are_what_the_module_is(decoder, tmp_path):
    stage = xcodec2_stage(decoder)
    axes = {"codes": Axis("codes", 8, 24, 48), "samples": Axis("codes", 8, 24, 48).scaled("samples", 40)}
    short = {
        kind: tuple(
            dataclasses.replace(t, axes=tuple(axes[a.label] for a in t.axes)) for t in getattr(stage.spec, kind)
        )
        for kind in ("inputs", "outputs")
    }
    stage = dataclasses.replace(stage, spec=dataclasses.replace(stage.spec, **short))

    def sampler(spec, batch, lengths, generator):
        codes = generator.integers(0, 65536, (batch, lengths["codes"]), dtype=np.int32)
        codes[0, -2:] = -1
        return {"codes": codes}

    accuracy = export_stage(dataclasses.replace(stage, sampler=sampler), tmp_path)
    assert accuracy.largest_error < 1e-5
    assert accuracy.losses[Precision.FP16].signal_to_noise_db > 40


def test_every_array_of_a_reference_is_compared_alone_and_in_a_batch(decoder, folder, tmp_path):
    codes = random_codes(1, 24)
    vectors = decoder.embedded(codes)
    frames = decoder.projected(vectors)
    made = decoder.backbone(frames, codes)
    arrays = {"code": codes[None], "embedding": vectors, "fc": frames, "backbone": made, "wav": decoder(codes)[None]}
    np.savez(tmp_path / "reference.npz", **{name: value.numpy() for name, value in arrays.items()})
    chain = export_chain(xcodec2_verification_stages(folder), tmp_path / "graphs").chain
    rows = verify_xcodec2(chain, tmp_path / "reference.npz", 1e-4, 1e-4)
    names = ("embedding", "fc", "backbone", "wav")
    assert [row.array for row in rows] == [f"{name}{suffix}" for suffix in ("", " in a batch") for name in names]
    assert all(row.passed for row in rows), rows
    for name in ("fc", "wav"):
        wrong = {key: value.numpy() + 0.001 * (key == name) for key, value in arrays.items() if key != "code"}
        np.savez(tmp_path / "wrong.npz", code=codes[None].numpy(), **wrong)
        rows = verify_xcodec2(chain, tmp_path / "wrong.npz", 1e-4, 1e-4)
        assert name in {row.array for row in rows if not row.passed}
    np.savez(tmp_path / "other.npz", mel=np.zeros(3))
    with pytest.raises(CheckpointError, match=r"other\.npz has no code, embedding, fc, backbone, wav"):
        verify_xcodec2(chain, tmp_path / "other.npz", 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"generator.head.out.weight": None}, "missing: generator.head.out.weight"),
        ({"generator.surplus": torch.ones(2)}, "unexpected: generator.surplus"),
        ({"generator.head.istft.window": None}, "has no generator.head.istft.window of 1 axes"),
        ({"fc_post_a.bias": torch.ones(3)}, r"of another shape: fc_post_a.bias \[3\] instead of \[64\]"),
        ({"fc_post_a.bias": torch.full((64,), float("nan"))}, "fc_post_a.bias .* holds NaN"),
        ({"generator.head.istft.window": torch.ones(162)}, "has 64 channels and windows of 162 samples"),
    ],
)
def test_a_damaged_file_is_told(folder, tensors, told):
    with pytest.raises(CheckpointError, match=told):
        load_xcodec2(changed(folder, **tensors))


def test_a_config_of_another_size_is_told(folder):
    (folder / "config.json").write_text(json.dumps({"codec_decoder_hidden_size": 1024}))
    with pytest.raises(CheckpointError, match="codec_decoder_hidden_size is 1024, not 64"):
        load_xcodec2(folder)


def test_of_the_encoder_nothing_is_read(folder):
    changed(folder, **{"semantic_model.masked_spec_embed": torch.full((9,), float("nan"))})
    assert load_xcodec2(folder).codes == 65536
