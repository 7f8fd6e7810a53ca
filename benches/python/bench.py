"""openwa-store beside the standard library's sqlite3 and SQLAlchemy 2, in one run. Prints a table of ratios.

make bench-python        or: python bench.py [folder]
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from by_hand import ByHand, Sample
from orm import Orm

import openwa_store
import openwa_store.aio

START = datetime(2026, 1, 5, tzinfo=timezone.utc)
CHATS = [f"1202555{i:04}@s.whatsapp.net" for i in range(100, 200)]


def samples(name: str, count: int) -> list[Sample]:
    body = "The quick brown fox jumps over the lazy dog. "
    return [
        Sample(f"{name}-{i:06}", CHATS[i % len(CHATS)], body + str(i), START + timedelta(seconds=i)) for i in range(count)
    ]


def rate(count: int, run: Callable[[], object]) -> float:
    """Per second."""
    begin = time.perf_counter()
    run()
    return count / (time.perf_counter() - begin)


def median(count: int, run: Callable[[], object], rounds: int = 7) -> float:
    return statistics.median(rate(count, run) for _ in range(rounds))


def in_threads(save: Callable[[Sample], object], name: str, each: int, threads: int = 8) -> float:
    work = [samples(f"{name}-{t}", each) for t in range(threads)]

    def run(mine: list[Sample]) -> None:
        for m in mine:
            save(m)

    def all_of_them() -> None:
        started = [threading.Thread(target=run, args=(mine,)) for mine in work]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    return rate(each * threads, all_of_them)


def show(what: str, ours: float, other: str, theirs: float, goal: float) -> None:
    ratio = ours / theirs
    mark = "" if ratio >= goal else "   BELOW THE GOAL"
    print(f"{what:<44} {ours:>10,.0f}/s {other:>12} {theirs:>10,.0f}/s {ratio:>7.1f} x  (goal {goal} x){mark}", flush=True)


def main(folder: Path) -> None:
    store = openwa_store.open_store(folder / "store")
    session = store.sessions.create(name="bench")
    by_hand, orm = ByHand(folder), Orm(folder)

    def fields(m: Sample) -> dict[str, object]:
        return {
            "wa_message_id": m.wa_message_id,
            "chat_id": m.chat_id,
            "from_number": m.chat_id,
            "type": "text",
            "body": m.body,
            "wa_timestamp": m.wa_timestamp,
        }

    def save(m: Sample) -> object:
        return store.messages.save(
            session.id,
            wa_message_id=m.wa_message_id,
            chat_id=m.chat_id,
            from_number=m.chat_id,
            type="text",
            body=m.body,
            wa_timestamp=m.wa_timestamp,
        )

    async def from_asyncio(count: int) -> None:
        aio = openwa_store.aio.Store(store)
        await asyncio.gather(*[aio.messages.save(session.id, **fields(m)) for m in samples("aio", count)])

    save(samples("warm", 1)[0])
    one = rate(500, lambda: [save(m) for m in samples("one", 500)])
    threads = in_threads(save, "t", 1000)
    sqlite = in_threads(by_hand.save, "t", 250)
    alchemy = rate(500, lambda: [orm.save(m) for m in samples("t", 500)])
    concurrent = rate(20_000, lambda: asyncio.run(from_asyncio(20_000)))
    show("durable saves, 8 threads", threads, "sqlite3", sqlite, 2.5)
    show("durable saves, 8 threads beside 1", threads, "1 thread", one, 1)
    show("durable saves, asyncio", concurrent, "sqlite3", sqlite, 5)
    show("durable saves, asyncio", concurrent, "SQLAlchemy", alchemy, 10)

    bulks = [[samples(f"bulk{side}-{i}", 500) for i in range(20)] for side in range(2)]
    ours = rate(10_000, lambda: [store.messages.save_many(session.id, map(fields, many)) for many in bulks[0]])
    theirs = rate(10_000, lambda: [by_hand.save_many(many) for many in bulks[1]])
    show("bulk of 500", ours, "executemany", theirs, 1.5)

    for m in samples("t", 10_000):
        orm_has = m
    with orm.engine.begin() as connection:
        rows = [by_hand.row(m) for m in samples("more", 10_000)]
        rows = [(r[0], orm.session, *r[2:12], str(r[12])[:23].replace("T", " "), str(r[13])[:23].replace("T", " ")) for r in rows]
        connection.exec_driver_sql(f"INSERT INTO messages VALUES ({', '.join('?' * 14)})", rows)
    del orm_has

    def pages() -> None:
        for chat in CHATS:
            assert len(store.messages.list(session.id, chat=chat, limit=50).items) == 50

    def pages_read() -> None:
        for chat in CHATS:
            for m in store.messages.list(session.id, chat=chat, limit=50).items:
                _ = (m.id, m.wa_message_id, m.chat_id, m.from_number, m.to_number, m.type, m.body, m.media, m.ack)
                _ = (m.from_me, m.is_group, m.wa_timestamp, m.created_at)

    def their_pages() -> None:
        for chat in CHATS:
            assert len(by_hand.page(chat)) == 50

    def orm_pages() -> None:
        for chat in CHATS:
            assert len(orm.page(chat)) == 50

    theirs, alchemy = median(100, their_pages), median(100, orm_pages, 3)
    ours, read = median(100, pages), median(100, pages_read)
    show("page of 50 as records", ours, "sqlite3", theirs, 1)
    show("page of 50, every field read", read, "sqlite3", theirs, 1)
    show("page of 50, every field read", read, "SQLAlchemy", alchemy, 3)

    key = store.api_keys.create(name="bench", permissions=["messages:read"]).key
    by_hand.add_key(key)
    count = 20_000

    def authorize() -> None:
        for _ in range(count):
            assert store.api_keys.authorize(key, permission="messages:read").allowed

    def their_authorize() -> None:
        for _ in range(count):
            assert by_hand.authorize(key, "messages:read")

    show("authorize", median(count, authorize, 3), "sqlite3", median(count, their_authorize, 3), 2)
    store.close()

    code = (
        "import sys, openwa_store\n"
        "s = openwa_store.open_store(sys.argv[1])\n"
        "s.messages.list(s.sessions.find('bench').id, limit=50)"
    )
    times = []
    for program in (code, "pass"):
        command = [sys.executable, "-c", program, str(folder / "store")]
        times.append(statistics.median(1000 / rate(1, lambda: subprocess.run(command, check=True)) for _ in range(9)))
    print(f"import, open and first page: {times[0] - times[1]:.0f} ms (goal 60 ms), beside {times[1]:.0f} ms of Python itself")


def counter(folder: Path) -> None:
    """How fast another thread of Python counts while messages are saved."""
    stop = threading.Event()
    ticks = 0

    def count() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1

    def second() -> int:
        before = ticks
        time.sleep(1)
        return ticks - before

    with openwa_store.open_store(folder / "counter") as store:
        session = store.sessions.create(name="bench")
        thread = threading.Thread(target=count)
        thread.start()
        alone = second()
        saving = threading.Event()

        def save() -> None:
            for m in samples("c", 200_000):
                if saving.is_set():
                    return
                store.messages.save(
                    session.id, wa_message_id=m.wa_message_id, chat_id=m.chat_id, from_number=m.chat_id, type="text"
                )

        saver = threading.Thread(target=save)
        saver.start()
        time.sleep(0.2)
        beside = second()
        saving.set()
        stop.set()
        thread.join()
        saver.join()
    print(f"a counting thread beside a saving one keeps {100 * beside / alone:.0f} % of its speed (goal 50 %)")


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=given) as folder:
        main(Path(folder))
        counter(Path(folder))
