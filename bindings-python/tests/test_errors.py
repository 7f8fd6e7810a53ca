"""One class per kind of error, caught as Python people expect."""

from pathlib import Path
from typing import Any

import pytest

import openwa_store
from openwa_store import Error

from .conftest import CHAT, text


def test_every_kind_has_a_class_of_its_own() -> None:
    classes = [c for c in vars(openwa_store).values() if isinstance(c, type) and issubclass(c, Error) and c is not Error]
    assert len(classes) > 20
    assert len({c.code for c in classes}) == len(classes)
    for c in classes:
        assert c.__mro__[1] is Error, "the base comes first"
        assert c.__module__ == "openwa_store" and c.__doc__
        assert c.__name__ == "".join(w.capitalize() for w in c.code.split("_")) + "Error"
        assert isinstance(c.retryable, bool)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("InvalidArgumentError", ValueError),
        ("InvalidTransitionError", ValueError),
        ("InvalidDataError", ValueError),
        ("NotFoundError", KeyError),
        ("TimeoutError", TimeoutError),
        ("PermissionDeniedError", PermissionError),
        ("UnavailableError", ConnectionError),
        ("IoError", OSError),
        ("DiskFullError", OSError),
    ],
)
def test_builtin_bases(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(openwa_store, name), builtin)


def test_what_an_error_tells(store: openwa_store.Store, session: openwa_store.Session) -> None:
    with pytest.raises(openwa_store.AlreadyExistsError) as caught:
        store.sessions.create(name="shop-1")
    error = caught.value
    assert (error.code, error.retryable, error.operation) == ("ALREADY_EXISTS", False, "sessions.create")
    assert error.context == {"column": "name"}
    assert str(error) == 'sessions.create: a session named "shop-1" exists already (column=name)'

    missing = "00000000-0000-7000-8000-000000000000"
    with pytest.raises(KeyError) as missed:
        store.sessions.get(missing)
    assert not str(missed.value).startswith("'"), "no quotes as KeyError has them"
    assert isinstance(missed.value, openwa_store.NotFoundError)
    assert missed.value.context["id"] == missing


def test_the_context_of_a_class_cannot_be_changed() -> None:
    context: Any = Error("x").context
    assert dict(context) == {}
    with pytest.raises(TypeError):
        context["a"] = "b"


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "main.sqlite").write_bytes(b"something else altogether" * 100)
    with pytest.raises(openwa_store.Error) as caught:
        openwa_store.open_store(tmp_path)
    assert caught.value.code in ("FOREIGN_DATABASE", "CORRUPT")
    assert caught.value.context["path"] == str(tmp_path / "main.sqlite")
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        openwa_store.open_store(tmp_path / "file" / "store")


def test_a_closed_store(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.close()
    store.close()
    for use in (
        lambda: store.sessions.create(name="x"),
        lambda: store.messages.find(session.id, "A"),
        lambda: list(store.messages.iterate(session.id)),
    ):
        with pytest.raises(openwa_store.ClosedError):
            use()


def test_wrong_calls_are_type_errors(store: openwa_store.Store, session: openwa_store.Session) -> None:
    save: Any = store.messages.save
    with pytest.raises(TypeError, match=r"save\(\) got an unexpected keyword argument 'bodi'; did you mean 'body'"):
        save(session.id, **text("A"), bodi="x")
    with pytest.raises(TypeError, match=r"it takes: session, .*chat_id"):
        save(session.id, **text("A"), something_else="x")
    with pytest.raises(TypeError, match=r"save\(\) missing required argument: 'type'"):
        save(session.id, chat_id=CHAT, from_number=CHAT)
    with pytest.raises(TypeError, match=r"save\(\) takes 1 positional arguments but 2 were given"):
        save(session.id, "A")
    with pytest.raises(TypeError, match="multiple values for argument 'session'"):
        save(session.id, session=session.id)
    with pytest.raises(TypeError, match="unexpected keyword argument 'limit'"):
        store.messages.iterate(session.id, limit=3)  # type: ignore[call-arg]


def test_one_bad_message_of_many(store: openwa_store.Store, session: openwa_store.Session) -> None:
    results = store.messages.save_many(session.id, [text("A"), text("B" * 256), text("C")])
    assert [r.error is None for r in results] == [True, False, True]
    assert results[1].error is not None
    assert results[1].error.kind == "INVALID_ARGUMENT"
    assert store.messages.count(session.id) == 2
    with pytest.raises(TypeError, match="NewMessage: from_number is missing"):
        store.messages.save_many(session.id, [{"chat_id": CHAT, "type": "text"}])
