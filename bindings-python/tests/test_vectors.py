"""The shared truth in tests/vectors, as Rust, C and Node run it."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import openwa_store
from openwa_store import policy

from .conftest import vectors

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def accepted(rule: Any, *args: Any, **keywords: Any) -> Any:
    """What a rule says, or None when it refuses."""
    try:
        return rule(*args, **keywords)
    except openwa_store.InvalidArgumentError:
        return None


def check(file: str, cases: str, expect: str, rule: Any) -> None:
    wrong = []
    listed = vectors(file)[cases]
    assert listed
    for case in listed:
        found = rule(case)
        if found != case[expect]:
            wrong.append(f"{case}: {found!r}")
    assert not wrong, "\n".join(wrong)


def test_keys() -> None:
    def pepper(case: Any) -> bytes | None:
        return None if case["pepper"] is None else case["pepper"].encode()

    check("keys.json", "cases", "hash", lambda c: policy.hash_key(c["key"], pepper(c)))
    check("keys.json", "cases", "prefix", lambda c: policy.key_prefix(c["key"]))


def test_permissions() -> None:
    assert vectors("permissions.json")["names"] == [p.value for p in openwa_store.Permission]
    check("permissions.json", "parse", "permissions", lambda c: accepted(policy.parse_permissions, c["json"].encode()))
    check("permissions.json", "allows", "allows", lambda c: policy.permits(c["permissions"], c["asks"]))


def test_addresses() -> None:
    file = "addresses_ip.json"
    check(file, "addresses", "address", lambda c: accepted(policy.parse_ip, c["text"]))
    check(file, "networks", "network", lambda c: accepted(policy.parse_network, c["text"]))
    check(file, "contains", "contains", lambda c: policy.network_contains(c["network"], c["address"]))
    check(file, "client_ip", "client", lambda c: policy.client_ip(c["peer"], c["x_forwarded_for"], c["trusted"]))


def test_statuses() -> None:
    def edge(case: Any) -> str:
        try:
            return str(policy.check_transition(case["from"], case["to"]))
        except openwa_store.InvalidTransitionError as e:
            assert (e.context["from"], e.context["to"]) == (case["from"], case["to"])
            return "refused"

    def may_recreate(case: Any) -> bool:
        try:
            policy.check_recreate(case["status"])
        except openwa_store.InvalidTransitionError:
            return False
        return True

    check("status_edges.json", "edges", "result", edge)
    check("status_edges.json", "on_start", "needs_engine", lambda c: policy.needs_engine(c["status"]))
    check("status_edges.json", "on_start", "should_restore", lambda c: policy.should_restore(c["status"]))
    check("status_edges.json", "on_start", "recreate", may_recreate)


def test_acks() -> None:
    check("acks.json", "cases", "result", lambda c: policy.raise_ack(c["current"], c["new"]))


def test_webhooks() -> None:
    file = "webhooks.json"

    def is_accepted(rule: Any, *args: Any, **keywords: Any) -> bool:
        return accepted(lambda: (rule(*args, **keywords), True)[1]) is True

    assert vectors(file)["names"] == [e.value for e in openwa_store.WebhookEvent]
    check(file, "events", "events", lambda c: accepted(policy.parse_webhook_events, c["json"].encode()))
    check(file, "hears", "hears", lambda c: policy.webhook_hears(c["events"], c["event"]))
    check(file, "urls", "default", lambda c: is_accepted(policy.check_webhook_url, c["url"]))
    check(file, "urls", "private_allowed", lambda c: is_accepted(policy.check_webhook_url, c["url"], allow_private=True))
    check(file, "headers", "ok", lambda c: is_accepted(policy.check_webhook_headers, c["json"].encode()))
    check(file, "sign", "signature", lambda c: policy.sign_webhook(c["secret"], c["body"].encode()))
    check(file, "verify", "valid", lambda c: policy.verify_webhook(c["secret"], c["body"].encode(), c["signature"]))


def test_retries() -> None:
    def wait(case: Any) -> int | None:
        length = policy.next_attempt(
            case["attempt"],
            case["random"],
            retry_count=case["retry_count"],
            base=timedelta(milliseconds=case["base_ms"]),
            cap=timedelta(milliseconds=case["cap_ms"]),
        )
        return None if length is None else length // timedelta(milliseconds=1)

    check("retry.json", "cases", "wait_ms", wait)


def test_authorization() -> None:
    document = vectors("authorize.json")
    now = policy.parse_time(document["now"])

    def decide(case: Any) -> str:
        rules = {**document["key"], **case["key"]}
        rules["expires_at"] = rules["expires_at"] and policy.parse_time(rules["expires_at"])
        return str(policy.decide(now, **rules, **case["request"]))

    check("authorize.json", "cases", "decision", decide)


def test_dates() -> None:
    # Python's calendar begins with the year 1, the library's with the year 0.
    first = (datetime.min.replace(tzinfo=timezone.utc) - EPOCH) // timedelta(milliseconds=1)

    def millis(case: Any) -> Any:
        if case["ms"] is not None and case["ms"] < first:
            with pytest.raises(ValueError, match="before the first day of datetime"):
                policy.parse_time(case["text"])
            return case["ms"]
        time = accepted(policy.parse_time, case["text"])
        return time if time is None else (time - EPOCH) // timedelta(milliseconds=1)

    check("dates.json", "cases", "ms", millis)
    node = vectors("dates_node.json")
    for ms, iso in node["iso"]:
        if ms >= first:
            time = EPOCH + timedelta(milliseconds=ms)
            assert policy.format_time(time) == iso
            assert policy.parse_time(iso) == time
    for written, ms in node["parsed"]:
        assert millis({"text": written, "ms": ms}) == ms
