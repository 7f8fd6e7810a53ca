-- Main database: keys and the trail of their use. Always SQLite, so that keys can be checked before, and
-- whether or not, any other database is reachable. Dates are SQLite's own datetime text, UTC, milliseconds.
-- up
CREATE TABLE api_keys (
  id               TEXT NOT NULL PRIMARY KEY,         -- UUID
  key_hash         TEXT NOT NULL UNIQUE,              -- SHA-256 or peppered HMAC-SHA256 of the key, hex
  key_prefix       TEXT NOT NULL,                     -- first 12 characters, so that people can tell keys apart
  name             TEXT NOT NULL,
  permissions      TEXT NOT NULL DEFAULT '["*"]',     -- JSON array; [] denies everything
  allowed_sessions TEXT,                              -- JSON array; NULL: all
  allowed_chats    TEXT,                              -- JSON array; NULL: all
  active           INTEGER NOT NULL DEFAULT 1,
  expires_at       TEXT,
  last_used_at     TEXT,
  usage_count      INTEGER NOT NULL DEFAULT 0,
  created_at       TEXT NOT NULL
) STRICT;
CREATE INDEX idx_api_keys_active_not_expired ON api_keys (key_hash) WHERE active = 1;
CREATE INDEX idx_api_keys_created_at ON api_keys (created_at, id);

CREATE TABLE ip_whitelist (
  id          TEXT NOT NULL PRIMARY KEY,
  api_key_id  TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  ip_address  TEXT NOT NULL,
  cidr_range  TEXT,                                   -- decides instead of ip_address when given
  description TEXT,
  active      INTEGER NOT NULL DEFAULT 1,
  created_at  TEXT NOT NULL
) STRICT;
-- NULL counts as one value here, so that an address is listed once, yet beside any number of its networks.
CREATE UNIQUE INDEX uq_ip_whitelist_entry ON ip_whitelist (api_key_id, ip_address, coalesce(cidr_range, ''));

CREATE TABLE api_key_logs (
  id            TEXT NOT NULL PRIMARY KEY,
  api_key_id    TEXT REFERENCES api_keys (id) ON DELETE SET NULL,
  endpoint      TEXT NOT NULL,
  method        TEXT NOT NULL,
  ip_address    TEXT,
  user_agent    TEXT,
  status_code   INTEGER NOT NULL,
  response_time INTEGER,                              -- milliseconds
  created_at    TEXT NOT NULL
) STRICT;
CREATE INDEX idx_api_key_logs_api_key_id ON api_key_logs (api_key_id, created_at, id);
CREATE INDEX idx_api_key_logs_created_at ON api_key_logs (created_at, id);

-- No foreign keys: the trail outlives what it names, so it copies ids and names.
CREATE TABLE audit_logs (
  id            TEXT NOT NULL PRIMARY KEY,
  action        TEXT NOT NULL,
  severity      TEXT NOT NULL,                        -- info, warn, error
  api_key_id    TEXT,
  api_key_name  TEXT,
  session_id    TEXT,
  session_name  TEXT,
  ip_address    TEXT,
  user_agent    TEXT,
  method        TEXT,
  path          TEXT,
  status_code   INTEGER,
  metadata      TEXT,                                 -- JSON
  error_message TEXT,
  created_at    TEXT NOT NULL
) STRICT;
CREATE INDEX idx_audit_logs_created_at ON audit_logs (created_at, id);
CREATE INDEX idx_audit_logs_action ON audit_logs (action, created_at, id);
CREATE INDEX idx_audit_logs_session_id ON audit_logs (session_id, created_at, id);
CREATE INDEX idx_audit_logs_api_key_id ON audit_logs (api_key_id, created_at, id);
-- down
DROP TABLE audit_logs;
DROP TABLE api_key_logs;
DROP TABLE ip_whitelist;
DROP TABLE api_keys;
