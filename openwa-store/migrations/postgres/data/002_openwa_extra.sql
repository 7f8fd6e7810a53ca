-- What a takeover found and no other table has a column for. Rows about tables of Main lie here too: they are read
-- only to go back, and then Data is there.
-- up
CREATE TABLE openwa_extra (
  table_name text COLLATE "C" NOT NULL,               -- table of the source
  row_id     text COLLATE "C" NOT NULL,               -- row of that table
  session_id uuid REFERENCES sessions (id) ON DELETE CASCADE,
  data       jsonb NOT NULL,                          -- object
  PRIMARY KEY (table_name, row_id)
);
CREATE INDEX idx_openwa_extra_session_id ON openwa_extra (session_id);
-- down
DROP TABLE openwa_extra;
