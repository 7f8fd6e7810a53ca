-- What the jobs of maintenance did last, so that of any number of processes one runs each slot.
-- up
CREATE TABLE openwa_maintenance (
  job          TEXT NOT NULL PRIMARY KEY,
  schedule     TEXT NOT NULL,                         -- cron expression of who ran it
  timezone     TEXT NOT NULL,
  slot         TEXT NOT NULL,                         -- when the last run was due
  back         TEXT,                                  -- last slot run because the recorded one lay in the future
  attempt      INTEGER NOT NULL,                      -- how often the slot was begun
  runner       TEXT NOT NULL,                         -- host and process
  started_at   TEXT NOT NULL,
  ended_at     TEXT,                                  -- NULL: it runs, or was interrupted
  retry_at     TEXT,                                  -- it is to be repeated then
  succeeded_at TEXT,
  error        TEXT,                                  -- of the last run that failed
  error_at     TEXT
) STRICT;
-- down
DROP TABLE openwa_maintenance;
