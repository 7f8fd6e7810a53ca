"""What goes in comes out: dates, text, JSON, bytes, ids."""

import math
import string
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import openwa_store
from openwa_store import policy

from .conftest import CHAT, NOON, text

any_text = st.text(st.characters(codec=None, exclude_categories=()))  # surrogates and NUL too
zones = st.timezones() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))


def joined(value: Any) -> Any:
    """As UTF-16 has it: a high and a low surrogate side by side are one character."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(value, list):
        return [joined(v) for v in value]
    if isinstance(value, dict):
        return {joined(k): joined(v) for k, v in value.items()}
    return value


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9999, 12, 30), timezones=zones))
def test_dates_agree_with_datetime(time: datetime) -> None:
    iso = policy.format_time(time)
    cut = time.astimezone(timezone.utc)
    cut = cut.replace(microsecond=cut.microsecond // 1000 * 1000)
    assert iso == cut.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert datetime.fromisoformat(iso.replace("Z", "+00:00")) == cut
    assert policy.parse_time(iso) == cut
    assert policy.parse_time(time.isoformat(timespec="milliseconds")[:19] + "Z").tzinfo is timezone.utc


@given(any_text)
def test_text_length_counts_code_points(value: str) -> None:
    assert policy.text_length(value) == len(joined(value))


@pytest.fixture(scope="module")
def kept() -> Any:
    with openwa_store.open_store(":memory:") as store:
        yield store, store.sessions.create(name="kept")


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | any_text
documents = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(any_text, v), max_leaves=20)


@settings(deadline=None)
@given(body=any_text, raw=st.dictionaries(any_text, documents))
def test_text_and_json_come_back(kept: Any, body: str, raw: dict[str, Any]) -> None:
    store, session = kept
    saved = store.messages.save(session.id, **text(None, body))
    assert store.messages.get(saved.message.id).body == joined(body)
    logged = store.sessions.log(session.id, "tested", raw)
    assert logged.data == joined(raw)
    assert store.sessions.logs(session.id, "tested", limit=1).items[0].data == joined(raw)


@settings(deadline=None)
@given(key=st.text(string.ascii_letters, min_size=1), value=st.binary())
def test_bytes_come_back(kept: Any, key: str, value: bytes) -> None:
    store, session = kept
    for given_as in (value, bytearray(value), memoryview(value)):
        store.auth.set(session.id, [{"category": "pre-key", "key_id": key, "value": given_as}])
        assert store.auth.get(session.id, "pre-key", key).value == value


def test_a_time_without_a_zone_is_refused(store: openwa_store.Store, session: openwa_store.Session) -> None:
    naive = datetime(2026, 1, 5)
    with pytest.raises(ValueError, match="no time zone.*timezone.utc") as caught:
        store.messages.save(session.id, **text("A", wa_timestamp=naive))
    assert isinstance(caught.value, openwa_store.InvalidArgumentError)
    assert caught.value.context["column"] == "wa_timestamp"
    assert caught.value.operation == "messages.save"
    assert store.messages.count(session.id) == 0


def test_times_are_in_utc_and_cut_to_milliseconds(store: openwa_store.Store, session: openwa_store.Session) -> None:
    given_time = datetime(2026, 1, 5, 13, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1)))
    saved = store.messages.save(session.id, **text("A", wa_timestamp=given_time))
    assert saved.message.wa_timestamp == NOON.replace(microsecond=123000)
    assert saved.message.wa_timestamp.tzinfo is timezone.utc
    edge = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(openwa_store.InvalidArgumentError):
        policy.format_time(datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))))
    assert policy.format_time(edge) == "0000-12-31T23:00:00.000Z"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_of_more_than_64_bits_are_refused(
    store: openwa_store.Store, session: openwa_store.Session, number: int
) -> None:
    with pytest.raises(openwa_store.InvalidArgumentError, match="64 bits"):
        store.messages.ack(session.id, "A", number)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_json_has_not_is_refused(
    store: openwa_store.Store, session: openwa_store.Session, number: float
) -> None:
    with pytest.raises(ValueError):
        store.sessions.log(session.id, "x", {"x": number})


def test_wrong_types_are_named(store: openwa_store.Store, session: openwa_store.Session) -> None:
    cases: list[tuple[Any, str]] = [
        ({"body": 1}, "body must be str, not int"),
        ({"from_me": 1}, "from_me must be bool, not int"),
        ({"wa_timestamp": "2026-01-05"}, "wa_timestamp must be datetime.datetime, not str"),
        ({"ack": True}, "ack must be int, not bool"),
        ({"media": object()}, "not JSON serializable"),
        ({"raw": "text"}, "raw must be bytes, not str"),
        ({"chat_id": None}, "chat_id must be given"),
    ]
    for more, message in cases:
        with pytest.raises(TypeError, match=message):
            store.messages.save(session.id, **{**text("A"), **more})
    with pytest.raises(TypeError, match="id must be uuid.UUID or its text, not int"):
        store.sessions.get(1)  # type: ignore[arg-type]
    with pytest.raises(openwa_store.InvalidArgumentError, match="is not the text of a UUID"):
        store.sessions.get("shop-1")
    with pytest.raises(openwa_store.InvalidArgumentError, match='status must be one of created.*not "redy"'):
        store.sessions.list(status="redy")


def test_ids_are_uuids_and_may_be_text(store: openwa_store.Store, session: openwa_store.Session) -> None:
    assert type(session.id) is UUID
    assert session.id.version == 7
    assert session.id == UUID(str(session.id))
    assert hash(session.id) == hash(UUID(str(session.id)))
    assert session.id.is_safe is UUID(int=1).is_safe
    assert store.sessions.get(str(session.id)) == store.sessions.get(session.id) == session


def test_enums_are_strings(session: openwa_store.Session) -> None:
    status = session.status
    assert status is openwa_store.SessionStatus.CREATED
    assert status == "created"
    assert f"{status} {status!s:>10}" == "created    created"
    assert openwa_store.SessionStatus("qr_ready") is openwa_store.SessionStatus.QR_READY
    assert openwa_store.Permission("*").name == "ALL"
    assert openwa_store.WebhookEvent.MESSAGE_RECEIVED == "message.received"


def test_an_address_in_any_form(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.save(session.id, **text("A"))
    for form in (CHAT, "12025550143@c.us", "12025550143:7@s.whatsapp.net"):
        assert store.messages.count(session.id, chat=form) == 1
