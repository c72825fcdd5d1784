"""Client of the speech service.

    from client import Synthesizer

    with Synthesizer("127.0.0.1:8001") as synthesizer:
        speech = synthesizer.synthesize("今天天气真好。", speed=1.2)
        speech.save("out.wav")

``AsyncSynthesizer`` is the same for asyncio. Errors are drawn as a tree in ``client._errors``, all of them
``SpeechError``. The command line is ``python -m client``.
"""

from ._async import AsyncSynthesizer
from ._connection import Connection, Tls
from ._errors import (
    ConnectionLost,
    ConnectTimeout,
    DeadlineExceeded,
    DiskFull,
    InvalidRequest,
    NotAllowed,
    OutputError,
    ProtocolError,
    ServerUnreachable,
    ServiceError,
    ServiceFailed,
    ServiceUnavailable,
    SpeechError,
    VoiceNotFound,
)
from ._metrics import Metrics, ModelMetrics, read_metrics
from ._models import (
    Chunk,
    Clause,
    Degradation,
    Health,
    Mark,
    MemoryUse,
    ModelState,
    Notice,
    Phone,
    Preset,
    Progress,
    QueueState,
    Voice,
    VoiceHealth,
    Word,
)
from ._phonemes import Reading, ReadWord, as_ssml, parse_phonemes
from ._request import BOUNDS, MAX_SEED, MAX_STYLE, QUALITIES, Options, Request
from ._speech import Speech
from ._sync import Synthesizer
from ._timeouts import Deadline, Timeout
from ._transport import AsyncTransport, Transport

__all__ = [
    "BOUNDS",
    "MAX_SEED",
    "MAX_STYLE",
    "QUALITIES",
    "AsyncSynthesizer",
    "AsyncTransport",
    "Chunk",
    "Clause",
    "ConnectTimeout",
    "Connection",
    "ConnectionLost",
    "Deadline",
    "DeadlineExceeded",
    "Degradation",
    "DiskFull",
    "Health",
    "InvalidRequest",
    "Mark",
    "MemoryUse",
    "Metrics",
    "ModelMetrics",
    "ModelState",
    "NotAllowed",
    "Notice",
    "Options",
    "OutputError",
    "Phone",
    "Preset",
    "Progress",
    "ProtocolError",
    "QueueState",
    "ReadWord",
    "Reading",
    "Request",
    "ServerUnreachable",
    "ServiceError",
    "ServiceFailed",
    "ServiceUnavailable",
    "Speech",
    "SpeechError",
    "Synthesizer",
    "Timeout",
    "Tls",
    "Transport",
    "Voice",
    "VoiceHealth",
    "VoiceNotFound",
    "Word",
    "as_ssml",
    "parse_phonemes",
    "read_metrics",
]
