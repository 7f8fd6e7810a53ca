-- Data database on SQLite. Dates are ISO 8601 text, always 24 characters, so that text order is time order.
-- up
CREATE TABLE sessions (
  id            TEXT NOT NULL PRIMARY KEY,            -- UUID
  name          TEXT NOT NULL UNIQUE,
  status        TEXT NOT NULL DEFAULT 'created',
  phone         TEXT,                                 -- digits of the account's own number
  push_name     TEXT,
  config        TEXT NOT NULL DEFAULT '{}',           -- JSON
  auth_state    TEXT,                                 -- JSON, opaque: an encrypted blob or a pointer
  connected_at  TEXT,
  retained_from TEXT,                                 -- messages made before this were removed by retention
  created_at    TEXT NOT NULL,
  updated_at    TEXT NOT NULL
) STRICT;
CREATE INDEX idx_sessions_status ON sessions (status, created_at, id);
CREATE INDEX idx_sessions_phone ON sessions (phone, created_at, id);
CREATE INDEX idx_sessions_created_at ON sessions (created_at, id);

CREATE TABLE webhooks (
  id                TEXT NOT NULL PRIMARY KEY,
  session_id        TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  url               TEXT NOT NULL,
  events            TEXT NOT NULL DEFAULT '["message.received"]',  -- JSON array
  secret            TEXT,
  headers           TEXT NOT NULL DEFAULT '{}',       -- JSON object
  active            INTEGER NOT NULL DEFAULT 1,
  retry_count       INTEGER NOT NULL DEFAULT 3,
  last_triggered_at TEXT,
  created_at        TEXT NOT NULL,
  updated_at        TEXT NOT NULL
) STRICT;
CREATE INDEX idx_webhooks_session_id ON webhooks (session_id, created_at, id);
CREATE INDEX idx_webhooks_active ON webhooks (session_id) WHERE active;

CREATE TABLE messages (
  id            TEXT NOT NULL PRIMARY KEY,            -- UUIDv7: new ones go to the end of the index
  session_id    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id TEXT,                                 -- NULL for a queued or failed send
  chat_id       TEXT NOT NULL,
  from_number   TEXT NOT NULL,
  to_number     TEXT,
  type          TEXT NOT NULL,
  body          TEXT,
  media         TEXT,                                 -- JSON object
  ack           INTEGER DEFAULT 0,                    -- -1 to 5; NULL: none yet
  from_me       INTEGER NOT NULL DEFAULT 0,
  is_group      INTEGER NOT NULL DEFAULT 0,
  wa_timestamp  TEXT NOT NULL,
  created_at    TEXT NOT NULL,
  edited_at     TEXT,
  revoked_at    TEXT,
  raw           BLOB,                                 -- the engine's own encoding, kept on request
  UNIQUE (session_id, wa_message_id)                  -- NULLs never collide
) STRICT;
-- A chat, in order; id makes the order total, so keyset paging neither repeats nor skips.
CREATE INDEX idx_messages_session_chat_timestamp ON messages (session_id, chat_id, wa_timestamp DESC, id);
-- A session or a time range of it. Rising, so that a new message goes to the end of its session and pages fill up.
CREATE INDEX idx_messages_wa_timestamp ON messages (session_id, wa_timestamp, id);
-- Retention goes by created_at. A row is stored after it was sent, so the index above finds what is old enough;
-- this one holds the rest, the few that claim to have been sent after they were stored.
CREATE INDEX idx_messages_created_at ON messages (session_id, created_at) WHERE created_at < wa_timestamp;
-- Senders whose phone address is not known yet: small, and what a new LID-phone pair has to move.
CREATE INDEX idx_messages_lid_sender ON messages (session_id, from_number) WHERE from_number LIKE '%@lid';
CREATE INDEX idx_messages_lid_recipient ON messages (session_id, to_number) WHERE to_number LIKE '%@lid';

CREATE TABLE contacts (
  id              TEXT NOT NULL PRIMARY KEY,
  session_id      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_contact_id   TEXT NOT NULL,
  name            TEXT,
  push_name       TEXT,
  phone           TEXT,
  is_my_contact   INTEGER NOT NULL DEFAULT 0,
  is_blocked      INTEGER NOT NULL DEFAULT 0,
  profile_pic_url TEXT,
  created_at      TEXT NOT NULL,
  updated_at      TEXT NOT NULL,
  UNIQUE (session_id, wa_contact_id)
) STRICT;
CREATE INDEX idx_contacts_phone ON contacts (session_id, phone, wa_contact_id);

CREATE TABLE session_logs (
  id         TEXT NOT NULL PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  event      TEXT NOT NULL,
  status     TEXT,
  data       TEXT,                                    -- JSON
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_session_logs_session_id ON session_logs (session_id, created_at, id);
CREATE INDEX idx_session_logs_session_event_created ON session_logs (session_id, event, created_at, id);
CREATE INDEX idx_session_logs_created_at ON session_logs (created_at);

CREATE TABLE webhook_logs (
  id          TEXT NOT NULL PRIMARY KEY,
  webhook_id  TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event       TEXT NOT NULL,
  status_code INTEGER,
  attempt     INTEGER NOT NULL DEFAULT 1,
  payload     TEXT NOT NULL,                          -- JSON
  response    TEXT,                                   -- JSON
  error       TEXT,
  created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX idx_webhook_logs_webhook_id ON webhook_logs (webhook_id, created_at, id);
CREATE INDEX idx_webhook_logs_created_at ON webhook_logs (created_at);

CREATE TABLE batch_jobs (
  id              TEXT NOT NULL PRIMARY KEY,
  batch_id        TEXT NOT NULL,
  session_id      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  status          TEXT NOT NULL DEFAULT 'pending',
  total_messages  INTEGER NOT NULL,
  sent_count      INTEGER NOT NULL DEFAULT 0,
  failed_count    INTEGER NOT NULL DEFAULT 0,
  cancelled_count INTEGER NOT NULL DEFAULT 0,
  options         TEXT NOT NULL DEFAULT '{}',         -- JSON
  error           TEXT,
  started_at      TEXT,
  completed_at    TEXT,
  created_at      TEXT NOT NULL,
  updated_at      TEXT NOT NULL,
  UNIQUE (session_id, batch_id)
) STRICT;
CREATE INDEX idx_batch_jobs_status ON batch_jobs (status, completed_at);
CREATE INDEX idx_batch_jobs_created_at ON batch_jobs (session_id, created_at, id);

CREATE TABLE batch_job_messages (
  id            TEXT NOT NULL PRIMARY KEY,
  batch_job_id  TEXT NOT NULL REFERENCES batch_jobs (id) ON DELETE CASCADE,
  position      INTEGER NOT NULL,                     -- sending order, from 0
  chat_id       TEXT NOT NULL,
  message_type  TEXT NOT NULL,
  content       TEXT NOT NULL,                        -- JSON
  variables     TEXT,                                 -- JSON
  status        TEXT NOT NULL DEFAULT 'pending',
  wa_message_id TEXT,
  error_code    TEXT,
  error_message TEXT,
  sent_at       TEXT,
  created_at    TEXT NOT NULL,
  UNIQUE (batch_job_id, position)
) STRICT;
CREATE INDEX idx_batch_job_messages_status ON batch_job_messages (batch_job_id, status, position);

CREATE TABLE webhook_idempotency (
  webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  idempotency_key TEXT NOT NULL,
  event_type      TEXT NOT NULL,
  processed_at    TEXT NOT NULL,
  response_status INTEGER,
  response_data   TEXT,                               -- JSON
  PRIMARY KEY (webhook_id, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_webhook_idempotency_processed_at ON webhook_idempotency (processed_at);

CREATE TABLE session_auth (
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  category   TEXT NOT NULL,                           -- creds, pre-key, session …
  key_id     TEXT NOT NULL,
  value      BLOB NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (session_id, category, key_id)
) STRICT;

CREATE TABLE identities (
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  lid        TEXT NOT NULL,                           -- …@lid
  pn         TEXT,                                    -- …@s.whatsapp.net; NULL until known
  updated_at TEXT NOT NULL,
  PRIMARY KEY (session_id, lid)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_identities_pn ON identities (session_id, pn);

CREATE TABLE message_reactions (
  session_id    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id TEXT NOT NULL,
  sender        TEXT NOT NULL,                        -- an address, or "me"
  emoji         TEXT NOT NULL,                        -- empty: withdrawn
  reacted_at    TEXT NOT NULL,
  PRIMARY KEY (session_id, wa_message_id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_message_reactions_lid_sender ON message_reactions (session_id, sender) WHERE sender LIKE '%@lid';

CREATE TABLE pending_changes (
  id            TEXT NOT NULL PRIMARY KEY,            -- UUIDv7: the order of arrival
  session_id    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id TEXT NOT NULL,
  kind          TEXT NOT NULL,                        -- ack, edit, revoke, reaction
  payload       TEXT NOT NULL,                        -- JSON
  created_at    TEXT NOT NULL
) STRICT;
CREATE INDEX idx_pending_changes_message ON pending_changes (session_id, wa_message_id, id);
CREATE INDEX idx_pending_changes_created_at ON pending_changes (created_at);
-- down
DROP TABLE pending_changes;
DROP TABLE message_reactions;
DROP TABLE identities;
DROP TABLE session_auth;
DROP TABLE webhook_idempotency;
DROP TABLE batch_job_messages;
DROP TABLE batch_jobs;
DROP TABLE webhook_logs;
DROP TABLE session_logs;
DROP TABLE contacts;
DROP TABLE messages;
DROP TABLE webhooks;
DROP TABLE sessions;
