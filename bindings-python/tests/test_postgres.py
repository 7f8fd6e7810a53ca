"""The same face over PostgreSQL, on a server of the tests' own."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import openwa_store
import openwa_store.aio

from .conftest import CHAT, NOON, text


def program(name: str) -> str | None:
    folders = [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    return shutil.which(name, path=os.pathsep.join(folders))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that is gone with the module; it speaks over a socket only."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.fail("PostgreSQL is not installed; `make servers` installs it")
    # Not below pytest's folder, which other users may not enter, and short enough for a socket.
    with tempfile.TemporaryDirectory(prefix="openwa") as folder:
        user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "nobody")
            user = {"user": "nobody"}
        data = f"{folder}/data"
        run = dict(check=True, capture_output=True, cwd=folder, timeout=60, **user)
        subprocess.run([initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"], **run)  # type: ignore[call-overload]
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        start = [pg_ctl, "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"]
        subprocess.run(start, **{**run, "capture_output": False, "stdout": subprocess.DEVNULL})  # type: ignore[call-overload]
        try:
            yield f"postgresql://postgres@localhost/postgres?host={folder}&schema=py"
        finally:
            subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]


def test_the_verbs(server: str, tmp_path: Path) -> None:
    with openwa_store.open_store(tmp_path, data=server) as store:
        assert "postgres" in repr(store)
        session = store.sessions.create(name="shop-1")
        saved = store.messages.save(session.id, **text("A", "a\ud800\0b", media={"mimetype": "image/png"}, raw=b"\0\xff"))
        assert saved.is_new and not store.messages.save(session.id, **text("A")).is_new
        message = store.messages.find(session.id, "A")
        assert message == saved.message
        assert message and (message.body, message.raw, message.wa_timestamp) == ("a\ud800\0b", b"\0\xff", NOON)
        many = [text(f"B{i}", wa_timestamp=NOON + timedelta(seconds=i)) for i in range(1500)]
        assert all(r.saved for r in store.messages.save_many(session.id, many))
        assert len(list(store.messages.iterate(session.id, chat=CHAT))) == 1501
        with pytest.raises(openwa_store.AlreadyExistsError):
            store.sessions.create(name="shop-1")
        assert [d.engine.split()[0] for d in store.status().databases] == ["SQLite", "PostgreSQL"]


def test_asyncio(server: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with openwa_store.aio.open_store(tmp_path, data=server) as store:
            session = await store.sessions.create(name="shop-2")
            await asyncio.gather(*[store.messages.save(session.id, **text(f"A{i}")) for i in range(500)])
            assert await store.messages.count(session.id) == 500

    asyncio.run(main())


def test_no_server(tmp_path: Path) -> None:
    address = f"postgresql://postgres@localhost/postgres?host={tmp_path}&wait=0"
    with pytest.raises(ConnectionError) as caught:
        openwa_store.open_store(tmp_path, data=address)
    assert isinstance(caught.value, openwa_store.UnavailableError) and caught.value.retryable
    with pytest.raises(openwa_store.InvalidArgumentError):
        openwa_store.open_store(tmp_path, data="postgresql://host/db?nonsense=1")
