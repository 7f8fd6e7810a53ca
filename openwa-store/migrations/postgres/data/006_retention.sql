-- What retention has to know beside the rows: what moved in and waits for a yes, and how time passed between its runs.
-- up
CREATE TABLE openwa_moved (
  kind       text COLLATE "C" NOT NULL PRIMARY KEY,   -- takeover, import, migration or backfill
  source     text COLLATE "C" NOT NULL,               -- where from, for people
  moved_at   timestamptz NOT NULL,                    -- when the oldest of them for its time moved in
  oldest     timestamptz NOT NULL,                    -- created_at of that
  age_ms     bigint NOT NULL,                         -- how far the two lie apart: retention waits if that is over its window
  messages   bigint NOT NULL                          -- how many moved in since the last yes
);
CREATE TABLE openwa_retention (
  id          bigint PRIMARY KEY CHECK (id = 1),
  ran_at      timestamptz,                            -- last run, or the last yes
  jumped_ms   bigint NOT NULL DEFAULT 0,              -- jumps of the clock that passing time has not made up for
  boot        text COLLATE "C",                       -- boot of the machine that ran it
  uptime_ms   bigint,                                 -- time since that boot
  accepted_at timestamptz
);
INSERT INTO openwa_retention (id) VALUES (1);
-- down
DROP TABLE openwa_retention;
DROP TABLE openwa_moved;
