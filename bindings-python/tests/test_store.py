"""The verbs of a store: the cases of the shared conformance suite that go through the Python face."""

import inspect
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import openwa_store
from openwa_store import NewMessage, SaveOutcome, SessionStatus

from .conftest import CHAT, NOON, SHARED, text


def test_a_message_is_stored_once(store: openwa_store.Store, session: openwa_store.Session) -> None:
    first = store.messages.save(session.id, **text("A"))
    assert (first.outcome, first.is_new) == (SaveOutcome.INSERTED, True)
    again = store.messages.save(session.id, **text("A", "other", ack=2))
    assert (again.outcome, again.is_new) == (SaveOutcome.UPDATED, False)
    assert again.message.body == "hello" and again.message.ack == 2
    assert store.messages.save(session.id, **text("A")).outcome == "unchanged"
    assert store.messages.find(session.id, "A") == again.message
    assert store.messages.find(session.id, "B") is None


def test_a_placeholder_gets_its_content(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.save(session.id, **text("A", None, type="ciphertext"))
    saved = store.messages.save(session.id, **text("A", "at last"))
    assert saved.upgraded and saved.message.type == "text" and saved.message.body == "at last"


def test_changes_may_come_before_their_message(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.ack(session.id, "A", 3)
    store.messages.react(session.id, "A", CHAT, "👍")
    store.messages.revoke(session.id, "B", NOON)
    assert store.messages.waiting(session.id, "ack") == 1
    saved = store.messages.save(session.id, **text("A", from_me=True, ack=1))
    assert saved.message.ack == 3
    assert [r.emoji for r in store.messages.reactions(session.id, "A")] == ["👍"]
    revoked = store.messages.save(session.id, **text("B")).message
    assert revoked.body is None and revoked.revoked_at == NOON


def test_edits(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.save(session.id, **text("A"))
    later, earlier = NOON + timedelta(minutes=2), NOON + timedelta(minutes=1)
    store.messages.edit(session.id, "A", "second", later)
    store.messages.edit(session.id, "A", "first", at=earlier)
    message = store.messages.find(session.id, "A")
    assert message and message.body == "second" and message.edited_at == later


def test_lists_pages_and_walks(store: openwa_store.Store, session: openwa_store.Session) -> None:
    many = [NewMessage(**text(f"A{i:04}", wa_timestamp=NOON + timedelta(seconds=i))) for i in range(2500)]
    results = store.messages.save_many(session.id, many)
    assert all(r.saved and r.saved.is_new for r in results)
    walked = list(store.messages.iterate(session=session.id, chat=CHAT))
    assert [m.wa_message_id for m in walked] == [f"A{i:04}" for i in reversed(range(2500))]
    oldest = store.messages.list(session.id, order="oldest", limit=2)
    assert [m.wa_message_id for m in oldest.items] == ["A0000", "A0001"]
    part = dict(since=NOON + timedelta(seconds=10), until=NOON + timedelta(seconds=20))
    named = inspect.signature(store.messages.list).parameters
    part = {k: v for k, v in part.items() if k in named}
    assert part, "the filter has bounds"
    assert store.messages.count(session.id, **part) == sum(1 for _ in store.messages.iterate(session.id, **part)) < 2500


def test_a_walk_may_be_left_and_rows_may_come_and_go(
    store: openwa_store.Store, session: openwa_store.Session
) -> None:
    store.messages.save_many(session.id, [text(f"A{i}", wa_timestamp=NOON + timedelta(seconds=i)) for i in range(1200)])
    walk = store.messages.iterate(session.id)
    seen = [next(walk).wa_message_id for _ in range(3)]
    store.messages.save(session.id, **text("new", wa_timestamp=NOON + timedelta(hours=1)))
    seen.extend(m.wa_message_id for m in walk)
    assert len(seen) == len(set(seen)) == 1200


def test_sessions(store: openwa_store.Store, session: openwa_store.Session) -> None:
    assert session.status is SessionStatus.CREATED
    store.sessions.transition(session.id, SessionStatus.INITIALIZING)
    moved = store.sessions.transition(session.id, "qr_ready", reason="scan me")
    assert moved.session.status == "qr_ready"
    with pytest.raises(openwa_store.InvalidTransitionError):
        store.sessions.transition(session.id, "created")
    store.sessions.update(session.id, phone="12025550100", push_name="Shop")
    changed = store.sessions.update(session.id, phone=None)
    assert changed.phone is None and changed.push_name == "Shop", "None empties, leaving out keeps"
    assert [s.name for s in store.sessions.iterate()] == ["shop-1"]
    assert "scan me" in repr(list(store.sessions.iterate_logs(session.id)))
    assert store.sessions.delete(session.id) is True
    assert store.sessions.delete(session.id) is False
    assert store.sessions.find("shop-1") is None


def test_webhooks(store: openwa_store.Store, session: openwa_store.Session) -> None:
    hook = store.webhooks.create(
        session.id, url="https://hooks.example.com/in", events=["message.received"], secret="s3cret"
    )
    assert "s3cret" not in repr(hook) and hook.secret == "s3cret"
    assert [w.id for w in store.webhooks.subscribed(session.id, "message.received")] == [hook.id]
    assert store.webhooks.subscribed(session.id, "message.ack") == []
    assert store.webhooks.begin(hook.id, "key-1", "message.received").is_new
    assert not store.webhooks.begin(hook.id, "key-1", "message.received").is_new
    with pytest.raises(openwa_store.InvalidArgumentError) as caught:
        store.webhooks.create(session.id, url="http://127.0.0.1/", events=["message.received"])
    assert caught.value.context["column"] == "url"


def test_keys(store: openwa_store.Store) -> None:
    created = store.api_keys.create(name="ci", permissions=["messages:read"], allowed_sessions=["shop-1"])
    asked: dict[str, Any] = {"permission": "messages:read", "session": "shop-1"}
    answer = store.api_keys.authorize(created.key, **asked)
    assert answer.allowed and answer.decision == "allowed" and answer.api_key == created.api_key
    assert not store.api_keys.authorize(created.key, permission="messages:send").allowed
    assert store.api_keys.authorize("owa_k1_unknown").api_key is None
    store.api_keys.allow_address(created.api_key.id, ip_address="203.0.113.0", cidr_range="203.0.113.0/24")
    assert not store.api_keys.authorize(created.key, **asked, ip="198.51.100.1").allowed
    assert store.api_keys.authorize(created.key, **asked, ip="203.0.113.9").allowed
    store.api_keys.revoke(created.api_key.id, force=True)
    assert store.api_keys.authorize(created.key, **asked).decision == "inactive"
    assert [k.name for k in store.api_keys.iterate()] == ["ci"]


def test_credentials(store: openwa_store.Store, session: openwa_store.Session) -> None:
    entries = [openwa_store.AuthEntry(category="creds", key_id=str(i), value=bytes([i])) for i in range(3)]
    store.auth.set(session.id, entries)
    store.auth.set(session.id, [{"category": "creds", "key_id": "1", "value": None}])
    assert store.auth.list(session.id, "creds") == ["0", "2"]
    found = store.auth.get_many(session.id, "creds", ["0", "1"])
    assert [f.value for f in found] == [b"\x00", None]
    assert "<secret>" in repr(found[0])
    assert store.auth.clear(session.id) == 2


def test_batches(store: openwa_store.Store, session: openwa_store.Session) -> None:
    message = openwa_store.NewBatchMessage(chat_id=CHAT, message_type="text", content={"text": "hi"})
    job = store.batches.create(session.id, batch_id="b-1", messages=[message, message])
    assert job.total_messages == 2
    first = store.batches.claim_next(job.id)
    assert first and first.content == {"text": "hi"}
    job = store.batches.record(first.id, sent=True, wa_message_id="A")
    second = store.batches.claim_next(job.id)
    assert second
    job = store.batches.record(second.id, sent=False, error_code="E", error_message="no")
    assert (job.sent_count, job.failed_count, job.status) == (1, 1, "completed")
    assert store.batches.claim_next(job.id) is None


def test_audit(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.audit.log(action="session.created", severity="info", session_id=session.id, metadata={"a": [1]})
    (entry,) = store.audit.iterate(session_id=session.id)
    assert entry.metadata == {"a": [1]} and entry.severity is openwa_store.Severity.INFO


def test_ingest_takes_objects_and_json(store: openwa_store.Store, session: openwa_store.Session) -> None:
    key = {"remoteJid": CHAT, "id": "A", "fromMe": False}
    event = {"messages.upsert": {"messages": [{"key": key, "messageTimestamp": 1767600000, "message": {"conversation": "hi"}}]}}
    done = store.ingest("baileys", session.id, event)
    assert [m.message.body for m in done.messages if m.message] == ["hi"]
    import json

    again = store.ingest(openwa_store.Engine.BAILEYS, session.id, json.dumps(event).encode())
    assert [m.outcome for m in again.messages] == ["unchanged"]
    with pytest.raises(openwa_store.InvalidArgumentError):
        store.ingest("baileys", session.id, b"{")


def test_export_import_and_progress(store: openwa_store.Store, session: openwa_store.Session, tmp_path: Path) -> None:
    store.messages.save_many(session.id, [text(f"A{i}") for i in range(3000)])
    told: list[tuple[str, int, int | None]] = []
    file = tmp_path / "export.json.zst"
    store.export_file(file, progress=lambda *at: told.append(at))
    assert ("messages", 3000, 3000) in told
    with openwa_store.open_store(tmp_path / "other") as other:
        other.import_file(str(file))
        assert other.messages.count(session.id) == 3000

        def fail(*_: object) -> None:
            raise LookupError("enough")

        with pytest.raises(LookupError, match="enough"):
            other.export_file(tmp_path / "never.json", progress=fail)
        with pytest.raises(openwa_store.CancelledError):
            other.export_file(tmp_path / "never.json", progress=lambda *_: False)
    assert not (tmp_path / "never.json").exists()


def test_retention(store: openwa_store.Store, session: openwa_store.Session) -> None:
    old = datetime.now(timezone.utc) - timedelta(days=400)
    store.messages.backfill(session.id, [text("old", wa_timestamp=old), text("new", wa_timestamp=datetime.now(timezone.utc))])
    windows = openwa_store.RetentionWindows(messages=timedelta(days=365))
    preview = store.retention_preview(windows=windows)
    assert preview.waiting is not None and "messages" not in {t.table for t in preview.tables}
    assert store.run_retention(windows=windows, force=True).waiting == preview.waiting
    status = store.retention_status(windows=windows)
    assert {t.table: t.rows for t in status.tables}["messages"] == 1
    assert [(m.by, m.messages) for m in store.accept_retention()] == [("backfill", 1)]
    assert store.run_retention(windows=windows, force=True).waiting is None
    assert [m.wa_message_id for m in store.messages.iterate(session.id)] == ["new"]


def test_status_and_check(store: openwa_store.Store) -> None:
    status = store.status()
    assert status.version == openwa_store.__version__
    assert [d.database for d in status.databases] == ["main", "data"]
    assert store.check().problems == ()


def test_a_store_is_looked_after(store: openwa_store.Store, session: openwa_store.Session) -> None:
    store.messages.save(session.id, **text("A"))
    overview = store.overview(days=3)
    assert len(overview.days) == 3 and sum(d.messages for d in overview.days) <= 1
    assert {t.table: t.rows for t in overview.databases[1].tables}["messages"] == 1
    assert overview.growth.window == timedelta(days=30)
    repair = store.repair(dry_run=True)
    assert (repair.found, repair.repaired, repair.left) == ((), (), ())
    vacuum = store.vacuum(full=True)
    assert [(p.database, p.table) for p in vacuum.parts] == [("main", None), ("data", None)]


def test_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with openwa_store.open_store(str(tmp_path / "a"), data=tmp_path / "elsewhere.sqlite", durability="normal") as store:
        assert "elsewhere.sqlite" in repr(store)
    assert (tmp_path / "elsewhere.sqlite").exists()
    monkeypatch.setenv("DATABASE_NAME", "named.sqlite")
    with openwa_store.Store.from_env(tmp_path / "b"):
        assert (tmp_path / "b" / "named.sqlite").exists()
    with openwa_store.open_store(":memory:", history=False) as store:
        session = store.sessions.create(name="s")
        assert store.messages.save(session.id, **text("A")).is_new
        assert not store.messages.save(session.id, **text("A")).is_new
        assert store.messages.count(session.id) == 0
    with pytest.raises(openwa_store.InvalidArgumentError, match="durability"):
        openwa_store.open_store(":memory:", durability="some")
    monkeypatch.chdir(tmp_path)
    with openwa_store.open_store():
        assert (tmp_path / "data" / "main.sqlite").exists()


def test_secrets_are_sealed(tmp_path: Path) -> None:
    first, second = "01" * 32, "02" * 32
    with openwa_store.open_store(tmp_path, store_key=first) as store:
        session = store.sessions.create(name="shop-1")
        store.auth.set(session.id, [openwa_store.AuthEntry(category="creds", key_id="me", value=b"s3cret")])
        tables: list[str | None] = []
        assert store.rotate_store_key(second, True, progress=lambda table, *_: tables.append(table)) == 1
        assert "session_auth" in tables
        assert store.auth.get(session.id, "creds", "me").value == b"s3cret"
    with pytest.raises(openwa_store.WrongStoreKeyError) as wrong:
        openwa_store.open_store(tmp_path, store_key=first)
    assert first not in str(wrong.value)
    with openwa_store.open_store(tmp_path) as store:
        status = store.secrets_status()
        assert status.state == openwa_store.SecretsState.SEALED and not status.usable
        with pytest.raises(openwa_store.StoreKeyMissingError):
            store.auth.get(session.id, "creds", "me")
    assert b"s3cret" not in (tmp_path / "data.sqlite").read_bytes()
    with pytest.raises(openwa_store.InvalidArgumentError, match="32 bytes"):
        openwa_store.open_store(tmp_path, store_key="short")


def test_methods_describe_themselves(store: openwa_store.Store) -> None:
    save = store.messages.save
    assert save.__name__ == "save" and save.__qualname__ == "Messages.save"
    assert save.__doc__ and save.__doc__.startswith("Stores a message")
    assert list(inspect.signature(save).parameters)[:2] == ["session", "wa_message_id"]
    assert list(inspect.signature(openwa_store.Messages.save).parameters)[0] == "self"
    assert inspect.signature(NewMessage).parameters["chat_id"].default is inspect.Parameter.empty
    assert openwa_store.Message.body.__doc__
    assert openwa_store.Messages.count(store.messages, store.sessions.create(name="x").id) == 0


def test_fixtures_replay_through_the_command(tmp_path: Path) -> None:
    import subprocess
    import sys

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "dev", "-W", "error", "-m", "openwa_store", "--dir", str(tmp_path), *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert run("init").returncode == 0
    done = run("replay", str(SHARED / "fixtures" / "neonize-small.jsonl"))
    assert (done.returncode, done.stderr) == (0, ""), done
    with openwa_store.open_store(tmp_path) as store:
        session = store.sessions.find("py-1")
        assert session and store.messages.count(session.id) == 95
    assert run("sessions").returncode == 0
    assert run("messages", "nobody").returncode == 3
    assert run("--nonsense").returncode == 2
    assert "openwa" in run("--help").stdout


def test_a_backup_comes_back(store: openwa_store.Store, session: openwa_store.Session, tmp_path: Path) -> None:
    store.messages.save(session.id, **text("A1"))
    repo = {"repo": str(tmp_path / "repo"), "password": "secret"}
    with pytest.raises(openwa_store.NotFoundError):
        store.backups(**repo)
    phases = set[str]()
    made = store.backup(repo=repo, progress=lambda phase, *_: phases.add(phase)).backup
    assert (made.data_form, made.sealed, "copy" in phases) == ("sqlite", False, True)
    assert store.backups(**repo) == [made]
    with pytest.raises(openwa_store.PermissionDeniedError):
        store.backups(**{**repo, "password": "other"})
    assert store.verify_backups(repo=repo).sound == (made.id,)
    assert store.prune_backups(**repo, last=1).kept == (made.id,)

    new = tmp_path / "new"
    assert store.restore_backup(dir=str(new), repo=repo).backup == made
    with pytest.raises(openwa_store.ConflictError):
        store.restore_backup(dir=str(new), repo=repo)
    with openwa_store.open_store(new) as again:
        assert again.messages.find(session.id, "A1") == store.messages.find(session.id, "A1")
