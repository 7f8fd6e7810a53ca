"""Checked by mypy, pyright and, at run time, by nothing: what these lines say about types must hold."""

import asyncio
from datetime import datetime, timedelta, timezone
from uuid import UUID

from typing_extensions import assert_type

import openwa_store
import openwa_store.aio
import openwa_store.policy
from openwa_store import Message, NewMessage, Page, Saved, SessionStatus


def blocking(store: openwa_store.Store) -> None:
    session = store.sessions.create(name="shop-1")
    assert_type(session, openwa_store.Session)
    assert_type(session.id, UUID)
    assert_type(session.status, SessionStatus)
    assert_type(session.phone, str | None)
    saved = store.messages.save(
        session.id,
        wa_message_id="A1",
        chat_id="12025550143@s.whatsapp.net",
        from_number="12025550143@s.whatsapp.net",
        type="text",
        wa_timestamp=datetime.now(timezone.utc),
    )
    assert_type(saved, Saved)
    assert_type(saved.message, Message)
    page = store.messages.list(session.id, chat="12025550143@s.whatsapp.net", limit=10)
    assert_type(page, Page[Message])
    assert_type(page.items, tuple[Message, ...])
    for message in store.messages.iterate(session.id):
        assert_type(message, Message)
    new = NewMessage(chat_id="1", from_number="1", type="text")
    results = store.messages.save_many(session.id, [new, {"chat_id": "1", "from_number": "1", "type": "text"}])
    assert_type(results, list[openwa_store.SaveResult])
    store.sessions.update(session.id, phone=None)
    store.sessions.transition(str(session.id), SessionStatus.FAILED)
    try:
        store.sessions.get(session.id)
    except openwa_store.NotFoundError as e:
        assert_type(e.code, str)
        assert isinstance(e, KeyError)


async def with_asyncio() -> None:
    async with openwa_store.aio.open_store("./data", history=False) as store:
        session = await store.sessions.create(name="shop-2")
        assert_type(session, openwa_store.Session)
        async for message in store.messages.iterate(session.id):
            assert_type(message, Message)
        await asyncio.gather(store.messages.count(session.id), store.messages.chats(session.id))
    other = await openwa_store.aio.Store.from_env("./data")
    assert_type(other, openwa_store.aio.Store)


def rules() -> None:
    assert_type(openwa_store.policy.parse_time("2026-01-05T08:01:23Z"), datetime)
    assert_type(openwa_store.policy.next_attempt(1, 0.5, retry_count=3), timedelta | None)
