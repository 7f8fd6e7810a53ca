"""Threads, spawn, and the end of the interpreter; forks are in test_fork.py."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import openwa_store

from .conftest import text


def python(code: str, *args: str, flags: tuple[str, ...] = ("-X", "dev", "-W", "error")) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter that turns every warning into an error."""
    command = [sys.executable, *flags, "-c", textwrap.dedent(code), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def silent(code: str, *args: str) -> None:
    done = python(code, *args)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def save_some(store: openwa_store.Store, session: openwa_store.Session, name: str, count: int) -> None:
    for i in range(count):
        store.messages.save(session.id, **text(f"{name}-{i}"))


def test_threads_save_at_once(store: openwa_store.Store, session: openwa_store.Session) -> None:
    threads = [threading.Thread(target=save_some, args=(store, session, str(n), 100)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.messages.count(session.id) == 800


def test_other_threads_keep_running(store: openwa_store.Store, session: openwa_store.Session) -> None:
    """A call that kept the interpreter's lock would stop the counter for its whole duration."""
    stop = threading.Event()
    ticks: list[float] = []

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    counter = threading.Thread(target=tick)
    counter.start()
    many = [text(f"A{i}") for i in range(20_000)]
    begin = time.perf_counter()
    store.messages.save_many(session.id, many)
    end = time.perf_counter()
    stop.set()
    counter.join()
    within = sum(begin < t < end for t in ticks)
    # Converting the arguments holds the lock; the rest, by far the most, does not.
    assert within > (end - begin) / 0.0005 * 0.1, f"{within} ticks in {end - begin:.3f} s"


def in_child(folder: str, name: str) -> int:
    with openwa_store.open_store(folder) as store:
        session = store.sessions.find("shop-1")
        assert session
        save_some(store, session, name, 50)
        return store.messages.count(session.id)


def test_spawned_processes_share_a_folder(tmp_path: Path) -> None:
    with openwa_store.open_store(tmp_path) as store:
        session = store.sessions.create(name="shop-1")
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            counts = pool.starmap(in_child, [(str(tmp_path), "a"), (str(tmp_path), "b")])
        assert max(counts) == store.messages.count(session.id) == 100


def test_records_travel_between_processes(store: openwa_store.Store, session: openwa_store.Session) -> None:
    saved = store.messages.save(session.id, **text("A"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(same, [saved]) == [saved]


def same(record: openwa_store.Saved) -> openwa_store.Saved:
    return record


def test_the_interpreter_ends_in_silence_with_open_stores(tmp_path: Path) -> None:
    silent(
        """
        import asyncio, sys
        import openwa_store, openwa_store.aio
        store = openwa_store.open_store(sys.argv[1])
        session = store.sessions.create(name="s")
        aio = openwa_store.aio.Store(store)
        kept = asyncio.run(aio.sessions.find("s"))
        walk = store.messages.iterate(session.id)
        cycle = [store]; cycle.append(cycle)
        """,
        str(tmp_path),
    )
    with openwa_store.open_store(tmp_path) as store:
        assert store.sessions.find("s")


def test_it_ends_in_silence_with_threads_that_still_work(tmp_path: Path) -> None:
    silent(
        """
        import sys, threading, time
        import openwa_store
        store = openwa_store.open_store(sys.argv[1])
        session = store.sessions.create(name="s")
        def forever(n):
            for i in range(10**9):
                store.messages.save(session.id, wa_message_id=f"{n}-{i}", chat_id="1", from_number="1", type="text")
        for n in range(4):
            threading.Thread(target=forever, args=(n,), daemon=True).start()
        time.sleep(0.2)
        """,
        str(tmp_path),
    )


def test_it_ends_in_silence_with_writes_under_way(tmp_path: Path) -> None:
    done = python(
        """
        import asyncio, sys
        import openwa_store, openwa_store.aio
        store = openwa_store.open_store(sys.argv[1])
        session = store.sessions.create(name="s")
        async def main():
            aio = openwa_store.aio.Store(store)
            for i in range(1000):
                asyncio.ensure_future(aio.messages.save(
                    session.id, wa_message_id=str(i), chat_id="1", from_number="1", type="text"))
            await asyncio.sleep(0)
        asyncio.run(main())
        """,
        str(tmp_path),
        flags=("-W", "error"),  # in development mode asyncio tells of slow steps
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def test_everything_loads_without_a_warning() -> None:
    silent("import openwa_store, openwa_store.aio, openwa_store.policy, openwa_store.neonize, openwa_store.__main__")


def test_maintenance_keeps_no_interpreter_alive(tmp_path: Path) -> None:
    """Neither when the store is dropped at the end nor when somebody still holds it."""
    begun = time.monotonic()
    silent(
        """
        import sys
        import openwa_store
        store = openwa_store.open_store(sys.argv[1])
        store.start_maintenance(retention="30 2 * * *", timezone="Europe/Berlin")
        cycle = [store]; cycle.append(cycle)
        """,
        str(tmp_path),
    )
    assert time.monotonic() - begun < 60
    with openwa_store.open_store(tmp_path) as store:
        runs = store.run_maintenance(job="retention")
        assert {run.outcome for run in runs} == {"done"}
        store.start_maintenance()
        assert {job.job for job in store.maintenance()} >= {"retention", "optimize", "usage"}
        store.stop_maintenance()


def test_loading_it_takes_no_asyncio_along() -> None:
    done = python("import sys, openwa_store; print('asyncio' in sys.modules, 'inspect' in sys.modules)")
    assert done.stdout.split() == ["False", "False"], done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell how much memory a process has")
def test_no_memory_is_lost(store: openwa_store.Store, session: openwa_store.Session) -> None:
    """OPENWA_LEAK_CALLS=1000000 makes this the long test."""
    calls = int(os.environ.get("OPENWA_LEAK_CALLS", "20000"))
    created = store.api_keys.create(name="k", permissions=["*"])
    store.messages.save_many(session.id, [text(f"A{i}", media={"mimetype": "image/png"}) for i in range(50)])

    def use(count: int) -> None:
        for _ in range(count // 5):
            message = store.messages.list(session.id, limit=5).items[0]
            message.as_dict()
            store.api_keys.authorize(created.key, permission="messages:read")
            store.messages.find(session.id, "\ud800")
            try:
                store.sessions.get("00000000-0000-7000-8000-000000000000")
            except openwa_store.NotFoundError:
                pass
            openwa_store.policy.format_time(message.created_at)

    import openwa_store.policy

    use(calls // 4)
    before = resident()
    use(calls)
    grown = resident() - before
    # Per call less than a machine word, so that even a million calls lose nothing that counts.
    assert grown < max(2_000_000, calls * 4), f"{grown} bytes more after {calls} calls"


def resident() -> int:
    """Bytes of memory of this process."""
    import gc
    import resource

    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
