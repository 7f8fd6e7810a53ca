"""Processes that come from one another: what a child may open, what it is refused, and how it ends."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

import openwa_store

from .conftest import text
from .test_process import python

FORKS = hasattr(os, "fork")
forks = pytest.mark.skipif(not FORKS, reason="this system has no fork")

# What programs in a process of their own begin with. A child that hangs is ended by its alarm.
BEGIN = """
import os, signal, sys, warnings
import openwa_store
warnings.simplefilter("ignore")  # newer Pythons warn of any fork with threads
here, elsewhere = sys.argv[1] + "/here", sys.argv[1] + "/elsewhere"
def save(store, name, count):
    session = store.sessions.find("shop-1")
    for i in range(count):
        store.messages.save(session.id, wa_message_id=f"{name}-{i}", chat_id="1", from_number="1", type="text")
    return store.messages.count(session.id)
def is_refused(path):
    try:
        openwa_store.open_store(path).close()
    except openwa_store.ForkedError as e:
        return "before the fork" in str(e) and "post_fork" in str(e)
    return False
def fork():
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
    return pid
def went_well(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, status
store = openwa_store.open_store(here)
session = store.sessions.create(name="shop-1")
"""


def runs(program: str, tmp_path: Path, *args: str, code: int = 0) -> None:
    done = python(BEGIN + program, str(tmp_path), *args)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", ""), done


@forks
def test_what_a_child_inherits_says_so(tmp_path: Path) -> None:
    runs(
        """
import asyncio
import openwa_store.aio
async def find(): return await openwa_store.aio.Store(store).sessions.find("shop-1")
async def save_one(): return await openwa_store.aio.Store(store).messages.save(
    session.id, chat_id="1", from_number="1", type="text")
asyncio.run(find())
walk = store.messages.iterate(session.id)
store.start_maintenance()
pid = fork()
if pid == 0:
    for use in (lambda: store.sessions.create(name="t"), lambda: store.sessions.find("shop-1"),
                lambda: asyncio.run(find()), lambda: asyncio.run(save_one()), lambda: next(walk),
                lambda: store.api_keys.authorize("x"), store.flush_logs, store.stop_maintenance, store.maintenance):
        try:
            use()
            os._exit(1)
        except openwa_store.ForkedError as e:
            assert "before this process was forked" in str(e)
    store.close()  # does nothing
    sys.exit()
went_well(pid)
assert store.sessions.find("shop-1")
store.close()
""",
        tmp_path,
    )


ENDS = {
    "sys.exit": "sys.exit()",
    "atexit": "import atexit; atexit.register(own.close); atexit.register(store.close); sys.exit()",
    "finalisation": "",
    "in a cycle": "cycle = [own, store]; cycle.append(cycle)",
    "the parent's dropped first": "del store; import gc; gc.collect(); own.sessions.list(); own.close()",
    "the parent's closed": "store.close(); own.close()",
}


@forks
@pytest.mark.parametrize("end", ENDS)
def test_a_child_ends_as_any_program(end: str, tmp_path: Path) -> None:
    """It has a store of its own, and the parent's, whose threads it has not."""
    runs(
        f"""
store.start_maintenance()
pid = fork()
if pid == 0:
    own = openwa_store.open_store(elsewhere)
    own.sessions.create(name="shop-1")
    own.start_maintenance()
    save(own, "child", 5)
    {ENDS[end]}
else:
    went_well(pid)
    assert save(store, "parent", 5) == 5
""",
        tmp_path,
    )
    with openwa_store.open_store(tmp_path / "elsewhere") as store:
        session = store.sessions.find("shop-1")
        assert session and store.messages.count(session.id) == 5


@forks
def test_a_child_is_refused_what_the_parent_has_open(tmp_path: Path) -> None:
    """Under any name of the folder, also when the parent has closed it since. What the parent saved is there."""
    runs(
        """
os.symlink(here, sys.argv[1] + "/link")
read, write = os.pipe()
pid = fork()
if pid == 0:
    os.close(write)
    assert is_refused(here) and is_refused(sys.argv[1] + "/link") and is_refused(here + "/../here")
    assert os.read(read, 1) == b""
    assert is_refused(here)
    sys.exit()
assert save(store, "parent", 100) == 100
store.close()
os.close(write)
went_well(pid)
with openwa_store.open_store(here) as again:
    assert save(again, "again", 100) == 200
""",
        tmp_path,
    )


@forks
def test_what_was_closed_before_the_fork_is_open_to_all(tmp_path: Path) -> None:
    runs(
        """
key = store.api_keys.create(name="k", permissions=["*"]).key
assert store.api_keys.authorize(key).decision == "allowed"
save(store, "before", 10)
store.close()
children = [fork()]
if children[0]: children.append(fork())
if 0 in children:
    own = openwa_store.open_store(here)
    assert own.api_keys.authorize(key).decision == "allowed"
    save(own, f"child-{len(children)}", 300)
    sys.exit()  # not closed
with openwa_store.open_store(here) as store:
    save(store, "parent", 300)
    for pid in children: went_well(pid)
    assert save(store, "after", 10) == 920
""",
        tmp_path,
    )


@forks
def test_a_daemon(tmp_path: Path) -> None:
    """Two forks and a session of its own; the process that it comes from has closed its store, or is gone."""
    runs(
        """
read, write = os.pipe()
store.close()
pid = fork()
if pid == 0:
    os.setsid()
    if fork(): os._exit(0)
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    own = openwa_store.open_store(here)
    os.write(write, str(save(own, "daemon", 200)).encode())
    sys.exit()
went_well(pid)
os.close(write)
assert os.read(read, 9) == b"200"
assert os.read(read, 9) == b""
# One whose parent did not close.
store = openwa_store.open_store(here)
read, write = os.pipe()
pid = fork()
if pid == 0:
    os.setsid()
    if fork(): os._exit(0)
    os.write(write, b"refused" if is_refused(here) else b"opened")
    sys.exit()
went_well(pid)
store.close()
os.close(write)
assert os.read(read, 9) == b"refused"
with openwa_store.open_store(here) as store:
    assert save(store, "after", 1) == 201
""",
        tmp_path,
    )


@forks
def test_forks_in_the_middle_of_saves(tmp_path: Path) -> None:
    """The child is refused at once, and waits for no lock that a thread of the parent held."""
    runs(
        """
import threading
stop = threading.Event()
def save_on(n):
    i = 0
    while not stop.is_set():
        save(store, f"{n}-{i}", 5)
        i += 1
def open_on():
    while not stop.is_set():
        openwa_store.open_store(elsewhere).close()
threads = [threading.Thread(target=save_on, args=(n,), daemon=True) for n in range(3)] + [threading.Thread(target=open_on, daemon=True)]
for thread in threads: thread.start()
for i in range(20):
    pid = fork()
    if pid == 0:
        assert is_refused(here)
        with openwa_store.open_store(f"{elsewhere}-{i}") as own:
            own.sessions.create(name="shop-1")
            save(own, "child", 3)
        os._exit(0)  # Python itself would wait for the parent's threads
    went_well(pid)
stop.set()
for thread in threads: thread.join()
store.close()
""",
        tmp_path,
    )


def work(folder: str, name: str) -> object:
    """In a child: how many messages there are after some were saved, or what it is refused with."""
    try:
        with openwa_store.open_store(folder) as store:
            session = store.sessions.find("shop-1")
            assert session
            for i in range(50):
                store.messages.save(session.id, **text(f"{name}-{i}"))
            return store.messages.count(session.id)
    except openwa_store.ForkedError as e:
        return e.code


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has only spawn, which test_process has")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str, tmp_path: Path) -> None:
    with openwa_store.open_store(tmp_path) as store:
        session = store.sessions.create(name="shop-1")
    with multiprocessing.get_context(method).Pool(2) as pool:
        counts = pool.starmap(work, [(str(tmp_path), "a"), (str(tmp_path), "b")])
        assert max(map(int, counts)) == 100  # type: ignore[call-overload]
    with openwa_store.open_store(tmp_path) as store, multiprocessing.get_context(method).Pool(2) as pool:
        done = pool.starmap(work, [(str(tmp_path), "c"), (str(tmp_path), "d")])
        if method == "fork":
            assert done == ["FORKED", "FORKED"]
        assert store.messages.count(session.id) == (100 if method == "fork" else 200)


def test_subprocess(tmp_path: Path) -> None:
    """A program of its own opens what this one has open, also when it inherits every descriptor."""
    code = """
import sys, openwa_store
with openwa_store.open_store(sys.argv[1]) as store:
    session = store.sessions.find("shop-1")
    for i in range(50):
        store.messages.save(session.id, wa_message_id=f"{sys.argv[2]}-{i}", chat_id="1", from_number="1", type="text")
"""
    with openwa_store.open_store(tmp_path) as store:
        session = store.sessions.create(name="shop-1")
        for name, options in {"plain": {}, "open": {"close_fds": False}}.items():
            subprocess.run([sys.executable, "-c", code, str(tmp_path), name], check=True, timeout=120, **options)
        assert store.messages.count(session.id) == 100
