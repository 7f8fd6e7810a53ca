-- How the secrets of this database are sealed; one row. It belongs to the database, so no export has it.
-- up
CREATE TABLE openwa_seal (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  key_id     TEXT,                                    -- key that secrets are written with; NULL: in clear
  old_key_id TEXT,                                    -- key that some may still be sealed with, or that still opens the store
  new_by_old BLOB,                                    -- the key, sealed with the old one: who has only that one goes on
  old_by_new BLOB,                                    -- the old key, sealed with the key
  finished   INTEGER NOT NULL DEFAULT 1 CHECK (finished IN (0, 1)), -- every secret is as key_id says
  clean      INTEGER NOT NULL DEFAULT 0 CHECK (clean IN (0, 1)),    -- no secret in clear is left in free space
  changed_at TEXT                                     -- since when key_id holds
) STRICT;
INSERT INTO openwa_seal (id) VALUES (1);

-- down
DROP TABLE openwa_seal;
