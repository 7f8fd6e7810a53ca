#!/usr/bin/env bash
# Package: apsw 3.54.1.0 from PyPI, which brings SQLite 3.54.1.
#
# Guess: when the sync of the database file in a checkpoint of the write-ahead log fails, nothing is lost, because the log still
# has every page and the next checkpoint copies all of them again.
#
# Behaviour: a PASSIVE checkpoint that cannot catch up (here a reader is in its way) moves the mark of what is copied without
# a sync. After the sync of a later checkpoint has failed, the next one starts at that mark. It writes only the pages behind it,
# syncs, and answers that the whole log is in the file; so the log may start over. The pages of the first part were never
# part of a sync that succeeded, and after a failed one the kernel need not write them again.
#
# Seen (busy, pages in the log, pages moved | pages written | syncs of the file):
#   beside a reader  0, 254, 202 | 200 | 0
#   failing          error       |  52 | 1
#   after            0, 254, 254 |  52 | 1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" --quiet --disable-pip-version-check install apsw==3.54.1.0
"$dir/venv/bin/python" - "$dir" <<'PY'
import sys

import apsw

print("apsw", apsw.apsw_version(), "SQLite", apsw.sqlite_lib_version())
seen = {"written": 0, "syncs": 0, "fail": False}


class Watched(apsw.VFSFile):
    """A file that counts, and whose sync can be made to fail."""

    def __init__(self, name, flags):
        super().__init__("", name, flags)
        self.database = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)

    def xWrite(self, data, offset):
        seen["written"] += self.database
        return super().xWrite(data, offset)

    def xSync(self, flags):
        if self.database:
            seen["syncs"] += 1
            if seen["fail"]:
                raise apsw.IOError("the disk reports an error")
        return super().xSync(flags)


class Watching(apsw.VFS):
    def __init__(self):
        super().__init__("watching", "")

    def xOpen(self, name, flags):
        return Watched(name, flags)


vfs = Watching()
writer, checkpointer, reader = (apsw.Connection(sys.argv[1] + "/a.db", vfs="watching") for _ in range(3))


def run(connection, sql):
    return list(connection.execute(sql))


def fill(rows):
    with writer:
        for _ in range(rows):
            run(writer, "INSERT INTO t VALUES (randomblob(3000))")


def checkpoint(when):
    seen.update(written=0, syncs=0)
    try:
        answer = run(checkpointer, "PRAGMA wal_checkpoint(PASSIVE)")[0]
    except apsw.IOError:
        answer = "error"
    print(f"{when:16} {answer}, pages written {seen['written']}, syncs {seen['syncs']}")
    return answer, seen["written"], seen["syncs"]


run(writer, "PRAGMA journal_mode=WAL")
run(writer, "PRAGMA wal_autocheckpoint=0")
run(writer, "CREATE TABLE t (x)")
fill(200)
checkpoint("everything")
fill(200)
run(reader, "BEGIN")
run(reader, "SELECT count(*) FROM t")
fill(50)
(_, log, moved), first, syncs = checkpoint("beside a reader")
assert 0 < moved < log and first > 100 and syncs == 0
run(reader, "COMMIT")
seen["fail"] = True
answer, _, _ = checkpoint("failing")
assert answer == "error"
seen["fail"] = False
(_, log, moved), again, syncs = checkpoint("after")
assert moved == log and syncs == 1
assert again < first, "it writes again what it had copied before the sync that failed"
print("as described")
PY
