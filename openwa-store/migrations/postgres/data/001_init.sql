-- Data database on PostgreSQL 12 and newer. Times have millisecond precision; text is ordered by its bytes, as in SQLite.
-- Lines between "-- partitioned" or "-- plain" and the next such line belong to that layout only.
-- up
CREATE TABLE sessions (
  id            uuid NOT NULL PRIMARY KEY,
  name          text COLLATE "C" NOT NULL UNIQUE,
  status        text COLLATE "C" NOT NULL DEFAULT 'created',
  phone         text COLLATE "C",                     -- digits of the account's own number
  push_name     text COLLATE "C",
  config        jsonb NOT NULL DEFAULT '{}',
  auth_state    jsonb,                                -- opaque: an encrypted blob or a pointer
  connected_at  timestamptz,
  retained_from timestamptz,                          -- messages made before this were removed by retention
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL
);
CREATE INDEX idx_sessions_status ON sessions (status, created_at, id);
CREATE INDEX idx_sessions_phone ON sessions (phone, created_at, id);
CREATE INDEX idx_sessions_created_at ON sessions (created_at, id);

CREATE TABLE webhooks (
  id                uuid NOT NULL PRIMARY KEY,
  session_id        uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  url               text COLLATE "C" NOT NULL,
  events            jsonb NOT NULL DEFAULT '["message.received"]',
  secret            text COLLATE "C",
  headers           jsonb NOT NULL DEFAULT '{}',
  active            boolean NOT NULL DEFAULT true,
  retry_count       bigint NOT NULL DEFAULT 3,
  last_triggered_at timestamptz,
  created_at        timestamptz NOT NULL,
  updated_at        timestamptz NOT NULL
);
CREATE INDEX idx_webhooks_session_id ON webhooks (session_id, created_at, id);
CREATE INDEX idx_webhooks_active ON webhooks (session_id) WHERE active;

CREATE TABLE messages (
  id            uuid NOT NULL,                        -- UUIDv7: new ones go to the end of the index
  session_id    uuid NOT NULL,
  wa_message_id text COLLATE "C",                     -- NULL for a queued or failed send
  chat_id       text COLLATE "C" NOT NULL,
  from_number   text COLLATE "C" NOT NULL,
  to_number     text COLLATE "C",
  type          text COLLATE "C" NOT NULL,
  body          text COLLATE "C",
  media         jsonb,
  ack           bigint DEFAULT 0,                     -- -1 to 5; NULL: none yet
  from_me       boolean NOT NULL DEFAULT false,
  is_group      boolean NOT NULL DEFAULT false,
  wa_timestamp  timestamptz NOT NULL,
  created_at    timestamptz NOT NULL,
  edited_at     timestamptz,
  revoked_at    timestamptz,
  raw           bytea,                                -- the engine's own encoding, kept on request
-- partitioned
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
-- plain
  PRIMARY KEY (id)
);
-- both
-- One row per session and WhatsApp id. A UNIQUE on a partitioned table would need created_at in it and so deduplicate
-- nothing; this table is the one place where an id is taken, and it says where the message is.
CREATE TABLE message_ids (
  session_id    uuid NOT NULL,
  wa_message_id text COLLATE "C" NOT NULL,
  message_id    uuid NOT NULL,
  created_at    timestamptz NOT NULL,
  PRIMARY KEY (session_id, wa_message_id)
);
-- Ids of a month that retention drops. Rows come in the order of time, so a block range index finds them and costs a
-- write next to nothing.
CREATE INDEX idx_message_ids_created_at ON message_ids USING brin (created_at) WITH (pages_per_range = 16);
-- Months that hold rows which claim to have been sent in a later month. All other rows were sent in the month in which
-- they were stored or before, so a page of the newest needs no older month; these are the exceptions.
CREATE TABLE messages_ahead (
  session_id uuid NOT NULL,
  month      timestamptz NOT NULL,
  PRIMARY KEY (session_id, month)
);
-- How many transactions each connection has kept: when the answer to a commit is lost, this tells whether it happened.
CREATE TABLE openwa_writers (
  id      uuid NOT NULL PRIMARY KEY,                  -- the connection
  commits bigint NOT NULL,
  at      timestamptz NOT NULL
) WITH (fillfactor = 50);                             -- room to change a row in its place
-- A chat, in order; id makes the order total, so keyset paging neither repeats nor skips.
CREATE INDEX idx_messages_session_chat_timestamp ON messages (session_id, chat_id, wa_timestamp DESC, id);
-- A session or a time range of it. Rising, so that a new message goes to the end of its session and pages fill up.
CREATE INDEX idx_messages_wa_timestamp ON messages (session_id, wa_timestamp, id);
-- Retention goes by created_at. A row is stored after it was sent, so the index above finds what is old enough;
-- this one holds the rest, the few that claim to have been sent after they were stored.
CREATE INDEX idx_messages_created_at ON messages (session_id, created_at) WHERE created_at < wa_timestamp;
-- Messages without WhatsApp's id, which are few: with the rows of message_ids they say how many a dropped month held.
CREATE INDEX idx_messages_without_id ON messages (created_at) WHERE wa_message_id IS NULL;
-- Senders whose phone address is not known yet: small, and what a new LID-phone pair has to move.
CREATE INDEX idx_messages_lid_sender ON messages (session_id, from_number) WHERE from_number LIKE '%@lid';
CREATE INDEX idx_messages_lid_recipient ON messages (session_id, to_number) WHERE to_number LIKE '%@lid';
-- partitioned
CREATE TABLE messages_default PARTITION OF messages DEFAULT;

-- Makes the partition of one month (UTC) and says whether there was anything to do. Rows of that month that wait in the
-- default partition are moved. Any number of processes may call it at once. It gives up (55P03) when a lock cannot be
-- had at once, so that nobody queues behind it; call it again.
CREATE FUNCTION create_messages_partition(at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
  since timestamptz := date_trunc('month', at);
  until timestamptz := since + interval '1 month';
  name  text := to_char(since, '"messages_y"YYYY"m"MM');
BEGIN
  IF to_regclass(quote_ident(name)) IS NOT NULL THEN RETURN false; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('openwa partitions of ' || current_schema()));
  -- Another look, by a query: to_regclass answers from what the connection remembers.
  IF EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = name AND relnamespace = quote_ident(current_schema())::regnamespace) THEN
    RETURN false;
  END IF;
  -- Nothing less holds: with weaker locks rows come into the default partition between the look and the change.
  LOCK TABLE ONLY messages IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT 1 FROM ONLY messages_default WHERE created_at >= since AND created_at < until) THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF messages FOR VALUES FROM (%L) TO (%L)', name, since, until);
    RETURN true;
  END IF;
  ALTER TABLE messages DETACH PARTITION messages_default;
  EXECUTE format('CREATE TABLE %I PARTITION OF messages FOR VALUES FROM (%L) TO (%L)', name, since, until);
  WITH moved AS (DELETE FROM messages_default WHERE created_at >= since AND created_at < until RETURNING *)
  INSERT INTO messages SELECT * FROM moved;
  ALTER TABLE messages ATTACH PARTITION messages_default DEFAULT;
  RETURN true;
END $$;

-- For pg_cron: the partitions of this month and the next three.
-- SELECT cron.schedule('create-messages-partition', '0 0 25 * *', 'SELECT create_messages_partition()');
CREATE FUNCTION create_messages_partition() RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  SELECT create_messages_partition(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + n * interval '1 month' + interval '1 day')
    FROM generate_series(0, 3) AS n
$$;
-- both

CREATE TABLE contacts (
  id              uuid NOT NULL PRIMARY KEY,
  session_id      uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_contact_id   text COLLATE "C" NOT NULL,
  name            text COLLATE "C",
  push_name       text COLLATE "C",
  phone           text COLLATE "C",
  is_my_contact   boolean NOT NULL DEFAULT false,
  is_blocked      boolean NOT NULL DEFAULT false,
  profile_pic_url text COLLATE "C",
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  UNIQUE (session_id, wa_contact_id)
);
CREATE INDEX idx_contacts_phone ON contacts (session_id, phone, wa_contact_id);

CREATE TABLE session_logs (
  id         uuid NOT NULL PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  event      text COLLATE "C" NOT NULL,
  status     text COLLATE "C",
  data       jsonb,
  created_at timestamptz NOT NULL
);
CREATE INDEX idx_session_logs_session_id ON session_logs (session_id, created_at, id);
CREATE INDEX idx_session_logs_session_event_created ON session_logs (session_id, event, created_at, id);
CREATE INDEX idx_session_logs_created_at ON session_logs (created_at);

CREATE TABLE webhook_logs (
  id          uuid NOT NULL PRIMARY KEY,
  webhook_id  uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event       text COLLATE "C" NOT NULL,
  status_code bigint,
  attempt     bigint NOT NULL DEFAULT 1,
  payload     jsonb NOT NULL,
  response    jsonb,
  error       text COLLATE "C",
  created_at  timestamptz NOT NULL
);
CREATE INDEX idx_webhook_logs_webhook_id ON webhook_logs (webhook_id, created_at, id);
CREATE INDEX idx_webhook_logs_created_at ON webhook_logs (created_at);

CREATE TABLE batch_jobs (
  id              uuid NOT NULL PRIMARY KEY,
  batch_id        text COLLATE "C" NOT NULL,
  session_id      uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  status          text COLLATE "C" NOT NULL DEFAULT 'pending',
  total_messages  bigint NOT NULL,
  sent_count      bigint NOT NULL DEFAULT 0,
  failed_count    bigint NOT NULL DEFAULT 0,
  cancelled_count bigint NOT NULL DEFAULT 0,
  options         jsonb NOT NULL DEFAULT '{}',
  error           text COLLATE "C",
  started_at      timestamptz,
  completed_at    timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  UNIQUE (session_id, batch_id)
);
CREATE INDEX idx_batch_jobs_status ON batch_jobs (status, completed_at);
CREATE INDEX idx_batch_jobs_created_at ON batch_jobs (session_id, created_at, id);

CREATE TABLE batch_job_messages (
  id            uuid NOT NULL PRIMARY KEY,
  batch_job_id  uuid NOT NULL REFERENCES batch_jobs (id) ON DELETE CASCADE,
  position      bigint NOT NULL,                      -- sending order, from 0
  chat_id       text COLLATE "C" NOT NULL,
  message_type  text COLLATE "C" NOT NULL,
  content       jsonb NOT NULL,
  variables     jsonb,
  status        text COLLATE "C" NOT NULL DEFAULT 'pending',
  wa_message_id text COLLATE "C",
  error_code    text COLLATE "C",
  error_message text COLLATE "C",
  sent_at       timestamptz,
  created_at    timestamptz NOT NULL,
  UNIQUE (batch_job_id, position)
);
CREATE INDEX idx_batch_job_messages_status ON batch_job_messages (batch_job_id, status, position);

CREATE TABLE webhook_idempotency (
  webhook_id      uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  idempotency_key text COLLATE "C" NOT NULL,
  event_type      text COLLATE "C" NOT NULL,
  processed_at    timestamptz NOT NULL,
  response_status bigint,
  response_data   jsonb,
  PRIMARY KEY (webhook_id, idempotency_key)
);
CREATE INDEX idx_webhook_idempotency_processed_at ON webhook_idempotency (processed_at);

CREATE TABLE session_auth (
  session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  category   text COLLATE "C" NOT NULL,               -- creds, pre-key, session …
  key_id     text COLLATE "C" NOT NULL,
  value      bytea NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (session_id, category, key_id)
);

CREATE TABLE identities (
  session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  lid        text COLLATE "C" NOT NULL,               -- …@lid
  pn         text COLLATE "C",                        -- …@s.whatsapp.net; NULL until known
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (session_id, lid)
);
CREATE INDEX idx_identities_pn ON identities (session_id, pn);

CREATE TABLE message_reactions (
  session_id    uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id text COLLATE "C" NOT NULL,
  sender        text COLLATE "C" NOT NULL,            -- an address, or "me"
  emoji         text COLLATE "C" NOT NULL,            -- empty: withdrawn
  reacted_at    timestamptz NOT NULL,
  PRIMARY KEY (session_id, wa_message_id, sender)
);
CREATE INDEX idx_message_reactions_lid_sender ON message_reactions (session_id, sender) WHERE sender LIKE '%@lid';

CREATE TABLE pending_changes (
  id            uuid NOT NULL PRIMARY KEY,            -- UUIDv7: the order of arrival
  session_id    uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id text COLLATE "C" NOT NULL,
  kind          text COLLATE "C" NOT NULL,            -- ack, edit, revoke, reaction
  payload       jsonb NOT NULL,
  created_at    timestamptz NOT NULL
);
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
-- partitioned
DROP FUNCTION create_messages_partition();
DROP FUNCTION create_messages_partition(timestamptz);
-- both
DROP TABLE openwa_writers;
DROP TABLE messages_ahead;
DROP TABLE message_ids;
DROP TABLE messages;
DROP TABLE webhooks;
DROP TABLE sessions;
