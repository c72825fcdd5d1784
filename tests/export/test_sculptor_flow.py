"""The modules of CosyVoice2's flow: what they are in batches and in chunks, and what they are made of."""

from __future__ import annotations

import math

import pytest
import torch
from sculptor_flow import CONFIG, EVERYTHING, batched, mel_of, random_flow, request
from torch import nn

from export.checkpoint_files import load_strict
from export.errors import CheckpointError
from export.families.sculptor.attention import attention_bias
from export.families.sculptor.cosyvoice_config import EncoderConfig, EstimatorConfig, FlowConfig
from export.families.sculptor.flow import Flow, load_flow
from export.families.sculptor.flow_encoder import RelativeAttention, relative_positions
from export.families.sculptor.flow_matching import FlowMatching, schedule
from export.families.sculptor.flow_stage import frames_at

EXACT = 1e-9


@pytest.fixture(scope="module")
def flow():
    return random_flow()


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other cost more than these sizes take, the more so beside other tests."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_request_gets_the_same_mel_in_a_ragged_batch_as_alone(flow):
    requests = [
        request(1, tokens=17, held=3),
        request(2, tokens=40, prompt=9, chunk=EVERYTHING),
        request(3, tokens=23, prompt=2, chunk=7),
    ]
    together = mel_of(flow, batched(requests))
    for row, one in enumerate(requests):
        frames = 2 * int(one["token_lengths"][0, 0] - one["held"][0, 0])
        torch.testing.assert_close(together[row, :frames], mel_of(flow, one)[0, :frames], rtol=0, atol=EXACT)


def test_frames_of_whole_chunks_stay_when_more_tokens_come(flow):
    whole = request(4, tokens=40, chunk=5)
    final = mel_of(flow, whole)
    for known in (13, 18, 29):
        so_far = {**whole, "tokens": whole["tokens"][:, :known], "held": whole["held"] + 3}
        so_far["token_lengths"] = whole["token_lengths"] * 0 + known
        frames = 2 * ((known - 3) // 5 * 5)
        torch.testing.assert_close(mel_of(flow, so_far)[:, :frames], final[:, :frames], rtol=0, atol=EXACT)


def test_frames_of_the_last_chunk_change_when_more_tokens_come(flow):
    whole = request(4, tokens=40, chunk=5)
    known = 17
    so_far = {**whole, "tokens": whole["tokens"][:, :known], "held": whole["held"] + 3}
    so_far["token_lengths"] = whole["token_lengths"] * 0 + known
    assert (mel_of(flow, so_far)[:, 20:28] - mel_of(flow, whole)[:, 20:28]).abs().max() > 1e-3


def test_tokens_held_back_are_heard_as_look_ahead_and_not_attended_to(flow):
    one = request(5, tokens=20, held=3, chunk=EVERYTHING)
    other = {**one, "tokens": one["tokens"].copy()}
    other["tokens"][:, 17] = (one["tokens"][:, 17] + 1) % CONFIG.vocabulary
    inputs = [torch.from_numpy(x["tokens"]) for x in (one, other)]
    known, held, chunk = (torch.from_numpy(one[name]) for name in ("token_lengths", "held", "chunk"))
    with torch.no_grad():
        first, second = (
            flow.encoder.pre_lookahead_layer(flow.encoder.embed(flow.input_embedding(x)))[:, :17] for x in inputs
        )
        features = [flow.features(x, known, held, chunk)[0] for x in inputs]
    changed = (first - second).abs().amax(dim=(0, 2)) > EXACT
    assert changed.tolist() == [False] * 14 + [True] * 3
    assert (features[0] - features[1]).abs().max() > 1e-6
    # A fourth token held back is look-ahead of nothing that is heard, and nothing attends to it.
    longer = torch.cat([inputs[0], inputs[0][:, :1]], dim=1)
    with torch.no_grad():
        again = flow.features(longer, known + 1, held + 1, chunk)[0]
    torch.testing.assert_close(again[:, :34], features[0][:, :34], rtol=0, atol=EXACT)


def test_a_chunk_of_all_tokens_or_more_is_full_attention(flow):
    mels = [mel_of(flow, request(6, tokens=20, chunk=chunk)) for chunk in (20, EVERYTHING, 19)]
    torch.testing.assert_close(mels[0], mels[1], rtol=0, atol=0)
    assert (mels[0] - mels[2]).abs().max() > 1e-3


def test_the_bias_lets_a_step_see_its_chunk_and_what_is_before_but_no_padding():
    lengths, chunk = torch.tensor([[5], [3]], dtype=torch.int32), torch.tensor([[2], [9]], dtype=torch.int32)
    seen = attention_bias(lengths, chunk, 6, torch.float32)[:, 0] == 0
    assert seen[0].sum(1).tolist() == [2, 2, 4, 4, 5, 5]
    assert seen[1].sum(1).tolist() == [3] * 6
    assert seen[0, 2].tolist() == [True] * 4 + [False] * 2


def test_relative_attention_scores_by_content_and_distance():
    torch.manual_seed(0)
    attention = RelativeAttention(8, 2).double()
    nn.init.normal_(attention.pos_bias_u)
    nn.init.normal_(attention.pos_bias_v)
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    with torch.no_grad():
        got = attention(x, relative_positions(x), torch.zeros(1, 1, 5, 5))
        query, key, value = (
            f(x)[0].view(5, 2, 4) for f in (attention.linear_q, attention.linear_k, attention.linear_v)
        )
        wanted = torch.zeros(5, 2, 4, dtype=torch.float64)
        for head in range(2):
            for i in range(5):
                scores = []
                for j in range(5):
                    rates = torch.exp(torch.arange(0, 8, 2) * -(math.log(10000.0) / 8)).double()
                    angles = (i - j) * rates
                    position = torch.stack([angles.sin(), angles.cos()], dim=1).flatten()
                    distance = attention.linear_pos(position).view(2, 4)[head]
                    content = (query[i, head] + attention.pos_bias_u[head]) @ key[j, head]
                    scores.append((content + (query[i, head] + attention.pos_bias_v[head]) @ distance) / 2)
                wanted[i, head] = torch.softmax(torch.stack(scores), 0) @ value[:, head]
        wanted = attention.linear_out(wanted.flatten(1))
    torch.testing.assert_close(got[0], wanted, rtol=0, atol=1e-6)


def test_the_condition_computed_apart_gives_what_the_first_block_gives_of_all_its_inputs(flow):
    torch.manual_seed(1)
    block = flow.decoder.estimator.down_blocks[0][0]
    x, rest = torch.randn(2, 9, 80).double(), torch.randn(2, 9, 240).double()
    moment = torch.randn(16).double()
    with torch.no_grad():
        apart = block.of_first(x, 80, [block.of_rest(rest, 80), block.of_rest(0 * rest, 80)], moment)
        given, free = (block(torch.cat([x, part], dim=2), moment) for part in (rest, 0 * rest))
    torch.testing.assert_close(apart, torch.cat([given, free]), rtol=0, atol=EXACT)


def test_ten_steps_lead_from_0_to_1_the_first_ones_being_short():
    begins, lengths = schedule()
    assert begins[0] == 0
    assert float(lengths.sum()) == pytest.approx(1)
    assert (lengths.diff() > 0).all()
    torch.testing.assert_close(begins + lengths, torch.cat([begins[1:], torch.ones(1).double()]))


def test_guidance_goes_beyond_the_condition_by_its_share(flow):
    """In one step, what guidance adds is the difference between the velocities with and without the condition."""
    torch.manual_seed(2)
    features, prompt, speaker = torch.randn(1, 8, 80), torch.randn(1, 8, 80), torch.randn(1, 80)
    conditions = [features.double(), speaker.double(), prompt.double()]
    bias = torch.zeros(1, 1, 8, 8)

    def mel(guidance, conditions):
        matching = FlowMatching(FlowConfig(**{**vars(CONFIG), "guidance": guidance})).double()
        matching.estimator = flow.decoder.estimator
        matching.lengths = matching.lengths[:1]
        with torch.no_grad():
            return matching(*conditions, bias, matching.moments()[:1])

    plain, guided = mel(0.0, conditions), mel(0.7, conditions)
    free = mel(0.0, [0 * condition for condition in conditions])
    torch.testing.assert_close(guided - plain, 0.7 * (plain - free), rtol=0, atol=EXACT)


def test_frames_are_shown_at_positions_between_them_and_held_at_the_end():
    mel = torch.arange(10.0).view(1, 5, 2)
    positions = torch.tensor([[0.0, 1.0, 1.5, 2.25, 3.0, 3.5, 9.0]])
    shown = frames_at(mel, positions, torch.tensor([[4]]))
    assert shown[0, :, 0].tolist() == [0.0, 2.0, 3.0, 4.5, 6.0, 6.0, 6.0]


def test_tokens_that_are_no_codes_are_taken_for_the_nearest(flow):
    wrong = request(7, tokens=12)
    right = {**wrong, "tokens": wrong["tokens"].copy()}
    wrong["tokens"][0, :2], right["tokens"][0, :2] = (-5, 10**6), (0, CONFIG.vocabulary - 1)
    assert torch.equal(mel_of(flow, wrong), mel_of(flow, right))


def test_a_file_in_half_precision_loads_as_float32(flow, tmp_path):
    state = {name: value.to(torch.bfloat16) for name, value in flow.state_dict().items()}
    torch.save(state, tmp_path / "flow.pt")
    loaded = load_flow(tmp_path / "flow.pt", CONFIG).state_dict()
    assert {value.dtype for value in loaded.values()} == {torch.float32}
    assert all(torch.equal(loaded[name], value.float()) for name, value in state.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("encoder_proj.bias"), "missing: encoder_proj.bias"),
        (lambda state: state.update(extra=torch.zeros(1)), "unexpected: extra"),
        (
            lambda state: state.update({"encoder_proj.bias": torch.zeros(79)}),
            r"another shape: encoder_proj.bias \[79\]",
        ),
        (lambda state: state.update({"encoder_proj.bias": torch.full((80,), torch.nan)}), "NaN"),
        (lambda state: state.clear(), "nothing instead of named tensors"),
    ],
)
def test_a_file_of_another_model_is_refused_in_one_line(flow, tmp_path, change, message):
    state = dict(flow.state_dict())
    change(state)
    torch.save(state, tmp_path / "flow.pt")
    with pytest.raises(CheckpointError, match=message) as caught:
        load_flow(tmp_path / "flow.pt", CONFIG)
    assert "\n" not in str(caught.value)


def test_the_names_and_shapes_are_those_of_the_real_checkpoint(data):
    config = FlowConfig(
        vocabulary=6561,
        speaker=192,
        bands=80,
        chunk=25,
        guidance=0.7,
        encoder=EncoderConfig(width=512, heads=8, units=2048, blocks=6, up_blocks=4, look_ahead=3),
        estimator=EstimatorConfig(channels=256, heads=8, head_size=64, transformers=4, middle_blocks=12),
    )
    lines = (data / "sculptor" / "flow_full_size.txt").read_text(encoding="utf-8").splitlines()
    real = {name: tuple(map(int, shape.split(","))) for name, shape in (line.split() for line in lines)}
    with torch.device("meta"):
        flow = Flow(config)
        load_strict(flow, {name: torch.empty(shape) for name, shape in real.items()}, "the real checkpoint")
    assert len(flow.state_dict()) == len(real) == 1121
