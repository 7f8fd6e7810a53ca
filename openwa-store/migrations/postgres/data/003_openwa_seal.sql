-- How the secrets of this database are sealed; one row. It belongs to the database, so no export has it.
-- up
CREATE TABLE openwa_seal (
  id         bigint PRIMARY KEY CHECK (id = 1),
  key_id     text,                                    -- key that secrets are written with; NULL: in clear
  old_key_id text,                                    -- key that some may still be sealed with, or that still opens the store
  new_by_old bytea,                                   -- the key, sealed with the old one: who has only that one goes on
  old_by_new bytea,                                   -- the old key, sealed with the key
  finished   boolean NOT NULL DEFAULT true,           -- every secret is as key_id says
  clean      boolean NOT NULL DEFAULT false,          -- no secret in clear is left in free space
  changed_at timestamptz                              -- since when key_id holds
);
INSERT INTO openwa_seal (id) VALUES (1);
-- down
DROP TABLE openwa_seal;
