"""The store for asyncio: the same names as in `openwa_store`, as coroutines.

    async with openwa_store.aio.open_store("./data") as store:
        session = await store.sessions.create(name="shop-1")
        async for message in store.messages.iterate(session.id): ...

No call takes a thread of its own: ten thousand saves may wait at once. A write that was awaited happens, even if the
task that waits for it is cancelled.
"""

import asyncio
import inspect

import openwa_store

from . import _native

_members = _native._aio()
_Store = _members.pop("Store")
globals().update(_members)
__all__ = sorted([*_members, "Opening", "Store", "open_store"])
del _members


class Store(_Store):
    """An open store for asyncio. `Store(store)` gives one for a store that is open already."""

    __slots__ = ()

    @classmethod
    def from_env(cls, dir="./data"):
        """Opens the store that the gateway's environment names; see `openwa_store.Store.from_env`."""
        return Opening(lambda: openwa_store.Store.from_env(dir))

    async def close(self):
        """Writes what is under way and closes the files. A second call does nothing."""
        await asyncio.to_thread(_native._close, self)

    async def __aenter__(self):
        return self

    async def __aexit__(self, exc_type, exc, traceback):
        await self.close()


class Opening:
    """A store that is about to be opened: await it, or use it with `async with`."""

    def __init__(self, open):
        self._open = open
        self._store = None

    def __await__(self):
        return self.__aenter__().__await__()

    async def __aenter__(self):
        self._store = Store(await asyncio.to_thread(self._open))
        return self._store

    async def __aexit__(self, exc_type, exc, traceback):
        await self._store.close()


def open_store(*args, **options):
    """Opens the store in the folder `dir`; see `openwa_store.open_store` for the options."""
    return Opening(lambda: openwa_store.open_store(*args, **options))


open_store.__signature__ = inspect.signature(openwa_store.open_store)
