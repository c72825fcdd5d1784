"""The decoder stage of Sambert: upstream's numbers, bands, positions, and items that do not see each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sambert_models import alone, decoder, encoder, model, random, trained
from torch.nn import functional as F

from export.families.sambert.acoustic_stages import decoder_stage
from export.families.sambert.pnca import PncaDecoder
from export.inference import in_double
from export.verify import read_reference


@pytest.fixture(scope="module", params=[1, 2, 4], ids="{0} frames a step".format)
def stage(request):
    return decoder_stage(decoder(model(outputs_per_step=request.param)))


def frames(counts, step=1):
    """alignment and frame_lengths of items whose units last `counts` frames, padded to a multiple of `step`."""
    rows = [np.repeat(np.arange(len(row), dtype=np.int32), row) for row in counts]
    longest = -(-max(map(len, rows)) // step) * step
    return {
        "alignment": torch.from_numpy(np.stack([np.pad(row, (0, longest - len(row)), mode="edge") for row in rows])),
        "frame_lengths": torch.tensor([[len(row)] for row in rows], dtype=torch.int32),
    }


def hidden(made, durations):
    """Random hidden states [B, T, D] of units with the given durations."""
    durations = torch.tensor(durations, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(*durations.shape, made.config.condition_units, generator=generator, dtype=torch.float64)
    return torch.cat([features, durations.unsqueeze(-1)], dim=-1)


def test_the_module_computes_what_upstream_does(data):
    expected = read_reference(data / "sambert" / "nsf16k" / "reference_beijing.npz")
    features = [*np.moveaxis(expected["ling"], -1, 0), expected["emo"], expected["spk"]]
    units = np.stack([*features, np.full_like(expected["emo"], 100)], axis=-1).astype(np.int32)
    made = trained().double()
    zero, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    with torch.no_grad():
        encoded = encoder(made).encode(torch.from_numpy(units), torch.tensor([[units.shape[1]]]), zero, one)
        decoded = decoder(made).decode(encoded.hidden, **frames(expected["dur"], 3))
    for found, name in (
        (decoded.memory.text, "LR_text"),
        (decoded.memory.memory, "memory"),
        (decoded.memory.widths[0, 0], "xbw"),
        (decoded.before, "dec"),
        (decoded.mel, "post"),
    ):
        assert found.shape == expected[name].shape
        assert np.abs(found.numpy() - expected[name]).max() < 1e-5, name


def attention(query, keys, values, heads):
    width = query.shape[-1] // heads
    split = [x.reshape(-1, heads, width).transpose(0, 1) for x in (query, keys, values)]
    return F.scaled_dot_product_attention(*split).transpose(0, 1).reshape(1, -1)


def step_by_definition(made: PncaDecoder, memory, width, inputs):
    """The last step's frames of one item, with every earlier step computed again; inputs [t + 1, bands]."""
    x = (
        made.dec_in_proj(torch.cat([memory[: len(inputs)], made.prenet(inputs)], dim=1))
        * made.config.decoder_units**0.5
    )
    for layer in made.pnca:
        at, ff = layer.pnca_attn, layer.pos_ffn
        query, key, value = at.w_x_qkv(at.layer_norm(x)).chunk(3, dim=1)
        memory_key, memory_value = at.w_h_kv(memory).chunk(2, dim=1)
        rows = []
        for t in range(len(x)):
            past, ahead = slice(max(0, t - width), t + 1), slice(t, t + width + 1)
            own = attention(query[t], key[past], value[past], at.heads)
            heard = attention(query[t], memory_key[ahead], memory_value[ahead], at.heads)
            rows.append(at.fc_x(own) + at.fc_h(heard))
        x = x + torch.cat(rows)
        x = x + F.linear(
            F.relu(F.linear(ff.layer_norm(x), ff.w_1.weight[..., 0], ff.w_1.bias)), ff.w_2.weight[..., 0], ff.w_2.bias
        )
    return made.dec_out_proj(made.ln(x[-1:]))


@pytest.mark.parametrize("per_step", [2, 3])
def test_a_step_attends_to_its_band_of_the_past_and_of_the_memory_per_item(per_step):
    made = model(outputs_per_step=per_step).double().mel_decoder.mel_dec
    bands, widths, lengths = made.config.bands, [0, 2, 5], [7, 4, 6]
    memory = torch.randn(3, 7, made.config.memory_units, dtype=torch.float64)
    with torch.no_grad():
        found = made(memory, torch.tensor(widths)[:, None], torch.tensor(lengths)[:, None])
        for item, (width, length) in enumerate(zip(widths, lengths, strict=True)):
            inputs = torch.zeros(1, bands, dtype=torch.float64)
            for t in range(length):
                made_frames = step_by_definition(made, memory[item, :length], width, inputs)
                assert (found[item, t] - made_frames[0]).abs().max() < 1e-9
                inputs = torch.cat([inputs, made_frames[:, -bands:]])


@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 24), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_an_item_of_a_padded_batch_is_decoded_as_alone_and_its_padding_repeats_the_last_frame(stage, lengths, seed):
    inputs = stage.sample(len(lengths), {"units": 9, "frames": 24}, random(seed))
    inputs["frame_lengths"][:, 0] = lengths
    together = in_double(stage, inputs)["mel"]
    step = stage.module.config.outputs_per_step
    for item, length in enumerate(lengths):
        whole = -(-length // step) * step
        single = alone(stage, inputs, item, {"alignment": whole})["mel"][0]
        assert np.abs(together[item, :whole] - single).max() < 1e-9
        assert (together[item, length:] == together[item, length - 1]).all()


def test_units_after_the_last_one_do_not_matter():
    stage = decoder_stage(decoder(model()))
    inputs = stage.sample(1, {"units": 9, "frames": 24}, random(0))
    inputs["alignment"] = np.minimum(inputs["alignment"], 5)
    inputs["hidden"][:, 6:] = 0
    shorter = inputs | {"hidden": inputs["hidden"][:, :6]}
    assert np.abs(in_double(stage, inputs)["mel"] - in_double(stage, shorter)["mel"]).max() < 1e-9


@pytest.mark.parametrize(
    ("durations", "counts", "width"),
    [
        # Natural speed: 10.9 frames are 2.725 steps of 4, and a half is added.
        ([3.2, 10.9, 5.5], [3, 11, 6], 3),
        ([3.2, 9.6, 5.5], [3, 10, 6], 2),
        # Slower: the longest unit has 20 frames, 5 steps.
        ([3.2, 10.1, 5.5], [6, 20, 11], 5),
        # Faster, and a unit that lost its frames.
        ([3.2, 10.1, 0.9], [2, 5, 0], 1),
        ([0.2, 0.4, 1.0], [0, 0, 1], 0),
    ],
)
def test_the_band_is_as_wide_as_the_longest_unit_before_rounding_or_as_its_frames(durations, counts, width):
    made = decoder(model(outputs_per_step=4)).double()
    memory = made.remember(hidden(made, [durations]), **frames([counts], 4))
    assert memory.widths.tolist() == [[width]]


def test_every_item_has_a_band_of_its_own():
    made = decoder(model(outputs_per_step=1)).double()
    states = hidden(made, [[2.0, 3.0], [9.0, 1.0], [0.6, 0.7]])
    assert made.remember(states, **frames([[2, 3], [9, 1], [1, 1]])).widths.tolist() == [[3], [9], [1]]


def test_positions_count_the_frames_of_a_unit_from_one_and_the_padding_has_none():
    made = decoder(model(outputs_per_step=4)).double()
    units = made.config.text_units
    states = hidden(made, [[2.0, 0.0, 3.0]])
    text = made.remember(states, **frames([[2, 0, 3]], 4)).text[0]
    expected = torch.zeros(8, units, dtype=torch.float64)
    expected[:5] = states[0, [0, 0, 2, 2, 2], :units]
    positions = torch.tensor([1, 2, 1, 2, 3, 0, 0, 0], dtype=torch.float64)
    for channel in range(units):
        wave = torch.cos if channel % 2 else torch.sin
        expected[:, channel] += wave(positions / 10000 ** (2 * (channel // 2) / units))
    assert (text - expected).abs().max() < 1e-12


def test_a_step_speaks_with_the_voice_of_its_first_frame():
    made = decoder(model(outputs_per_step=2)).double()
    config, states = made.config, hidden(made, [[3.0, 3.0]])
    memory = made.remember(states, **frames([[3, 3]], 2)).memory
    voice = memory[0, :, 2 * config.text_units :]
    assert (voice == states[0, [0, 0, 1], config.text_units : -1]).all()
