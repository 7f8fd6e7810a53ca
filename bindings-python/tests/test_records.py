"""Records are frozen, equal by value, and survive pickling."""

import copy
import pickle
import sys

import pytest

import openwa_store
from openwa_store import Message, NewMessage, Record

from .conftest import text


@pytest.fixture
def message(store: openwa_store.Store, session: openwa_store.Session) -> Message:
    return store.messages.save(session.id, **text("A"), media={"mimetype": "x", "other": [1]}).message


def test_they_are_frozen(message: Message) -> None:
    with pytest.raises(AttributeError, match="never change"):
        message.body = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del message.body  # type: ignore[misc]
    with pytest.raises(AttributeError):
        message.other = 1  # type: ignore[attr-defined]


def test_they_are_equal_by_value(store: openwa_store.Store, message: Message) -> None:
    again = store.messages.get(message.id)
    assert again == message and again is not message
    assert message != store.sessions.get(message.session_id)
    assert (message == "message") is False


def test_json_is_a_copy(message: Message) -> None:
    message.media["other"].append(2)
    assert message.media == {"mimetype": "x", "other": [1]}


def test_hash_is_that_of_the_values(store: openwa_store.Store, session: openwa_store.Session) -> None:
    plain = store.messages.save(session.id, **text("B")).message
    assert len({plain, store.messages.get(plain.id)}) == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(NewMessage(chat_id="1", from_number="1", type="text", media={}))


def test_they_can_be_pickled_and_copied(message: Message) -> None:
    saved = openwa_store.Saved(outcome="inserted", is_new=True, upgraded=False, message=message)
    for record in (message, saved, NewMessage(chat_id="1", from_number="1", type="text")):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(record, protocol)) == record
        assert copy.copy(record) == copy.deepcopy(record) == record
    assert saved.message == message
    if sys.version_info >= (3, 13):
        assert copy.replace(message, body="other").body == "other"


def test_what_they_show(message: Message, store: openwa_store.Store) -> None:
    assert repr(message).startswith("Message(id=UUID(")
    assert "to_number" not in repr(message), "what is empty is left out"
    created = store.api_keys.create(name="ci", permissions=["messages:read"])
    assert created.key not in repr(created)
    assert created.api_key.key_hash not in repr(created)
    assert "key=<secret>" in repr(created)


def test_they_become_dictionaries(message: Message, store: openwa_store.Store) -> None:
    found = message.as_dict()
    assert found["body"] == "hello" and found["media"] == message.media and found["to_number"] is None
    chat = store.messages.chats(message.session_id).items[0].as_dict()
    assert chat["last_message"] == found


def test_their_constructor_checks(message: Message) -> None:
    with pytest.raises(TypeError, match="NewMessage: chat_id is missing"):
        NewMessage(from_number="1", type="text")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match='NewMessage has no field "boddy"'):
        NewMessage(chat_id="1", from_number="1", type="text", boddy="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Record()
    assert isinstance(message, Record) and isinstance(message, Message)


def test_pages(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.save_many(session.id, [text(f"A{i}") for i in range(5)])
    page = store.messages.list(session.id, limit=3)
    assert len(page) == 3 and list(page) == list(page.items) and page.next
    rest = store.messages.list(session.id, limit=3, after=page.next)
    assert len(rest) == 2 and rest.next is None
    assert repr(page) == "<Page of 3, and more>" and repr(rest) == "<Page of 2>"
