"""Shared by the tests: a store, a session, and the fixtures that every language runs."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import openwa_store

SHARED = Path(__file__).resolve().parents[2] / "tests"
CHAT = "12025550143@s.whatsapp.net"
# neonize 0.5.2 says 3.10, but cannot be loaded there.
collect_ignore = ["test_neonize.py"] if sys.version_info < (3, 11) else []
NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


def vectors(name: str) -> Any:
    return json.loads((SHARED / "vectors" / name).read_text("utf-8"))


def text(wa_message_id: str | None, body: str | None = "hello", **more: Any) -> dict[str, Any]:
    """The fields of a text message."""
    return {
        "wa_message_id": wa_message_id,
        "chat_id": CHAT,
        "from_number": CHAT,
        "type": "text",
        "body": body,
        "wa_timestamp": NOON,
        **more,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[openwa_store.Store]:
    with openwa_store.open_store(tmp_path) as store:
        yield store


@pytest.fixture
def session(store: openwa_store.Store) -> openwa_store.Session:
    return store.sessions.create(name="shop-1")
