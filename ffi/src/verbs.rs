//! Every verb of the store and every rule as a function for C. Generated from `openwa_store::face`; `BLESS=1 cargo
//! test -p openwa-tests --test c_interface` renews it.

use std::ffi::{c_char, c_void};

use ::openwa_store::face::Value;

use crate::call::{self, openwa_progress_fn, verb};
use crate::error::openwa_error;
use crate::guard::{clear, guard};
use crate::record::openwa_record;
use crate::rows::openwa_rows;
use crate::store::openwa_store;
use crate::text::{openwa_bytes, openwa_str};

/// Takes what an engine emitted, as JSON, and applies all of it in one commit.
///
/// `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a Baileys event map
/// (`{"messages.upsert": …, "chats.update": …}`). Unknown events and fields are counted, never an error; a
/// message that is not acceptable is reported in `refused` and does not affect the rest.
///
/// - `engine`: The library that emitted it: `baileys`, `wwebjs`, `neonize`.
/// - `session`: The session, a UUID as text.
/// - `event`: What it emitted, as JSON.
/// - `at_ms`: When it was, for an event of the past; default now. Such an event may have been applied before, so
///   a status is left out if the session's log has it, or a later one, in milliseconds since 1970; NULL when not
///   given.
/// - `out`: an `Ingested`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for JSON that is no event, `OPENWA_ERR_NOT_FOUND` for the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_ingest(
    store: *const openwa_store,
    engine: openwa_str,
    session: openwa_str,
    event: openwa_str,
    at_ms: *const i64,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("store.ingest") },
                vec![
                    call::text("engine", engine)?,
                    call::uuid("session", session)?,
                    call::json("event", event)?,
                    call::optional(at_ms, |n| call::time("at", n))?,
                ],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Sizes, schema versions and row counts. Counting reads the smallest index of every table once; of a large store
/// `overview` tells nearly the same at once.
///
/// - `out`: a `Status`; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_status(
    store: *const openwa_store,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.status") }, vec![])?;
            call::give_record(out, answer)
        })
    }
}

/// The store on one screen: what needs attention, sizes, sessions by state, messages per day, growth, deliveries
/// to webhooks, keys that expire. Nothing large is counted, so that it takes milliseconds also with ten million
/// messages; estimates are marked as such.
///
/// - `options`: What to show: an `OverviewOptions`, or NULL.
/// - `out`: an `Overview`; free it with `openwa_record_free`.
///
/// Errors: those of the databases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_overview(
    store: *const openwa_store,
    options: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.overview") }, vec![call::record(options)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows whose parent does not
/// exist, counters of bulk jobs against a recount, ids of messages against messages, values that cannot be read,
/// rows in the wrong place. It reads everything once, in constant memory, and holds nobody up; on a store that
/// others write to, each question is answered of one moment.
///
/// - `out`: a `CheckReport`; free it with `openwa_record_free`.
///
/// Errors: those of the database; what is wrong *in* it is in the report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_check(
    store: *const openwa_store,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.check") }, vec![])?;
            call::give_record(out, answer)
        })
    }
}

/// Checks, repairs what can be repaired without losing anything, and checks again. What is not certain, such as
/// which of two rows is right, is reported and left. A file with damaged pages is not written to at all. With
/// `dry_run` nothing is changed. The progress tells which table is being looked at, and rows where they are read
/// one by one.
///
/// - `options`: What may be done: a `RepairOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `RepairReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CANCELLED` when the callback stops it (what is repaired stays), those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_repair(
    store: *const openwa_store,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.repair") },
                vec![call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite free pages go back to
/// the file system in transactions of a few milliseconds; on PostgreSQL every table gets a `VACUUM (ANALYZE)`,
/// which makes room in it for new rows and gives back what is free at its end. With `full` everything is written
/// anew, see `full`. A crash in the middle loses nothing. The progress counts pages on SQLite, tables on
/// PostgreSQL; stopping keeps what was given back until then. Of several processes one runs, the others answer
/// `already_running`.
///
/// - `options`: How: a `VacuumOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `VacuumReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_DISK_FULL` when `full` on SQLite finds less room than it needs, before anything is begun;
/// those of the databases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_vacuum(
    store: *const openwa_store,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.vacuum") },
                vec![call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Like `export`, to a file that only its owner may read; compressed if its name ends in `.zst`. The file takes
/// its place, and that of an older one, only when it is complete and durable.
///
/// - `path`: The file.
/// - `options`: What to export: an `ExportOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: an `ExportReport`; free it with `openwa_record_free`.
///
/// Errors: as `export`, with the path in the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_export_file(
    store: *const openwa_store,
    path: openwa_str,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.export_file") },
                vec![call::text("path", path)?, call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Like `import`, from a file.
///
/// - `path`: The file.
/// - `options`: How to import: an `ImportOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: an `ImportReport`; free it with `openwa_record_free`.
///
/// Errors: as `import`, with the path in the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_import_file(
    store: *const openwa_store,
    path: openwa_str,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.import_file") },
                vec![call::text("path", path)?, call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Writes a backup of the store while it is in use: Main and Data as of one moment each, one behind the other.
/// The repository is made if it is missing. What is in it already is not written again, so a backup every hour
/// costs about what changed. It counts only when everything new was read back from the repository.
///
/// It needs room for a copy of the databases beside Main, or in `temp_dir`. Writers go on meanwhile.
///
/// - `options`: Where to, and how: a `BackupOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `BackupReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_PERMISSION_DENIED` for a wrong password or wrong credentials, `OPENWA_ERR_NOT_FOUND` for a
/// missing bucket, `OPENWA_ERR_UNAVAILABLE` when the storage does not answer, `OPENWA_ERR_BUSY` while another
/// process makes a backup of this store or writes to this repository, `OPENWA_ERR_CORRUPT` when a database or the
/// repository is damaged, `OPENWA_ERR_DISK_FULL`, `OPENWA_ERR_SCHEMA_TOO_NEW` for a repository of a newer
/// version, `OPENWA_ERR_CANCELLED`, `OPENWA_ERR_UNSUPPORTED` in a build without the feature. Earlier backups stay
/// as they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_backup(
    store: *const openwa_store,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.backup") },
                vec![call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// The backups in a repository, the oldest first; this store need not be one of them. What other programs put
/// into it is left out.
///
/// - `repo`: The repository: a `BackupRepo`, or NULL.
/// - `out`: a list of `Backup`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND` when there is no repository; those of `backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_backups(
    store: *const openwa_store,
    repo: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.backups") }, vec![call::record(repo)?])?;
            call::give_rows(out, answer)
        })
    }
}

/// Reads backups back whole and compares them with what was written: every byte of every file.
///
/// - `options`: Which ones: a `VerifyOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `BackupVerify`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND` when there is no such backup; those of `backup`. What is wrong *in* backups is
/// in the report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_verify_backups(
    store: *const openwa_store,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.verify_backups") },
                vec![call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Forgets the backups that no rule keeps, and gives back the space that only they used: it is marked first, and
/// removed by a prune at least 23 hours later, so that a backup which is being written meanwhile loses nothing.
///
/// - `repo`: The repository: a `BackupRepo`, or NULL.
/// - `keep`: What is kept: a `KeepRules`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `BackupPrune`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_BUSY` while another process writes to the repository; those of `backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_prune_backups(
    store: *const openwa_store,
    repo: *const openwa_record,
    keep: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.prune_backups") },
                vec![call::record(repo)?, call::record(keep)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Restores a backup to where `target` says, which no process may have open: files into a new place or, with
/// `replace`, in place of those that are there, which are set aside under another name; PostgreSQL into a schema
/// without tables. Everything is verified before it takes its place: checksums, integrity, references, row
/// counts. This store has no part in it and may be any, also one in memory.
///
/// Engines' credentials move on with every message. Those of a backup that were used since break the account, so
/// newer ones are not replaced unless that is allowed.
///
/// - `target`: Where to, as a store is opened there: an `OpenOptions`, or NULL.
/// - `options`: Which backup, and how: a `RestoreOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `RestoreReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CONFLICT` when there is a store already, when its credentials are newer, or when the
/// schema has tables; `OPENWA_ERR_BUSY` while a process has the store open; `OPENWA_ERR_CORRUPT` for a damaged
/// backup; `OPENWA_ERR_SCHEMA_TOO_NEW`; `OPENWA_ERR_DISK_FULL`; those of `backup`. The target is left as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_restore_backup(
    store: *const openwa_store,
    target: *const openwa_record,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.restore_backup") },
                vec![call::record(target)?, call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// How the secrets are kept, and whether this process can read them.
///
/// - `out`: a `SecretsStatus`; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_secrets_status(
    store: *const openwa_store,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.secrets_status") }, vec![])?;
            call::give_record(out, answer)
        })
    }
}

/// Seals every secret that is in clear, and rids free space of what was: on SQLite the database is written anew,
/// which takes about its size in disk space, and writers wait meanwhile; on PostgreSQL the tables with secrets
/// are locked while they are. Opening with a key seals as well, but rids only small databases. Says how many rows
/// were sealed. May be broken off and done again.
///
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_STORE_KEY_MISSING` when the store was opened without a key, `OPENWA_ERR_WRONG_STORE_KEY`;
/// `OPENWA_ERR_UNREADABLE` naming the first row that cannot be read, when all others are sealed;
/// `OPENWA_ERR_BUSY` while another process is at it; `OPENWA_ERR_CANCELLED`; those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_seal_secrets(
    store: *const openwa_store,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(store, const { verb("store.seal_secrets") }, vec![], progress, user)?;
            call::give_i64(out, answer)
        })
    }
}

/// Opens every secret, so that they are in clear again: give the store no key then, or the next open seals them
/// anew. Says how many rows were opened. May be broken off and done again.
///
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: the answer.
///
/// Errors: as `seal_secrets`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_unseal_secrets(
    store: *const openwa_store,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run_long(store, const { verb("store.unseal_secrets") }, vec![], progress, user)?;
            call::give_i64(out, answer)
        })
    }
}

/// Seals every secret with another key, while this and other processes go on: they learn of the new key by the
/// old one. Says how many rows were sealed. A run that was broken off is finished by another one with the same
/// key; until then the store opens with either.
///
/// The old key goes on opening the store for 24 hours, so that gateways can be given the new one, and is then
/// refused by the first open. With `retire` it is refused at once: processes that have not met the new key by
/// then have to be opened anew. Calling it again with the same key and `retire` does that later.
///
/// - `new_key`: The key that seals from now on: 64 hexadecimal digits, or 32 bytes in base64.
/// - `retire`: Refuses the old key at once.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_CONFLICT` for a store that is not sealed; as `seal_secrets`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_rotate_store_key(
    store: *const openwa_store,
    new_key: openwa_str,
    retire: bool,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.rotate_store_key") },
                vec![call::text("new_key", new_key)?, Value::Bool(retire)],
                progress,
                user,
            )?;
            call::give_i64(out, answer)
        })
    }
}

/// For a store whose key is lost: drops every secret that this process cannot open. Sessions lose their
/// credentials and go back to `created`, to be paired anew; webhooks lose secret and headers and are switched
/// off; what a takeover kept of sessions and webhooks is gone. Messages, contacts and everything else stay. Says
/// how many rows lost something. Open the store without a key for it; afterwards it may be opened with a new one.
///
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_CONFLICT` when this process has the key; `OPENWA_ERR_BUSY`, `OPENWA_ERR_CANCELLED`, those
/// of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_forget_secrets(
    store: *const openwa_store,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run_long(store, const { verb("store.forget_secrets") }, vec![], progress, user)?;
            call::give_i64(out, answer)
        })
    }
}

/// Every index of both databases, the largest first.
///
/// - `out`: a list of `IndexInfo`; free it with `openwa_rows_free`.
///
/// Errors: those of the databases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_indexes(
    store: *const openwa_store,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.indexes") }, vec![])?;
            call::give_rows(out, answer)
        })
    }
}

/// The monthly tables of messages, oldest first; none where `messages` is one table.
///
/// - `out`: a list of `PartitionInfo`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_partitions(
    store: *const openwa_store,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.partitions") }, vec![])?;
            call::give_rows(out, answer)
        })
    }
}

/// Makes the monthly tables of this month and the next three, and moves rows that wait in the default partition
/// to where they belong. Opening does it, and so does every run of retention; a gateway that runs for months
/// without either calls this once a month. Says how many were made.
///
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_BUSY` when a lock cannot be had for long; those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_make_partitions(
    store: *const openwa_store,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.make_partitions") }, vec![])?;
            call::give_i64(out, answer)
        })
    }
}

/// Rebuilds the indexes of both databases, or those of one table, one by one, which gives space back and mends an
/// index that is not valid. Says how many. On PostgreSQL others go on reading and writing meanwhile; on SQLite a
/// writer waits for the index that is being rebuilt. The progress counts indexes.
///
/// - `table`: Only this table; default all; `NULL, 0` when not given.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown table, `OPENWA_ERR_CANCELLED` when the callback stops it
/// (what is rebuilt stays), those of the databases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_reindex(
    store: *const openwa_store,
    table: openwa_str,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.reindex") },
                vec![call::text("table", table)?],
                progress,
                user,
            )?;
            call::give_i64(out, answer)
        })
    }
}

/// Copies this store's rows into another one, whatever the engines of the two, as a stream: memory does not grow
/// with the data. Before anything is kept, each table is read back and compared by number and checksum of its
/// rows; any failure leaves the target as it was. This store may be used meanwhile; what changes after the
/// beginning is not copied, so stop the gateway first when it shall move.
///
/// - `data`: Where the rows go, as the option `data` of opening: a SQLite file or a `postgres://` URL. Its Main
///   database is this store's.
/// - `options`: What to move: a `MigrateOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `MigrateReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CONFLICT` for a target that has rows, unless they shall be replaced; those of `export` and
/// `import`, with the store that they are about in the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_migrate_to(
    store: *const openwa_store,
    data: openwa_str,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.migrate_to") },
                vec![call::text("data", data)?, call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Takes over what another gateway has: each source is a path or a `postgres://` URL, and is recognised by what
/// it is:
///
/// - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a journal beside; they are
///   never changed;
/// - OpenWA's database on a PostgreSQL server: `postgres://user:password@host/database?schema=public`;
/// - OpenWA's export, plain or compressed with gzip or zstd;
/// - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.
///
/// All of it or nothing; see `import`. Rows that are there already stay as they are, so a second run changes
/// nothing. What has no column here is kept in `openwa_extra`. Memory does not grow with the sources; a temporary
/// file of about their size does.
///
/// - `sources`, `sources_len`: What to take over: paths, or `postgres://` URLs: texts.
/// - `options`: How: a `TakeoverOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `TakeoverReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_DATA` saying what a source looks like, or naming table, row and column of the
/// first bad row; `OPENWA_ERR_FOREIGN_DATABASE` for another program's database; `OPENWA_ERR_BUSY` when a source
/// is being written to; `OPENWA_ERR_CANCELLED`; those of the databases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_takeover(
    store: *const openwa_store,
    sources: *const openwa_str,
    sources_len: usize,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.takeover") },
                vec![call::texts("sources", sources, sources_len)?, call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Like `export_openwa`, to a file that only its owner may read; compressed if its name ends in `.zst`. It takes
/// its place only when it is complete and durable.
///
/// - `path`: The file.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: an `OpenwaExportReport`; free it with `openwa_record_free`.
///
/// Errors: as `export`, with the path in the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_export_openwa_file(
    store: *const openwa_store,
    path: openwa_str,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.export_openwa_file") },
                vec![call::text("path", path)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Counts what `run_retention` would delete, and deletes nothing.
///
/// - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
/// - `out`: a `RetentionReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a session whose settings have a window that makes no sense, and
/// those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_retention_preview(
    store: *const openwa_store,
    options: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run(store, const { verb("store.retention_preview") }, vec![call::record(options)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Deletes what is older than its window, in transactions of a few milliseconds, and gives the space back. Of
/// several processes one runs, the others answer `already_running`.
///
/// - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a `RetentionReport`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CLOCK_JUMP` when the clock seems to have jumped and `force` is not set,
/// `OPENWA_ERR_INVALID_ARGUMENT` for settings that make no sense, and those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_run_retention(
    store: *const openwa_store,
    options: *const openwa_record,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.run_retention") },
                vec![call::record(options)?],
                progress,
                user,
            )?;
            call::give_record(out, answer)
        })
    }
}

/// What retention is about to do: how many rows are older than their window, and whether messages wait for a yes.
///
/// - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
/// - `out`: a `RetentionStatus`; free it with `openwa_record_free`.
///
/// Errors: as `retention_preview`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_retention_status(
    store: *const openwa_store,
    options: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run(store, const { verb("store.retention_status") }, vec![call::record(options)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Says yes to retention: messages that moved in go with the next run if they are older than their window, and
/// the clock is right as it stands, however far it has jumped. Answers what had moved in.
///
/// - `out`: a list of `MovedIn`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_accept_retention(
    store: *const openwa_store,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.accept_retention") }, vec![])?;
            call::give_rows(out, answer)
        })
    }
}

/// Starts maintenance in a thread of this store: retention, months ahead, uses of API keys, statistics, each by
/// its schedule. It ends with `stop_maintenance` or with the store.
///
/// Any number of processes may run it on the same databases: one of them runs a slot. What was missed while
/// nobody ran is made up for once; but what deletes has its first run in the next slot, so that it can be seen
/// before (`retention_status`). A job that fails is tried again within its slot if that may help, and never keeps
/// another one from running.
///
/// - `options`: When the jobs run, and what they go by: a `MaintenanceOptions`, or NULL.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the job for what is no schedule or time zone,
/// `OPENWA_ERR_CONFLICT` when it runs already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_start_maintenance(
    store: *const openwa_store,
    options: *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer =
                call::run(store, const { verb("store.start_maintenance") }, vec![call::record(options)?])?;
            call::nothing(answer)
        })
    }
}

/// Stops maintenance: a job that runs ends after its next step, and goes on when maintenance is started again.
/// Does nothing when it does not run.
///
/// Errors: `OPENWA_ERR_FORKED`, `OPENWA_ERR_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_stop_maintenance(
    store: *const openwa_store,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::run(store, const { verb("store.stop_maintenance") }, vec![])?;
            call::nothing(answer)
        })
    }
}

/// Runs what is due now and returns: maintenance for a host that has its own scheduler, such as cron. With `job`,
/// runs that one, due or not. The answer has one entry for each job that was run at a place, and says how it
/// ended and how many rows it deleted; a failure of one keeps no other from running. One that deletes and never
/// ran is `scheduled`. The progress counts each job's steps, with its name for a table; of one that deletes, it
/// first tells of how many rows.
///
/// - `options`: When the jobs run, and what they go by: a `MaintenanceOptions`, or NULL.
/// - `job`: Only this job, due or not; default all that are due: `retention`, `idempotency`, `partitions`,
///   `usage`, `optimize`, `backup`; `NULL, 0` when not given.
/// - `progress`: hears of the progress, with `user`; may be NULL.
/// - `out`: a list of `MaintenanceRun`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` as `start_maintenance`, and for a job that has no schedule;
/// `OPENWA_ERR_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_run_maintenance(
    store: *const openwa_store,
    options: *const openwa_record,
    job: openwa_str,
    progress: openwa_progress_fn,
    user: *mut c_void,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run_long(
                store,
                const { verb("store.run_maintenance") },
                vec![call::record(options)?, call::text("job", job)?],
                progress,
                user,
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of all processes that
/// share the databases are among them, whether or not this one runs any.
///
/// - `out`: a list of `MaintenanceJob`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_CLOSED`. A database that cannot be asked shows in the errors of its jobs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_maintenance(
    store: *const openwa_store,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.maintenance") }, vec![])?;
            call::give_rows(out, answer)
        })
    }
}

/// Writes what the verbs `log_later` of webhooks and API keys have left in memory. The store does so by itself
/// within a second, before a log is read, and when it is closed.
///
/// Errors: those of the databases; what could not be written waits on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_flush_logs(
    store: *const openwa_store,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::run(store, const { verb("store.flush_logs") }, vec![])?;
            call::nothing(answer)
        })
    }
}

/// How many rows wait in memory to be written to the logs of requests and deliveries, and how many were lost.
///
/// - `out`: a `LogBuffer`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_log_buffer(
    store: *const openwa_store,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("store.log_buffer") }, vec![])?;
            call::give_record(out, answer)
        })
    }
}

/// Creates a session in status `created`.
///
/// - `session`: The session: a `NewSession`.
/// - `out`: a `Session`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_ALREADY_EXISTS` for a name that is taken, `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_create(
    store: *const openwa_store,
    session: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.create") }, vec![call::record(session)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One session by id.
///
/// - `id`: The session, a UUID as text.
/// - `out`: a `Session`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_get(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.get") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One session by name.
///
/// - `name`: What people call it.
/// - `out`: a `Session`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_find(
    store: *const openwa_store,
    name: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.find") }, vec![call::text("name", name)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One page of sessions, in the order of creation.
///
/// - `filter`: Which sessions: a `SessionFilter`, or NULL.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `Session`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_list(
    store: *const openwa_store,
    filter: *const openwa_record,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("sessions.list") },
                vec![call::record(filter)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Changes name, number, settings or the engine's state.
///
/// - `id`: The session, a UUID as text.
/// - `update`: What to change: a `SessionUpdate`.
/// - `out`: a `Session`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_ALREADY_EXISTS`, `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_update(
    store: *const openwa_store,
    id: openwa_str,
    update: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("sessions.update") },
                vec![call::uuid("id", id)?, call::record(update)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Moves a session to a status and logs it in the same commit. The same status again changes nothing, except that
/// a new QR code is logged.
///
/// - `id`: The session, a UUID as text.
/// - `to`: The new status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `reason`: Why, for the log; `NULL, 0` when not given.
/// - `out`: a `Transition`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_TRANSITION` naming both states and what is allowed, `OPENWA_ERR_CONFLICT` when
/// another process was faster, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_transition(
    store: *const openwa_store,
    id: openwa_str,
    to: openwa_str,
    reason: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("sessions.transition") },
                vec![call::uuid("id", id)?, call::text("to", to)?, call::text("reason", reason)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// After a start: every session that should run again. Those in a state that only a live engine can hold are
/// `disconnected` now.
///
/// - `out`: a list of `Session`; free it with `openwa_rows_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_restore(
    store: *const openwa_store,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.restore") }, vec![])?;
            call::give_rows(out, answer)
        })
    }
}

/// Takes a failed session back to `created`, with its credentials cleared.
///
/// - `id`: The session, a UUID as text.
/// - `out`: a `Session`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_TRANSITION` for a session that is not failed, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_recreate(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.recreate") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials, logs. False: there
/// was none.
///
/// - `id`: The session, a UUID as text.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_delete(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("sessions.delete") }, vec![call::uuid("id", id)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Writes one line of a session's log.
///
/// - `id`: The session, a UUID as text.
/// - `event`: What happened.
/// - `data`: Anything else, as JSON; `NULL, 0` when not given.
/// - `out`: a `SessionLog`; free it with `openwa_record_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_log(
    store: *const openwa_store,
    id: openwa_str,
    event: openwa_str,
    data: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("sessions.log") },
                vec![call::uuid("id", id)?, call::text("event", event)?, call::json("data", data)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One page of a session's log, newest first, all of it or one kind of event.
///
/// - `id`: The session, a UUID as text.
/// - `event`: Only this kind of event; `NULL, 0` when not given.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `SessionLog`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_sessions_logs(
    store: *const openwa_store,
    id: openwa_str,
    event: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("sessions.logs") },
                vec![call::uuid("id", id)?, call::text("event", event)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Stores a message, or merges it into the one with the same WhatsApp id, and says which.
///
/// A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give a placeholder its
/// content.
///
/// - `session`: The session, a UUID as text.
/// - `message`: The message: a `NewMessage`.
/// - `out`: a `Saved`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_NOT_FOUND` for the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_save(
    store: *const openwa_store,
    session: openwa_str,
    message: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.save") },
                vec![call::uuid("session", session)?, call::record(message)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Stores many messages in one commit, each with its own result. One that is refused does not affect the others.
///
/// - `session`: The session, a UUID as text.
/// - `messages`, `messages_len`: The messages: `NewMessage`.
/// - `out`: a list of `SaveResult`; free it with `openwa_rows_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_save_many(
    store: *const openwa_store,
    session: openwa_str,
    messages: *const *const openwa_record,
    messages_len: usize,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.save_many") },
                vec![call::uuid("session", session)?, call::records("messages", messages, messages_len)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Stores history: as `save_many`, but each row is made at its message's own time, and what retention has removed
/// does not come back (`NotStored`).
///
/// - `session`: The session, a UUID as text.
/// - `messages`, `messages_len`: The messages: `NewMessage`.
/// - `out`: a list of `SaveResult`; free it with `openwa_rows_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_backfill(
    store: *const openwa_store,
    session: openwa_str,
    messages: *const *const openwa_record,
    messages_len: usize,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.backfill") },
                vec![call::uuid("session", session)?, call::records("messages", messages, messages_len)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played. It never
/// falls. A message that is not here yet gets it when it comes.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `ack`: The delivery state, -1 to 5.
/// - `out`: a static string: `updated`, `unchanged`, `waiting`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_ack(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    ack: i64,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.ack") },
                vec![
                    call::uuid("session", session)?,
                    call::text("wa_message_id", wa_message_id)?,
                    Value::Int(ack),
                ],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// Gives a message a new body. The edit with the latest time wins; a revoked message stays empty.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `body`: The new body; `NULL, 0` when not given.
/// - `at_ms`: When it was edited; default now, in milliseconds since 1970; NULL when not given.
/// - `out`: a static string: `updated`, `unchanged`, `waiting`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_edit(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    body: openwa_str,
    at_ms: *const i64,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.edit") },
                vec![
                    call::uuid("session", session)?,
                    call::text("wa_message_id", wa_message_id)?,
                    call::text("body", body)?,
                    call::optional(at_ms, |n| call::time("at", n))?,
                ],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// Deletes a message for everyone: body, media and raw are emptied for good, the row stays.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `at_ms`: When it was deleted; default now, in milliseconds since 1970; NULL when not given.
/// - `out`: a static string: `updated`, `unchanged`, `waiting`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_revoke(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    at_ms: *const i64,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.revoke") },
                vec![
                    call::uuid("session", session)?,
                    call::text("wa_message_id", wa_message_id)?,
                    call::optional(at_ms, |n| call::time("at", n))?,
                ],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws it.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `sender`: Address of the person, or `me`.
/// - `emoji`: The reaction; empty withdraws.
/// - `at_ms`: When it was; default now, in milliseconds since 1970; NULL when not given.
/// - `out`: a static string: `updated`, `unchanged`, `waiting`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_react(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    sender: openwa_str,
    emoji: openwa_str,
    at_ms: *const i64,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.react") },
                vec![
                    call::uuid("session", session)?,
                    call::text("wa_message_id", wa_message_id)?,
                    call::text("sender", sender)?,
                    call::text("emoji", emoji)?,
                    call::optional(at_ms, |n| call::time("at", n))?,
                ],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// One message by its row id.
///
/// - `id`: Id of the row, a UUID as text.
/// - `out`: a `Message`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_get(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("messages.get") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One message by WhatsApp's id.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `out`: a `Message`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_find(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.find") },
                vec![call::uuid("session", session)?, call::text("wa_message_id", wa_message_id)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One page of a session's messages, filtered, newest first unless the filter says otherwise.
///
/// - `session`: The session, a UUID as text.
/// - `filter`: Which messages: a `MessageFilter`, or NULL.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `Message`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_list(
    store: *const openwa_store,
    session: openwa_str,
    filter: *const openwa_record,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("messages.list") },
                vec![call::uuid("session", session)?, call::record(filter)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// How many messages match.
///
/// - `session`: The session, a UUID as text.
/// - `filter`: Which messages: a `MessageFilter`, or NULL.
/// - `out`: the answer.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_count(
    store: *const openwa_store,
    session: openwa_str,
    filter: *const openwa_record,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.count") },
                vec![call::uuid("session", session)?, call::record(filter)?],
            )?;
            call::give_i64(out, answer)
        })
    }
}

/// One page of a session's chats, the one with the newest message first.
///
/// - `session`: The session, a UUID as text.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `Chat`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_chats(
    store: *const openwa_store,
    session: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("messages.chats") },
                vec![call::uuid("session", session)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// The reactions to one message, oldest first.
///
/// - `session`: The session, a UUID as text.
/// - `wa_message_id`: WhatsApp's id of the message.
/// - `out`: a list of `MessageReaction`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_reactions(
    store: *const openwa_store,
    session: openwa_str,
    wa_message_id: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.reactions") },
                vec![call::uuid("session", session)?, call::text("wa_message_id", wa_message_id)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// How many messages that are not here have changes of this kind waiting for them.
///
/// - `session`: The session, a UUID as text.
/// - `kind`: The kind of change: `ack`, `edit`, `revoke`, `reaction`, `seen`.
/// - `out`: the answer.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_waiting(
    store: *const openwa_store,
    session: openwa_str,
    kind: openwa_str,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("messages.waiting") },
                vec![call::uuid("session", session)?, call::text("kind", kind)?],
            )?;
            call::give_i64(out, answer)
        })
    }
}

/// Creates a contact, or adds what is known of it; what the change does not say stays.
///
/// - `session`: The session, a UUID as text.
/// - `contact`: What is known of the contact: a `ContactChange`.
/// - `out`: a `Contact`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_NOT_FOUND` for the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_upsert(
    store: *const openwa_store,
    session: openwa_str,
    contact: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.upsert") },
                vec![call::uuid("session", session)?, call::record(contact)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One contact by any of its addresses.
///
/// - `session`: The session, a UUID as text.
/// - `address`: Any of the person's addresses.
/// - `out`: a `Contact`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_get(
    store: *const openwa_store,
    session: openwa_str,
    address: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.get") },
                vec![call::uuid("session", session)?, call::text("address", address)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One page of a session's contacts, by address.
///
/// - `session`: The session, a UUID as text.
/// - `filter`: Which contacts: a `ContactFilter`, or NULL.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `Contact`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_list(
    store: *const openwa_store,
    session: openwa_str,
    filter: *const openwa_record,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("contacts.list") },
                vec![call::uuid("session", session)?, call::record(filter)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Deletes a contact. False: there was none.
///
/// - `session`: The session, a UUID as text.
/// - `address`: Any of the person's addresses.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_delete(
    store: *const openwa_store,
    session: openwa_str,
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.delete") },
                vec![call::uuid("session", session)?, call::text("address", address)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Learns that a LID and a phone address are one person. What was stored under the LID moves to the phone address
/// in the same commit. False: that was known, or it is the account's own number.
///
/// - `session`: The session, a UUID as text.
/// - `lid`: The LID address.
/// - `pn`: The phone address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_learn_identity(
    store: *const openwa_store,
    session: openwa_str,
    lid: openwa_str,
    pn: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.learn_identity") },
                vec![call::uuid("session", session)?, call::text("lid", lid)?, call::text("pn", pn)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Every LID-phone pair that a session knows, by LID.
///
/// - `session`: The session, a UUID as text.
/// - `out`: a list of `Identity`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_identities(
    store: *const openwa_store,
    session: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.identities") },
                vec![call::uuid("session", session)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// The address under which a person, group or newsletter is kept.
///
/// - `session`: The session, a UUID as text.
/// - `address`: An address in any form.
/// - `out`: the answer; free it with `openwa_string_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_contacts_canonical(
    store: *const openwa_store,
    session: openwa_str,
    address: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("contacts.canonical") },
                vec![call::uuid("session", session)?, call::text("address", address)?],
            )?;
            call::give_text(out, answer)
        })
    }
}

/// Creates a webhook.
///
/// - `session`: The session, a UUID as text.
/// - `webhook`: The webhook: a `NewWebhook`.
/// - `out`: a `Webhook`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for URL, events, headers or retry count, `OPENWA_ERR_NOT_FOUND` for the
/// session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_create(
    store: *const openwa_store,
    session: openwa_str,
    webhook: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.create") },
                vec![call::uuid("session", session)?, call::record(webhook)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One webhook by id.
///
/// - `id`: The webhook, a UUID as text.
/// - `out`: a `Webhook`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_get(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("webhooks.get") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One page of a session's webhooks, in the order of creation.
///
/// - `session`: The session, a UUID as text.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `Webhook`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_list(
    store: *const openwa_store,
    session: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("webhooks.list") },
                vec![call::uuid("session", session)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// The active webhooks of a session that want to hear of an event.
///
/// - `session`: The session, a UUID as text.
/// - `event`: The event: a `WebhookEvent`.
/// - `out`: a list of `Webhook`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_subscribed(
    store: *const openwa_store,
    session: openwa_str,
    event: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.subscribed") },
                vec![call::uuid("session", session)?, call::text("event", event)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Changes a webhook.
///
/// - `id`: The webhook, a UUID as text.
/// - `update`: What to change: a `WebhookUpdate`.
/// - `out`: a `Webhook`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_update(
    store: *const openwa_store,
    id: openwa_str,
    update: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.update") },
                vec![call::uuid("id", id)?, call::record(update)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Deletes a webhook with its log. False: there was none.
///
/// - `id`: The webhook, a UUID as text.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_delete(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("webhooks.delete") }, vec![call::uuid("id", id)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Logs one attempt to deliver.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `delivery`: The attempt: a `NewDelivery`.
/// - `out`: a `WebhookLog`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND` for the webhook, `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_log(
    store: *const openwa_store,
    webhook: openwa_str,
    delivery: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.log") },
                vec![call::uuid("webhook", webhook)?, call::record(delivery)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Logs an attempt without waiting: the row is written within a second, together with others, and before the log
/// is read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond
/// that the oldest are lost and counted, see `log_buffer`. A row whose webhook is deleted by then goes with it.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `delivery`: The attempt: a `NewDelivery`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`. None of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_log_later(
    store: *const openwa_store,
    webhook: openwa_str,
    delivery: *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.log_later") },
                vec![call::uuid("webhook", webhook)?, call::record(delivery)?],
            )?;
            call::nothing(answer)
        })
    }
}

/// One page of a webhook's delivery log, newest first.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `WebhookLog`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_logs(
    store: *const openwa_store,
    webhook: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("webhooks.logs") },
                vec![call::uuid("webhook", webhook)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Asks whether an event may be delivered to a webhook; of any number of processes exactly one hears `New`.
/// Entries live 24 hours.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `key`: What makes the event unique, 1 to 255 characters.
/// - `event`: The event's name.
/// - `out`: a `Begin`; free it with `openwa_record_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_begin(
    store: *const openwa_store,
    webhook: openwa_str,
    key: openwa_str,
    event: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.begin") },
                vec![call::uuid("webhook", webhook)?, call::text("key", key)?, call::text("event", event)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Stores the answer of a delivery, for those that come as duplicates.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `key`: What makes the event unique.
/// - `status`: HTTP status of the answer; NULL when not given.
/// - `data`: The answer, as JSON; `NULL, 0` when not given.
///
/// Errors: `OPENWA_ERR_NOT_FOUND` when it was not begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_finish(
    store: *const openwa_store,
    webhook: openwa_str,
    key: openwa_str,
    status: *const i64,
    data: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.finish") },
                vec![
                    call::uuid("webhook", webhook)?,
                    call::text("key", key)?,
                    call::optional(status, |n| Ok(Value::Int(n)))?,
                    call::json("data", data)?,
                ],
            )?;
            call::nothing(answer)
        })
    }
}

/// Takes a beginning back, so that a delivery that failed for good may be begun again. False: there was none.
///
/// - `webhook`: The webhook, a UUID as text.
/// - `key`: What makes the event unique.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_webhooks_forget(
    store: *const openwa_store,
    webhook: openwa_str,
    key: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("webhooks.forget") },
                vec![call::uuid("webhook", webhook)?, call::text("key", key)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Creates a job with its messages, all or none.
///
/// - `session`: The session, a UUID as text.
/// - `job`: The job: a `NewBatch`.
/// - `out`: a `BatchJob`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_ALREADY_EXISTS` for a batch id that the session has used, `OPENWA_ERR_INVALID_ARGUMENT`,
/// `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_create(
    store: *const openwa_store,
    session: openwa_str,
    job: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("batches.create") },
                vec![call::uuid("session", session)?, call::record(job)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One job by its row id.
///
/// - `id`: The job, a UUID as text.
/// - `out`: a `BatchJob`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_get(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("batches.get") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One job by the host's own id.
///
/// - `session`: The session, a UUID as text.
/// - `batch_id`: The host's own id of the job.
/// - `out`: a `BatchJob`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_find(
    store: *const openwa_store,
    session: openwa_str,
    batch_id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("batches.find") },
                vec![call::uuid("session", session)?, call::text("batch_id", batch_id)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One page of a session's jobs, newest first.
///
/// - `session`: The session, a UUID as text.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `BatchJob`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_list(
    store: *const openwa_store,
    session: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("batches.list") },
                vec![call::uuid("session", session)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Up to a thousand messages of a job in sending order, from position `from` on.
///
/// - `job`: The job, a UUID as text.
/// - `position`: The first position; default 0; NULL when not given.
/// - `out`: a list of `BatchJobMessage`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_messages(
    store: *const openwa_store,
    job: openwa_str,
    position: *const i64,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("batches.messages") },
                vec![call::uuid("job", job)?, call::optional(position, |n| Ok(Value::Int(n)))?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Hands out the next message of a job: in order, once, across threads and processes. NULL: there is none left,
/// or the job has ended.
///
/// - `job`: The job, a UUID as text.
/// - `out`: a `BatchJobMessage`, or NULL when there is none; free it with `openwa_record_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_claim_next(
    store: *const openwa_store,
    job: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run(store, const { verb("batches.claim_next") }, vec![call::uuid("job", job)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Records how the sending of a message ended; counters and, with the last one, the job's end come with it.
///
/// - `message`: The message of the job, a UUID as text.
/// - `result`: How it ended: a `BatchResult`, or NULL.
/// - `out`: a `BatchJob`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CONFLICT` for a message that is not being sent, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_record(
    store: *const openwa_store,
    message: openwa_str,
    result: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("batches.record") },
                vec![call::uuid("message", message)?, call::record(result)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Messages that were handed out and have no result. After a crash nobody knows whether they went out: ask
/// WhatsApp or the user, then `record` it.
///
/// - `job`: The job, a UUID as text.
/// - `out`: a list of `BatchJobMessage`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_unknown(
    store: *const openwa_store,
    job: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("batches.unknown") }, vec![call::uuid("job", job)?])?;
            call::give_rows(out, answer)
        })
    }
}

/// Withdraws what is pending and ends the job. What is being sent may still get its result.
///
/// - `job`: The job, a UUID as text.
/// - `out`: a `BatchJob`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CONFLICT` for a job that has ended, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_cancel(
    store: *const openwa_store,
    job: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("batches.cancel") }, vec![call::uuid("job", job)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Ends a job with a fatal error; what is pending is withdrawn.
///
/// - `job`: The job, a UUID as text.
/// - `error`: What went wrong.
/// - `out`: a `BatchJob`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_CONFLICT` for a job that has ended, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_batches_fail(
    store: *const openwa_store,
    job: openwa_str,
    error: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("batches.fail") },
                vec![call::uuid("job", job)?, call::text("error", error)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Sets and deletes any number of keys in one commit: all of them or none.
///
/// - `session`: The session, a UUID as text.
/// - `entries`, `entries_len`: The keys; one without a value is deleted: `AuthEntry`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND` for the session, `OPENWA_ERR_INVALID_ARGUMENT`, `OPENWA_ERR_STORE_KEY_MISSING`,
/// `OPENWA_ERR_WRONG_STORE_KEY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_set(
    store: *const openwa_store,
    session: openwa_str,
    entries: *const *const openwa_record,
    entries_len: usize,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("auth.set") },
                vec![call::uuid("session", session)?, call::records("entries", entries, entries_len)?],
            )?;
            call::nothing(answer)
        })
    }
}

/// One key: found, missing, or unreadable.
///
/// - `session`: The session, a UUID as text.
/// - `category`: The category.
/// - `key_id`: The key's id.
/// - `out`: an `AuthValue`; free it with `openwa_record_free`.
///
/// Errors: those of the database. An engine must not take an error for a missing key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_get(
    store: *const openwa_store,
    session: openwa_str,
    category: openwa_str,
    key_id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("auth.get") },
                vec![
                    call::uuid("session", session)?,
                    call::text("category", category)?,
                    call::text("key_id", key_id)?,
                ],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Several keys of a category, in the order asked for.
///
/// - `session`: The session, a UUID as text.
/// - `category`: The category.
/// - `key_ids`, `key_ids_len`: The ids of the keys: texts.
/// - `out`: a list of `AuthValue`; free it with `openwa_rows_free`.
///
/// Errors: as `get`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_get_many(
    store: *const openwa_store,
    session: openwa_str,
    category: openwa_str,
    key_ids: *const openwa_str,
    key_ids_len: usize,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("auth.get_many") },
                vec![
                    call::uuid("session", session)?,
                    call::text("category", category)?,
                    call::texts("key_ids", key_ids, key_ids_len)?,
                ],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// The ids of a category's keys, in order.
///
/// - `session`: The session, a UUID as text.
/// - `category`: The category.
/// - `out`: a list of texts; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_list(
    store: *const openwa_store,
    session: openwa_str,
    category: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("auth.list") },
                vec![call::uuid("session", session)?, call::text("category", category)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Every key of a session.
///
/// - `session`: The session, a UUID as text.
/// - `out`: a list of `SessionAuth`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_all(
    store: *const openwa_store,
    session: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("auth.all") }, vec![call::uuid("session", session)?])?;
            call::give_rows(out, answer)
        })
    }
}

/// Deletes a session's keys, all or those of one category; says how many.
///
/// - `session`: The session, a UUID as text.
/// - `category`: Only this category; `NULL, 0` when not given.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_auth_clear(
    store: *const openwa_store,
    session: openwa_str,
    category: openwa_str,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("auth.clear") },
                vec![call::uuid("session", session)?, call::text("category", category)?],
            )?;
            call::give_i64(out, answer)
        })
    }
}

/// Creates a key of 32 random bytes. The answer holds the only copy of it.
///
/// - `record`: The key's record: a `NewApiKey`.
/// - `out`: a `CreatedKey`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_create(
    store: *const openwa_store,
    record: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("api_keys.create") }, vec![call::record(record)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Registers a given string as a key, such as a bootstrap secret from the environment.
///
/// - `key`: The key itself.
/// - `record`: The key's record: a `NewApiKey`.
/// - `out`: a `CreatedKey`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_ALREADY_EXISTS` when it is registered, `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_register(
    store: *const openwa_store,
    key: openwa_str,
    record: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.register") },
                vec![call::text("key", key)?, call::record(record)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Decides whether a request with a key may go on. The hottest call of a gateway: it writes nothing in its own
/// path, and sees a revocation by any process at the next call.
///
/// - `key`: The key itself.
/// - `ask`: What the request asks for: an `Ask`, or NULL.
/// - `out`: an `Authorization`; free it with `openwa_record_free`.
///
/// Errors: those of the database; deny then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_authorize(
    store: *const openwa_store,
    key: openwa_str,
    ask: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.authorize") },
                vec![call::text("key", key)?, call::record(ask)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// One key's record by id.
///
/// - `id`: The key's record, a UUID as text.
/// - `out`: an `ApiKey`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_get(
    store: *const openwa_store,
    id: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("api_keys.get") }, vec![call::uuid("id", id)?])?;
            call::give_record(out, answer)
        })
    }
}

/// A key's record by the key itself, without counting a use.
///
/// - `key`: The key itself.
/// - `out`: an `ApiKey`, or NULL when there is none; free it with `openwa_record_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_find(
    store: *const openwa_store,
    key: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("api_keys.find") }, vec![call::text("key", key)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One page of keys, in the order of creation.
///
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `ApiKey`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_list(
    store: *const openwa_store,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(store, const { verb("api_keys.list") }, vec![call::record(page)?])?;
            call::give_page(out, answer)
        })
    }
}

/// Changes a key. The next call with it, in any process, sees that.
///
/// - `id`: The key's record, a UUID as text.
/// - `update`: What to change: an `ApiKeyUpdate`.
/// - `out`: an `ApiKey`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY` when it is the last one and would lose full access,
/// `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_update(
    store: *const openwa_store,
    id: openwa_str,
    update: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.update") },
                vec![call::uuid("id", id)?, call::record(update)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Switches a key off for good. `force` does so even for the last one with full access.
///
/// - `id`: The key's record, a UUID as text.
/// - `force`: Also the last one with full access.
/// - `out`: an `ApiKey`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY`, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_revoke(
    store: *const openwa_store,
    id: openwa_str,
    force: bool,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.revoke") },
                vec![call::uuid("id", id)?, Value::Bool(force)],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Deletes a key's record; its log entries stay. False: there was none.
///
/// - `id`: The key's record, a UUID as text.
/// - `force`: Also the last one with full access.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_delete(
    store: *const openwa_store,
    id: openwa_str,
    force: bool,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.delete") },
                vec![call::uuid("id", id)?, Value::Bool(force)],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// The addresses from which a key may be used. None: from anywhere. Some, but none active: from nowhere.
///
/// - `key`: The key's record, a UUID as text.
/// - `out`: a list of `IpWhitelistEntry`; free it with `openwa_rows_free`.
///
/// Errors: those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_whitelist(
    store: *const openwa_store,
    key: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::run(store, const { verb("api_keys.whitelist") }, vec![call::uuid("key", key)?])?;
            call::give_rows(out, answer)
        })
    }
}

/// Adds an address or network to a key's whitelist.
///
/// - `key`: The key's record, a UUID as text.
/// - `entry`: The address: a `NewWhitelistEntry`.
/// - `out`: an `IpWhitelistEntry`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is not strictly an address or network,
/// `OPENWA_ERR_ALREADY_EXISTS`, `OPENWA_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_allow_address(
    store: *const openwa_store,
    key: openwa_str,
    entry: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.allow_address") },
                vec![call::uuid("key", key)?, call::record(entry)?],
            )?;
            call::give_record(out, answer)
        })
    }
}

/// Switches a whitelist entry on or off. False: there is none.
///
/// - `entry`: The entry, a UUID as text.
/// - `active`: Whether it counts.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_set_address_active(
    store: *const openwa_store,
    entry: openwa_str,
    active: bool,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.set_address_active") },
                vec![call::uuid("entry", entry)?, Value::Bool(active)],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Removes a whitelist entry. False: there was none.
///
/// - `entry`: The entry, a UUID as text.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_remove_address(
    store: *const openwa_store,
    entry: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(
                store,
                const { verb("api_keys.remove_address") },
                vec![call::uuid("entry", entry)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Logs a request that was made with a key.
///
/// - `request`: The request: a `NewApiKeyLog`.
/// - `out`: an `ApiKeyLog`; free it with `openwa_record_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_log(
    store: *const openwa_store,
    request: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("api_keys.log") }, vec![call::record(request)?])?;
            call::give_record(out, answer)
        })
    }
}

/// Logs a request without waiting: the row is written within a second, together with others, and before the log
/// is read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond
/// that the oldest are lost and counted, see `log_buffer`.
///
/// - `request`: The request: a `NewApiKeyLog`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`. None of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_log_later(
    store: *const openwa_store,
    request: *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer =
                call::run(store, const { verb("api_keys.log_later") }, vec![call::record(request)?])?;
            call::nothing(answer)
        })
    }
}

/// One page of the log of requests, newest first, of one key or of all.
///
/// - `key`: Only those of this key, a UUID as text; `NULL, 0` when not given.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `ApiKeyLog`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_logs(
    store: *const openwa_store,
    key: openwa_str,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("api_keys.logs") },
                vec![call::uuid("key", key)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Writes one entry.
///
/// - `entry`: The entry: a `NewAuditLog`.
/// - `out`: an `AuditLog`; free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_audit_log(
    store: *const openwa_store,
    entry: *const openwa_record,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::run(store, const { verb("audit.log") }, vec![call::record(entry)?])?;
            call::give_record(out, answer)
        })
    }
}

/// One page of the trail, newest first.
///
/// - `filter`: Which entries: an `AuditFilter`, or NULL.
/// - `page`: Which page: a `PageRequest`, or NULL.
/// - `out`: a page of `AuditLog`; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_audit_list(
    store: *const openwa_store,
    filter: *const openwa_record,
    page: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::page(
                store,
                const { verb("audit.list") },
                vec![call::record(filter)?, call::record(page)?],
            )?;
            call::give_page(out, answer)
        })
    }
}

/// Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction digits (cut to
/// milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless time, which means UTC.
///
/// - `text`: The text.
/// - `out`: the answer, in milliseconds since 1970.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_parse_time(
    text: openwa_str,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.parse_time") }, vec![call::text("text", text)?])?;
            call::give_i64(out, answer)
        })
    }
}

/// The text of a time, exactly as JavaScript's `toISOString` writes it: `2026-01-05T08:01:23.000Z`.
///
/// - `time_ms`: The time, in milliseconds since 1970.
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_format_time(
    time_ms: i64,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.format_time") }, vec![call::time("time", time_ms)?])?;
            call::give_text(out, answer)
        })
    }
}

/// The form in which a WhatsApp address is kept: without device and agent, with `s.whatsapp.net` for `c.us`. A
/// bare telephone number is taken for a phone address; what is no person's address stays as it is.
///
/// - `address`: An address in any form.
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_normalize_address(
    address: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.normalize_address") },
                vec![call::text("address", address)?],
            )?;
            call::give_text(out, answer)
        })
    }
}

/// Whether a WhatsApp address is a group's.
///
/// - `address`: The address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_is_group(
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.is_group") }, vec![call::text("address", address)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Whether a WhatsApp address is a channel's.
///
/// - `address`: The address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_is_newsletter(
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.is_newsletter") }, vec![call::text("address", address)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Whether a WhatsApp address is a person's LID, in any form.
///
/// - `address`: The address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_is_lid(
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.is_lid") }, vec![call::text("address", address)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Whether a WhatsApp address is a person's phone address, in any form.
///
/// - `address`: The address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_is_phone(
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.is_phone") }, vec![call::text("address", address)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Whether a WhatsApp address is a person's, phone or LID, in any form.
///
/// - `address`: The address.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_is_person(
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.is_person") }, vec![call::text("address", address)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// The telephone number of a phone address, digits only. Nothing for everything else, LIDs above all: their
/// digits look like a number and are none.
///
/// - `address`: An address in any form.
/// - `out`: the answer, or NULL when there is none; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_phone_digits(
    address: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.phone_digits") }, vec![call::text("address", address)?])?;
            call::give_text(out, answer)
        })
    }
}

/// Whether a session may go from one status to another: `move`, or `same` when that changes nothing.
///
/// - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `to`: The status wanted: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `out`: a static string: `move`, `same`.
///
/// Errors: `OPENWA_ERR_INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_transition(
    status: openwa_str,
    to: openwa_str,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_transition") },
                vec![call::text("status", status)?, call::text("to", to)?],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// Every status to which a session in this one may move.
///
/// - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `out`: a list of texts; free it with `openwa_rows_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_allowed_transitions(
    status: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.allowed_transitions") },
                vec![call::text("status", status)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Whether a session may be recreated: only a failed one.
///
/// - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
///
/// Errors: `OPENWA_ERR_INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_recreate(
    status: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.check_recreate") }, vec![call::text("status", status)?])?;
            call::nothing(answer)
        })
    }
}

/// Whether only a running engine can hold a session in this status.
///
/// - `status`: The status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_needs_engine(
    status: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.needs_engine") }, vec![call::text("status", status)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// Whether a session in this status should run again after a start of the gateway.
///
/// - `status`: The status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
///   `failed`.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_should_restore(
    status: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.should_restore") }, vec![call::text("status", status)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// The delivery state that is further up. One never falls: none < 0 < -1 < 1 < 2 < 3 < 4 < 5.
///
/// - `current`: The state now; NULL when not given.
/// - `reported`: The state reported; NULL when not given.
/// - `out`, `out_is_null`: the answer; `out_is_null` is true when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_raise_ack(
    current: *const i64,
    reported: *const i64,
    out: *mut i64,
    out_is_null: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        clear(out_is_null);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.raise_ack") },
                vec![
                    call::optional(current, |n| Ok(Value::Int(n)))?,
                    call::optional(reported, |n| Ok(Value::Int(n)))?,
                ],
            )?;
            call::give_optional(out, out_is_null, answer)
        })
    }
}

/// Makes a new API key from the system's random numbers. Nothing is stored.
///
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_generate_key(
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.generate_key") }, vec![])?;
            call::give_text(out, answer)
        })
    }
}

/// A key that the host brings along, without the white space around it.
///
/// - `key`: The key.
/// - `out`: the answer; free it with `openwa_string_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` when nothing is left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_key(
    key: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.check_key") }, vec![call::text("key", key)?])?;
            call::give_text(out, answer)
        })
    }
}

/// The hash of an API key as it is stored: SHA-256 of the trimmed key, or HMAC-SHA256 of it keyed by the pepper,
/// in 64 lower-case hex digits.
///
/// - `key`: The key.
/// - `pepper`: The pepper, if there is one; `NULL, 0` when not given.
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_hash_key(
    key: openwa_str,
    pepper: openwa_bytes,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.hash_key") },
                vec![call::text("key", key)?, call::bytes("pepper", pepper)?],
            )?;
            call::give_text(out, answer)
        })
    }
}

/// Whether two stored hashes are equal, in a time that does not depend on where they differ.
///
/// - `one`: One hash.
/// - `other`: The other.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is not 64 hex digits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_same_hash(
    one: openwa_str,
    other: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.same_hash") },
                vec![call::text("one", one)?, call::text("other", other)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// The first 12 characters of the trimmed key, by which people tell keys apart.
///
/// - `key`: The key.
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_key_prefix(
    key: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.key_prefix") }, vec![call::text("key", key)?])?;
            call::give_text(out, answer)
        })
    }
}

/// Reads a JSON array of permission names. Repeated names count once, order is kept.
///
/// - `permissions`: The names, as JSON.
/// - `out`: a list of texts; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place for an unknown name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_parse_permissions(
    permissions: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.parse_permissions") },
                vec![call::json("permissions", permissions)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Whether a key with these permissions has one. Unknown names grant nothing, `["*"]` grants everything.
///
/// - `permissions`: A JSON array of names, as JSON.
/// - `permission`: The one asked for: a `Permission`.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is no JSON array of names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_permits(
    permissions: openwa_str,
    permission: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.permits") },
                vec![call::json("permissions", permissions)?, call::text("permission", permission)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Checks a JSON array of names to which a key is confined.
///
/// - `names`: A JSON array of names, as JSON.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_scope(names: openwa_str, err: *mut *mut openwa_error) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(const { verb("policy.check_scope") }, vec![call::json("names", names)?])?;
            call::nothing(answer)
        })
    }
}

/// Whether a key may do what a request asks, without any store.
///
/// - `now_ms`: The present, in milliseconds since 1970.
/// - `rules`: What the key may do: a `KeyRules`, or NULL.
/// - `ask`: What the request asks for: an `Ask`, or NULL.
/// - `out`: a static string: `allowed`, `unknown_key`, `inactive`, `expired`, `ip_denied`, `permission_denied`,
///   `session_denied`, `chat_denied`.
///
/// Errors: `OPENWA_ERR_UNREADABLE` naming the column for rules that make no sense; deny then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_decide(
    now_ms: i64,
    rules: *const openwa_record,
    ask: *const openwa_record,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.decide") },
                vec![call::time("now", now_ms)?, call::record(rules)?, call::record(ask)?],
            )?;
            call::give_name(out, answer)
        })
    }
}

/// Reads an IP address strictly and gives its one form: `::ffff:a.b.c.d` is `a.b.c.d`.
///
/// - `address`: The address.
/// - `out`: the answer; free it with `openwa_string_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_parse_ip(
    address: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.parse_ip") }, vec![call::text("address", address)?])?;
            call::give_text(out, answer)
        })
    }
}

/// Reads a network in CIDR notation strictly and gives its one form, with the bits behind the prefix masked off.
///
/// - `network`: The network.
/// - `out`: the answer; free it with `openwa_string_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_parse_network(
    network: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.parse_network") }, vec![call::text("network", network)?])?;
            call::give_text(out, answer)
        })
    }
}

/// Whether an IP address lies in a network.
///
/// - `network`: The network.
/// - `address`: The address.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_network_contains(
    network: openwa_str,
    address: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.network_contains") },
                vec![call::text("network", network)?, call::text("address", address)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// The address of the client behind trusted proxies: the `X-Forwarded-For` header is read from the right, and
/// only past hops that are trusted.
///
/// - `peer`: The other end of the connection.
/// - `x_forwarded_for`: The header, if there is one; `NULL, 0` when not given.
/// - `trusted`, `trusted_len`: The networks of trusted proxies: texts.
/// - `out`: the answer; free it with `openwa_string_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_client_ip(
    peer: openwa_str,
    x_forwarded_for: openwa_str,
    trusted: *const openwa_str,
    trusted_len: usize,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.client_ip") },
                vec![
                    call::text("peer", peer)?,
                    call::text("x_forwarded_for", x_forwarded_for)?,
                    call::texts("trusted", trusted, trusted_len)?,
                ],
            )?;
            call::give_text(out, answer)
        })
    }
}

/// What makes an IP address unfit for a request to a stranger's server: `loopback`, `private`, `metadata` …;
/// nothing for a public address.
///
/// - `address`: The address.
/// - `out`: the answer, or NULL when there is none; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_ip_special_use(
    address: openwa_str,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.ip_special_use") }, vec![call::text("address", address)?])?;
            call::give_text(out, answer)
        })
    }
}

/// Reads a JSON array of webhook event names. Repeated names count once, order is kept.
///
/// - `events`: The names, as JSON.
/// - `out`: a list of texts; free it with `openwa_rows_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place for an unknown name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_parse_webhook_events(
    events: openwa_str,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.parse_webhook_events") },
                vec![call::json("events", events)?],
            )?;
            call::give_rows(out, answer)
        })
    }
}

/// Whether a webhook that was registered for some events hears of one.
///
/// - `events`: A JSON array of names, as JSON.
/// - `event`: The event: a `WebhookEvent`.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is no JSON array of event names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_webhook_hears(
    events: openwa_str,
    event: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.webhook_hears") },
                vec![call::json("events", events)?, call::text("event", event)?],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// Checks a webhook's URL: http or https, at most 2,048 characters, no credentials, and no address that is
/// recognisably not public unless that is allowed. A public name may still resolve to a private address: check
/// that with `check_webhook_ip`, and connect to that very address.
///
/// - `url`: The URL.
/// - `allow_private`: Allows private addresses.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column `url`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_webhook_url(
    url: openwa_str,
    allow_private: bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_webhook_url") },
                vec![call::text("url", url)?, Value::Bool(allow_private)],
            )?;
            call::nothing(answer)
        })
    }
}

/// Checks the address that a webhook's host stands for.
///
/// - `address`: The address.
/// - `allow_private`: Allows private addresses.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a loopback, private, link-local or metadata address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_webhook_ip(
    address: openwa_str,
    allow_private: bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_webhook_ip") },
                vec![call::text("address", address)?, Value::Bool(allow_private)],
            )?;
            call::nothing(answer)
        })
    }
}

/// Checks the extra headers of a webhook: a JSON object of strings, with names and values that cannot smuggle
/// another header in.
///
/// - `headers`: A JSON object, as JSON.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_webhook_headers(
    headers: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_webhook_headers") },
                vec![call::json("headers", headers)?],
            )?;
            call::nothing(answer)
        })
    }
}

/// The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by the secret, in lower-case hex.
///
/// - `secret`: The webhook's secret.
/// - `body`: The body.
/// - `out`: the answer; free it with `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_sign_webhook(
    secret: openwa_str,
    body: openwa_bytes,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.sign_webhook") },
                vec![call::text("secret", secret)?, call::bytes("body", body)?],
            )?;
            call::give_text(out, answer)
        })
    }
}

/// Whether a signature is the one of this body, compared in constant time.
///
/// - `secret`: The webhook's secret.
/// - `body`: The body.
/// - `signature`: The signature.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_verify_webhook(
    secret: openwa_str,
    body: openwa_bytes,
    signature: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.verify_webhook") },
                vec![
                    call::text("secret", secret)?,
                    call::bytes("body", body)?,
                    call::text("signature", signature)?,
                ],
            )?;
            call::give_bool(out, answer)
        })
    }
}

/// How long to wait after an attempt has failed: exponential back-off with full jitter. Nothing: no retries left.
///
/// - `attempt`: The number of the attempt that failed, from 1.
/// - `random`: A fresh random number from 0 to 1.
/// - `policy`: How deliveries are tried again: a `RetryPolicy`, or NULL.
/// - `out`, `out_is_null`: the answer, in milliseconds; `out_is_null` is true when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_next_attempt(
    attempt: i64,
    random: f64,
    policy: *const openwa_record,
    out: *mut i64,
    out_is_null: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        clear(out_is_null);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.next_attempt") },
                vec![Value::Int(attempt), Value::Float(random), call::record(policy)?],
            )?;
            call::give_optional(out, out_is_null, answer)
        })
    }
}

/// Checks a session's settings: known keys must have the right type, unknown ones are kept.
///
/// - `config`: A JSON object, as JSON.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_session_config(
    config: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_session_config") },
                vec![call::json("config", config)?],
            )?;
            call::nothing(answer)
        })
    }
}

/// Whether a session with these settings keeps its messages.
///
/// - `config`: A JSON object, as JSON.
/// - `out`: the answer.
///
/// Errors: `OPENWA_ERR_UNREADABLE` for what is no JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_history_enabled(
    config: openwa_str,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer =
                call::rule(const { verb("policy.history_enabled") }, vec![call::json("config", config)?])?;
            call::give_bool(out, answer)
        })
    }
}

/// How long a session with these settings keeps its messages; nothing: for ever.
///
/// - `config`: A JSON object, as JSON.
/// - `fallback_ms`: The store's own window, for a session that has none; not given: for ever, in milliseconds;
///   NULL when not given.
/// - `out`, `out_is_null`: the answer, in milliseconds; `out_is_null` is true when there is none.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_message_window(
    config: openwa_str,
    fallback_ms: *const i64,
    out: *mut i64,
    out_is_null: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        clear(out_is_null);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.message_window") },
                vec![call::json("config", config)?, call::optional(fallback_ms, |n| Ok(Value::Int(n)))?],
            )?;
            call::give_optional(out, out_is_null, answer)
        })
    }
}

/// Refuses a run of retention under a clock that seems to have jumped.
///
/// - `now_ms`: The present, in milliseconds since 1970.
/// - `window_ms`: How long rows are kept, in milliseconds.
/// - `last_run_ms`: The last run that finished, in milliseconds since 1970; NULL when not given.
/// - `newest_row_ms`: The newest row that the run would delete, in milliseconds since 1970; NULL when not given.
///
/// Errors: `OPENWA_ERR_CLOCK_JUMP` with the context `now`, `known` and `window_seconds`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_retention_clock(
    now_ms: i64,
    window_ms: i64,
    last_run_ms: *const i64,
    newest_row_ms: *const i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_retention_clock") },
                vec![
                    call::time("now", now_ms)?,
                    Value::Int(window_ms),
                    call::optional(last_run_ms, |n| call::time("last_run", n))?,
                    call::optional(newest_row_ms, |n| call::time("newest_row", n))?,
                ],
            )?;
            call::nothing(answer)
        })
    }
}

/// Checks what a message says about its file.
///
/// - `media`: A JSON object, as JSON.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_media(media: openwa_str, err: *mut *mut openwa_error) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(const { verb("policy.check_media") }, vec![call::json("media", media)?])?;
            call::nothing(answer)
        })
    }
}

/// Checks the options of a bulk job.
///
/// - `options`: A JSON object, as JSON.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_check_batch_options(
    options: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.check_batch_options") },
                vec![call::json("options", options)?],
            )?;
            call::nothing(answer)
        })
    }
}

/// The size of a text as limits count it: in code points.
///
/// - `text`: The text.
/// - `out`: the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_text_length(
    text: openwa_str,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let answer = call::rule(const { verb("policy.text_length") }, vec![call::text("text", text)?])?;
            call::give_i64(out, answer)
        })
    }
}

/// When a cron expression of five fields (`minute hour day month weekday`) is due next after an instant. A local
/// time that daylight saving time skips or repeats counts once.
///
/// - `schedule`: The expression.
/// - `after_ms`: After this instant, in milliseconds since 1970.
/// - `timezone`: The IANA name of the expression's time zone; default UTC; `NULL, 0` when not given.
/// - `out`, `out_is_null`: the answer, in milliseconds since 1970; `out_is_null` is true when there is none.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming `schedule` or `timezone`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_policy_next_slot(
    schedule: openwa_str,
    after_ms: i64,
    timezone: openwa_str,
    out: *mut i64,
    out_is_null: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        clear(out_is_null);
        guard(err, || {
            let answer = call::rule(
                const { verb("policy.next_slot") },
                vec![
                    call::text("schedule", schedule)?,
                    call::time("after", after_ms)?,
                    call::text("timezone", timezone)?,
                ],
            )?;
            call::give_optional(out, out_is_null, answer)
        })
    }
}
