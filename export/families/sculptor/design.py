"""The model that designs a voice from an instruction: its settings, its tokenizers, its config."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tritonclient.grpc import model_config_pb2 as pb

from export.change import Change
from export.configs import declare
from export.design_model import BUNDLE, DESIGN, DESIGNS
from export.families.sculptor.foreign import ForeignGraph
from export.families.sculptor.tokenizers import TextTokenizer
from export.profiles import Profile
from export.specs import Precision
from export.voice import Design

BACKEND = "voice_design"
SETTINGS = "design.json"
LLASA_TOKENIZER = "llasa_tokenizer.json"
TEXT_TOKENIZER = "text_tokenizer.json"

ROLE = "style"
# What every designed voice says once: a statement of everyday words, about seven seconds long. A style is thereby of
# an instruction, attributes and a seed alone, and can be kept.
SENTENCE = "今天的天气很好，我们一起去公园走走，看看湖边的花开了没有。"

# Llama 3.2's chat template with the date that it has where it is told none: upstream's depends on the day.
_SYSTEM = "\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
_REQUEST = "\n\nConvert the text to speech:"
_INSTRUCTION_END = "<|endofprompt|>"
# A design takes seconds, of which the models that it calls are the most: while one batch of them is made, the next
# may begin.
_INSTANCES = 2


@dataclass(frozen=True)
class SpeechBounds:
    """Bounds on the sentence as the language model says it.

    `context` is upstream's, in ids with the prompt. LLaSA writes 50 codes a second. The slowest voice takes twelve
    seconds for the sentence: what is longer than `most_seconds` has no end, and every second is paid for in each
    request that the voice then speaks.
    """

    context: int = 2048
    per_second: float = 50.0
    least_seconds: float = 1.0
    most_seconds: float = 20.0


@dataclass(frozen=True)
class SampleRates:
    """In Hz: what xcodec2 makes, and what the speech tokenizer, CAM++ and the prompt's mel are for."""

    codec: int = 16000
    speech_tokenizer: int = 16000
    campplus: int = 16000
    prompt_mel: int = 24000


@dataclass(frozen=True)
class Designer:
    """The part `style` of a voice.

    `llasa` and `text` are the tokenizers of its two language models, `design` is what `voice.json` says of it, and
    `speech_tokens` is how many different ones its flow knows.
    """

    llasa: TextTokenizer
    text: TextTokenizer
    speech_tokenizer: ForeignGraph
    campplus: ForeignGraph
    design: Design
    speech_tokens: int
    sentence: str = SENTENCE
    bounds: SpeechBounds = field(default_factory=SpeechBounds)
    rates: SampleRates = field(default_factory=SampleRates)

    @property
    def role(self) -> str:
        """The suffix of the model's name."""
        return ROLE

    @property
    def possible(self) -> tuple[Precision, ...]:
        """None: it has no weights."""
        return ()

    def only(self, precisions: Collection[Precision]) -> Designer:
        """Itself."""
        return self

    def put(self, change: Change, model: str, report: Callable[[str], None]) -> None:
        """Write the settings and the tokenizers into a change. Raises `CheckpointError`."""
        voice = model.removesuffix(f"_{ROLE}")
        files = {
            SETTINGS: json.dumps(self.settings(voice), ensure_ascii=False, indent=1) + "\n",
            LLASA_TOKENIZER: self.llasa.text,
            TEXT_TOKENIZER: self.text.text,
        }
        for name, text in files.items():
            change.write_text(Path(model, "1", name), text)
        report(f"wrote {model}: settings and tokenizers")

    def config(self, model: str, profile: Profile) -> pb.ModelConfig:
        """Batched and kept: who asks for a style that somebody had before waits for nothing."""
        config = pb.ModelConfig(name=model, backend=BACKEND, max_batch_size=DESIGNS)
        declare(config, DESIGN, BUNDLE)
        config.instance_group.add(kind=pb.ModelInstanceGroup.KIND_CPU, count=_INSTANCES)
        config.dynamic_batching.SetInParent()
        config.response_cache.enable = True
        return config

    def settings(self, voice: str) -> dict[str, Any]:
        """The content of `design.json`. Raises `CheckpointError` where LLaSA's tokenizer lacks one of its marks."""
        return {
            "sentence": self.sentence,
            "attributes": {name: list(values) for name, values in self.design.attributes.items()},
            "most_characters": self.design.max_instruction,
            "template": self._template(),
            "codes": asdict(self.bounds),
            "rates": asdict(self.rates),
            "speech_tokens": self.speech_tokens,
            "models": {
                "llasa": _model(f"{voice}_llasa", outputs=("tokens", "end")),
                "xcodec2": _model(f"{voice}_xcodec2", ("codes",), ("audio",)),
                "speech_tokenizer": _foreign(voice, self.speech_tokenizer),
                "campplus": _foreign(voice, self.campplus),
            },
        }

    def _template(self) -> dict[str, Any]:
        """The ids around instruction, tags and sentence.

        Upstream writes `Convert the text to speech:<|TEXT_UNDERSTANDING_START|>{instruction}<|endofprompt|>{tags}{text}
        <|TEXT_UNDERSTANDING_END|>` as the user's turn and begins the answer with `<|SPEECH_GENERATION_START|>`.
        """
        mark, encode = self.llasa.mark, self.llasa.encode

        def turn(name: str) -> list[int]:
            return [mark("<|start_header_id|>"), *encode(name), mark("<|end_header_id|>")]

        end = mark("<|eot_id|>")
        system = [mark("<|begin_of_text|>"), *turn("system"), *encode(_SYSTEM), end]
        user = [*turn("user"), *encode(_REQUEST), mark("<|TEXT_UNDERSTANDING_START|>")]
        answer = [*turn("assistant"), *encode("\n\n"), mark("<|SPEECH_GENERATION_START|>")]
        values = [value for table in self.design.attributes.values() for value in table]
        return {
            "before": [*system, *user],
            "between": self._written(_INSTRUCTION_END),
            "tags": {value: self._written(f"<|{value}|>") for value in values},
            "after": [mark("<|TEXT_UNDERSTANDING_END|>"), end, *answer],
        }

    def _written(self, text: str) -> list[int]:
        """A mark, or what a tokenizer reads that does not have it: its letters, as when the model was trained."""
        return [self.llasa.marks[text]] if text in self.llasa.marks else self.llasa.encode(text)


def _model(name: str, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "inputs": list(inputs), "outputs": list(outputs)}


def _foreign(voice: str, graph: ForeignGraph) -> dict[str, Any]:
    names = (tuple(tensor.name for tensor in tensors) for tensors in (graph.inputs, graph.outputs))
    return _model(f"{voice}_{graph.role}", *names)
