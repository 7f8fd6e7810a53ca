"""The store for asyncio."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import openwa_store
import openwa_store.aio

from .conftest import NOON, text


def run(
    test: Callable[[openwa_store.aio.Store, openwa_store.Session], Awaitable[None]], debug: bool = True
) -> None:
    """Runs a test on an event loop, with a store in memory."""

    async def main() -> None:
        async with openwa_store.aio.open_store(":memory:") as store:
            await test(store, await store.sessions.create(name="shop-1"))

    asyncio.run(main(), debug=debug)


def test_the_same_names() -> None:
    for name in openwa_store.aio.__all__:
        if name == "Opening":
            continue
        blocking, aio = getattr(openwa_store, name), getattr(openwa_store.aio, name)
        if isinstance(blocking, type):
            special = {"__enter__", "__exit__", "__aenter__", "__aexit__"}
            assert set(vars(blocking)) - special == set(vars(aio)) - special
            for verb, method in vars(blocking).items():
                if not verb.startswith("_") and callable(method):
                    assert inspect.signature(method) == inspect.signature(getattr(aio, verb))


def test_ten_thousand_saves_wait_at_once_without_a_thread_each() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        saves = [asyncio.create_task(store.messages.save(session.id, **text(f"A{i}"))) for i in range(10_000)]
        await asyncio.sleep(0)
        threads = threading.active_count()
        native = len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self/task").exists() else 0
        saved = await asyncio.gather(*saves)
        assert threads < 10 and native < 30
        assert {s.message.wa_message_id for s in saved} == {f"A{i}" for i in range(10_000)}
        assert all(s.is_new for s in saved)
        assert await store.messages.count(session.id) == 10_000

    run(test, debug=False)


def test_reads_and_walks() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        await store.messages.save_many(session.id, [text(f"A{i}") for i in range(1500)])
        found = await asyncio.gather(*[store.messages.find(session.id, f"A{i}") for i in range(500)])
        assert [m.wa_message_id for m in found if m] == [f"A{i}" for i in range(500)]
        assert len([m async for m in store.messages.iterate(session.id)]) == 1500
        page = await store.messages.list(session.id, limit=2)
        assert len(page) == 2 and page.next
        assert [s async for s in store.sessions.iterate()] == [session]

    run(test)


def test_errors_are_raised_where_they_are_awaited() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        taken = store.sessions.create(name="shop-1")
        assert inspect.iscoroutine(taken) and taken.__qualname__ == "Sessions.create"
        with pytest.raises(openwa_store.AlreadyExistsError) as caught:
            await taken
        assert caught.value.operation == "sessions.create"
        with pytest.raises(openwa_store.NotFoundError):
            await store.sessions.get("00000000-0000-7000-8000-000000000000")
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await taken
        with pytest.raises(TypeError):
            store.sessions.create()  # type: ignore[call-arg]
        await store.close()
        for late in (store.sessions.create(name="x"), store.sessions.find("x")):
            with pytest.raises(openwa_store.ClosedError):
                await late

    run(test)


def test_nothing_happens_before_it_is_awaited() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        never = store.messages.save(session.id, **text("A"))
        await asyncio.sleep(0.01)
        assert await store.messages.count(session.id) == 0
        never.close()

    run(test)


def test_a_cancelled_task_gets_no_answer_and_disturbs_nobody() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        tasks = [asyncio.create_task(store.messages.save(session.id, **text(f"A{i}"))) for i in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(d, asyncio.CancelledError) for d in done[::2])
        assert all(isinstance(d, openwa_store.Saved) for d in done[1::2])
        assert await store.messages.count(session.id) >= 50

    run(test)


def test_writes_keep_their_order() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        await store.messages.save(session.id, **text("A"))
        edits = [store.messages.edit(session.id, "A", str(i), NOON) for i in range(200)]
        await asyncio.gather(*edits)
        message = await store.messages.find(session.id, "A")
        assert message and message.body == "199", "of edits of one time the last wins"

    run(test)


def test_several_loops_share_a_store(tmp_path: Path) -> None:
    with openwa_store.open_store(tmp_path) as blocking:
        session = blocking.sessions.create(name="shop-1")

        async def save(loop: int) -> None:
            store = openwa_store.aio.Store(blocking)
            await asyncio.gather(*[store.messages.save(session.id, **text(f"{loop}-{i}")) for i in range(200)])

        threads = [threading.Thread(target=lambda n=n: asyncio.run(save(n))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert blocking.messages.count(session.id) == 800


def test_a_loop_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    with openwa_store.open_store(tmp_path) as blocking:
        session = blocking.sessions.create(name="shop-1")
        store = openwa_store.aio.Store(blocking)
        loop = asyncio.new_event_loop()

        async def leave() -> None:
            for i in range(50):
                asyncio.ensure_future(store.messages.save(session.id, **text(f"A{i}")))
            await asyncio.sleep(0)

        loop.run_until_complete(leave())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

        async def use() -> int:
            await store.messages.save(session.id, **text("B"))
            return await store.messages.count(session.id)

        assert asyncio.run(use()) >= 1


def test_long_calls_tell_their_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        await store.messages.save_many(session.id, [text(f"A{i}") for i in range(5000)])
        told: list[Any] = []
        report = await store.export_file(tmp_path / "a.json", progress=lambda *at: told.append(at))
        assert ("messages", 5000, 5000) in told and report.tables
        begun = threading.Event()

        def slow(*_: Any) -> None:
            begun.set()
            threading.Event().wait(0.01)

        export = asyncio.create_task(store.export_file(tmp_path / "b.json", progress=slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        export.cancel()
        with pytest.raises(asyncio.CancelledError):
            await export
        with pytest.raises(ZeroDivisionError):
            await store.export_file(tmp_path / "c.json", progress=lambda *_: 1 // 0)

    run(test)


def test_opening(tmp_path: Path) -> None:
    async def main() -> None:
        store = await openwa_store.aio.open_store(tmp_path)
        await store.close()
        await store.close()
        async with openwa_store.aio.Store.from_env(tmp_path) as again:
            assert (await again.status()).version == openwa_store.__version__
        with pytest.raises(openwa_store.InvalidArgumentError):
            async with openwa_store.aio.open_store(tmp_path, durability="some"):
                pass

    asyncio.run(main())


def test_task_groups_and_timeouts() -> None:
    async def test(store: openwa_store.aio.Store, session: openwa_store.Session) -> None:
        saved = await asyncio.wait_for(store.messages.save(session.id, **text("A")), timeout=60)
        assert saved.is_new
        names: AsyncIterator[openwa_store.Session] = store.sessions.iterate()
        assert [s.name async for s in names] == ["shop-1"]

    run(test)
