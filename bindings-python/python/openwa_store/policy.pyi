# Generated from the library's description of itself: BLESS=1 cargo test -p openwa-store-python

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import openwa_store as _store

__all__ = [
    "allowed_transitions",
    "check_batch_options",
    "check_key",
    "check_media",
    "check_recreate",
    "check_retention_clock",
    "check_scope",
    "check_session_config",
    "check_transition",
    "check_webhook_headers",
    "check_webhook_ip",
    "check_webhook_url",
    "client_ip",
    "decide",
    "format_time",
    "generate_key",
    "hash_key",
    "history_enabled",
    "ip_special_use",
    "is_group",
    "is_lid",
    "is_newsletter",
    "is_person",
    "is_phone",
    "key_prefix",
    "message_window",
    "needs_engine",
    "network_contains",
    "next_attempt",
    "next_slot",
    "normalize_address",
    "parse_ip",
    "parse_network",
    "parse_permissions",
    "parse_time",
    "parse_webhook_events",
    "permits",
    "phone_digits",
    "raise_ack",
    "same_hash",
    "should_restore",
    "sign_webhook",
    "text_length",
    "verify_webhook",
    "webhook_hears",
]

def parse_time(text: str) -> datetime:
    """Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction
    digits (cut to milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless
    time, which means UTC.

    Errors: `InvalidArgument` for anything else.
    """

def format_time(time: datetime) -> str:
    """The text of a time, exactly as JavaScript's `toISOString` writes it:
    `2026-01-05T08:01:23.000Z`.
    """

def normalize_address(address: str) -> str:
    """The form in which a WhatsApp address is kept: without device and agent, with
    `s.whatsapp.net` for `c.us`. A bare telephone number is taken for a phone address; what is
    no person's address stays as it is.
    """

def is_group(address: str) -> bool:
    """Whether a WhatsApp address is a group's."""

def is_newsletter(address: str) -> bool:
    """Whether a WhatsApp address is a channel's."""

def is_lid(address: str) -> bool:
    """Whether a WhatsApp address is a person's LID, in any form."""

def is_phone(address: str) -> bool:
    """Whether a WhatsApp address is a person's phone address, in any form."""

def is_person(address: str) -> bool:
    """Whether a WhatsApp address is a person's, phone or LID, in any form."""

def phone_digits(address: str) -> str | None:
    """The telephone number of a phone address, digits only. Nothing for everything else, LIDs
    above all: their digits look like a number and are none.
    """

def check_transition(
    status: _store.SessionStatus | str,
    to: _store.SessionStatus | str,
) -> _store.Step:
    """Whether a session may go from one status to another: `move`, or `same` when that changes
    nothing.

    Errors: `InvalidTransition` with the context `from`, `to` and `allowed`.
    """

def allowed_transitions(status: _store.SessionStatus | str) -> builtins.list[_store.SessionStatus]:
    """Every status to which a session in this one may move."""

def check_recreate(status: _store.SessionStatus | str) -> None:
    """Whether a session may be recreated: only a failed one.

    Errors: `InvalidTransition` with the context `from`, `to` and `allowed`.
    """

def needs_engine(status: _store.SessionStatus | str) -> bool:
    """Whether only a running engine can hold a session in this status."""

def should_restore(status: _store.SessionStatus | str) -> bool:
    """Whether a session in this status should run again after a start of the gateway."""

def raise_ack(current: int | None = None, reported: int | None = None) -> int | None:
    """The delivery state that is further up. One never falls: none < 0 < -1 < 1 < 2 < 3 < 4 < 5."""

def generate_key() -> str:
    """Makes a new API key from the system's random numbers. Nothing is stored."""

def check_key(key: str) -> str:
    """A key that the host brings along, without the white space around it.

    Errors: `InvalidArgument` when nothing is left.
    """

def hash_key(key: str, pepper: builtins.bytes | bytearray | memoryview | None = None) -> str:
    """The hash of an API key as it is stored: SHA-256 of the trimmed key, or HMAC-SHA256 of it
    keyed by the pepper, in 64 lower-case hex digits.
    """

def same_hash(one: str, other: str) -> bool:
    """Whether two stored hashes are equal, in a time that does not depend on where they differ.

    Errors: `InvalidArgument` for what is not 64 hex digits.
    """

def key_prefix(key: str) -> str:
    """The first 12 characters of the trimmed key, by which people tell keys apart."""

def parse_permissions(permissions: Any) -> builtins.list[_store.Permission]:
    """Reads a JSON array of permission names. Repeated names count once, order is kept.

    Errors: `InvalidArgument` naming the place for an unknown name.
    """

def permits(permissions: Any, permission: _store.Permission | str) -> bool:
    """Whether a key with these permissions has one. Unknown names grant nothing, `["*"]` grants
    everything.

    Errors: `InvalidArgument` for what is no JSON array of names.
    """

def check_scope(names: Any) -> None:
    """Checks a JSON array of names to which a key is confined.

    Errors: `InvalidArgument` naming the place.
    """

def decide(
    now: datetime,
    *,
    permissions: Any = None,
    allowed_sessions: Any = None,
    allowed_chats: Any = None,
    active: bool | None = None,
    expires_at: datetime | None = None,
    whitelist: Iterable[_store.NewWhitelistEntry | Mapping[str, Any]] | None = None,
    permission: _store.Permission | str | None = None,
    ip: str | None = None,
    session: str | None = None,
    session_alias: str | None = None,
    chat: str | None = None,
) -> _store.Decision:
    """Whether a key may do what a request asks, without any store.

    Errors: `Unreadable` naming the column for rules that make no sense; deny then.
    """

def parse_ip(address: str) -> str:
    """Reads an IP address strictly and gives its one form: `::ffff:a.b.c.d` is `a.b.c.d`.

    Errors: `InvalidArgument`.
    """

def parse_network(network: str) -> str:
    """Reads a network in CIDR notation strictly and gives its one form, with the bits behind the
    prefix masked off.

    Errors: `InvalidArgument`.
    """

def network_contains(network: str, address: str) -> bool:
    """Whether an IP address lies in a network.

    Errors: `InvalidArgument`.
    """

def client_ip(
    peer: str,
    x_forwarded_for: str | None = None,
    trusted: Iterable[str] | None = None,
) -> str:
    """The address of the client behind trusted proxies: the `X-Forwarded-For` header is read from
    the right, and only past hops that are trusted.

    Errors: `InvalidArgument`.
    """

def ip_special_use(address: str) -> str | None:
    """What makes an IP address unfit for a request to a stranger's server: `loopback`, `private`,
    `metadata` …; nothing for a public address.
    """

def parse_webhook_events(events: Any) -> builtins.list[_store.WebhookEvent]:
    """Reads a JSON array of webhook event names. Repeated names count once, order is kept.

    Errors: `InvalidArgument` naming the place for an unknown name.
    """

def webhook_hears(events: Any, event: _store.WebhookEvent | str) -> bool:
    """Whether a webhook that was registered for some events hears of one.

    Errors: `InvalidArgument` for what is no JSON array of event names.
    """

def check_webhook_url(url: str, allow_private: bool | None = None) -> None:
    """Checks a webhook's URL: http or https, at most 2,048 characters, no credentials, and no
    address that is recognisably not public unless that is allowed. A public name may still
    resolve to a private address: check that with `check_webhook_ip`, and connect to that very
    address.

    Errors: `InvalidArgument` naming the column `url`.
    """

def check_webhook_ip(address: str, allow_private: bool | None = None) -> None:
    """Checks the address that a webhook's host stands for.

    Errors: `InvalidArgument` for a loopback, private, link-local or metadata address.
    """

def check_webhook_headers(headers: Any) -> None:
    """Checks the extra headers of a webhook: a JSON object of strings, with names and values that
    cannot smuggle another header in.

    Errors: `InvalidArgument` naming the header.
    """

def sign_webhook(secret: str, body: builtins.bytes | bytearray | memoryview) -> str:
    """The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by the secret, in
    lower-case hex.
    """

def verify_webhook(
    secret: str,
    body: builtins.bytes | bytearray | memoryview,
    signature: str,
) -> bool:
    """Whether a signature is the one of this body, compared in constant time."""

def next_attempt(
    attempt: int,
    random: float,
    *,
    retry_count: int | None = None,
    base: timedelta | None = None,
    cap: timedelta | None = None,
) -> timedelta | None:
    """How long to wait after an attempt has failed: exponential back-off with full jitter.
    Nothing: no retries left.
    """

def check_session_config(config: Any) -> None:
    """Checks a session's settings: known keys must have the right type, unknown ones are kept.

    Errors: `InvalidArgument` naming the path.
    """

def history_enabled(config: Any) -> bool:
    """Whether a session with these settings keeps its messages.

    Errors: `Unreadable` for what is no JSON.
    """

def message_window(config: Any, fallback: timedelta | None = None) -> timedelta | None:
    """How long a session with these settings keeps its messages; nothing: for ever.

    Errors: `InvalidArgument` naming the path.
    """

def check_retention_clock(
    now: datetime,
    window: timedelta,
    last_run: datetime | None = None,
    newest_row: datetime | None = None,
) -> None:
    """Refuses a run of retention under a clock that seems to have jumped.

    Errors: `ClockJump` with the context `now`, `known` and `window_seconds`.
    """

def check_media(media: Any) -> None:
    """Checks what a message says about its file.

    Errors: `InvalidArgument` naming the path.
    """

def check_batch_options(options: Any) -> None:
    """Checks the options of a bulk job.

    Errors: `InvalidArgument` naming the path.
    """

def text_length(text: str) -> int:
    """The size of a text as limits count it: in code points."""

def next_slot(schedule: str, after: datetime, timezone: str | None = None) -> datetime | None:
    """When a cron expression of five fields (`minute hour day month weekday`) is due next after an
    instant. A local time that daylight saving time skips or repeats counts once.

    Errors: `InvalidArgument` naming `schedule` or `timezone`.
    """
