"""Has models loaded and unloaded through the server's own HTTP endpoint.

`pb_utils.load_model` would need no address. But when a load fails, Triton 2.51 reads the reason from shared memory that
its other side may have freed by then: the memory of both is broken, and the whole server dies or stands still. And
nothing else that this process asks of the server, as whether a request is cancelled, is answered while it loads.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from model_control import ControlError, NotManaged

# The variable that names host and port of the endpoint, and Triton's own default.
ADDRESS_VARIABLE = "TTS_MODEL_CONTROL"
DEFAULT_ADDRESS = "127.0.0.1:8000"
# The variable that names the file of the token which a protected server wants, and the header that it wants it in.
TOKEN_VARIABLE = "TTS_TOKEN_FILE"
TOKEN_HEADER = "tts-token"
# For how long an order is waited for. When a model's process is silent for a second while it starts, as on a machine
# that stands still, Triton 2.51 gives the model up and can then wait for that process for ever: so may who ordered it.
ORDER_SECONDS = 300.0


class HttpControl:
    """A server's model control. Thread-safe; one order at a time, because voices have stages in common."""

    def __init__(
        self, address: str, is_ready: Callable[[str], bool], token: str = "", seconds: float = ORDER_SECONDS
    ) -> None:
        self._address = address
        self._is_ready = is_ready
        self._headers = {TOKEN_HEADER: token} if token else {}
        self._seconds = seconds
        self._lock = Lock()

    def ready(self, model: str) -> bool:
        """Whether the model answers."""
        return self._is_ready(model)

    def load(self, model: str) -> None:
        """Load a model; of an ensemble its steps, too. Raises `ControlError`."""
        self._order(model, "load")

    def unload(self, model: str) -> None:
        """Unload a model. Raises `ControlError`."""
        self._order(model, "unload")

    def _order(self, model: str, action: str) -> None:
        with self._lock:
            problem = self._post(model, action)
        if "explicit model load / unload is not allowed" in problem:
            raise NotManaged("this server loads all its models at the start")
        if problem:
            raise ControlError(problem)

    def _post(self, model: str, action: str) -> str:
        """What went wrong, if anything did."""
        connection = http.client.HTTPConnection(self._address, timeout=self._seconds)
        try:
            path = f"/v2/repository/models/{quote(model, safe='')}/{action}"
            connection.request("POST", path, body="{}", headers=self._headers)
            response = connection.getresponse()
            body = response.read()
        except TimeoutError:
            return f"the server did not {action} {model} within {self._seconds:g} s"
        except (OSError, http.client.HTTPException) as error:
            return f"the server's HTTP endpoint {self._address} does not answer ({ADDRESS_VARIABLE} names it): {error}"
        finally:
            connection.close()
        if response.status == http.client.FORBIDDEN:
            return f"the server wants another token to {action} models than {TOKEN_VARIABLE} gives: {_reason(body)}"
        return "" if response.status == http.client.OK else _reason(body)


def read_token(environment: Mapping[str, str]) -> str:
    """The token that the environment names a file of; empty without one. Raises `OSError`."""
    file = environment.get(TOKEN_VARIABLE)
    return Path(file).read_text("utf-8").strip() if file else ""


def _reason(body: bytes) -> str:
    """The reason in an answer, in one line and without the Python traceback."""
    try:
        reason = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        reason = body.decode("utf-8", "replace")
    return " ".join(str(reason).split("\n\nAt:")[0].split()) or "no reason given"
