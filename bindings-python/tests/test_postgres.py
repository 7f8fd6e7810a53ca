"""The same face over PostgreSQL, on a server of the tests' own."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import openwa_store
import openwa_store.aio

from .conftest import CHAT, NOON, text
from .test_fork import runs


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child(server: str, tmp_path: Path) -> None:
    """It opens a store of its own on the same server, in another folder. The parent's connections are not its own: it does
    not end them, nor keep them when the parent is gone."""
    runs(
        """
server = sys.argv[2]
store.close()
store = openwa_store.open_store(here, data=server)
if not store.sessions.find("shop-1"): store.sessions.create(name="shop-1")
save(store, "before", 5)
store.start_maintenance()
pid = fork()
if pid == 0:
    try:
        store.sessions.find("shop-1")
        os._exit(1)
    except openwa_store.ForkedError: pass
    assert is_refused(here)
    own = openwa_store.open_store(elsewhere, data=server)
    del store
    save(own, "child", 5)
    sys.exit()
save(store, "beside", 5)
went_well(pid)
assert save(store, "after", 5) == 20
read, write = os.pipe()
if fork() == 0:
    os.close(write)
    os.read(read, 1)  # until the last parent is gone
    ask = [sys.argv[3], "-At", "-h", sys.argv[4], "-U", "postgres", "-c",
           "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'openwa-store'"]
    import subprocess
    while subprocess.run(ask, capture_output=True, check=True, text=True).stdout.strip() != "0": pass
    open(sys.argv[1] + "/gone", "w").close()
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
""",
        tmp_path,
        server.replace("schema=py", "schema=forked"),
        str(program("psql")),
        server.split("host=")[1].split("&")[0],
        code=-signal.SIGKILL,
    )
    end = time.monotonic() + 60
    while not (tmp_path / "gone").exists():
        assert time.monotonic() < end, "the child keeps the parent's connections"
        time.sleep(0.05)
