"""The text front end's tensors, all of them strings."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from tritonclient.grpc import service_pb2

from ._errors import ProtocolError

MODEL = "text_frontend"
_SIZE = struct.Struct("<I")


def encode(output: str, inputs: Mapping[str, str]) -> Any:
    """A ``ModelInferRequest`` that asks the text front end for one output."""
    message = service_pb2.ModelInferRequest(model_name=MODEL)
    message.outputs.add(name=output)
    for name, value in inputs.items():
        data = value.encode()
        message.inputs.add(name=name, datatype="BYTES", shape=[1])
        message.raw_input_contents.append(_SIZE.pack(len(data)) + data)
    return message


def decode(output: str, message: Any) -> list[str]:
    """The strings of a ``ModelInferResponse``.

    Raises:
        ProtocolError: it does not have that output, or no strings there.
    """
    if [tensor.name for tensor in message.outputs] != [output] or len(message.raw_output_contents) != 1:
        raise ProtocolError(f"the server's front end has no output {output}: check its version")
    raw: bytes = message.raw_output_contents[0]
    texts = []
    at = 0
    try:
        while at < len(raw):
            (size,) = _SIZE.unpack_from(raw, at)
            at += _SIZE.size + size
            if at > len(raw):
                raise ValueError(f"{at - len(raw)} bytes are missing")
            texts.append(raw[at - size : at].decode())
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"{output} of the server's front end cannot be read ({error}): check its version") from None
    return texts
