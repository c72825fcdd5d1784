"""What a request for speech may ask for, in OpenAI's words and in ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from client import BOUNDS, MAX_SEED, MAX_STYLE, QUALITIES, Chunk, Notice, Options

from .access import Caller
from .errors import GatewayError
from .service import Service

MODELS = {
    "tts-1": "balanced",
    "tts-1-hd": "high",
    "gpt-4o-mini-tts": "balanced",
    **{quality: quality for quality in QUALITIES},
}
"""Each model and the quality that it stands for: OpenAI's names, and the qualities' own."""

OPENAI_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
)
"""Names that OpenAI's clients have built in. The default voice speaks for them."""

SLOWEST, FASTEST = 0.25, 4.0
_SHOWN = 40
_MOST_IGNORED = 8


class VoiceId(BaseModel):
    """A voice as OpenAI's newest clients name their own."""

    model_config = ConfigDict(strict=True)

    id: str


class Asked(BaseModel):
    """A text, and how to speak it. Fields that are unknown are told in a notice and change nothing."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    input: Annotated[str, Field(min_length=1, description="The text: plain, or with markup.")]
    voice: Annotated[
        str | VoiceId | None,
        Field(description="A name from /v1/audio/voices. OpenAI's own, such as alloy, mean the default voice."),
    ] = None
    model: Annotated[str | None, Field(description="tts-1, tts-1-hd, gpt-4o-mini-tts, high, balanced or fast.")] = None
    instructions: Annotated[
        str | None, Field(max_length=MAX_STYLE, description="How to speak, in plain words or by a style's name.")
    ] = None
    speed: Annotated[
        float | None, Field(ge=SLOWEST, le=FASTEST, description="A factor; clamped to what the voice can do.")
    ] = None
    style: Annotated[str | None, Field(max_length=MAX_STYLE, description="The same as instructions, and first.")] = None
    quality: Annotated[str | None, Field(description="high, balanced or fast, in place of model.")] = None
    speaker: Annotated[str | None, Field(description="One of the voice's speakers.")] = None
    emotion: Annotated[str | None, Field(description="One of the voice's emotions.")] = None
    pitch: Annotated[float | None, Field(ge=BOUNDS["pitch"][0], le=BOUNDS["pitch"][1], description="Semitones.")] = None
    energy: Annotated[float | None, Field(ge=BOUNDS["energy"][0], le=BOUNDS["energy"][1], description="dB.")] = None
    attributes: Annotated[dict[str, str] | None, Field(description="What a designed voice is like.")] = None
    dictionary: Annotated[dict[str, str] | None, Field(description="How to say words.")] = None
    seed: Annotated[int | None, Field(ge=0, le=MAX_SEED, description="Of what a voice draws at random.")] = None

    @field_validator("input")
    @classmethod
    def _speakable(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value

    def options(self) -> Options:
        """The same for the client.

        Raises:
            GatewayError: there is no such model.
        """
        low, high = BOUNDS["speed"]
        return Options(
            voice=self._voice(),
            quality=self.quality or self._quality(),
            speaker=self.speaker or None,
            emotion=self.emotion or None,
            style=self._style(),
            dictionary=self.dictionary,
            speed=None if self.speed is None else min(high, max(low, self.speed)),
            pitch=self.pitch,
            energy=self.energy,
            attributes=self.attributes,
            seed=self.seed,
        )

    def notices(self) -> list[Notice]:
        """What the gateway does differently from what was asked."""
        told = []
        voice = self._named()
        if voice in OPENAI_VOICES:
            told.append(Notice("voice", voice, "this is a name of OpenAI's: the default voice speaks"))
        low, high = BOUNDS["speed"]
        if self.speed is not None and not low <= self.speed <= high:
            told.append(Notice("clamped", "speed", f"speed is between {low:g} and {high:g}, not {self.speed:g}"))
        if (self.style or "").strip() and (self.instructions or "").strip():
            told.append(Notice("style", "instructions", "style was given, too, and counts"))
        for name in list(self.model_extra or {})[:_MOST_IGNORED]:
            told.append(Notice("ignored", name[:_SHOWN], "there is no such field: see /docs"))
        return told

    def _named(self) -> str:
        return (self.voice.id if isinstance(self.voice, VoiceId) else self.voice or "").strip()

    def _voice(self) -> str | None:
        name = self._named()
        return None if name in OPENAI_VOICES else name or None

    def _quality(self) -> str | None:
        if not self.model:
            return None
        # OpenAI dates its models: gpt-4o-mini-tts-2025-12-15.
        known = max((name for name in MODELS if self.model.startswith(name)), key=len, default=None)
        if known is None or (known != self.model and not self.model[len(known) :].startswith("-20")):
            raise GatewayError(
                404,
                f"there is no model {self.model[:_SHOWN]!r}: use one of {', '.join(MODELS)}",
                param="model",
                code="model_not_found",
            )
        return MODELS[known]

    def _style(self) -> str | None:
        return (self.style or "").strip() or (self.instructions or "").strip() or None


async def spoken(service: Service, caller: Caller, asked: Asked) -> AsyncGenerator[Chunk, None]:
    """The speech, as it comes from the server. Closing this cancels the request on the server.

    Raises:
        GatewayError: the text is too long, its model unknown, or ``caller`` has asked for too much.
        SpeechError: see ``AsyncSynthesizer.stream``.
    """
    most = service.settings.bounds.characters
    if len(asked.input) > most:
        raise GatewayError(
            400,
            f"input has {len(asked.input)} characters, the most is {most}: send it in parts",
            param="input",
            code="string_above_max_length",
        )
    options = asked.options()
    with caller.budget.speaking(len(asked.input)):
        async with aclosing(service.synthesizer.stream(asked.input, **options)) as chunks:
            async for chunk in chunks:
                yield chunk
