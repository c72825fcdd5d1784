"""The API's description: ``/openapi.json``, and ``/docs`` for people, which loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{font-family:ui-monospace,monospace}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "h2{margin-top:2.5rem;overflow-wrap:anywhere}table{display:block;overflow-x:auto}"
)
_FRAMEWORKS_OWN = "422"


def router() -> APIRouter:
    """The page; FastAPI itself serves the schema."""
    routes = APIRouter()

    @routes.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(_page(request.app.openapi()), headers=HEADERS)

    return routes


def describe(app: FastAPI) -> None:
    """Have ``app`` describe its answers as they are: what the framework would refuse with 422 is answered with 400."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            for _, _, operation in _operations(schema):
                operation["responses"].pop(_FRAMEWORKS_OWN, None)
            for name in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(name, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _operations(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _page(schema: Mapping[str, Any]) -> str:
    title = escape(schema["info"]["title"])
    parts = "".join(_operation(schema, *found) for found in _operations(schema))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>{title}</h1>'
        f'<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>{parts}</html>'
    )


def _operation(schema: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    about = operation.get("description", "").replace("``", "")
    text = f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(about)}</p>"
    content = operation.get("requestBody", {}).get("content", {})
    for form in content.values():
        text += _fields(schema, form["schema"])
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer['description'])}"
        f"<td><code>{escape(', '.join(answer.get('content', {})))}</code>"
        for status, answer in sorted(operation["responses"].items())
    )
    return f"{text}<table><tr><th>status<th>meaning<th>content{answers}</table>"


def _fields(schema: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    body = _followed(schema, body)
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'' if name in body.get('required', ()) else ' (optional)'}"
        f"<td>{escape(_kind(schema, field))}<td>{escape(field.get('description', ''))}"
        for name, field in body.get("properties", {}).items()
    )
    return f"<table><tr><th>field<th>type<th>meaning{rows}</table>"


def _kind(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    if "$ref" in field:
        return _kind(schema, _followed(schema, field))
    if "anyOf" in field:
        return " or ".join(_kind(schema, each) for each in field["anyOf"] if each.get("type") != "null")
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    kind = str(field.get("type", "anything"))
    low, high = field.get("minimum"), field.get("maximum")
    return f"{kind}, {low:g} to {high:g}" if low is not None and high is not None else kind


def _followed(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in field:
        return field
    found: Mapping[str, Any] = schema["components"]["schemas"][field["$ref"].rpartition("/")[2]]
    return found
