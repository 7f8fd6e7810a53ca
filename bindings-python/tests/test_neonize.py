"""What neonize emits, through `bind`, becomes what the fixtures' ground truth says."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from neonize import events
from neonize.aioze import events as aio_events

import openwa_store
import openwa_store.aio
from openwa_store.neonize import bind

from .conftest import SHARED

LOG = [json.loads(line) for line in (SHARED / "fixtures" / "neonize-small.jsonl").read_text("utf-8").splitlines()]
TRUTH = json.loads((SHARED / "fixtures" / "neonize-small.expected.json").read_text("utf-8"))["sessions"]["py-1"]


class Client:
    """neonize's own table of handlers, without WhatsApp behind it."""

    def __init__(self) -> None:
        self.event = events.Event(self)
        self.me: Any = None

    def connect(self) -> None:
        raise AssertionError("nobody connects here")

    def emit(self, line: dict[str, Any]) -> None:
        """As `Event.execute` does with what comes from Go."""
        cls = getattr(events, line["event"])
        handler = self.event.list_func.get(events.EVENT_TO_INT[cls])
        assert handler is not None and not isinstance(handler, type)
        handler(self, ParseDict(line["data"], cls()))


class AsyncClient(Client):
    def __init__(self) -> None:
        self.event = aio_events.Event(self)
        self.me = None

    async def connect(self) -> None:  # type: ignore[override]
        raise AssertionError("nobody connects here")

    async def emit(self, line: dict[str, Any]) -> None:  # type: ignore[override]
        cls = getattr(events, line["event"])
        await self.event.list_func[events.EVENT_TO_INT[cls]](self, ParseDict(line["data"], cls()))


def digest(rows: list[openwa_store.Message], value: Callable[[openwa_store.Message], str]) -> str:
    def order(message: openwa_store.Message) -> bytes:
        return (message.wa_message_id or "").encode("utf-16-be", "surrogatepass")

    lines = [f"{m.wa_message_id}\t{value(m)}\n" for m in sorted(rows, key=order)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def body(message: openwa_store.Message) -> str:
    if message.body is None:
        return "-"
    return hashlib.sha256(message.body.encode("utf-16-le", "surrogatepass")).hexdigest()


def seconds(message: openwa_store.Message) -> int:
    return int(message.wa_timestamp.timestamp())


def check(store: openwa_store.Store, session: openwa_store.Session) -> None:
    rows = list(store.messages.iterate(session.id))
    own = [m for m in rows if m.from_me]
    assert len(rows) == TRUTH["distinct_messages"]
    assert {"true": len(own), "false": len(rows) - len(own)} == TRUTH["from_me"]
    assert Counter(m.type for m in rows) == TRUTH["types"]
    assert Counter(str(m.ack) for m in own) == TRUTH["ack_from_me"]
    assert len({m.chat_id for m in rows}) == TRUTH["chats"]
    assert sum(m.is_group for m in rows) == TRUTH["in_groups"]
    assert sum(m.revoked_at is not None for m in rows) == TRUTH["revoked"]
    assert sum(m.edited_at is not None and m.revoked_at is None for m in rows) == TRUTH["edited"]
    reactions = [store.messages.reactions(session.id, m.wa_message_id) for m in rows if m.wa_message_id]
    assert sum(map(len, reactions)) == TRUTH["reactions"]
    assert len(list(store.contacts.iterate(session.id))) == TRUTH["contacts"]
    assert len(store.contacts.identities(session.id)) == TRUTH["lid_pn_pairs"]
    assert store.messages.waiting(session.id, "ack") == TRUTH["acks_unknown"]
    assert min(map(seconds, rows)) == TRUTH["first_wa_timestamp"]
    assert max(map(seconds, rows)) == TRUTH["last_wa_timestamp"]
    assert digest(own, lambda m: str(m.ack)) == TRUTH["ack_digest"]
    assert digest(rows, lambda m: str(seconds(m))) == TRUTH["timestamp_digest"]
    assert digest(rows, body) == TRUTH["body_digest"]


def refuse(error: Exception, event: str) -> None:
    raise AssertionError(f"{event}: {error!r}")


def test_the_log_becomes_its_truth(store: openwa_store.Store, session: openwa_store.Session) -> None:
    client = Client()
    bind(client, store, "shop-1", on_error=refuse)
    for line in LOG:
        client.emit(line)
    check(store, session)
    # Once more: everything was there.
    for line in LOG:
        client.emit(line)
    check(store, session)


def test_the_log_with_asyncio(store: openwa_store.Store, session: openwa_store.Session) -> None:
    client = AsyncClient()
    bind(client, openwa_store.aio.Store(store), session, on_error=refuse)

    async def main() -> None:
        # neonize starts a task per event and does not wait for the one before.
        await asyncio.gather(*[client.emit(line) for line in LOG])

    asyncio.run(main())
    check(store, session)


def test_own_handlers_go_on_working(store: openwa_store.Store, session: openwa_store.Session) -> None:
    client = Client()
    heard: list[str] = []

    @client.event(events.MessageEv)
    def before(_: Any, message: Any) -> None:
        found = store.messages.find(session.id, message.Info.ID)
        heard.append("before" if found else "too early")

    class Bot:
        def on_receipt(self, _: Any, receipt: Any) -> None:
            heard.append("receipt")

    bind(client, store, session.id)
    bot = Bot()
    client.event(events.ReceiptEv)(bot.on_receipt)
    message = next(line for line in LOG if "conversation" in line["data"].get("Message", {}))
    receipt = next(line for line in LOG if line["event"] == "ReceiptEv")
    client.emit(message)
    client.emit(receipt)
    assert heard == ["before", "receipt"]
    del bot
    client.emit(receipt)
    assert heard == ["before", "receipt"], "neonize holds methods weakly"
    client.event(events.MessageEv)(lambda *_: heard.append("after"))
    client.emit(message)
    assert heard[2:] == ["after"]
    assert set(client.event.list_func) == set(events.EVENT_TO_INT.values()), "neonize subscribes to these"


def test_what_cannot_be_stored_is_told_and_still_heard(
    store: openwa_store.Store, session: openwa_store.Session, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    told: list[tuple[str, str]] = []
    heard: list[Any] = []
    bind(client, store, session, on_error=lambda error, event: told.append((event, type(error).__name__)))
    client.event(events.MessageEv)(lambda _, message: heard.append(message))
    other = Client()
    bind(other, store, session)
    store.close()
    message = next(line for line in LOG if line["event"] == "MessageEv")
    client.emit(message)
    assert told == [("MessageEv", "ClosedError")] and len(heard) == 1
    other.emit(message)
    assert "MessageEv could not be stored" in caplog.text


def test_the_account_is_learned_when_it_connects(store: openwa_store.Store, session: openwa_store.Session) -> None:
    client = Client()
    bind(client, store, session)
    client.me = ParseDict({"JID": {"User": "12025550100", "Server": "s.whatsapp.net"}, "PushName": "Shop"}, events.Device())
    client.emit({"event": "ConnectedEv", "data": {"status": True}})
    found = store.sessions.get(session.id)
    assert found.phone == "12025550100" and found.push_name == "Shop"


def test_what_is_no_client_is_refused(store: openwa_store.Store, session: openwa_store.Session) -> None:
    with pytest.raises(TypeError, match="not a client of neonize"):
        bind(object(), store, session)
    with pytest.raises(openwa_store.Error):
        bind(Client(), store, "nobody")
