"""The web page, at ``/``; what it is made of is in ``page/`` and served from ``/page/``."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources

from fastapi import FastAPI, Request, Response

INDEX = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    # Browsers keep the files and ask each time whether they have changed: a new version is there at once, and whole.
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class Asset:
    """A file of the page, and the headers that it is served with."""

    content: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, name: str, content: bytes) -> Asset:
        """The file of this name."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        kind = MEDIA_TYPES[name[name.rindex(".") :]]
        return cls(content, HEADERS | {"content-type": kind, "etag": tag})

    def response(self, request: Request) -> Response:
        """The file, or only that it is the one the browser has."""
        known = request.headers.get("if-none-match", "")
        if self.headers["etag"] in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=self.headers)
        return Response(self.content, headers=self.headers)


def assets() -> dict[str, Asset]:
    """The page's files by name. They are small, and no path of a request ever meets the disk."""
    folder = resources.files(__package__) / "page"
    files = (file for file in folder.iterdir() if file.name.endswith(tuple(MEDIA_TYPES)))
    return {file.name: Asset.of(file.name, file.read_bytes()) for file in files}


def mount(app: FastAPI) -> None:
    """Add the page and its files to ``app``."""
    files = assets()
    app.add_route("/", _serving(files[INDEX]), include_in_schema=False)
    for name in sorted(files.keys() - {INDEX}):
        app.add_route(f"/page/{name}", _serving(files[name]), include_in_schema=False)


def _serving(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return asset.response(request)

    return serve
