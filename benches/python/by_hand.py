"""The yardstick: what a careful author writes with the standard library's sqlite3 on the original document's schema, with
all its indexes, WAL, and one durable transaction per message."""

import hashlib
import json
import sqlite3
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

SCHEMA = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL DEFAULT 'created');
CREATE TABLE messages (
  id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id TEXT NOT NULL, chat_id TEXT NOT NULL, from_number TEXT NOT NULL, to_number TEXT,
  type TEXT NOT NULL, body TEXT, media TEXT, ack INTEGER DEFAULT 0, from_me INTEGER NOT NULL DEFAULT 0,
  is_group INTEGER NOT NULL DEFAULT 0, wa_timestamp TEXT NOT NULL, created_at TEXT NOT NULL,
  UNIQUE (session_id, wa_message_id));
CREATE INDEX idx_messages_session_id ON messages (session_id);
CREATE INDEX idx_messages_chat_id ON messages (chat_id);
CREATE INDEX idx_messages_wa_timestamp ON messages (wa_timestamp);
CREATE INDEX idx_messages_created_at ON messages (created_at);
CREATE INDEX idx_messages_session_chat ON messages (session_id, chat_id);
CREATE INDEX idx_messages_type ON messages (type);
CREATE INDEX idx_messages_from_me ON messages (from_me) WHERE from_me = 1;
CREATE INDEX idx_messages_session_chat_timestamp ON messages (session_id, chat_id, wa_timestamp DESC);
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY, key_hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, permissions TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1, expires_at TEXT, last_used_at TEXT, created_at TEXT NOT NULL);
CREATE INDEX idx_api_keys_key_hash ON api_keys (key_hash);
CREATE INDEX idx_api_keys_active ON api_keys (active);
"""
INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
PAGE = "SELECT * FROM messages WHERE session_id = ? AND chat_id = ? ORDER BY wa_timestamp DESC LIMIT ?"
KEY = "SELECT permissions, active, expires_at FROM api_keys WHERE key_hash = ?"


@dataclass(slots=True)
class Message:
    id: str
    session_id: str
    wa_message_id: str
    chat_id: str
    from_number: str
    to_number: str | None
    type: str
    body: str | None
    media: str | None
    ack: int | None
    from_me: bool
    is_group: bool
    wa_timestamp: datetime
    created_at: datetime


@dataclass(slots=True)
class Sample:
    wa_message_id: str
    chat_id: str
    body: str
    wa_timestamp: datetime


def connect(folder: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(folder / "by_hand.sqlite", isolation_level=None, check_same_thread=False, timeout=60)
    conn.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
    return conn


class ByHand:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = str(uuid.uuid4())
        self.own = threading.local()
        conn = self.conn
        conn.executescript(SCHEMA)
        conn.execute("INSERT INTO sessions (id, name) VALUES (?, 'bench')", (self.session,))

    @property
    def conn(self) -> sqlite3.Connection:
        """A connection per thread, as sqlite3 wants it."""
        if not hasattr(self.own, "conn"):
            self.own.conn = connect(self.folder)
        conn: sqlite3.Connection = self.own.conn
        return conn

    def row(self, m: Sample) -> tuple[object, ...]:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        at = m.wa_timestamp.isoformat(timespec="milliseconds")
        ids = (str(uuid.uuid4()), self.session, m.wa_message_id)
        return (*ids, m.chat_id, m.chat_id, None, "text", m.body, None, None, 0, 0, at, now)

    def save(self, m: Sample) -> None:
        self.conn.execute(INSERT, self.row(m))  # a statement by itself is a transaction

    def save_many(self, many: Sequence[Sample]) -> None:
        conn = self.conn
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(INSERT, [self.row(m) for m in many])
        conn.execute("COMMIT")

    def page(self, chat: str) -> list[Message]:
        found = []
        for row in self.conn.execute(PAGE, (self.session, chat, 50)):
            *rest, ack, from_me, is_group, wa_timestamp, created_at = row
            found.append(
                Message(
                    *rest,
                    ack,
                    bool(from_me),
                    bool(is_group),
                    datetime.fromisoformat(wa_timestamp),
                    datetime.fromisoformat(created_at),
                )
            )
        return found

    def add_key(self, key: str) -> None:
        hashed = hashlib.sha256(key.encode()).hexdigest()
        row = (str(uuid.uuid4()), hashed, "bench", '["messages:read"]', 1, None, None, "2026-01-05")
        self.conn.execute("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def authorize(self, key: str, permission: str) -> bool:
        found = self.conn.execute(KEY, (hashlib.sha256(key.encode()).hexdigest(),)).fetchone()
        if found is None:
            return False
        permissions, active, expires_at = found
        return bool(active) and expires_at is None and permission in json.loads(permissions)
