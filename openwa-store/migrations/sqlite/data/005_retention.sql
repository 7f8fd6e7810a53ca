-- What retention has to know beside the rows: what moved in and waits for a yes, and how time passed between its runs.
-- up
CREATE TABLE openwa_moved (
  kind       TEXT NOT NULL PRIMARY KEY,               -- takeover, import, migration or backfill
  source     TEXT NOT NULL,                           -- where from, for people
  moved_at   TEXT NOT NULL,                           -- when the oldest of them for its time moved in
  oldest     TEXT NOT NULL,                           -- created_at of that
  age_ms     INTEGER NOT NULL,                        -- how far the two lie apart: retention waits if that is over its window
  messages   INTEGER NOT NULL                         -- how many moved in since the last yes
) STRICT;
CREATE TABLE openwa_retention (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  ran_at      TEXT,                                   -- last run, or the last yes
  jumped_ms   INTEGER NOT NULL DEFAULT 0,             -- jumps of the clock that passing time has not made up for
  boot        TEXT,                                   -- boot of the machine that ran it
  uptime_ms   INTEGER,                                -- time since that boot
  accepted_at TEXT
) STRICT;
INSERT INTO openwa_retention (id) VALUES (1);
-- down
DROP TABLE openwa_retention;
DROP TABLE openwa_moved;
