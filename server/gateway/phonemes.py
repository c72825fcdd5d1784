"""Text as pinyin and pinyin as speech: ``/v1/phonemes``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from client import InvalidRequest, Reading, ReadWord, VoiceNotFound, as_ssml, parse_phonemes

from .access import Calling
from .asked import spoken
from .errors import DOCUMENTED, GatewayError
from .service import Service, Serving
from .speech import SpeechRequest, answer, contents

MOST_WORDS = 2000
"""Words of a request: as markup, so many are about as long as a text may be."""


class PhonemesRequest(BaseModel):
    """A text whose reading is asked for."""

    model_config = ConfigDict(strict=True)

    input: Annotated[str, Field(min_length=1, description="The text: plain, or with markup.")]
    voice: Annotated[str | None, Field(description="Whose reading: a name from /v1/audio/voices.")] = None
    dictionary: Annotated[dict[str, str] | None, Field(description="How to say words.")] = None


class PhonemeWord(BaseModel):
    """A word, how it is read, and what follows it."""

    model_config = ConfigDict(strict=True, populate_by_name=True)

    text: Annotated[str, Field(description="What is written.")] = ""
    pinyin: Annotated[str, Field(description="Syllables with tone digits as they sound, such as jin1 tian1.")] = ""
    said: Annotated[str, Field(description="What is read of it, numbers in Chinese characters.")] = ""
    units: Annotated[list[str], Field(description="What the voice's acoustic model is given.")] = []
    ending: Annotated[
        int | None,
        Field(ge=0, le=4, alias="break", description="0 none, 1 a word, 2 a phrase; 3 and 4 are those of marks."),
    ] = None
    marks: Annotated[str, Field(description="Punctuation, and silences such as [pause:0.5s].")] = ""


class Told(BaseModel):
    """What is done differently from what was asked."""

    kind: str
    text: str
    message: str


class PhonemesAnswer(BaseModel):
    """How a text is read."""

    phonemes: Annotated[str, Field(description="The whole in pinyin; empty where the alphabet is not pinyin.")]
    alphabet: Annotated[
        Literal["pinyin", "characters"], Field(description="What the voice reads. Of characters, see what is said.")
    ]
    voice: str
    words: list[PhonemeWord]
    notices: list[Told]


class PhonemesSpeechRequest(SpeechRequest):
    """``phonemes`` or ``words``, and what ``/v1/audio/speech`` takes beside a text."""

    input: SkipJsonSchema[str] = ""
    phonemes: Annotated[
        str | None,
        Field(description="Pinyin with tone digits, breaks #0 to #2, and marks.", examples=["ni3 hao3 #1 shi4 jie4。"]),
    ] = None
    words: Annotated[list[PhonemeWord] | None, Field(description="As /v1/phonemes answered them, or changed.")] = None

    @model_validator(mode="after")
    def _either(self) -> PhonemesSpeechRequest:
        if self.input or (self.phonemes is None) == (self.words is None):
            raise ValueError("give either phonemes or words, and no input: a text goes to /v1/audio/speech")
        if len(self.words or ()) > MOST_WORDS:
            raise ValueError(f"there are more than {MOST_WORDS} words: send them in parts")
        return self

    def ssml(self) -> str:
        """A text that is read so.

        Raises:
            GatewayError: the phonemes are no pinyin.
        """
        if self.words is None:
            try:
                return as_ssml(parse_phonemes(self.phonemes or ""))
            except InvalidRequest as error:
                raise _wrong(str(error)) from None
        return as_ssml(ReadWord(word.text, word.pinyin, ending=word.ending, marks=word.marks) for word in self.words)


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.post("/v1/phonemes", response_model_by_alias=True, responses=DOCUMENTED)
    async def phonemes(asked: PhonemesRequest, service: Serving) -> PhonemesAnswer:
        """Tell how a text is read: each word in pinyin, and what of it was left out.

        What this answers as `phonemes` or `words` is spoken by /v1/phonemes/speech, with the same audio as the text.
        """
        _check_length("input", asked.input, service)
        found = await service.synthesizer.phonemes(
            asked.input, voice=asked.voice or None, dictionary=asked.dictionary or None
        )
        return _answer(found)

    @routes.post(
        "/v1/phonemes/speech",
        response_class=Response,
        responses={200: {"content": contents(), "description": "The audio."}, **DOCUMENTED},
    )
    async def speech(asked: PhonemesSpeechRequest, service: Serving, caller: Calling) -> Response:
        """Speak pinyin, by a voice that reads it."""
        text = asked.ssml()
        _check_length("phonemes", text, service)
        # Found out before the audio begins: a syllable that there is not, and a voice that would leave pinyin out.
        voice = asked.options().get("voice")
        try:
            reading = await service.synthesizer.phonemes(text, voice=voice)
        except VoiceNotFound:
            raise
        except InvalidRequest as error:
            raise _wrong(str(error)) from None
        if not reading.phonemes:
            raise GatewayError(
                400,
                f"the voice {reading.voice!r} reads characters, not pinyin: send the text to /v1/audio/speech",
                param="voice",
                code="no_phonemes",
            )
        spelled = asked.model_copy(update={"input": text})
        return answer(service, spelled, spoken(service, caller, spelled))

    return routes


def _wrong(message: str) -> GatewayError:
    return GatewayError(400, message, param="phonemes", code="invalid_value")


def _check_length(name: str, text: str, service: Service) -> None:
    most = service.settings.bounds.characters
    if len(text) > most:
        raise GatewayError(
            400,
            f"{name} take {len(text)} characters as markup, the most is {most}: send them in parts",
            param=name,
            code="string_above_max_length",
        )


def _answer(reading: Reading) -> PhonemesAnswer:
    return PhonemesAnswer(
        phonemes=reading.phonemes,
        alphabet="pinyin" if reading.phonemes else "characters",
        voice=reading.voice,
        words=[
            PhonemeWord(
                text=word.text,
                pinyin=word.pinyin,
                said=word.said,
                units=list(word.units),
                ending=word.ending,
                marks=word.marks,
            )
            for word in reading.words
        ],
        notices=[Told(kind=notice.kind, text=notice.text, message=notice.message) for notice in reading.notices],
    )
