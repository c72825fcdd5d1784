"""Text to speech as OpenAI's clients ask for it: ``/v1/audio/speech``."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import IO, Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from client import Chunk, Notice

from .access import Calling
from .asked import Asked, spoken
from .encoding import FORMATS, Encoder, Pieces, streamed, whole
from .errors import DOCUMENTED, GatewayError
from .service import Service, Serving
from .streaming import Stream

IN_MEMORY = 1 << 20
"""Bytes of an answer that is made whole before it is on disk."""

_BLOCK = 1 << 16
_SILENT_RATE = 24_000
_NOTICES_BYTES = 4000


class SpeechRequest(Asked):
    """The body of ``/v1/audio/speech``."""

    response_format: Annotated[
        Literal["mp3", "opus", "aac", "flac", "wav", "pcm"],
        Field(description="pcm is 24 kHz, mono, int16, little-endian."),
    ] = "mp3"
    stream: Annotated[
        bool | None, Field(description="false: the file comes whole, with its length; else while it is spoken.")
    ] = None
    stream_format: Annotated[
        Literal["audio", "sse"] | None, Field(description="sse: events with pieces of the file in base64.")
    ] = None


def router() -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post(
        "/v1/audio/speech",
        response_class=Response,
        responses={200: {"content": contents(), "description": "The audio."}, **DOCUMENTED},
    )
    async def speech(asked: SpeechRequest, service: Serving, caller: Calling) -> Response:
        """Speak a text."""
        return answer(service, asked, spoken(service, caller, asked))

    return routes


def answer(service: Service, asked: SpeechRequest, chunks: AsyncGenerator[Chunk, None]) -> Stream:
    """The audio of ``chunks`` in the form that was asked for.

    Headers tell the sample rate, the voice and the quality, and what is done differently from what was asked.
    """
    headers: dict[str, str] = {}
    if asked.stream_format == "sse":
        parts = _events(_streamed(asked, chunks, headers), len(asked.input))
        return Stream(service, parts, "text/event-stream", late=headers, failed=_failure_event)
    media_type = FORMATS[asked.response_format].media_type
    if asked.stream is False:
        return Stream(service, _whole(asked, chunks, headers), media_type, late=headers)
    return Stream(service, _streamed(asked, chunks, headers), media_type, late=headers)


async def _streamed(
    asked: SpeechRequest, chunks: AsyncGenerator[Chunk, None], headers: MutableMapping[str, str]
) -> AsyncGenerator[bytes, None]:
    """The file in pieces. The first is given with the first audio, as what goes before it may still fail."""
    pieces = Pieces()
    encoder: Encoder | None = None
    notices = asked.notices()
    async with aclosing(chunks):
        async for chunk in chunks:
            if encoder is None:
                notices += chunk.notices
                if not chunk.samples.size:
                    continue
                encoder = streamed(asked.response_format, chunk.sample_rate, pieces)
                headers.update(_headers(asked, chunk, chunk.sample_rate, notices))
            await _add(encoder, chunk, asked.response_format)
            if piece := pieces.take():
                yield piece
    if encoder is None:
        encoder = streamed(asked.response_format, _SILENT_RATE, pieces)
        headers.update(_headers(asked, None, _SILENT_RATE, notices))
    encoder.finish()
    yield pieces.take()


async def _whole(
    asked: SpeechRequest, chunks: AsyncGenerator[Chunk, None], headers: MutableMapping[str, str]
) -> AsyncGenerator[bytes, None]:
    """The file when it is complete; a long one waits on disk."""
    encoder: Encoder | None = None
    notices = asked.notices()
    said: Chunk | None = None
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        async with aclosing(chunks):
            async for chunk in chunks:
                notices += chunk.notices
                if not chunk.samples.size:
                    continue
                if encoder is None:
                    said = chunk
                    encoder = whole(asked.response_format, chunk.sample_rate, file)
                await _add(encoder, chunk, asked.response_format)
        rate = said.sample_rate if said else _SILENT_RATE
        (encoder or whole(asked.response_format, rate, file)).finish()
        headers.update(_headers(asked, said, rate, notices))
        headers["content-length"] = str(file.seek(0, 2))
        file.seek(0)
        for block in _blocks(file):
            yield block


async def _add(encoder: Encoder, chunk: Chunk, name: str) -> None:
    if FORMATS[name].codec:  # takes long enough for others to notice
        await asyncio.to_thread(encoder.add, chunk.samples)
    else:
        encoder.add(chunk.samples)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


async def _events(parts: AsyncGenerator[bytes, None], characters: int) -> AsyncGenerator[bytes, None]:
    """The pieces as server-sent events in OpenAI's words; a character counts as a token, and nothing else does."""
    async with aclosing(parts):
        async for part in parts:
            if part:
                yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _failure_event(error: GatewayError) -> bytes:
    return _event({"type": "error", **error.body()})


def _event(content: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


def _headers(asked: SpeechRequest, said: Chunk | None, rate: int, notices: Sequence[Notice]) -> dict[str, str]:
    headers = {"x-sample-rate": str(FORMATS[asked.response_format].rate(rate))}
    if said is not None:
        headers |= {"x-tts-voice": quote(said.voice), "x-tts-quality": quote(said.quality)}
    if notices:
        headers["x-tts-notices"] = _fitting(notices)
    return headers


def _fitting(notices: Sequence[Notice]) -> str:
    """As many of the notices as a header bears, in JSON of ASCII."""
    told: list[str] = []
    for notice in notices:
        line = json.dumps(asdict(notice))
        if sum(map(len, told)) + len(line) > _NOTICES_BYTES:
            break
        told.append(line)
    return f"[{', '.join(told)}]"


def contents() -> dict[str, Any]:
    """What an answer of audio may be, for the schema."""
    audio = {form.media_type: {"schema": {"type": "string", "format": "binary"}} for form in FORMATS.values()}
    return {**audio, "text/event-stream": {}}
