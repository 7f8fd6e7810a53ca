"""The embedded store for WhatsApp gateways.

    import openwa_store

    with openwa_store.open_store("./data") as store:
        session = store.sessions.create(name="shop-1")

`openwa_store.aio` has the same as coroutines, `openwa_store.policy` the rules that need no store,
`openwa_store.neonize` stores everything that a neonize client hears.
"""

from os import fspath

from . import _native
from ._native import __version__ as __version__

_members = _native._blocking()
_Store = _members.pop("Store")
globals().update(_members)
__all__ = sorted([*_members, "Store", "open_store"])
del _members


class Store(_Store):
    """An open store. It may be used from any number of threads; every call releases the interpreter's lock."""

    __slots__ = ()

    @classmethod
    def from_env(cls, dir="./data"):
        """Opens the store that the gateway's environment names: `DATABASE_TYPE`, `DATABASE_NAME`,
        `MAIN_DATABASE_NAME`, `API_KEY_PEPPER` ... Relative paths are relative to `dir`."""
        return cls(_native._open(dir=fspath(dir), from_env=True))

    def close(self):
        """Writes what is under way and closes the files. A second call does nothing."""
        _native._close(self)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, traceback):
        self.close()


def open_store(
    dir="./data",
    *,
    main=None,
    data=None,
    from_env=None,
    api_key_pepper=None,
    store_key=None,
    history=None,
    durability=None,
    queue=None,
    group=None,
):
    """Opens the store in the folder `dir`, making folder and databases if they are missing. `dir=":memory:"` is a store
    that is gone when it is closed. The other options are those of `OpenOptions`."""
    return Store(
        _native._open(
            dir=None if dir == ":memory:" else fspath(dir),
            main=None if main is None else fspath(main),
            data=None if data is None else fspath(data),
            from_env=from_env,
            api_key_pepper=api_key_pepper,
            store_key=store_key,
            history=history,
            durability=durability,
            queue=queue,
            group=group,
        )
    )
