"""Servers that fork their workers, or start them: each worker opens the store itself."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import openwa_store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

STORE = """
import os
import openwa_store
store = None
def open_store():
    global store
    store = openwa_store.open_store(os.environ["STORE"])
def save(name):
    session = store.sessions.find("shop-1")
    store.messages.save(session.id, wa_message_id=name, chat_id="1", from_number="1", type="text")
    return str(os.getpid())
"""

WSGI = (
    STORE
    + """
def app(environ, start_response):
    try:
        status, text = "200 OK", save(environ["PATH_INFO"])
    except openwa_store.ForkedError as e:
        status, text = "500 Forked", str(e)
    start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
    return [text.encode()]
"""
)

ASGI = (
    STORE
    + """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup": open_store()
            else: store.close()
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown": return
    text = save(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": text.encode()})
"""
)

IN_THE_WORKER = """
def post_fork(server, worker):
    import application
    application.open_store()
"""

TASKS = (
    STORE
    + """
from celery import Celery
from celery.signals import worker_process_init
app = Celery("tasks", broker="filesystem://", broker_transport_options={
    "data_folder_in": "queue", "data_folder_out": "queue", "processed_folder": "queue", "control_folder": "control"})
@worker_process_init.connect
def begin(**_):
    open_store()
@app.task(name="save")
def save_one(name):
    save(name)
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a server runs; the store in it has one session and is open in this process."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[openwa_store.Store]:
    with openwa_store.open_store(folder / "store") as store:
        store.sessions.create(name="shop-1")
        yield store


@contextmanager
def running(folder: Path, *module: str) -> Iterator[None]:
    """A server, which has to end in order and say nothing of a thread or a panic."""
    environment = {**os.environ, "STORE": str(folder / "store"), "PYTHONPATH": str(folder)}
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen([sys.executable, "-m", *module], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
        finally:
            server.kill()
            server.wait()
        log.seek(0)
        said = log.read()
        assert code == 0, said
        assert not any(word in said for word in ("panicked", "failed to join", "Traceback", "SIGABRT", "SIGKILL")), said


def until(what: Callable[[], bool], folder: Path) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.05)


class Here(http.client.HTTPConnection):
    """Over the socket in this folder."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("socket")


def get(path: str) -> tuple[int, str]:
    connection = Here("localhost", timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_all_workers(folder: Path) -> int:
    """Asks until two workers have answered; how often."""
    answered: list[str] = []

    def both() -> bool:
        try:
            status, text = get(f"/{len(answered)}")
        except OSError:
            return False
        assert status == 200, text
        answered.append(text)
        return len(set(answered)) == 2

    until(both, folder)
    return len(answered)


def saved(store: openwa_store.Store) -> int:
    session = store.sessions.find("shop-1")
    assert session
    return store.messages.count(session.id)


GUNICORN = ("gunicorn", "--workers", "2", "--bind", "unix:socket", "--config", "configuration.py", "application:app")


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["plain", "preload"])
def test_gunicorn(preload: tuple[str, ...], folder: Path, store: openwa_store.Store) -> None:
    (folder / "application.py").write_text(WSGI)
    (folder / "configuration.py").write_text(IN_THE_WORKER)
    with running(folder, *GUNICORN, *preload):
        asked = ask_all_workers(folder)
    assert saved(store) == asked


def test_gunicorn_with_a_store_that_the_master_opened(folder: Path, store: openwa_store.Store) -> None:
    """The wrong use: each worker says what to do."""
    (folder / "application.py").write_text(WSGI + "open_store(); save('the master')\n")
    (folder / "configuration.py").write_text("")
    with running(folder, *GUNICORN, "--preload"):
        until((folder / "socket").exists, folder)
        for _ in range(4):
            status, text = get("/x")
            assert status == 500 and "post_fork" in text
    assert saved(store) == 1


def test_gunicorn_with_a_store_that_the_master_opened_and_closed(folder: Path, store: openwa_store.Store) -> None:
    (folder / "application.py").write_text(WSGI + "open_store(); save('the master'); store.close()\n")
    (folder / "configuration.py").write_text(IN_THE_WORKER)
    with running(folder, *GUNICORN, "--preload"):
        asked = ask_all_workers(folder)
    assert saved(store) == asked + 1


def test_uvicorn(folder: Path, store: openwa_store.Store) -> None:
    (folder / "application.py").write_text(ASGI)
    with running(folder, "uvicorn", "--workers", "2", "--uds", "socket", "application:app"):
        asked = ask_all_workers(folder)
    assert saved(store) == asked


def test_celery(folder: Path, store: openwa_store.Store) -> None:
    (folder / "tasks.py").write_text(TASKS)
    for name in ("queue", "control"):
        (folder / name).mkdir()
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    code = "import tasks\nfor i in range(40): tasks.save_one.delay(str(i))"
    with running(folder, "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2", *quiet):
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)
        until(lambda: saved(store) == 40, folder)
