-- What the jobs of maintenance did last, so that of any number of processes one runs each slot.
-- up
CREATE TABLE openwa_maintenance (
  job          text COLLATE "C" NOT NULL PRIMARY KEY,
  schedule     text COLLATE "C" NOT NULL,             -- cron expression of who ran it
  timezone     text COLLATE "C" NOT NULL,
  slot         timestamptz NOT NULL,                  -- when the last run was due
  back         timestamptz,                           -- last slot run because the recorded one lay in the future
  attempt      bigint NOT NULL,                       -- how often the slot was begun
  runner       text COLLATE "C" NOT NULL,             -- host and process
  started_at   timestamptz NOT NULL,
  ended_at     timestamptz,                           -- NULL: it runs, or was interrupted
  retry_at     timestamptz,                           -- it is to be repeated then
  succeeded_at timestamptz,
  error        text COLLATE "C",                      -- of the last run that failed
  error_at     timestamptz
);
-- down
DROP TABLE openwa_maintenance;
