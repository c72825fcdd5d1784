"""Words with their times beside the audio: ``/v1/audio/captions``."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from client import Chunk, Clause, Notice, subtitles
from client._assemble import Account

from .access import Calling
from .asked import Asked, spoken
from .errors import DOCUMENTED, GatewayError
from .service import Serving
from .streaming import Stream

MEDIA_TYPE = "application/x-ndjson"


def router() -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post(
        "/v1/audio/captions",
        response_class=Response,
        responses={
            200: {
                "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
                "description": "Lines of JSON, each with a `type`: `audio` while it is spoken, then `done` or `error`.",
            },
            **DOCUMENTED,
        },
    )
    async def captions(asked: Asked, service: Serving, caller: Calling) -> Response:
        """Speak a text, and tell when each of its words is heard.

        A line of type `audio` has a piece of the `audio` (base64 of mono int16 at `sample_rate`), the `clauses` that
        begin in it with their `words`, the text's `marks`, and `notices`. The last line is `done`, with the `voice` and
        the `quality` that spoke, seconds of audio (`duration`), to its first (`first_audio`) and to its last
        (`elapsed`), and all subtitles (`srt`); or `error`, where the speech ends early. Times count in seconds from
        the start of the audio.
        """
        return Stream(service, _lines(spoken(service, caller, asked), asked.notices()), MEDIA_TYPE, failed=_failure)

    return routes


async def _lines(chunks: AsyncGenerator[Chunk, None], told: Sequence[Notice]) -> AsyncGenerator[bytes, None]:
    account = Account()
    async with aclosing(chunks):
        async for chunk in chunks:
            account.add(chunk)
            yield _line(_audio(chunk, told))
            told = ()
    account.check()
    done = {
        "type": "done",
        "duration": account.seconds,
        "voice": account.voice,
        "quality": account.quality,
        "first_audio": account.first_audio,
        "elapsed": account.elapsed,
        # Of a book, long enough for others to notice.
        "srt": await asyncio.to_thread(subtitles.srt, account.clauses),
    }
    yield _line(done)


def _audio(chunk: Chunk, told: Sequence[Notice]) -> dict[str, Any]:
    return {
        "type": "audio",
        "audio": base64.b64encode(chunk.samples.astype("<i2").tobytes()).decode(),
        "sample_rate": chunk.sample_rate,
        "clauses": [_clause(clause) for clause in chunk.clauses],
        "marks": [asdict(mark) for mark in chunk.marks],
        "notices": [asdict(notice) for notice in (*told, *chunk.notices)],
    }


def _clause(clause: Clause) -> dict[str, Any]:
    words = [{"text": word.text, "start": word.start, "end": word.end} for word in clause.words]
    return {"text": clause.text, "start": clause.start, "end": clause.end, "words": words}


def _failure(error: GatewayError) -> bytes:
    return _line({"type": "error", **error.body()})


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
