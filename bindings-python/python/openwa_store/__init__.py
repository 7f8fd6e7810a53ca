"""The embedded store for WhatsApp gateways.

    import openwa_store

    with openwa_store.open_store("./data") as store:
        session = store.sessions.create(name="shop-1")

`openwa_store.aio` has the same as coroutines, `openwa_store.policy` the rules that need no store,
`openwa_store.neonize` stores everything that a neonize client hears.
"""

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
        `MAIN_DATABASE_NAME`, `API_KEY_PEPPER`. Relative paths are relative to `dir`."""
        return cls(_native._open_from_env(dir))

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
    data=None,
    main=None,
    api_key_pepper=None,
    history=True,
    durability="full",
    queue=8192,
    group=1024,
):
    """Opens the store in the folder `dir`, making folder and databases if they are missing.

    `dir=":memory:"` is a store that is gone when it is closed. `data` is a file for the Data database, or the address
    of a PostgreSQL database (`postgresql://...`); `main` is a file for the Main database. `api_key_pepper` keys the
    hashes of API keys. With `history=False` messages are not kept, and `save` only tells new ones from repeated ones.
    `durability` is "full" (a commit is on the disk before it is acknowledged) or "normal" (a power cut may take the
    last ones). `queue` writes may wait before callers have to, `group` of them may share a commit.
    """
    return Store(
        _native._open(
            dir,
            data=data,
            main=main,
            api_key_pepper=api_key_pepper,
            history=history,
            durability=durability,
            queue=queue,
            group=group,
        )
    )
