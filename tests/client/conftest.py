"""Fixtures of the client's tests."""

from __future__ import annotations

import pytest

from client import _retry


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries need not wait here."""
    monkeypatch.setattr(_retry, "FIRST_PAUSE", 0.002)
