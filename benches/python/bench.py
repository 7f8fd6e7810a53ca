"""openwa-store beside the standard library's sqlite3 and SQLAlchemy 2, in one run. Prints a table of ratios.

make bench-python        or: python bench.py [folder] [saves] [bulks] [reads] [start] [counter]
"""

import asyncio
import itertools
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


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def compare(
    what: str,
    count: int,
    ours: Callable[[], object],
    other: str,
    theirs: Callable[[], object],
    goal: float | None,
    rounds: int = 5,
    their_count: int | None = None,
) -> None:
    """Runs both in turn, `count` pieces of work each time, and prints the medians and the median ratio."""
    pairs = [(count / seconds(ours), (their_count or count) / seconds(theirs)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    mine, yours = (statistics.median(side) for side in zip(*pairs))
    mark = "" if goal is None else f"  (goal {goal} x)" + ("" if ratio >= goal else "   below the goal")
    print(f"{what:<40}{mine:>10,.0f}/s  {other:<12}{yours:>9,.0f}/s{ratio:>7.2f} x{mark}", flush=True)


class Ours:
    def __init__(self, folder: Path) -> None:
        self.store = openwa_store.open_store(folder / "store")
        self.session = self.store.sessions.create(name="bench").id

    def save(self, m: Sample) -> object:
        return self.store.messages.save(
            self.session,
            wa_message_id=m.wa_message_id,
            chat_id=m.chat_id,
            from_number=m.chat_id,
            type="text",
            body=m.body,
            wa_timestamp=m.wa_timestamp,
        )

    def fields(self, m: Sample) -> dict[str, object]:
        return {
            "wa_message_id": m.wa_message_id,
            "chat_id": m.chat_id,
            "from_number": m.chat_id,
            "type": "text",
            "body": m.body,
            "wa_timestamp": m.wa_timestamp,
        }

    def save_many(self, many: list[Sample]) -> object:
        return self.store.messages.save_many(self.session, map(self.fields, many))

    def from_asyncio(self, many: list[Sample]) -> None:
        async def main() -> None:
            aio = openwa_store.aio.Store(self.store)
            await asyncio.gather(*[aio.messages.save(self.session, **self.fields(m)) for m in many])

        asyncio.run(main())


def in_threads(save: Callable[[Sample], object], many: list[Sample], threads: int = 8) -> None:
    def run(mine: list[Sample]) -> None:
        for m in mine:
            save(m)

    started = [threading.Thread(target=run, args=(many[t::threads],)) for t in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def fresh() -> Callable[[int], list[Sample]]:
    """Gives new samples each time."""
    names = itertools.count()
    return lambda count: samples(str(next(names)), count)


def saves(folder: Path) -> None:
    ours, by_hand, orm, new = Ours(folder), ByHand(folder), Orm(folder), fresh()

    def each(save: Callable[[Sample], object], count: int) -> Callable[[], object]:
        return lambda: [save(m) for m in new(count)]

    compare(
        "durable saves, 8 threads",
        2000,
        lambda: in_threads(ours.save, new(2000)),
        "sqlite3",
        lambda: in_threads(by_hand.save, new(400)),
        2.5,
        their_count=400,
    )
    compare(
        "durable saves, 8 threads",
        2000,
        lambda: in_threads(ours.save, new(2000)),
        "one thread",
        each(ours.save, 300),
        1,
        their_count=300,
    )
    for other, save, goal in (("sqlite3", by_hand.save, 5), ("SQLAlchemy", orm.save, 10)):
        several = (lambda s: lambda: in_threads(s, new(400)))(save) if other == "sqlite3" else each(save, 300)
        compare(
            "durable saves, asyncio",
            5000,
            lambda: ours.from_asyncio(new(5000)),
            other,
            several,
            goal,
            rounds=3,
            their_count=400 if other == "sqlite3" else 300,
        )
    ours.store.close()


def bulks(folder: Path) -> None:
    ours, by_hand, new = Ours(folder), ByHand(folder), fresh()
    compare(
        "bulk of 500",
        500,
        lambda: ours.save_many(new(500)),
        "executemany",
        lambda: by_hand.save_many(new(500)),
        1.5,
        rounds=21,
    )
    ours.store.close()


def reads(folder: Path) -> None:
    ours, by_hand, orm = Ours(folder), ByHand(folder), Orm(folder)
    many = samples("page", 10_000)
    ours.save_many(many)
    by_hand.save_many(many)
    rows = [list(by_hand.row(m)) for m in many]
    for row in rows:
        row[1] = orm.session
        row[12:] = [str(row[12])[:23].replace("T", " "), str(row[13])[:23].replace("T", " ")]
    with orm.engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO messages VALUES ({', '.join('?' * 14)})", [tuple(r) for r in rows])

    def page(chat: str) -> tuple[openwa_store.Message, ...]:
        return ours.store.messages.list(ours.session, chat=chat, limit=50).items

    def pages() -> None:
        for chat in CHATS:
            assert len(page(chat)) == 50

    def pages_with_times() -> None:
        for chat in CHATS:
            for m in page(chat):
                _ = (m.wa_timestamp, m.created_at)

    def pages_read() -> None:
        for chat in CHATS:
            for m in page(chat):
                _ = (m.id, m.session_id, m.wa_message_id, m.chat_id, m.from_number, m.to_number, m.type, m.body)
                _ = (m.media, m.ack, m.from_me, m.is_group, m.wa_timestamp, m.created_at)

    def their_pages() -> None:
        for chat in CHATS:
            assert len(by_hand.page(chat)) == 50

    def orm_pages() -> None:
        for chat in CHATS:
            assert len(orm.page(chat)) == 50

    compare("page of 50 as records", 100, pages, "sqlite3", their_pages, 1, rounds=15)
    compare("page of 50, both times read", 100, pages_with_times, "sqlite3", their_pages, 1, rounds=15)
    # The yardstick leaves ids as text; here they are uuid.UUID.
    compare("page of 50, every field read, with UUIDs", 100, pages_read, "sqlite3", their_pages, None, rounds=15)
    compare("page of 50, every field read, with UUIDs", 100, pages_read, "SQLAlchemy", orm_pages, 3)

    key = ours.store.api_keys.create(name="bench", permissions=["messages:read"]).key
    by_hand.add_key(key)
    authorize = ours.store.api_keys.authorize
    count = 5000

    def ask() -> None:
        for _ in range(count):
            assert authorize(key, permission="messages:read").allowed

    def ask_them() -> None:
        for _ in range(count):
            assert by_hand.authorize(key, "messages:read")

    compare("authorize", count, ask, "sqlite3", ask_them, 2, rounds=15)
    ours.store.close()


def start(folder: Path) -> None:
    ours = Ours(folder)
    ours.save_many(samples("start", 100))
    ours.store.close()
    code = (
        "import sys, time; begin = time.perf_counter()\n"
        "import openwa_store\n"
        "s = openwa_store.open_store(sys.argv[1])\n"
        "s.messages.list(s.sessions.find('bench').id, limit=50)\n"
        "print(time.perf_counter() - begin)"
    )
    command = [sys.executable, "-c", code, str(folder / "store")]
    times = [float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(11)]
    print(f"import, open and first page: {1000 * statistics.median(times):.0f} ms (goal 60 ms)")


def counter(folder: Path) -> None:
    """How fast another thread of Python counts while messages are saved."""
    stop = threading.Event()
    ticks = 0

    def count() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1

    def speed() -> int:
        before = ticks
        time.sleep(0.5)
        return ticks - before

    ours = Ours(folder)
    may_save, done = threading.Event(), threading.Event()

    def save() -> None:
        for m in samples("c", 100_000):
            may_save.wait()
            if done.is_set():
                return
            ours.save(m)

    counting, saving = threading.Thread(target=count), threading.Thread(target=save)
    counting.start()
    saving.start()
    ratios = []
    for _ in range(7):
        alone = speed()
        may_save.set()
        ratios.append(speed() / alone)
        may_save.clear()
    done.set()
    may_save.set()
    stop.set()
    counting.join()
    saving.join()
    ours.store.close()
    print(f"a counting thread beside a saving one keeps {100 * statistics.median(ratios):.0f} % of its speed (goal 50 %)")


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    parts = [saves, bulks, reads, start, counter]
    for part in [p for p in parts if p.__name__ in sys.argv[2:]] or parts:
        with tempfile.TemporaryDirectory(dir=given) as folder:
            part(Path(folder))
