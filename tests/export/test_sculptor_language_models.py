"""Language models of a designed voice: what they compute, and how their checkpoints are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import language_models
import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch
import torch
from language_models import CODES, FIRST, NUCLEUS, RAS, SIZES, tiny
from tritonclient.grpc import model_config_pb2 as pb

from export.errors import CheckpointError
from export.families.sculptor import cosyvoice_lm, llasa
from export.families.sculptor.cosyvoice_config import LanguageModelConfig, SamplingConfig
from export.families.sculptor.decoder_config import read_decoder
from export.families.sculptor.language_model import LanguageModelPart
from export.families.sculptor.lm_verify import verify_language_model
from export.families.sculptor.tokenizers import SpeechCodes
from export.families.sculptor.transformer import DecoderConfig, RopeScaling, frequencies
from export.profile_values import PLAIN

Array = npt.NDArray[np.float64]
LM_CONFIG = LanguageModelConfig(16, 16, CODES, SamplingConfig(0.8, 25, 10, 0.1))


def plain_logits(part: LanguageModelPart, ids: list[int]) -> Array:
    """The logits after the last id, computed head by head and without a cache, in float64."""
    sizes, state = part.sizes, {name: v.double().numpy() for name, v in part.module.state_dict().items()}
    x = state["table"][ids]
    half = sizes.head_size // 2
    angles = np.arange(len(ids))[:, None] / sizes.theta ** (np.arange(half) / half)

    def norm(name: str, value: Array) -> Array:
        result: Array = (
            value / np.sqrt((value**2).mean(-1, keepdims=True) + sizes.epsilon) * state[f"layers.{name}.weight"]
        )
        return result

    def linear(name: str, value: Array) -> Array:
        result: Array = value @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)
        return result

    def turned(head: Array) -> Array:
        plane = (head[:, :half] + 1j * head[:, half:]) * np.exp(1j * angles)
        return np.concatenate((plane.real, plane.imag), axis=1)

    for number in range(sizes.layers):
        name = f"layers.layers.{number}"
        y = norm(f"layers.{number}.input_layernorm", x)
        q, k, v = (linear(f"{name}.self_attn.{kind}_proj", y).reshape(len(ids), -1, sizes.head_size) for kind in "qkv")
        heads = []
        for head in range(sizes.heads):
            shared = head // (sizes.heads // sizes.key_heads)
            scores = turned(q[:, head]) @ turned(k[:, shared]).T / np.sqrt(sizes.head_size)
            scores[np.triu_indices(len(ids), 1)] = -np.inf
            weights = np.exp(scores - scores.max(1, keepdims=True))
            heads.append(weights / weights.sum(1, keepdims=True) @ v[:, shared])
        x = x + linear(f"{name}.self_attn.o_proj", np.concatenate(heads, 1))
        y = norm(f"layers.{number}.post_attention_layernorm", x)
        gate = linear(f"{name}.mlp.gate_proj", y)
        x = x + linear(f"{name}.mlp.down_proj", gate / (1 + np.exp(-gate)) * linear(f"{name}.mlp.up_proj", y))
    return linear("head", norm("norm", x))[-1]


@pytest.fixture(scope="module")
def part() -> LanguageModelPart:
    return tiny(RAS)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language_model") / "model.onnx"
    path.write_bytes(language_models.graph())
    return path


def test_module_and_graph_compute_what_plain_attention_does_alone_and_in_ragged_batches_with_and_without_a_cache(
    part: LanguageModelPart, graph: Path
) -> None:
    text, speech = np.array([[3, 1, 4, 1, 5]]), np.array([[9, 2, 6]])
    ids = [FIRST - 2, *text[0], FIRST - 1, *(speech[0] + FIRST)]
    logp, best = [], []
    for _ in range(8):
        logits = plain_logits(part, ids)
        logp.append(logits - np.log(np.exp(logits).sum()))
        best.append(int(logits.argmax()))
        ids.append(best[-1] + FIRST)
    reference: dict[str, npt.NDArray[Any]] = {
        "lm_prompt_text": text[:, :2],
        "lm_text": text[:, 2:],
        "lm_prompt_speech_token": speech,
        "lm_input": part.module.table.detach().numpy()[None, ids[:-8]],
        "lm_logp": np.stack(logp),
        "lm_greedy_ids": np.array(best),
    }
    rows = verify_language_model(part, graph, reference, 1e-5)
    assert [row.array for row in rows if not row.passed] == []
    assert len(rows) == 7
    wrong = verify_language_model(part, graph, reference | {"lm_logp": np.stack(logp) + 1e-3}, 1e-5)
    assert [row.array for row in wrong if not row.passed] == ["lm_logp", "lm_logp cached", "lm_logp cached in a batch"]


def test_llama_3_stretches_long_waves_only() -> None:
    sizes = DecoderConfig(9, 64, 1, 1, 1, 64, 9, 1e-5, 500000.0, 8192)
    scaled = DecoderConfig(9, 64, 1, 1, 1, 64, 9, 1e-5, 500000.0, 8192, RopeScaling(32.0, 1.0, 4.0, 8192))
    ratio = (frequencies(scaled) / frequencies(sizes)).numpy()
    lengths = 2 * np.pi / frequencies(sizes).numpy()
    assert np.allclose(ratio[lengths < 8192 / 4], 1.0)
    assert np.allclose(ratio[lengths > 8192], 1 / 32)
    between = ratio[(lengths >= 8192 / 4) & (lengths <= 8192)]
    assert between.size
    assert ((between > 1 / 32) & (between < 1)).all()


def write_cosyvoice(folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    (folder / "CosyVoice-BlankEN").mkdir(parents=True)
    config = hf_config("qwen2") | changes
    (folder / cosyvoice_lm.CONFIG).write_text(json.dumps(config))
    state = {
        name: torch.randn(value.shape)
        for name, value in cosyvoice_lm.CosyVoiceLm(LM_CONFIG, SIZES).state_dict().items()
    }
    state["llm.model.lm_head.weight"] = state["llm.model.model.embed_tokens.weight"]
    torch.save(state, folder / "llm.pt")
    return state


def hf_config(kind: str) -> dict[str, Any]:
    return {
        "model_type": kind,
        "vocab_size": SIZES.vocabulary,
        "hidden_size": SIZES.width,
        "num_hidden_layers": SIZES.layers,
        "num_attention_heads": SIZES.heads,
        "num_key_value_heads": SIZES.key_heads,
        "intermediate_size": SIZES.units,
        "rms_norm_eps": SIZES.epsilon,
        "rope_theta": SIZES.theta,
        "max_position_embeddings": SIZES.context,
        "rope_scaling": None,
        "tie_word_embeddings": True,
    }


def test_cosyvoices_tables_are_joined_texts_first_and_codes_last(tmp_path: Path) -> None:
    state = write_cosyvoice(tmp_path)
    part = cosyvoice_lm.part(tmp_path, LM_CONFIG)
    assert part.vocabulary.first_code == SIZES.vocabulary + 2
    assert torch.equal(part.module.table[3], state["llm.model.model.embed_tokens.weight"][3])
    assert torch.equal(part.module.table[FIRST - 1], state["llm_embedding.weight"][1])
    assert torch.equal(part.module.table[FIRST + 7], state["speech_embedding.weight"][7])
    assert torch.equal(part.module.head.bias, state["llm_decoder.bias"])


def test_what_training_adds_to_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    state = write_cosyvoice(tmp_path)
    torch.save({**state, "epoch": 3, "step": 400}, tmp_path / "llm.pt")
    cosyvoice_lm.read(tmp_path, LM_CONFIG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type is llama, not qwen2"),
        ({"hidden_size": 32}, "hidden_size of 32"),
        ({"num_key_value_heads": 3}, "num_key_value_heads is 3, not a divisor"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"num_hidden_layers": 3}, r"missing: llm\.model\.model\.layers\.2"),
        ({"num_hidden_layers": 1}, r"unexpected: llm\.model\.model\.layers\.1"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "rope_type is yarn"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"head_dim": 5}, "head_dim is 5, not an even number"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_with_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_cosyvoice(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        cosyvoice_lm.part(tmp_path, LM_CONFIG)
    assert "\n" not in str(caught.value)


def write_llasa(folder: Path, *, tied: bool, shards: int = 1) -> dict[str, torch.Tensor]:
    """A checkpoint of 20 texts and 32 ids more: codes from id 21 on, their end at 20."""
    folder.mkdir(exist_ok=True)
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = hf_config("llama") | {"vocab_size": 52, "tie_word_embeddings": tied, "rope_scaling": scaling}
    (folder / "config.json").write_text(json.dumps(config))
    sizes = read_decoder(folder / "config.json", "llama")
    state = {name: torch.randn(v.shape).to(torch.bfloat16) for name, v in llasa.Llama(sizes).state_dict().items()}
    if shards == 1:
        safetensors.torch.save_file(state, folder / "model.safetensors")
        return state
    names = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(state)}
    for file in set(names.values()):
        safetensors.torch.save_file({name: v for name, v in state.items() if names[name] == file}, folder / file)
    (folder / llasa.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return state


SPEECH = SpeechCodes(first=21, count=30, end=20)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
def test_llasa_is_read_in_one_file_or_several_and_may_draw_nothing_but_speech(
    tied: bool, shards: int, tmp_path: Path
) -> None:
    state = write_llasa(tmp_path, tied=tied, shards=shards)
    part = llasa.part(tmp_path, SPEECH, 52)
    rows = state["model.embed_tokens.weight" if tied else "lm_head.weight"].float()
    assert torch.equal(part.module.head.weight, torch.cat((rows[21:51], rows[20:21])))
    assert torch.equal(part.module.table, state["model.embed_tokens.weight"].float())
    assert part.sizes.scaling == RopeScaling(32.0, 1.0, 4.0, 8192)
    assert len(llasa.sources(tmp_path)) == 1 + shards + (shards > 1)


def test_positions_that_an_older_file_holds_are_passed_over(tmp_path: Path) -> None:
    state = write_llasa(tmp_path, tied=True)
    more = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2), "lm_head.weight": torch.zeros(52, 16)}
    safetensors.torch.save_file({**state, **more}, tmp_path / "model.safetensors")
    model, _ = llasa.read(tmp_path)
    assert torch.equal(model.model.norm.weight, state["model.norm.weight"].float())


def test_llasas_faults_are_told_in_one_line(tmp_path: Path) -> None:
    state = write_llasa(tmp_path, tied=True, shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="lacks model-00002-of-00002"):
        llasa.read(tmp_path)
    (tmp_path / llasa.INDEX).write_text(json.dumps({"weight_map": {"a": "../a.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"names \.\./a\.safetensors"):
        llasa.read(tmp_path)
    (tmp_path / llasa.INDEX).unlink()
    with pytest.raises(CheckpointError, match="has neither"):
        llasa.read(tmp_path)
    state["model.norm.weight"][0] = float("nan")
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="norm"):
        llasa.read(tmp_path)
    write_llasa(tmp_path, tied=True)
    with pytest.raises(CheckpointError, match="vocab_size of 52, its tokenizer has ids up to 52"):
        llasa.part(tmp_path, SPEECH, 53)


def test_the_config_says_all_that_the_backend_needs() -> None:
    config: pb.ModelConfig = tiny(NUCLEUS, context=99).config("v_llasa", PLAIN)
    values = {name: value.string_value for name, value in config.parameters.items()}
    assert config.backend == "language_model"
    assert config.max_batch_size == 0
    assert not config.model_transaction_policy.decoupled
    assert values["sampler"] == "nucleus"
    assert (values["first_code"], values["codes"], values["ids"]) == (str(FIRST), str(CODES), str(FIRST + CODES + 1))
    assert values["context"] == "99"
    assert values["max_rows"] == str(PLAIN.language_model.max_batch)
    assert [tensor.name for tensor in config.input if not tensor.optional] == ["key"]
