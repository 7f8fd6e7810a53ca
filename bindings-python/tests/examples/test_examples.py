"""The examples do what they say."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import openwa_store

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "python"
CHAT = "12025550143@s.whatsapp.net"


def run(name: str, *args: str) -> str:
    done = subprocess.run([sys.executable, EXAMPLES / name, *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of the store in ./data, where the web examples look."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with openwa_store.open_store() as store:
        store.sessions.create(name="shop-1")
        return store.api_keys.create(name="web", permissions=["sessions:read"]).key


def test_quickstart_and_polars(tmp_path: Path) -> None:
    assert run("quickstart.py", str(tmp_path)).split()[:2] == ["inserted", "unchanged"]
    assert CHAT in run("read_with_polars.py", str(tmp_path), "shop-1", CHAT)


def test_fastapi(key: str) -> None:
    example: Any = importlib.import_module("fastapi_keys")
    from fastapi.testclient import TestClient

    client = TestClient(example.app, client=("203.0.113.9", 5000))
    assert client.get("/sessions", headers={"X-API-Key": "wrong"}).status_code == 403
    assert client.get("/sessions", headers={"X-API-Key": key}).json() == ["shop-1"]
    example.store.close()


def test_flask(key: str) -> None:
    example: Any = importlib.import_module("flask_keys")
    client = example.app.test_client()
    assert client.get("/sessions").status_code == 403
    assert client.get("/sessions", headers={"X-API-Key": key}).json == ["shop-1"]
    example.store.close()


def test_the_bot_knows_neonize(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot speak to WhatsApp here, but all that it imports is there."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert callable(importlib.import_module("asyncio_bot").main)
