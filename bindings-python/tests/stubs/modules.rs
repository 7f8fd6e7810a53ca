//! The stubs, module by module. What is written by hand in Python has its stub by hand here.

use openwa_store::{Kind, face};

use crate::surface;
use crate::write::{self, Names};

const HEAD: &str =
    "# Generated from the library's description of itself: BLESS=1 cargo test -p openwa-store-python\n\n";

/// The parameters of `open_store`.
fn options(names: Names) -> String {
    let mut out = "    dir: str | os.PathLike[str] = \"./data\",\n    *,\n".to_owned();
    for option in face::open_options().fields.iter().filter(|o| o.name != "dir") {
        // Files, for which Python has `os.PathLike`.
        if ["main", "data"].contains(&option.name) {
            out.push_str(&format!("    {}: str | os.PathLike[str] | None = None,\n", option.name));
        } else {
            out.push_str(&format!("    {},\n", names.option(option)));
        }
    }
    out
}

fn verbs(group: &str, names: Names, is_async: bool) -> String {
    let verbs = surface::groups().remove(group).unwrap_or_default();
    let mut out = String::new();
    for verb in verbs {
        out.push_str(&names.verb(verb, Some("self"), is_async));
        out.extend(names.iterator(verb, is_async));
    }
    out
}

fn groups(names: Names, is_async: bool) -> String {
    let groups = surface::groups();
    let classes = groups.keys().filter(|g| **g != "store").map(|group| {
        let body = verbs(group, names, is_async);
        write::group(&surface::pascal(group), "_Handle", surface::group_doc(group), &body)
    });
    classes.collect::<Vec<_>>().join("\n")
}

fn attributes() -> String {
    let groups = surface::groups();
    let attribute = |group: &&str| {
        let doc = write::docstring(surface::group_doc(group), "        ");
        format!("    @property\n    def {group}(self) -> {}:\n{doc}", surface::pascal(group))
    };
    groups.keys().filter(|g| **g != "store").map(attribute).collect()
}

fn all(mut names: Vec<String>) -> String {
    names.sort();
    let lines: String = names.iter().map(|n| format!("    \"{n}\",\n")).collect();
    format!("__all__ = [\n{lines}]\n")
}

fn class_names() -> Vec<String> {
    surface::groups().keys().map(|g| surface::pascal(g)).collect()
}

/// Every public name of the package.
pub fn names_of_package() -> Vec<String> {
    let mut names = vec!["Error".to_owned(), "Record".to_owned(), "Page".to_owned(), "open_store".to_owned()];
    names.extend(Kind::ALL.iter().map(|k| surface::error_class(*k)));
    names.extend(write::enums().iter().map(|e| e.name.to_owned()));
    names.extend(write::shapes().iter().map(|s| s.name.to_owned()));
    names.extend(class_names());
    names
}

/// `openwa_store`.
pub fn package() -> String {
    let names = Names { own: "" };
    let mut out = format!(
        "{HEAD}import builtins
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import GenericAlias, TracebackType
from typing import Any, Generic, TypeVar, final
from uuid import UUID

from typing_extensions import Self

from openwa_store._enum import StrEnum as _StrEnum

{}
__version__: str

_T = TypeVar(\"_T\")

class Error(Exception):
{}
    code: str
    retryable: bool
    operation: str | None
    context: Mapping[str, str]

",
        all(names_of_package()),
        write::docstring(surface::ERROR_DOC, "    ")
    );
    let errors: Vec<String> = Kind::ALL.iter().map(|k| write::error(*k)).collect();
    let enums: Vec<String> = write::enums().into_iter().map(write::enumeration).collect();
    let records: Vec<String> = write::shapes().into_iter().map(|s| write::record(s, names)).collect();
    out.push_str(&format!("{}\n{}\n", errors.join("\n"), enums.join("\n")));
    out.push_str(
        "class Record:
    \"\"\"A frozen record. Its fields are attributes; `as_dict()` gives them all.\"\"\"

    def as_dict(self) -> dict[str, Any]:
        \"\"\"The fields as a dictionary; records in it are dictionaries too.\"\"\"
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __replace__(self, **changes: Any) -> Self: ...

@final
class Page(Generic[_T]):
    \"\"\"One page of a longer list: `items`, and `next`, the cursor to give as `after` to get the page behind it, or
    `None`.
    \"\"\"

    @property
    def items(self) -> tuple[_T, ...]: ...
    @property
    def next(self) -> str | None: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __len__(self) -> int: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

",
    );
    out.push_str(&records.join("\n"));
    out.push_str("\nclass _Handle:\n    def __new__(cls, of: _Handle) -> Self: ...\n\n");
    out.push_str(&groups(names, false));
    let own = format!(
        "{}    @classmethod
    def from_env(cls, dir: str | os.PathLike[str] = \"./data\") -> Self:
        \"\"\"Opens the store that the gateway's environment names: `DATABASE_TYPE`, `DATABASE_NAME`,
        `MAIN_DATABASE_NAME`, `API_KEY_PEPPER` ... Relative paths are relative to `dir`.
        \"\"\"
    def close(self) -> None:
        \"\"\"Writes what is under way and closes the files. A second call does nothing.\"\"\"
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
{}",
        attributes(),
        verbs("store", names, false)
    );
    let doc = "An open store. It may be used from any number of threads; every call releases the interpreter's lock.";
    out.push_str(&format!("\n{}", write::group("Store", "_Handle", doc, &own)));
    out.push_str(&format!(
        "\ndef open_store(\n{}) -> Store:
    \"\"\"Opens the store in the folder `dir`, making folder and databases if they are missing. `dir=\":memory:\"` is a
    store that is gone when it is closed. The other options are those of `OpenOptions`.
    \"\"\"
",
        options(names)
    ));
    out
}

/// `openwa_store.aio`.
pub fn aio() -> String {
    let names = Names { own: "_store." };
    let mut exported = class_names();
    exported.extend(["Opening".to_owned(), "open_store".to_owned()]);
    let own = format!(
        "{}    @classmethod
    def from_env(cls, dir: str | os.PathLike[str] = \"./data\") -> Opening:
        \"\"\"Opens the store that the gateway's environment names; see `openwa_store.Store.from_env`.\"\"\"
    async def close(self) -> None:
        \"\"\"Writes what is under way and closes the files. A second call does nothing.\"\"\"
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
{}",
        attributes(),
        verbs("store", names, true)
    );
    let doc = "An open store for asyncio. `Store(store)` gives one for a store that is open already.";
    format!(
        "{HEAD}import builtins
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

from typing_extensions import Self

import openwa_store as _store
from openwa_store import _Handle

{}
{}
{}
class Opening:
    \"\"\"A store that is about to be opened: await it, or use it with `async with`.\"\"\"

    def __init__(self, open: Callable[[], _store.Store]) -> None: ...
    def __await__(self) -> Generator[Any, Any, Store]: ...
    async def __aenter__(self) -> Store: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def open_store(\n{}) -> Opening:
    \"\"\"Opens the store in the folder `dir`; see `openwa_store.open_store` for the options.\"\"\"
",
        all(exported),
        groups(names, true),
        write::group("Store", "_Handle", doc, &own),
        options(names),
    )
}

/// `openwa_store.policy`.
pub fn policy() -> String {
    let names = Names { own: "_store." };
    let rules: Vec<String> = surface::rules().map(|verb| names.verb(verb, None, false)).collect();
    let exported = surface::rules().map(|verb| surface::safe(verb.name)).collect();
    format!(
        "{HEAD}import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import openwa_store as _store

{}
{}",
        all(exported),
        rules.join("\n")
    )
}
