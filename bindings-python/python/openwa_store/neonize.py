"""Stores what a neonize client hears.

    client = NewClient("shop-1")
    openwa_store.neonize.bind(client, store, session)
    client.connect()
"""

from __future__ import annotations

import inspect
import logging
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any
from uuid import UUID

import openwa_store
import openwa_store.aio

__all__ = ["bind"]

_log = logging.getLogger(__name__)


def bind(
    client: Any,
    store: openwa_store.Store | openwa_store.aio.Store,
    session: openwa_store.Session | UUID | str,
    *,
    on_error: Callable[[Exception, str], object] | None = None,
) -> None:
    """Stores every event of a neonize client from now on; call it before `connect()`.

    `client` is a `NewClient` or a `NewAClient`, `store` a store of either kind, `session` the session's record, id or
    name. Handlers of your own go on working, whether they are registered before or after; an event is on the disk before
    they are called. What cannot be stored goes to `on_error` with the name of the event, or to the log; your handlers
    hear of the event nevertheless.
    """
    # The host has neonize, or it would have no client.
    events: Any = import_module("neonize.events")
    if not hasattr(getattr(client, "event", None), "list_func"):
        raise TypeError(f"not a client of neonize: {client!r}")
    codes = events.EVENT_TO_INT
    names = {cls: name for name, cls in vars(events).items() if isinstance(cls, type) and cls in codes}
    blocking = openwa_store.Store(store)
    tap = _Tap(names, _session_id(blocking, session), on_error or _report)
    if inspect.iscoroutinefunction(getattr(client, "connect", None)):
        around = _around_aio(tap, openwa_store.aio.Store(store))
    else:
        around = _around(tap, blocking)
    client.event.list_func = _Handlers(around, codes.values(), client.event.list_func)


def _session_id(store: openwa_store.Store, session: openwa_store.Session | UUID | str) -> UUID:
    if isinstance(session, openwa_store.Session):
        return session.id
    if isinstance(session, str):
        found = store.sessions.find(session)
        return found.id if found else store.sessions.get(session).id
    return session


def _report(error: Exception, event: str) -> None:
    _log.error("%s could not be stored", event, exc_info=error)


class _Tap:
    """What both kinds of client have in common."""

    def __init__(
        self,
        names: dict[type, str],
        session: UUID,
        on_error: Callable[[Exception, str], object],
    ) -> None:
        self.names = names
        self.session = session
        self.on_error = on_error

    def name(self, message: Any) -> str:
        return self.names[type(message)]

    def events(self, client: Any, message: Any) -> list[dict[str, Any]]:
        """The event as `ingest` takes it."""
        to_dict = import_module("google.protobuf.json_format").MessageToDict
        events = [{"event": self.name(message), "data": to_dict(message)}]
        # Neonize keeps the account to itself; whoever is connected has one.
        me = getattr(client, "me", None)
        if self.name(message) == "ConnectedEv" and me is not None:
            events.insert(0, {"event": "Device", "data": to_dict(me)})
        return events


Handler = Callable[[Any, Any], Any]
Around = Callable[[Any], Handler]


def _around(tap: _Tap, store: openwa_store.Store) -> Around:
    def around(own: Any) -> Handler:
        def handle(client: Any, message: Any) -> None:
            try:
                store.ingest("neonize", tap.session, tap.events(client, message))
            except Exception as error:
                tap.on_error(error, tap.name(message))
            if (handler := _alive(own)) is not None:
                handler(client, message)

        return handle

    return around


def _around_aio(tap: _Tap, store: openwa_store.aio.Store) -> Around:
    def around(own: Any) -> Handler:
        async def handle(client: Any, message: Any) -> None:
            try:
                await store.ingest("neonize", tap.session, tap.events(client, message))
            except Exception as error:
                tap.on_error(error, tap.name(message))
            if (handler := _alive(own)) is not None:
                await handler(client, message)

        return handle

    return around


def _alive(handler: Any) -> Handler | None:
    """Neonize holds methods weakly."""
    found: Handler | None = handler() if isinstance(handler, weakref.WeakMethod) else handler
    return found


class _Handlers(dict[int, Handler]):
    """In place of a client's table of handlers, of which there is one per event: puts the store in front of each.

    It has an entry for every event, because neonize subscribes to those that are in the table.
    """

    def __init__(self, around: Around, codes: Any, own: dict[int, Any]) -> None:
        super().__init__({code: around(own.get(code)) for code in {*codes, *own}})
        self._around = around

    def __setitem__(self, code: int, own: Any) -> None:
        super().__setitem__(code, self._around(own))
