-- How time passed between the runs of retention.
-- up
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
