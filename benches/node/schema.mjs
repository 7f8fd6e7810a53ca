// The original document's schema with all its indexes, as the library's own yardstick has it (openwa-store/benches).
export const SCHEMA = `
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
`
export const PRAGMAS = ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON', 'cache_size = -16384']

const BODY = 'The quick brown fox jumps over the lazy dog. '.repeat(7).slice(0, 300)

/** Message number `n`, as every side gets it. */
export const sample = (n) => ({
  waMessageId: `3EB0${n.toString(16).toUpperCase().padStart(16, '0')}`,
  chatId: `1202555${String(1000 + (n % 500))}@s.whatsapp.net`,
  body: BODY,
  waTimestamp: new Date(1767600000000 + n * 1000)
})
