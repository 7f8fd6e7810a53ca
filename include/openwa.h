/*
 * libopenwa: the embedded store for WhatsApp gateways.
 *
 * Sessions and their life, message history with exact deduplication, contacts, webhooks with delivery log and
 * idempotency, API keys, bulk jobs, audit, in SQLite or PostgreSQL. The guide is docs/c.md.
 *
 *   openwa_error *err = NULL;
 *   openwa_store *store = NULL;
 *   if (openwa_store_open(OPENWA_STR("{\"dir\": \"./data\"}"), &store, &err) != OPENWA_OK) {
 *       fprintf(stderr, "%s\n", openwa_error_message(err));
 *       openwa_error_free(err);
 *   }
 *
 * What holds for every function:
 *
 * - It returns OPENWA_OK or one of OPENWA_ERR_…; with an error, *err is an object to be freed. err may be NULL.
 * - Outputs are cleared first and set only on success. An output that does not interest may be NULL; then nothing has
 *   to be freed.
 * - What goes in is copied. A record that goes in stays the caller's.
 * - It blocks until it is done; a write until it is durable. Writes of many threads share commits. Any number of
 *   threads may use one store; a record or cursor belongs to one thread at a time.
 * - It never crashes for NULL, a closed store, a handle that was just freed, or text that is not UTF-8: those are errors.
 *   A defect of the library ends as OPENWA_ERR_INTERNAL.
 * - A store that was open at a fork() answers OPENWA_ERR_FORKED in the child, and so does opening it there. Close it
 *   before, or open it in the child only.
 *
 * Generated from the sources in ffi/; do not edit.
 */


#ifndef OPENWA_H
#define OPENWA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; the library's own is openwa_version(). */
#define OPENWA_VERSION "0.1.0"

/** The same as a number: major * 1,000,000 + minor * 1,000 + patch. */
#define OPENWA_VERSION_NUMBER 1000


/**
 * Success.
 */
#define OPENWA_OK 0

/**
 * A value that the call was given is not acceptable; the context names the column.
 */
#define OPENWA_ERR_INVALID_ARGUMENT 1

/**
 * The named row does not exist.
 */
#define OPENWA_ERR_NOT_FOUND 2

/**
 * A row with the same unique value exists already.
 */
#define OPENWA_ERR_ALREADY_EXISTS 3

/**
 * The session's status does not allow this step.
 */
#define OPENWA_ERR_INVALID_TRANSITION 4

/**
 * Somebody else changed the row first, or a guard forbids the change in its present state.
 */
#define OPENWA_ERR_CONFLICT 5

/**
 * The last usable full-access API key would be lost.
 */
#define OPENWA_ERR_LAST_FULL_ACCESS_KEY 6

/**
 * The operation was stopped on request.
 */
#define OPENWA_ERR_CANCELLED 7

/**
 * The database was written by a newer version of this library.
 */
#define OPENWA_ERR_SCHEMA_TOO_NEW 20

/**
 * An applied migration step differs from the one this library carries.
 */
#define OPENWA_ERR_SCHEMA_CHANGED 21

/**
 * The database belongs to something else.
 */
#define OPENWA_ERR_FOREIGN_DATABASE 22

/**
 * A stored value cannot be read; the context names table, column and row.
 */
#define OPENWA_ERR_UNREADABLE 23

/**
 * The database file is damaged.
 */
#define OPENWA_ERR_CORRUPT 24

/**
 * An import's content is wrong; the context names table, row and column.
 */
#define OPENWA_ERR_INVALID_DATA 25

/**
 * The store is sealed and was opened without its store key; what needs no secret goes on.
 */
#define OPENWA_ERR_STORE_KEY_MISSING 26

/**
 * The store is sealed with another store key than the one that was given; the context names both.
 */
#define OPENWA_ERR_WRONG_STORE_KEY 27

/**
 * The database cannot be reached at the moment.
 */
#define OPENWA_ERR_UNAVAILABLE 40

/**
 * Another process held the database for longer than the time-out.
 */
#define OPENWA_ERR_BUSY 41

/**
 * The write queue is full.
 */
#define OPENWA_ERR_QUEUE_FULL 42

/**
 * The time for the operation ran out.
 */
#define OPENWA_ERR_TIMEOUT 43

/**
 * There is no space left for the database.
 */
#define OPENWA_ERR_DISK_FULL 44

/**
 * The clock jumped, so that retention would delete more than its window allows.
 */
#define OPENWA_ERR_CLOCK_JUMP 45

/**
 * The store is closed.
 */
#define OPENWA_ERR_CLOSED 60

/**
 * The store was open when the parent forked this process: it has to be closed before, or opened in the child
 * only.
 */
#define OPENWA_ERR_FORKED 61

/**
 * The file or folder may not be read or written.
 */
#define OPENWA_ERR_PERMISSION_DENIED 62

/**
 * Reading or writing a file failed.
 */
#define OPENWA_ERR_IO 63

/**
 * This build or this engine cannot do that.
 */
#define OPENWA_ERR_UNSUPPORTED 64

/**
 * A file of the store is missing, empty or was replaced while others are there; the context names it.
 */
#define OPENWA_ERR_FILE_GONE 65

/**
 * A defect of this library.
 */
#define OPENWA_ERR_INTERNAL 90

/**
 * The version of the binary interface. Functions are only ever added under one number; the shared library's SONAME
 * carries it.
 */
#define OPENWA_ABI_VERSION 1

/**
 * What went wrong. Owned by the caller: free it with `openwa_error_free`.
 */
typedef struct openwa_error openwa_error;

/**
 * A record: a row of a table, an input of a function, an answer. Its columns have names and types; the guide lists
 * them, and `openwa_record_columns` tells them to a program.
 *
 * One thread at a time may change a record; any number may read one that nobody changes.
 */
typedef struct openwa_record openwa_record;

/**
 * A cursor over the rows of an answer. Step it with `openwa_rows_next`, free it with `openwa_rows_free`.
 *
 * One thread at a time may use a cursor.
 */
typedef struct openwa_rows openwa_rows;

/**
 * An open store. Any number of threads may use it at once. Close it, then free it.
 */
typedef struct openwa_store openwa_store;

/**
 * A piece of UTF-8 text: a pointer and a length in bytes. It need not end with a NUL. `ptr` NULL: no text at all.
 *
 * Text that goes in is copied before the function returns. Text that comes out belongs to the handle it came from and
 * stays valid until that is freed, changed or stepped. It may hold U+0000. Half of a UTF-16 surrogate pair, which a
 * JavaScript host may have stored, comes out as U+FFFD.
 */
typedef struct {
  /**
   * The first byte.
   */
  const char *ptr;
  /**
   * How many bytes.
   */
  size_t len;
} openwa_str;

/**
 * A piece of memory: a pointer and a length in bytes. `ptr` NULL: none at all. Owned like text.
 */
typedef struct {
  /**
   * The first byte.
   */
  const uint8_t *ptr;
  /**
   * How many bytes.
   */
  size_t len;
} openwa_bytes;

/**
 * Hears what became of a save: `saved` (a `Saved`) or `error`, the other one is NULL. Both are the callback's to free. It
 * is called on a thread of the library, one callback at a time, and should be quick: wake your event loop and return.
 */
typedef void (*openwa_saved_fn)(void *user, openwa_record *saved, openwa_error *error);

/**
 * Hears of the progress of a long call: the table that is being worked on, how many of its rows are done, and how many
 * there are (-1: nobody knows). It is called on the thread that made the call, and must not use the store. Anything but
 * 0 stops the call, which then fails with `OPENWA_ERR_CANCELLED` or, where half the work is worth keeping, says so.
 */
typedef int32_t (*openwa_progress_fn)(void *user, openwa_str table, int64_t rows, int64_t total);

/** A literal as openwa_str: OPENWA_STR("shop-1"). */
#ifdef __cplusplus
#define OPENWA_STR(literal) (openwa_str{"" literal, sizeof(literal) - 1})
#else
#define OPENWA_STR(literal) ((openwa_str){"" literal, sizeof(literal) - 1})
#endif

/** A NUL-terminated string as openwa_str; NULL is no text. */
static inline openwa_str openwa_cstr(const char *text) {
  openwa_str out;
  out.ptr = text;
  out.len = 0;
  while (text != NULL && text[out.len] != '\0') {
    out.len++;
  }
  return out;
}

/** No text: an argument that is not given. */
#define OPENWA_NONE openwa_cstr(NULL)

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus


/* ---- Text ------------------------------------------------------------------------------------ */

/**
 * Frees a text that a function gave as `char *`. NULL is allowed.
 */
void openwa_string_free(char *text);


/* ---- Errors ---------------------------------------------------------------------------------- */

/**
 * The kind of error: one of `OPENWA_ERR_…`; `OPENWA_OK` for NULL.
 */
int32_t openwa_error_code(const openwa_error *error);

/**
 * What went wrong, for people: NUL-terminated UTF-8, valid until the error is freed; `""` for NULL.
 */
const char *openwa_error_message(const openwa_error *error);

/**
 * What the error is about: a JSON object with `column`, `table`, `row`, `path` …, valid until the error is freed;
 * `"{}"` for NULL.
 */
const char *openwa_error_context_json(const openwa_error *error);

/**
 * Whether the same call may succeed later without any change by the caller.
 */
bool openwa_error_retryable(const openwa_error *error);

/**
 * Frees an error. NULL is allowed.
 */
void openwa_error_free(openwa_error *error);


/* ---- Versions -------------------------------------------------------------------------------- */

/**
 * The version of the library that is linked, for instance `"3.16.2"`; compare it with `OPENWA_VERSION`. Static.
 */
const char *openwa_version(void);

/**
 * The same as a number: major × 1,000,000 + minor × 1,000 + patch; compare it with `OPENWA_VERSION_NUMBER`.
 */
int32_t openwa_version_number(void);

/**
 * The version of the binary interface that is linked; compare it with `OPENWA_ABI_VERSION`.
 */
int32_t openwa_abi_version(void);


/* ---- Opening and closing --------------------------------------------------------------------- */

/**
 * Opens a store, making folder and databases if they are missing, and brings them to this library's version.
 *
 * `options` is a JSON object; unknown keys are errors. `{"dir": "./data"}` is enough; no text or `{}` opens a store in
 * memory. The guide lists all options. Free the store with `openwa_store_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the option, `OPENWA_ERR_FOREIGN_DATABASE`, `OPENWA_ERR_SCHEMA_TOO_NEW`,
 * `OPENWA_ERR_PERMISSION_DENIED`, `OPENWA_ERR_CORRUPT`, `OPENWA_ERR_IO`, `OPENWA_ERR_FORKED` in a child of a process that has
 * it open, each with the path in its context.
 *
 * ```c
 * openwa_store *store;
 * if (openwa_store_open(OPENWA_STR("{\"dir\": \"./data\"}"), &store, &err) != OPENWA_OK) { … }
 * ```
 */
int32_t openwa_store_open(openwa_str options,
                          openwa_store **out,
                          openwa_error **err);

/**
 * Ends a store: what was submitted is written, then the files are closed. Every later use of the store is
 * `OPENWA_ERR_CLOSED`; closing it again does nothing.
 *
 * Errors: what the last writes failed with.
 */
int32_t openwa_store_close(const openwa_store *store,
                           openwa_error **err);

/**
 * Frees a store, closing it if it is open. NULL is allowed. No other thread may be using it; callbacks that are under
 * way are waited for.
 */
void openwa_store_free(openwa_store *store);

/**
 * Every message of a session that matches, in constant memory. Rows that come or go meanwhile neither shift nor repeat
 * anything. `filter` may be NULL. Free the cursor with `openwa_rows_free`; it may outlive the store, and then fails with
 * `OPENWA_ERR_CLOSED`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT`; those of the database come from `openwa_rows_next`.
 */
int32_t openwa_messages_iterate(const openwa_store *store,
                                openwa_str session,
                                const openwa_record *filter,
                                openwa_rows **out,
                                openwa_error **err);


/* ---- Records --------------------------------------------------------------------------------- */

/**
 * Makes a record with nothing in it, to be filled by setters: `openwa_record_new("NewMessage", &message, &err)`. Columns
 * that are not set have their default. Free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown type.
 */
int32_t openwa_record_new(const char *type,
                          openwa_record **out,
                          openwa_error **err);

/**
 * Makes a record from a JSON object with the columns as keys: times as ISO text, bytes as base64, documents as they
 * are. Free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown type or key, or a value of another type, naming the column.
 */
int32_t openwa_record_from_json(const char *type,
                                openwa_str json,
                                openwa_record **out,
                                openwa_error **err);

/**
 * The record as a JSON object, in the form that `openwa_record_from_json` reads; secret columns are in it. Free it with
 * `openwa_string_free`.
 */
int32_t openwa_record_to_json(const openwa_record *record,
                              char **out,
                              openwa_error **err);

/**
 * The name of the record's type, for instance `Message`: static, as UTF-8; `NULL, 0` for what is no record.
 */
openwa_str openwa_record_type(const openwa_record *record);

/**
 * How many columns the record has; 0 for what is no record.
 */
size_t openwa_record_columns(const openwa_record *record);

/**
 * The name of a column by position: static, as UTF-8; `NULL, 0` when there is no such column.
 */
openwa_str openwa_record_column_name(const openwa_record *record, size_t column);

/**
 * The position of a column by name, for the functions that end in `_at`. Positions are those of this version of the
 * library: ask once and keep them as long as the program runs.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the columns there are.
 */
int32_t openwa_record_column(const openwa_record *record,
                             const char *name,
                             size_t *out,
                             openwa_error **err);

/**
 * Sets a column that holds a list of records, for instance `messages` of a `NewBatch`. The records are copied.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
 */
int32_t openwa_record_set_records(openwa_record *record,
                                  const char *column,
                                  const openwa_record *const *values,
                                  size_t len,
                                  openwa_error **err);

/**
 * Sets a column that holds a list of texts, for instance `tables` of `ExportOptions`. The texts are copied.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
 */
int32_t openwa_record_set_texts(openwa_record *record,
                                const char *column,
                                const openwa_str *values,
                                size_t len,
                                openwa_error **err);

/**
 * Takes back what a column was set to: it has its default again.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the columns there are.
 */
int32_t openwa_record_unset(openwa_record *record, const char *column, openwa_error **err);

/**
 * Frees a record. NULL is allowed. Records that belong to a cursor or to another record are freed by those.
 */
void openwa_record_free(openwa_record *record);


/* ---- Columns of records ---------------------------------------------------------------------- */

/**
 * Reads a column of text, of names or of UUIDs (36 characters). No copy is made: the text is valid until the
 * record is changed, stepped or freed. `NULL, 0` when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_text(const openwa_record *record,
                           const char *column,
                           openwa_str *out,
                           openwa_error **err);

/**
 * `openwa_record_text` by the position of the column.
 */
int32_t openwa_record_text_at(const openwa_record *record,
                              size_t column,
                              openwa_str *out,
                              openwa_error **err);

/**
 * Reads a column of whole numbers or of milliseconds. 0 when there is nothing; ask `openwa_record_is_null` where
 * that makes a difference.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_i64(const openwa_record *record,
                          const char *column,
                          int64_t *out,
                          openwa_error **err);

/**
 * `openwa_record_i64` by the position of the column.
 */
int32_t openwa_record_i64_at(const openwa_record *record,
                             size_t column,
                             int64_t *out,
                             openwa_error **err);

/**
 * Reads a column of truth values. False when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_bool(const openwa_record *record,
                           const char *column,
                           bool *out,
                           openwa_error **err);

/**
 * `openwa_record_bool` by the position of the column.
 */
int32_t openwa_record_bool_at(const openwa_record *record,
                              size_t column,
                              bool *out,
                              openwa_error **err);

/**
 * Reads a column of times: milliseconds since 1970-01-01T00:00:00Z. 0 when there is nothing; ask
 * `openwa_record_is_null` where that makes a difference.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_time_ms(const openwa_record *record,
                              const char *column,
                              int64_t *out,
                              openwa_error **err);

/**
 * `openwa_record_time_ms` by the position of the column.
 */
int32_t openwa_record_time_ms_at(const openwa_record *record,
                                 size_t column,
                                 int64_t *out,
                                 openwa_error **err);

/**
 * Reads a column of JSON documents, as text that is valid until the record is changed, stepped or freed. `NULL,
 * 0` when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_json(const openwa_record *record,
                           const char *column,
                           openwa_str *out,
                           openwa_error **err);

/**
 * `openwa_record_json` by the position of the column.
 */
int32_t openwa_record_json_at(const openwa_record *record,
                              size_t column,
                              openwa_str *out,
                              openwa_error **err);

/**
 * Reads a column of bytes. No copy is made: they are valid until the record is changed, stepped or freed. `NULL,
 * 0` when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_bytes(const openwa_record *record,
                            const char *column,
                            openwa_bytes *out,
                            openwa_error **err);

/**
 * `openwa_record_bytes` by the position of the column.
 */
int32_t openwa_record_bytes_at(const openwa_record *record,
                               size_t column,
                               openwa_bytes *out,
                               openwa_error **err);

/**
 * Whether there is nothing in a column of any type.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_is_null(const openwa_record *record,
                              const char *column,
                              bool *out,
                              openwa_error **err);

/**
 * `openwa_record_is_null` by the position of the column.
 */
int32_t openwa_record_is_null_at(const openwa_record *record,
                                 size_t column,
                                 bool *out,
                                 openwa_error **err);

/**
 * Reads a column that holds a record, for instance `message` of a `Saved`. It belongs to this record and is
 * valid until that is changed, stepped or freed. NULL when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_record(const openwa_record *record,
                             const char *column,
                             const openwa_record **out,
                             openwa_error **err);

/**
 * `openwa_record_record` by the position of the column.
 */
int32_t openwa_record_record_at(const openwa_record *record,
                                size_t column,
                                const openwa_record **out,
                                openwa_error **err);

/**
 * Reads a column that holds a list, for instance `messages` of an `Ingested`, into a cursor of its own. Free
 * that with `openwa_rows_free`. NULL when there is nothing.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
 */
int32_t openwa_record_rows(const openwa_record *record,
                           const char *column,
                           openwa_rows **out,
                           openwa_error **err);

/**
 * `openwa_record_rows` by the position of the column.
 */
int32_t openwa_record_rows_at(const openwa_record *record,
                              size_t column,
                              openwa_rows **out,
                              openwa_error **err);

/**
 * Sets a column of text, of names or of UUIDs. The text is copied. `NULL, 0` sets null.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_text(openwa_record *record,
                               const char *column,
                               openwa_str value,
                               openwa_error **err);

/**
 * `openwa_record_set_text` by the position of the column.
 */
int32_t openwa_record_set_text_at(openwa_record *record,
                                  size_t column,
                                  openwa_str value,
                                  openwa_error **err);

/**
 * Sets a column of whole numbers or of milliseconds.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_i64(openwa_record *record,
                              const char *column,
                              int64_t value,
                              openwa_error **err);

/**
 * `openwa_record_set_i64` by the position of the column.
 */
int32_t openwa_record_set_i64_at(openwa_record *record,
                                 size_t column,
                                 int64_t value,
                                 openwa_error **err);

/**
 * Sets a column of truth values.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_bool(openwa_record *record,
                               const char *column,
                               bool value,
                               openwa_error **err);

/**
 * `openwa_record_set_bool` by the position of the column.
 */
int32_t openwa_record_set_bool_at(openwa_record *record,
                                  size_t column,
                                  bool value,
                                  openwa_error **err);

/**
 * Sets a column of times: milliseconds since 1970-01-01T00:00:00Z, years 0000 to 9999.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_time_ms(openwa_record *record,
                                  const char *column,
                                  int64_t value,
                                  openwa_error **err);

/**
 * `openwa_record_set_time_ms` by the position of the column.
 */
int32_t openwa_record_set_time_ms_at(openwa_record *record,
                                     size_t column,
                                     int64_t value,
                                     openwa_error **err);

/**
 * Sets a column of JSON documents. The text is checked and copied. `NULL, 0` sets null.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_json(openwa_record *record,
                               const char *column,
                               openwa_str value,
                               openwa_error **err);

/**
 * `openwa_record_set_json` by the position of the column.
 */
int32_t openwa_record_set_json_at(openwa_record *record,
                                  size_t column,
                                  openwa_str value,
                                  openwa_error **err);

/**
 * Sets a column of bytes, which are copied. `NULL, 0` sets null.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_bytes(openwa_record *record,
                                const char *column,
                                openwa_bytes value,
                                openwa_error **err);

/**
 * `openwa_record_set_bytes` by the position of the column.
 */
int32_t openwa_record_set_bytes_at(openwa_record *record,
                                   size_t column,
                                   openwa_bytes value,
                                   openwa_error **err);

/**
 * Sets a column that holds a record, which is copied. NULL sets null.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
 * not be null.
 */
int32_t openwa_record_set_record(openwa_record *record,
                                 const char *column,
                                 const openwa_record *value,
                                 openwa_error **err);

/**
 * `openwa_record_set_record` by the position of the column.
 */
int32_t openwa_record_set_record_at(openwa_record *record,
                                    size_t column,
                                    const openwa_record *value,
                                    openwa_error **err);


/* ---- Cursors --------------------------------------------------------------------------------- */

/**
 * Steps to the next row. `row_out` is NULL behind the last one; else it belongs to the cursor and stays valid until the
 * cursor is stepped again or freed. Lists of texts have rows with one column, `value`.
 *
 * ```c
 * const openwa_record *row;
 * while (openwa_rows_next(rows, &row, &err) == OPENWA_OK && row != NULL) {
 *     openwa_str body;
 *     openwa_record_text(row, "body", &body, NULL);
 * }
 * ```
 *
 * Errors: only an iteration, which fetches while it is stepped, has those of the database.
 */
int32_t openwa_rows_next(openwa_rows *rows,
                         const openwa_record **row_out,
                         openwa_error **err);

/**
 * How many rows the page or list has in all; 0 for an iteration, whose end nobody knows, and for NULL.
 */
size_t openwa_rows_len(const openwa_rows *rows);

/**
 * The cursor of the next page, to be set as `after` of a `PageRequest`: valid until the cursor is freed; `NULL, 0` when
 * this is the last page.
 */
openwa_str openwa_rows_after(const openwa_rows *rows);

/**
 * Frees a cursor and the row that it stands on. NULL is allowed.
 */
void openwa_rows_free(openwa_rows *rows);


/* ---- Writes for event loops ------------------------------------------------------------------ */

/**
 * Saves a message without waiting: `done` is called once it is durable, or refused. Nothing blocks: when the queue is
 * full the call fails with `OPENWA_ERR_QUEUE_FULL` at once. `done` is called exactly once if this returns `OPENWA_OK`, and
 * never otherwise. `session` and `message` are copied.
 *
 * Errors: `OPENWA_ERR_QUEUE_FULL` (retryable), `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`.
 */
int32_t openwa_messages_save_async(const openwa_store *store,
                                   openwa_str session,
                                   const openwa_record *message,
                                   openwa_saved_fn done,
                                   void *user,
                                   openwa_error **err);


/* ---- Without records ------------------------------------------------------------------------- */

/**
 * Decides whether a request with a key may go on, like `openwa_api_keys_authorize`, without giving the key's record. The
 * hottest call of a gateway: a few microseconds, no memory to be freed.
 *
 * - `key`: The key itself.
 * - `permission`: The permission the request needs; `NULL, 0`: any will do.
 * - `ip`: Address of the client; `NULL, 0`: unknown.
 * - `session`: Id or name of the session it is about; `NULL, 0`: none.
 * - `chat`: Address of the chat it is about; `NULL, 0`: none.
 * - `out`: a static string: `allowed`, or why not: `unknown_key`, `inactive`, `expired`, `ip_denied`,
 *   `permission_denied`, `session_denied`, `chat_denied`. Tell an outsider only *that* it is not.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the argument, and those of the database; deny then.
 */
int32_t openwa_api_keys_decide(const openwa_store *store,
                               openwa_str key,
                               openwa_str permission,
                               openwa_str ip,
                               openwa_str session,
                               openwa_str chat,
                               const char **out,
                               openwa_error **err);


/* ---- The store: events, files, upkeep -------------------------------------------------------- */

/**
 * Takes what an engine emitted, as JSON, and applies all of it in one commit.
 *
 * `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a Baileys event map
 * (`{"messages.upsert": …, "chats.update": …}`). Unknown events and fields are counted, never an error; a
 * message that is not acceptable is reported in `refused` and does not affect the rest.
 *
 * - `engine`: The library that emitted it: `baileys`, `wwebjs`, `neonize`.
 * - `session`: The session, a UUID as text.
 * - `event`: What it emitted, as JSON.
 * - `at_ms`: When it was, for an event of the past; default now. Such an event may have been applied before, so
 *   a status is left out if the session's log has it, or a later one, in milliseconds since 1970; NULL when not
 *   given.
 * - `out`: an `Ingested`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for JSON that is no event, `OPENWA_ERR_NOT_FOUND` for the session.
 */
int32_t openwa_store_ingest(const openwa_store *store,
                            openwa_str engine,
                            openwa_str session,
                            openwa_str event,
                            const int64_t *at_ms,
                            openwa_record **out,
                            openwa_error **err);

/**
 * Sizes, schema versions and row counts. Counting reads the smallest index of every table once; of a large store
 * `overview` tells nearly the same at once.
 *
 * - `out`: a `Status`; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_store_status(const openwa_store *store,
                            openwa_record **out,
                            openwa_error **err);

/**
 * The store on one screen: what needs attention, sizes, sessions by state, messages per day, growth, deliveries
 * to webhooks, keys that expire. Nothing large is counted, so that it takes milliseconds also with ten million
 * messages; estimates are marked as such.
 *
 * - `options`: What to show: an `OverviewOptions`, or NULL.
 * - `out`: an `Overview`; free it with `openwa_record_free`.
 *
 * Errors: those of the databases.
 */
int32_t openwa_store_overview(const openwa_store *store,
                              const openwa_record *options,
                              openwa_record **out,
                              openwa_error **err);

/**
 * Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows whose parent does not
 * exist, counters of bulk jobs against a recount, ids of messages against messages, values that cannot be read,
 * rows in the wrong place. It reads everything once, in constant memory, and holds nobody up; on a store that
 * others write to, each question is answered of one moment.
 *
 * - `out`: a `CheckReport`; free it with `openwa_record_free`.
 *
 * Errors: those of the database; what is wrong *in* it is in the report.
 */
int32_t openwa_store_check(const openwa_store *store,
                           openwa_record **out,
                           openwa_error **err);

/**
 * Checks, repairs what can be repaired without losing anything, and checks again. What is not certain, such as
 * which of two rows is right, is reported and left. A file with damaged pages is not written to at all. With
 * `dry_run` nothing is changed. The progress tells which table is being looked at, and rows where they are read
 * one by one.
 *
 * - `options`: What may be done: a `RepairOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `RepairReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CANCELLED` when the callback stops it (what is repaired stays), those of the database.
 */
int32_t openwa_store_repair(const openwa_store *store,
                            const openwa_record *options,
                            openwa_progress_fn progress,
                            void *user,
                            openwa_record **out,
                            openwa_error **err);

/**
 * Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite free pages go back to
 * the file system in transactions of a few milliseconds; on PostgreSQL every table gets a `VACUUM (ANALYZE)`,
 * which makes room in it for new rows and gives back what is free at its end. With `full` everything is written
 * anew, see `full`. A crash in the middle loses nothing. The progress counts pages on SQLite, tables on
 * PostgreSQL; stopping keeps what was given back until then. Of several processes one runs, the others answer
 * `already_running`.
 *
 * - `options`: How: a `VacuumOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `VacuumReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_DISK_FULL` when `full` on SQLite finds less room than it needs, before anything is begun;
 * those of the databases.
 */
int32_t openwa_store_vacuum(const openwa_store *store,
                            const openwa_record *options,
                            openwa_progress_fn progress,
                            void *user,
                            openwa_record **out,
                            openwa_error **err);

/**
 * Like `export`, to a file that only its owner may read; compressed if its name ends in `.zst`. The file takes
 * its place, and that of an older one, only when it is complete and durable.
 *
 * - `path`: The file.
 * - `options`: What to export: an `ExportOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: an `ExportReport`; free it with `openwa_record_free`.
 *
 * Errors: as `export`, with the path in the context.
 */
int32_t openwa_store_export_file(const openwa_store *store,
                                 openwa_str path,
                                 const openwa_record *options,
                                 openwa_progress_fn progress,
                                 void *user,
                                 openwa_record **out,
                                 openwa_error **err);

/**
 * Like `import`, from a file.
 *
 * - `path`: The file.
 * - `options`: How to import: an `ImportOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: an `ImportReport`; free it with `openwa_record_free`.
 *
 * Errors: as `import`, with the path in the context.
 */
int32_t openwa_store_import_file(const openwa_store *store,
                                 openwa_str path,
                                 const openwa_record *options,
                                 openwa_progress_fn progress,
                                 void *user,
                                 openwa_record **out,
                                 openwa_error **err);

/**
 * Writes a backup of the store while it is in use: Main and Data as of one moment each, one behind the other.
 * The repository is made if it is missing. What is in it already is not written again, so a backup every hour
 * costs about what changed. It counts only when everything new was read back from the repository.
 *
 * It needs room for a copy of the databases beside Main, or in `temp_dir`. Writers go on meanwhile.
 *
 * - `options`: Where to, and how: a `BackupOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `BackupReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_PERMISSION_DENIED` for a wrong password or wrong credentials, `OPENWA_ERR_NOT_FOUND` for a
 * missing bucket, `OPENWA_ERR_UNAVAILABLE` when the storage does not answer, `OPENWA_ERR_BUSY` while another
 * process makes a backup of this store or writes to this repository, `OPENWA_ERR_CORRUPT` when a database or the
 * repository is damaged, `OPENWA_ERR_DISK_FULL`, `OPENWA_ERR_SCHEMA_TOO_NEW` for a repository of a newer
 * version, `OPENWA_ERR_CANCELLED`, `OPENWA_ERR_UNSUPPORTED` in a build without the feature. Earlier backups stay
 * as they are.
 */
int32_t openwa_store_backup(const openwa_store *store,
                            const openwa_record *options,
                            openwa_progress_fn progress,
                            void *user,
                            openwa_record **out,
                            openwa_error **err);

/**
 * The backups in a repository, the oldest first; this store need not be one of them. What other programs put
 * into it is left out.
 *
 * - `repo`: The repository: a `BackupRepo`, or NULL.
 * - `out`: a list of `Backup`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND` when there is no repository; those of `backup`.
 */
int32_t openwa_store_backups(const openwa_store *store,
                             const openwa_record *repo,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * Reads backups back whole and compares them with what was written: every byte of every file.
 *
 * - `options`: Which ones: a `VerifyOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `BackupVerify`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND` when there is no such backup; those of `backup`. What is wrong *in* backups is
 * in the report.
 */
int32_t openwa_store_verify_backups(const openwa_store *store,
                                    const openwa_record *options,
                                    openwa_progress_fn progress,
                                    void *user,
                                    openwa_record **out,
                                    openwa_error **err);

/**
 * Forgets the backups that no rule keeps, and gives back the space that only they used: it is marked first, and
 * removed by a prune at least 23 hours later, so that a backup which is being written meanwhile loses nothing.
 *
 * - `repo`: The repository: a `BackupRepo`, or NULL.
 * - `keep`: What is kept: a `KeepRules`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `BackupPrune`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_BUSY` while another process writes to the repository; those of `backup`.
 */
int32_t openwa_store_prune_backups(const openwa_store *store,
                                   const openwa_record *repo,
                                   const openwa_record *keep,
                                   openwa_progress_fn progress,
                                   void *user,
                                   openwa_record **out,
                                   openwa_error **err);

/**
 * Restores a backup to where `target` says, which no process may have open: files into a new place or, with
 * `replace`, in place of those that are there, which are set aside under another name; PostgreSQL into a schema
 * without tables. Everything is verified before it takes its place: checksums, integrity, references, row
 * counts. This store has no part in it and may be any, also one in memory.
 *
 * Engines' credentials move on with every message. Those of a backup that were used since break the account, so
 * newer ones are not replaced unless that is allowed.
 *
 * - `target`: Where to, as a store is opened there: an `OpenOptions`, or NULL.
 * - `options`: Which backup, and how: a `RestoreOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `RestoreReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CONFLICT` when there is a store already, when its credentials are newer, or when the
 * schema has tables; `OPENWA_ERR_BUSY` while a process has the store open; `OPENWA_ERR_CORRUPT` for a damaged
 * backup; `OPENWA_ERR_SCHEMA_TOO_NEW`; `OPENWA_ERR_DISK_FULL`; those of `backup`. The target is left as it was.
 */
int32_t openwa_store_restore_backup(const openwa_store *store,
                                    const openwa_record *target,
                                    const openwa_record *options,
                                    openwa_progress_fn progress,
                                    void *user,
                                    openwa_record **out,
                                    openwa_error **err);

/**
 * How the secrets are kept, and whether this process can read them.
 *
 * - `out`: a `SecretsStatus`; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_store_secrets_status(const openwa_store *store,
                                    openwa_record **out,
                                    openwa_error **err);

/**
 * Seals every secret that is in clear, and rids free space of what was: on SQLite the database is written anew,
 * which takes about its size in disk space, and writers wait meanwhile; on PostgreSQL the tables with secrets
 * are locked while they are. Opening with a key seals as well, but rids only small databases. Says how many rows
 * were sealed. May be broken off and done again.
 *
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_STORE_KEY_MISSING` when the store was opened without a key, `OPENWA_ERR_WRONG_STORE_KEY`;
 * `OPENWA_ERR_UNREADABLE` naming the first row that cannot be read, when all others are sealed;
 * `OPENWA_ERR_BUSY` while another process is at it; `OPENWA_ERR_CANCELLED`; those of the database.
 */
int32_t openwa_store_seal_secrets(const openwa_store *store,
                                  openwa_progress_fn progress,
                                  void *user,
                                  int64_t *out,
                                  openwa_error **err);

/**
 * Opens every secret, so that they are in clear again: give the store no key then, or the next open seals them
 * anew. Says how many rows were opened. May be broken off and done again.
 *
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: the answer.
 *
 * Errors: as `seal_secrets`.
 */
int32_t openwa_store_unseal_secrets(const openwa_store *store,
                                    openwa_progress_fn progress,
                                    void *user,
                                    int64_t *out,
                                    openwa_error **err);

/**
 * Seals every secret with another key, while this and other processes go on: they learn of the new key by the
 * old one. Says how many rows were sealed. A run that was broken off is finished by another one with the same
 * key; until then the store opens with either.
 *
 * The old key goes on opening the store for 24 hours, so that gateways can be given the new one, and is then
 * refused by the first open. With `retire` it is refused at once: processes that have not met the new key by
 * then have to be opened anew. Calling it again with the same key and `retire` does that later.
 *
 * - `new_key`: The key that seals from now on: 64 hexadecimal digits, or 32 bytes in base64.
 * - `retire`: Refuses the old key at once.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_CONFLICT` for a store that is not sealed; as `seal_secrets`.
 */
int32_t openwa_store_rotate_store_key(const openwa_store *store,
                                      openwa_str new_key,
                                      bool retire,
                                      openwa_progress_fn progress,
                                      void *user,
                                      int64_t *out,
                                      openwa_error **err);

/**
 * For a store whose key is lost: drops every secret that this process cannot open. Sessions lose their
 * credentials and go back to `created`, to be paired anew; webhooks lose secret and headers and are switched
 * off; what a takeover kept of sessions and webhooks is gone. Messages, contacts and everything else stay. Says
 * how many rows lost something. Open the store without a key for it; afterwards it may be opened with a new one.
 *
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_CONFLICT` when this process has the key; `OPENWA_ERR_BUSY`, `OPENWA_ERR_CANCELLED`, those
 * of the database.
 */
int32_t openwa_store_forget_secrets(const openwa_store *store,
                                    openwa_progress_fn progress,
                                    void *user,
                                    int64_t *out,
                                    openwa_error **err);

/**
 * Every index of both databases, the largest first.
 *
 * - `out`: a list of `IndexInfo`; free it with `openwa_rows_free`.
 *
 * Errors: those of the databases.
 */
int32_t openwa_store_indexes(const openwa_store *store, openwa_rows **out, openwa_error **err);

/**
 * The monthly tables of messages, oldest first; none where `messages` is one table.
 *
 * - `out`: a list of `PartitionInfo`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_store_partitions(const openwa_store *store, openwa_rows **out, openwa_error **err);

/**
 * Makes the monthly tables of this month and the next three, and moves rows that wait in the default partition
 * to where they belong. Opening does it, and so does every run of retention; a gateway that runs for months
 * without either calls this once a month. Says how many were made.
 *
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_BUSY` when a lock cannot be had for long; those of the database.
 */
int32_t openwa_store_make_partitions(const openwa_store *store,
                                     int64_t *out,
                                     openwa_error **err);

/**
 * Rebuilds the indexes of both databases, or those of one table, one by one, which gives space back and mends an
 * index that is not valid. Says how many. On PostgreSQL others go on reading and writing meanwhile; on SQLite a
 * writer waits for the index that is being rebuilt. The progress counts indexes.
 *
 * - `table`: Only this table; default all; `NULL, 0` when not given.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown table, `OPENWA_ERR_CANCELLED` when the callback stops it
 * (what is rebuilt stays), those of the databases.
 */
int32_t openwa_store_reindex(const openwa_store *store,
                             openwa_str table,
                             openwa_progress_fn progress,
                             void *user,
                             int64_t *out,
                             openwa_error **err);

/**
 * Copies this store's rows into another one, whatever the engines of the two, as a stream: memory does not grow
 * with the data. Before anything is kept, each table is read back and compared by number and checksum of its
 * rows; any failure leaves the target as it was. This store may be used meanwhile; what changes after the
 * beginning is not copied, so stop the gateway first when it shall move.
 *
 * - `data`: Where the rows go, as the option `data` of opening: a SQLite file or a `postgres://` URL. Its Main
 *   database is this store's.
 * - `options`: What to move: a `MigrateOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `MigrateReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CONFLICT` for a target that has rows, unless they shall be replaced; those of `export` and
 * `import`, with the store that they are about in the context.
 */
int32_t openwa_store_migrate_to(const openwa_store *store,
                                openwa_str data,
                                const openwa_record *options,
                                openwa_progress_fn progress,
                                void *user,
                                openwa_record **out,
                                openwa_error **err);

/**
 * Takes over what another gateway has: each source is a path or a `postgres://` URL, and is recognised by what
 * it is:
 *
 * - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a journal beside; they are
 *   never changed;
 * - OpenWA's database on a PostgreSQL server: `postgres://user:password@host/database?schema=public`;
 * - OpenWA's export, plain or compressed with gzip or zstd;
 * - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.
 *
 * All of it or nothing; see `import`. Rows that are there already stay as they are, so a second run changes
 * nothing. What has no column here is kept in `openwa_extra`. Memory does not grow with the sources; a temporary
 * file of about their size does.
 *
 * - `sources`, `sources_len`: What to take over: paths, or `postgres://` URLs: texts.
 * - `options`: How: a `TakeoverOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `TakeoverReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_DATA` saying what a source looks like, or naming table, row and column of the
 * first bad row; `OPENWA_ERR_FOREIGN_DATABASE` for another program's database; `OPENWA_ERR_BUSY` when a source
 * is being written to; `OPENWA_ERR_CANCELLED`; those of the databases.
 */
int32_t openwa_store_takeover(const openwa_store *store,
                              const openwa_str *sources,
                              size_t sources_len,
                              const openwa_record *options,
                              openwa_progress_fn progress,
                              void *user,
                              openwa_record **out,
                              openwa_error **err);

/**
 * Like `export_openwa`, to a file that only its owner may read; compressed if its name ends in `.zst`. It takes
 * its place only when it is complete and durable.
 *
 * - `path`: The file.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: an `OpenwaExportReport`; free it with `openwa_record_free`.
 *
 * Errors: as `export`, with the path in the context.
 */
int32_t openwa_store_export_openwa_file(const openwa_store *store,
                                        openwa_str path,
                                        openwa_progress_fn progress,
                                        void *user,
                                        openwa_record **out,
                                        openwa_error **err);

/**
 * Counts what `run_retention` would delete, and deletes nothing.
 *
 * - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
 * - `out`: a `RetentionReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a session whose settings have a window that makes no sense, and
 * those of the database.
 */
int32_t openwa_store_retention_preview(const openwa_store *store,
                                       const openwa_record *options,
                                       openwa_record **out,
                                       openwa_error **err);

/**
 * Deletes what is older than its window, in transactions of a few milliseconds, and gives the space back. Of
 * several processes one runs, the others answer `already_running`.
 *
 * - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a `RetentionReport`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CLOCK_JUMP` when the clock seems to have jumped and `force` is not set,
 * `OPENWA_ERR_INVALID_ARGUMENT` for settings that make no sense, and those of the database.
 */
int32_t openwa_store_run_retention(const openwa_store *store,
                                   const openwa_record *options,
                                   openwa_progress_fn progress,
                                   void *user,
                                   openwa_record **out,
                                   openwa_error **err);

/**
 * What retention is about to do: how many rows are older than their window, and whether messages wait for a yes.
 *
 * - `options`: How long rows are kept: a `RetentionOptions`, or NULL.
 * - `out`: a `RetentionStatus`; free it with `openwa_record_free`.
 *
 * Errors: as `retention_preview`.
 */
int32_t openwa_store_retention_status(const openwa_store *store,
                                      const openwa_record *options,
                                      openwa_record **out,
                                      openwa_error **err);

/**
 * Says yes to retention: messages that moved in go with the next run if they are older than their window, and
 * the clock is right as it stands, however far it has jumped. Answers what had moved in.
 *
 * - `out`: a list of `MovedIn`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_store_accept_retention(const openwa_store *store,
                                      openwa_rows **out,
                                      openwa_error **err);

/**
 * Starts maintenance in a thread of this store: retention, months ahead, uses of API keys, statistics, each by
 * its schedule. It ends with `stop_maintenance` or with the store.
 *
 * Any number of processes may run it on the same databases: one of them runs a slot. What was missed while
 * nobody ran is made up for once; but what deletes has its first run in the next slot, so that it can be seen
 * before (`retention_status`). A job that fails is tried again within its slot if that may help, and never keeps
 * another one from running.
 *
 * - `options`: When the jobs run, and what they go by: a `MaintenanceOptions`, or NULL.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the job for what is no schedule or time zone,
 * `OPENWA_ERR_CONFLICT` when it runs already.
 */
int32_t openwa_store_start_maintenance(const openwa_store *store,
                                       const openwa_record *options,
                                       openwa_error **err);

/**
 * Stops maintenance: a job that runs ends after its next step, and goes on when maintenance is started again.
 * Does nothing when it does not run.
 *
 * Errors: `OPENWA_ERR_FORKED`, `OPENWA_ERR_CLOSED`.
 */
int32_t openwa_store_stop_maintenance(const openwa_store *store,
                                      openwa_error **err);

/**
 * Runs what is due now and returns: maintenance for a host that has its own scheduler, such as cron. With `job`,
 * runs that one, due or not. The answer has one entry for each job that was run at a place, and says how it
 * ended and how many rows it deleted; a failure of one keeps no other from running. One that deletes and never
 * ran is `scheduled`. The progress counts each job's steps, with its name for a table; of one that deletes, it
 * first tells of how many rows.
 *
 * - `options`: When the jobs run, and what they go by: a `MaintenanceOptions`, or NULL.
 * - `job`: Only this job, due or not; default all that are due: `retention`, `idempotency`, `partitions`,
 *   `usage`, `optimize`, `backup`; `NULL, 0` when not given.
 * - `progress`: hears of the progress, with `user`; may be NULL.
 * - `out`: a list of `MaintenanceRun`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` as `start_maintenance`, and for a job that has no schedule;
 * `OPENWA_ERR_CLOSED`.
 */
int32_t openwa_store_run_maintenance(const openwa_store *store,
                                     const openwa_record *options,
                                     openwa_str job,
                                     openwa_progress_fn progress,
                                     void *user,
                                     openwa_rows **out,
                                     openwa_error **err);

/**
 * The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of all processes that
 * share the databases are among them, whether or not this one runs any.
 *
 * - `out`: a list of `MaintenanceJob`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_CLOSED`. A database that cannot be asked shows in the errors of its jobs.
 */
int32_t openwa_store_maintenance(const openwa_store *store,
                                 openwa_rows **out,
                                 openwa_error **err);

/**
 * Writes what the verbs `log_later` of webhooks and API keys have left in memory. The store does so by itself
 * within a second, before a log is read, and when it is closed.
 *
 * Errors: those of the databases; what could not be written waits on.
 */
int32_t openwa_store_flush_logs(const openwa_store *store,
                                openwa_error **err);

/**
 * How many rows wait in memory to be written to the logs of requests and deliveries, and how many were lost.
 *
 * - `out`: a `LogBuffer`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CLOSED`.
 */
int32_t openwa_store_log_buffer(const openwa_store *store,
                                openwa_record **out,
                                openwa_error **err);


/* ---- Sessions and their life ----------------------------------------------------------------- */

/**
 * Creates a session in status `created`.
 *
 * - `session`: The session: a `NewSession`.
 * - `out`: a `Session`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_ALREADY_EXISTS` for a name that is taken, `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
 */
int32_t openwa_sessions_create(const openwa_store *store,
                               const openwa_record *session,
                               openwa_record **out,
                               openwa_error **err);

/**
 * One session by id.
 *
 * - `id`: The session, a UUID as text.
 * - `out`: a `Session`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_sessions_get(const openwa_store *store,
                            openwa_str id,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One session by name.
 *
 * - `name`: What people call it.
 * - `out`: a `Session`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_sessions_find(const openwa_store *store,
                             openwa_str name,
                             openwa_record **out,
                             openwa_error **err);

/**
 * One page of sessions, in the order of creation.
 *
 * - `filter`: Which sessions: a `SessionFilter`, or NULL.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `Session`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_sessions_list(const openwa_store *store,
                             const openwa_record *filter,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * Changes name, number, settings or the engine's state.
 *
 * - `id`: The session, a UUID as text.
 * - `update`: What to change: a `SessionUpdate`.
 * - `out`: a `Session`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_ALREADY_EXISTS`, `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_sessions_update(const openwa_store *store,
                               openwa_str id,
                               const openwa_record *update,
                               openwa_record **out,
                               openwa_error **err);

/**
 * Moves a session to a status and logs it in the same commit. The same status again changes nothing, except that
 * a new QR code is logged.
 *
 * - `id`: The session, a UUID as text.
 * - `to`: The new status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `reason`: Why, for the log; `NULL, 0` when not given.
 * - `out`: a `Transition`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_TRANSITION` naming both states and what is allowed, `OPENWA_ERR_CONFLICT` when
 * another process was faster, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_sessions_transition(const openwa_store *store,
                                   openwa_str id,
                                   openwa_str to,
                                   openwa_str reason,
                                   openwa_record **out,
                                   openwa_error **err);

/**
 * After a start: every session that should run again. Those in a state that only a live engine can hold are
 * `disconnected` now.
 *
 * - `out`: a list of `Session`; free it with `openwa_rows_free`.
 */
int32_t openwa_sessions_restore(const openwa_store *store,
                                openwa_rows **out,
                                openwa_error **err);

/**
 * Takes a failed session back to `created`, with its credentials cleared.
 *
 * - `id`: The session, a UUID as text.
 * - `out`: a `Session`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_TRANSITION` for a session that is not failed, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_sessions_recreate(const openwa_store *store,
                                 openwa_str id,
                                 openwa_record **out,
                                 openwa_error **err);

/**
 * Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials, logs. False: there
 * was none.
 *
 * - `id`: The session, a UUID as text.
 * - `out`: the answer.
 */
int32_t openwa_sessions_delete(const openwa_store *store,
                               openwa_str id,
                               bool *out,
                               openwa_error **err);

/**
 * Writes one line of a session's log.
 *
 * - `id`: The session, a UUID as text.
 * - `event`: What happened.
 * - `data`: Anything else, as JSON; `NULL, 0` when not given.
 * - `out`: a `SessionLog`; free it with `openwa_record_free`.
 */
int32_t openwa_sessions_log(const openwa_store *store,
                            openwa_str id,
                            openwa_str event,
                            openwa_str data,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One page of a session's log, newest first, all of it or one kind of event.
 *
 * - `id`: The session, a UUID as text.
 * - `event`: Only this kind of event; `NULL, 0` when not given.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `SessionLog`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_sessions_logs(const openwa_store *store,
                             openwa_str id,
                             openwa_str event,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);


/* ---- Message history ------------------------------------------------------------------------- */

/**
 * Stores a message, or merges it into the one with the same WhatsApp id, and says which.
 *
 * A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give a placeholder its
 * content.
 *
 * - `session`: The session, a UUID as text.
 * - `message`: The message: a `NewMessage`.
 * - `out`: a `Saved`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_NOT_FOUND` for the session.
 */
int32_t openwa_messages_save(const openwa_store *store,
                             openwa_str session,
                             const openwa_record *message,
                             openwa_record **out,
                             openwa_error **err);

/**
 * Stores many messages in one commit, each with its own result. One that is refused does not affect the others.
 *
 * - `session`: The session, a UUID as text.
 * - `messages`, `messages_len`: The messages: `NewMessage`.
 * - `out`: a list of `SaveResult`; free it with `openwa_rows_free`.
 */
int32_t openwa_messages_save_many(const openwa_store *store,
                                  openwa_str session,
                                  const openwa_record *const *messages,
                                  size_t messages_len,
                                  openwa_rows **out,
                                  openwa_error **err);

/**
 * Stores history: as `save_many`, but each row is made at its message's own time, and what retention has removed
 * does not come back (`NotStored`).
 *
 * - `session`: The session, a UUID as text.
 * - `messages`, `messages_len`: The messages: `NewMessage`.
 * - `out`: a list of `SaveResult`; free it with `openwa_rows_free`.
 */
int32_t openwa_messages_backfill(const openwa_store *store,
                                 openwa_str session,
                                 const openwa_record *const *messages,
                                 size_t messages_len,
                                 openwa_rows **out,
                                 openwa_error **err);

/**
 * Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played. It never
 * falls. A message that is not here yet gets it when it comes.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `ack`: The delivery state, -1 to 5.
 * - `out`: a static string: `updated`, `unchanged`, `waiting`.
 */
int32_t openwa_messages_ack(const openwa_store *store,
                            openwa_str session,
                            openwa_str wa_message_id,
                            int64_t ack,
                            const char **out,
                            openwa_error **err);

/**
 * Gives a message a new body. The edit with the latest time wins; a revoked message stays empty.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `body`: The new body; `NULL, 0` when not given.
 * - `at_ms`: When it was edited; default now, in milliseconds since 1970; NULL when not given.
 * - `out`: a static string: `updated`, `unchanged`, `waiting`.
 */
int32_t openwa_messages_edit(const openwa_store *store,
                             openwa_str session,
                             openwa_str wa_message_id,
                             openwa_str body,
                             const int64_t *at_ms,
                             const char **out,
                             openwa_error **err);

/**
 * Deletes a message for everyone: body, media and raw are emptied for good, the row stays.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `at_ms`: When it was deleted; default now, in milliseconds since 1970; NULL when not given.
 * - `out`: a static string: `updated`, `unchanged`, `waiting`.
 */
int32_t openwa_messages_revoke(const openwa_store *store,
                               openwa_str session,
                               openwa_str wa_message_id,
                               const int64_t *at_ms,
                               const char **out,
                               openwa_error **err);

/**
 * Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws it.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `sender`: Address of the person, or `me`.
 * - `emoji`: The reaction; empty withdraws.
 * - `at_ms`: When it was; default now, in milliseconds since 1970; NULL when not given.
 * - `out`: a static string: `updated`, `unchanged`, `waiting`.
 */
int32_t openwa_messages_react(const openwa_store *store,
                              openwa_str session,
                              openwa_str wa_message_id,
                              openwa_str sender,
                              openwa_str emoji,
                              const int64_t *at_ms,
                              const char **out,
                              openwa_error **err);

/**
 * One message by its row id.
 *
 * - `id`: Id of the row, a UUID as text.
 * - `out`: a `Message`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_messages_get(const openwa_store *store,
                            openwa_str id,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One message by WhatsApp's id.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `out`: a `Message`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_messages_find(const openwa_store *store,
                             openwa_str session,
                             openwa_str wa_message_id,
                             openwa_record **out,
                             openwa_error **err);

/**
 * One page of a session's messages, filtered, newest first unless the filter says otherwise.
 *
 * - `session`: The session, a UUID as text.
 * - `filter`: Which messages: a `MessageFilter`, or NULL.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `Message`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_messages_list(const openwa_store *store,
                             openwa_str session,
                             const openwa_record *filter,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * How many messages match.
 *
 * - `session`: The session, a UUID as text.
 * - `filter`: Which messages: a `MessageFilter`, or NULL.
 * - `out`: the answer.
 *
 * Errors: those of the database.
 */
int32_t openwa_messages_count(const openwa_store *store,
                              openwa_str session,
                              const openwa_record *filter,
                              int64_t *out,
                              openwa_error **err);

/**
 * One page of a session's chats, the one with the newest message first.
 *
 * - `session`: The session, a UUID as text.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `Chat`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_messages_chats(const openwa_store *store,
                              openwa_str session,
                              const openwa_record *page,
                              openwa_rows **out,
                              openwa_error **err);

/**
 * The reactions to one message, oldest first.
 *
 * - `session`: The session, a UUID as text.
 * - `wa_message_id`: WhatsApp's id of the message.
 * - `out`: a list of `MessageReaction`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_messages_reactions(const openwa_store *store,
                                  openwa_str session,
                                  openwa_str wa_message_id,
                                  openwa_rows **out,
                                  openwa_error **err);

/**
 * How many messages that are not here have changes of this kind waiting for them.
 *
 * - `session`: The session, a UUID as text.
 * - `kind`: The kind of change: `ack`, `edit`, `revoke`, `reaction`, `seen`.
 * - `out`: the answer.
 *
 * Errors: those of the database.
 */
int32_t openwa_messages_waiting(const openwa_store *store,
                                openwa_str session,
                                openwa_str kind,
                                int64_t *out,
                                openwa_error **err);


/* ---- Contacts and the two addresses of a person ---------------------------------------------- */

/**
 * Creates a contact, or adds what is known of it; what the change does not say stays.
 *
 * - `session`: The session, a UUID as text.
 * - `contact`: What is known of the contact: a `ContactChange`.
 * - `out`: a `Contact`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_NOT_FOUND` for the session.
 */
int32_t openwa_contacts_upsert(const openwa_store *store,
                               openwa_str session,
                               const openwa_record *contact,
                               openwa_record **out,
                               openwa_error **err);

/**
 * One contact by any of its addresses.
 *
 * - `session`: The session, a UUID as text.
 * - `address`: Any of the person's addresses.
 * - `out`: a `Contact`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_contacts_get(const openwa_store *store,
                            openwa_str session,
                            openwa_str address,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One page of a session's contacts, by address.
 *
 * - `session`: The session, a UUID as text.
 * - `filter`: Which contacts: a `ContactFilter`, or NULL.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `Contact`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_contacts_list(const openwa_store *store,
                             openwa_str session,
                             const openwa_record *filter,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * Deletes a contact. False: there was none.
 *
 * - `session`: The session, a UUID as text.
 * - `address`: Any of the person's addresses.
 * - `out`: the answer.
 */
int32_t openwa_contacts_delete(const openwa_store *store,
                               openwa_str session,
                               openwa_str address,
                               bool *out,
                               openwa_error **err);

/**
 * Learns that a LID and a phone address are one person. What was stored under the LID moves to the phone address
 * in the same commit. False: that was known, or it is the account's own number.
 *
 * - `session`: The session, a UUID as text.
 * - `lid`: The LID address.
 * - `pn`: The phone address.
 * - `out`: the answer.
 */
int32_t openwa_contacts_learn_identity(const openwa_store *store,
                                       openwa_str session,
                                       openwa_str lid,
                                       openwa_str pn,
                                       bool *out,
                                       openwa_error **err);

/**
 * Every LID-phone pair that a session knows, by LID.
 *
 * - `session`: The session, a UUID as text.
 * - `out`: a list of `Identity`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_contacts_identities(const openwa_store *store,
                                   openwa_str session,
                                   openwa_rows **out,
                                   openwa_error **err);

/**
 * The address under which a person, group or newsletter is kept.
 *
 * - `session`: The session, a UUID as text.
 * - `address`: An address in any form.
 * - `out`: the answer; free it with `openwa_string_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_contacts_canonical(const openwa_store *store,
                                  openwa_str session,
                                  openwa_str address,
                                  char **out,
                                  openwa_error **err);


/* ---- Webhooks, their delivery log, idempotency ----------------------------------------------- */

/**
 * Creates a webhook.
 *
 * - `session`: The session, a UUID as text.
 * - `webhook`: The webhook: a `NewWebhook`.
 * - `out`: a `Webhook`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for URL, events, headers or retry count, `OPENWA_ERR_NOT_FOUND` for the
 * session.
 */
int32_t openwa_webhooks_create(const openwa_store *store,
                               openwa_str session,
                               const openwa_record *webhook,
                               openwa_record **out,
                               openwa_error **err);

/**
 * One webhook by id.
 *
 * - `id`: The webhook, a UUID as text.
 * - `out`: a `Webhook`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_webhooks_get(const openwa_store *store,
                            openwa_str id,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One page of a session's webhooks, in the order of creation.
 *
 * - `session`: The session, a UUID as text.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `Webhook`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_webhooks_list(const openwa_store *store,
                             openwa_str session,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * The active webhooks of a session that want to hear of an event.
 *
 * - `session`: The session, a UUID as text.
 * - `event`: The event: a `WebhookEvent`.
 * - `out`: a list of `Webhook`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_webhooks_subscribed(const openwa_store *store,
                                   openwa_str session,
                                   openwa_str event,
                                   openwa_rows **out,
                                   openwa_error **err);

/**
 * Changes a webhook.
 *
 * - `id`: The webhook, a UUID as text.
 * - `update`: What to change: a `WebhookUpdate`.
 * - `out`: a `Webhook`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_webhooks_update(const openwa_store *store,
                               openwa_str id,
                               const openwa_record *update,
                               openwa_record **out,
                               openwa_error **err);

/**
 * Deletes a webhook with its log. False: there was none.
 *
 * - `id`: The webhook, a UUID as text.
 * - `out`: the answer.
 */
int32_t openwa_webhooks_delete(const openwa_store *store,
                               openwa_str id,
                               bool *out,
                               openwa_error **err);

/**
 * Logs one attempt to deliver.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `delivery`: The attempt: a `NewDelivery`.
 * - `out`: a `WebhookLog`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND` for the webhook, `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_webhooks_log(const openwa_store *store,
                            openwa_str webhook,
                            const openwa_record *delivery,
                            openwa_record **out,
                            openwa_error **err);

/**
 * Logs an attempt without waiting: the row is written within a second, together with others, and before the log
 * is read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond
 * that the oldest are lost and counted, see `log_buffer`. A row whose webhook is deleted by then goes with it.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `delivery`: The attempt: a `NewDelivery`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`. None of the database.
 */
int32_t openwa_webhooks_log_later(const openwa_store *store,
                                  openwa_str webhook,
                                  const openwa_record *delivery,
                                  openwa_error **err);

/**
 * One page of a webhook's delivery log, newest first.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `WebhookLog`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_webhooks_logs(const openwa_store *store,
                             openwa_str webhook,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * Asks whether an event may be delivered to a webhook; of any number of processes exactly one hears `New`.
 * Entries live 24 hours.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `key`: What makes the event unique, 1 to 255 characters.
 * - `event`: The event's name.
 * - `out`: a `Begin`; free it with `openwa_record_free`.
 */
int32_t openwa_webhooks_begin(const openwa_store *store,
                              openwa_str webhook,
                              openwa_str key,
                              openwa_str event,
                              openwa_record **out,
                              openwa_error **err);

/**
 * Stores the answer of a delivery, for those that come as duplicates.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `key`: What makes the event unique.
 * - `status`: HTTP status of the answer; NULL when not given.
 * - `data`: The answer, as JSON; `NULL, 0` when not given.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND` when it was not begun.
 */
int32_t openwa_webhooks_finish(const openwa_store *store,
                               openwa_str webhook,
                               openwa_str key,
                               const int64_t *status,
                               openwa_str data,
                               openwa_error **err);

/**
 * Takes a beginning back, so that a delivery that failed for good may be begun again. False: there was none.
 *
 * - `webhook`: The webhook, a UUID as text.
 * - `key`: What makes the event unique.
 * - `out`: the answer.
 */
int32_t openwa_webhooks_forget(const openwa_store *store,
                               openwa_str webhook,
                               openwa_str key,
                               bool *out,
                               openwa_error **err);


/* ---- Bulk jobs ------------------------------------------------------------------------------- */

/**
 * Creates a job with its messages, all or none.
 *
 * - `session`: The session, a UUID as text.
 * - `job`: The job: a `NewBatch`.
 * - `out`: a `BatchJob`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_ALREADY_EXISTS` for a batch id that the session has used, `OPENWA_ERR_INVALID_ARGUMENT`,
 * `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_batches_create(const openwa_store *store,
                              openwa_str session,
                              const openwa_record *job,
                              openwa_record **out,
                              openwa_error **err);

/**
 * One job by its row id.
 *
 * - `id`: The job, a UUID as text.
 * - `out`: a `BatchJob`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_batches_get(const openwa_store *store,
                           openwa_str id,
                           openwa_record **out,
                           openwa_error **err);

/**
 * One job by the host's own id.
 *
 * - `session`: The session, a UUID as text.
 * - `batch_id`: The host's own id of the job.
 * - `out`: a `BatchJob`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_batches_find(const openwa_store *store,
                            openwa_str session,
                            openwa_str batch_id,
                            openwa_record **out,
                            openwa_error **err);

/**
 * One page of a session's jobs, newest first.
 *
 * - `session`: The session, a UUID as text.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `BatchJob`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_batches_list(const openwa_store *store,
                            openwa_str session,
                            const openwa_record *page,
                            openwa_rows **out,
                            openwa_error **err);

/**
 * Up to a thousand messages of a job in sending order, from position `from` on.
 *
 * - `job`: The job, a UUID as text.
 * - `position`: The first position; default 0; NULL when not given.
 * - `out`: a list of `BatchJobMessage`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_batches_messages(const openwa_store *store,
                                openwa_str job,
                                const int64_t *position,
                                openwa_rows **out,
                                openwa_error **err);

/**
 * Hands out the next message of a job: in order, once, across threads and processes. NULL: there is none left,
 * or the job has ended.
 *
 * - `job`: The job, a UUID as text.
 * - `out`: a `BatchJobMessage`, or NULL when there is none; free it with `openwa_record_free`.
 */
int32_t openwa_batches_claim_next(const openwa_store *store,
                                  openwa_str job,
                                  openwa_record **out,
                                  openwa_error **err);

/**
 * Records how the sending of a message ended; counters and, with the last one, the job's end come with it.
 *
 * - `message`: The message of the job, a UUID as text.
 * - `result`: How it ended: a `BatchResult`, or NULL.
 * - `out`: a `BatchJob`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CONFLICT` for a message that is not being sent, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_batches_record(const openwa_store *store,
                              openwa_str message,
                              const openwa_record *result,
                              openwa_record **out,
                              openwa_error **err);

/**
 * Messages that were handed out and have no result. After a crash nobody knows whether they went out: ask
 * WhatsApp or the user, then `record` it.
 *
 * - `job`: The job, a UUID as text.
 * - `out`: a list of `BatchJobMessage`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_batches_unknown(const openwa_store *store,
                               openwa_str job,
                               openwa_rows **out,
                               openwa_error **err);

/**
 * Withdraws what is pending and ends the job. What is being sent may still get its result.
 *
 * - `job`: The job, a UUID as text.
 * - `out`: a `BatchJob`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CONFLICT` for a job that has ended, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_batches_cancel(const openwa_store *store,
                              openwa_str job,
                              openwa_record **out,
                              openwa_error **err);

/**
 * Ends a job with a fatal error; what is pending is withdrawn.
 *
 * - `job`: The job, a UUID as text.
 * - `error`: What went wrong.
 * - `out`: a `BatchJob`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_CONFLICT` for a job that has ended, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_batches_fail(const openwa_store *store,
                            openwa_str job,
                            openwa_str error,
                            openwa_record **out,
                            openwa_error **err);


/* ---- An engine's credentials ----------------------------------------------------------------- */

/**
 * Sets and deletes any number of keys in one commit: all of them or none.
 *
 * - `session`: The session, a UUID as text.
 * - `entries`, `entries_len`: The keys; one without a value is deleted: `AuthEntry`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND` for the session, `OPENWA_ERR_INVALID_ARGUMENT`, `OPENWA_ERR_STORE_KEY_MISSING`,
 * `OPENWA_ERR_WRONG_STORE_KEY`.
 */
int32_t openwa_auth_set(const openwa_store *store,
                        openwa_str session,
                        const openwa_record *const *entries,
                        size_t entries_len,
                        openwa_error **err);

/**
 * One key: found, missing, or unreadable.
 *
 * - `session`: The session, a UUID as text.
 * - `category`: The category.
 * - `key_id`: The key's id.
 * - `out`: an `AuthValue`; free it with `openwa_record_free`.
 *
 * Errors: those of the database. An engine must not take an error for a missing key.
 */
int32_t openwa_auth_get(const openwa_store *store,
                        openwa_str session,
                        openwa_str category,
                        openwa_str key_id,
                        openwa_record **out,
                        openwa_error **err);

/**
 * Several keys of a category, in the order asked for.
 *
 * - `session`: The session, a UUID as text.
 * - `category`: The category.
 * - `key_ids`, `key_ids_len`: The ids of the keys: texts.
 * - `out`: a list of `AuthValue`; free it with `openwa_rows_free`.
 *
 * Errors: as `get`.
 */
int32_t openwa_auth_get_many(const openwa_store *store,
                             openwa_str session,
                             openwa_str category,
                             const openwa_str *key_ids,
                             size_t key_ids_len,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * The ids of a category's keys, in order.
 *
 * - `session`: The session, a UUID as text.
 * - `category`: The category.
 * - `out`: a list of texts; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_auth_list(const openwa_store *store,
                         openwa_str session,
                         openwa_str category,
                         openwa_rows **out,
                         openwa_error **err);

/**
 * Every key of a session.
 *
 * - `session`: The session, a UUID as text.
 * - `out`: a list of `SessionAuth`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_auth_all(const openwa_store *store,
                        openwa_str session,
                        openwa_rows **out,
                        openwa_error **err);

/**
 * Deletes a session's keys, all or those of one category; says how many.
 *
 * - `session`: The session, a UUID as text.
 * - `category`: Only this category; `NULL, 0` when not given.
 * - `out`: the answer.
 */
int32_t openwa_auth_clear(const openwa_store *store,
                          openwa_str session,
                          openwa_str category,
                          int64_t *out,
                          openwa_error **err);


/* ---- API keys, their whitelists and the log of their use ------------------------------------- */

/**
 * Creates a key of 32 random bytes. The answer holds the only copy of it.
 *
 * - `record`: The key's record: a `NewApiKey`.
 * - `out`: a `CreatedKey`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
 */
int32_t openwa_api_keys_create(const openwa_store *store,
                               const openwa_record *record,
                               openwa_record **out,
                               openwa_error **err);

/**
 * Registers a given string as a key, such as a bootstrap secret from the environment.
 *
 * - `key`: The key itself.
 * - `record`: The key's record: a `NewApiKey`.
 * - `out`: a `CreatedKey`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_ALREADY_EXISTS` when it is registered, `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_api_keys_register(const openwa_store *store,
                                 openwa_str key,
                                 const openwa_record *record,
                                 openwa_record **out,
                                 openwa_error **err);

/**
 * Decides whether a request with a key may go on. The hottest call of a gateway: it writes nothing in its own
 * path, and sees a revocation by any process at the next call.
 *
 * - `key`: The key itself.
 * - `ask`: What the request asks for: an `Ask`, or NULL.
 * - `out`: an `Authorization`; free it with `openwa_record_free`.
 *
 * Errors: those of the database; deny then.
 */
int32_t openwa_api_keys_authorize(const openwa_store *store,
                                  openwa_str key,
                                  const openwa_record *ask,
                                  openwa_record **out,
                                  openwa_error **err);

/**
 * One key's record by id.
 *
 * - `id`: The key's record, a UUID as text.
 * - `out`: an `ApiKey`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_api_keys_get(const openwa_store *store,
                            openwa_str id,
                            openwa_record **out,
                            openwa_error **err);

/**
 * A key's record by the key itself, without counting a use.
 *
 * - `key`: The key itself.
 * - `out`: an `ApiKey`, or NULL when there is none; free it with `openwa_record_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_api_keys_find(const openwa_store *store,
                             openwa_str key,
                             openwa_record **out,
                             openwa_error **err);

/**
 * One page of keys, in the order of creation.
 *
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `ApiKey`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_api_keys_list(const openwa_store *store,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);

/**
 * Changes a key. The next call with it, in any process, sees that.
 *
 * - `id`: The key's record, a UUID as text.
 * - `update`: What to change: an `ApiKeyUpdate`.
 * - `out`: an `ApiKey`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY` when it is the last one and would lose full access,
 * `OPENWA_ERR_NOT_FOUND`, `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_api_keys_update(const openwa_store *store,
                               openwa_str id,
                               const openwa_record *update,
                               openwa_record **out,
                               openwa_error **err);

/**
 * Switches a key off for good. `force` does so even for the last one with full access.
 *
 * - `id`: The key's record, a UUID as text.
 * - `force`: Also the last one with full access.
 * - `out`: an `ApiKey`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY`, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_api_keys_revoke(const openwa_store *store,
                               openwa_str id,
                               bool force,
                               openwa_record **out,
                               openwa_error **err);

/**
 * Deletes a key's record; its log entries stay. False: there was none.
 *
 * - `id`: The key's record, a UUID as text.
 * - `force`: Also the last one with full access.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_LAST_FULL_ACCESS_KEY`.
 */
int32_t openwa_api_keys_delete(const openwa_store *store,
                               openwa_str id,
                               bool force,
                               bool *out,
                               openwa_error **err);

/**
 * The addresses from which a key may be used. None: from anywhere. Some, but none active: from nowhere.
 *
 * - `key`: The key's record, a UUID as text.
 * - `out`: a list of `IpWhitelistEntry`; free it with `openwa_rows_free`.
 *
 * Errors: those of the database.
 */
int32_t openwa_api_keys_whitelist(const openwa_store *store,
                                  openwa_str key,
                                  openwa_rows **out,
                                  openwa_error **err);

/**
 * Adds an address or network to a key's whitelist.
 *
 * - `key`: The key's record, a UUID as text.
 * - `entry`: The address: a `NewWhitelistEntry`.
 * - `out`: an `IpWhitelistEntry`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is not strictly an address or network,
 * `OPENWA_ERR_ALREADY_EXISTS`, `OPENWA_ERR_NOT_FOUND`.
 */
int32_t openwa_api_keys_allow_address(const openwa_store *store,
                                      openwa_str key,
                                      const openwa_record *entry,
                                      openwa_record **out,
                                      openwa_error **err);

/**
 * Switches a whitelist entry on or off. False: there is none.
 *
 * - `entry`: The entry, a UUID as text.
 * - `active`: Whether it counts.
 * - `out`: the answer.
 */
int32_t openwa_api_keys_set_address_active(const openwa_store *store,
                                           openwa_str entry,
                                           bool active,
                                           bool *out,
                                           openwa_error **err);

/**
 * Removes a whitelist entry. False: there was none.
 *
 * - `entry`: The entry, a UUID as text.
 * - `out`: the answer.
 */
int32_t openwa_api_keys_remove_address(const openwa_store *store,
                                       openwa_str entry,
                                       bool *out,
                                       openwa_error **err);

/**
 * Logs a request that was made with a key.
 *
 * - `request`: The request: a `NewApiKeyLog`.
 * - `out`: an `ApiKeyLog`; free it with `openwa_record_free`.
 */
int32_t openwa_api_keys_log(const openwa_store *store,
                            const openwa_record *request,
                            openwa_record **out,
                            openwa_error **err);

/**
 * Logs a request without waiting: the row is written within a second, together with others, and before the log
 * is read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond
 * that the oldest are lost and counted, see `log_buffer`.
 *
 * - `request`: The request: a `NewApiKeyLog`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`. None of the database.
 */
int32_t openwa_api_keys_log_later(const openwa_store *store,
                                  const openwa_record *request,
                                  openwa_error **err);

/**
 * One page of the log of requests, newest first, of one key or of all.
 *
 * - `key`: Only those of this key, a UUID as text; `NULL, 0` when not given.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `ApiKeyLog`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_api_keys_logs(const openwa_store *store,
                             openwa_str key,
                             const openwa_record *page,
                             openwa_rows **out,
                             openwa_error **err);


/* ---- The audit trail ------------------------------------------------------------------------- */

/**
 * Writes one entry.
 *
 * - `entry`: The entry: a `NewAuditLog`.
 * - `out`: an `AuditLog`; free it with `openwa_record_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
 */
int32_t openwa_audit_log(const openwa_store *store,
                         const openwa_record *entry,
                         openwa_record **out,
                         openwa_error **err);

/**
 * One page of the trail, newest first.
 *
 * - `filter`: Which entries: an `AuditFilter`, or NULL.
 * - `page`: Which page: a `PageRequest`, or NULL.
 * - `out`: a page of `AuditLog`; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a bad limit or cursor.
 */
int32_t openwa_audit_list(const openwa_store *store,
                          const openwa_record *filter,
                          const openwa_record *page,
                          openwa_rows **out,
                          openwa_error **err);


/* ---- Rules, which need no store -------------------------------------------------------------- */

/**
 * Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction digits (cut to
 * milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless time, which means UTC.
 *
 * - `text`: The text.
 * - `out`: the answer, in milliseconds since 1970.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for anything else.
 */
int32_t openwa_policy_parse_time(openwa_str text,
                                 int64_t *out,
                                 openwa_error **err);

/**
 * The text of a time, exactly as JavaScript's `toISOString` writes it: `2026-01-05T08:01:23.000Z`.
 *
 * - `time_ms`: The time, in milliseconds since 1970.
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_format_time(int64_t time_ms, char **out, openwa_error **err);

/**
 * The form in which a WhatsApp address is kept: without device and agent, with `s.whatsapp.net` for `c.us`. A
 * bare telephone number is taken for a phone address; what is no person's address stays as it is.
 *
 * - `address`: An address in any form.
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_normalize_address(openwa_str address,
                                        char **out,
                                        openwa_error **err);

/**
 * Whether a WhatsApp address is a group's.
 *
 * - `address`: The address.
 * - `out`: the answer.
 */
int32_t openwa_policy_is_group(openwa_str address, bool *out, openwa_error **err);

/**
 * Whether a WhatsApp address is a channel's.
 *
 * - `address`: The address.
 * - `out`: the answer.
 */
int32_t openwa_policy_is_newsletter(openwa_str address, bool *out, openwa_error **err);

/**
 * Whether a WhatsApp address is a person's LID, in any form.
 *
 * - `address`: The address.
 * - `out`: the answer.
 */
int32_t openwa_policy_is_lid(openwa_str address, bool *out, openwa_error **err);

/**
 * Whether a WhatsApp address is a person's phone address, in any form.
 *
 * - `address`: The address.
 * - `out`: the answer.
 */
int32_t openwa_policy_is_phone(openwa_str address, bool *out, openwa_error **err);

/**
 * Whether a WhatsApp address is a person's, phone or LID, in any form.
 *
 * - `address`: The address.
 * - `out`: the answer.
 */
int32_t openwa_policy_is_person(openwa_str address, bool *out, openwa_error **err);

/**
 * The telephone number of a phone address, digits only. Nothing for everything else, LIDs above all: their
 * digits look like a number and are none.
 *
 * - `address`: An address in any form.
 * - `out`: the answer, or NULL when there is none; free it with `openwa_string_free`.
 */
int32_t openwa_policy_phone_digits(openwa_str address,
                                   char **out,
                                   openwa_error **err);

/**
 * Whether a session may go from one status to another: `move`, or `same` when that changes nothing.
 *
 * - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `to`: The status wanted: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `out`: a static string: `move`, `same`.
 *
 * Errors: `OPENWA_ERR_INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
 */
int32_t openwa_policy_check_transition(openwa_str status,
                                       openwa_str to,
                                       const char **out,
                                       openwa_error **err);

/**
 * Every status to which a session in this one may move.
 *
 * - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `out`: a list of texts; free it with `openwa_rows_free`.
 */
int32_t openwa_policy_allowed_transitions(openwa_str status,
                                          openwa_rows **out,
                                          openwa_error **err);

/**
 * Whether a session may be recreated: only a failed one.
 *
 * - `status`: The status now: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 *
 * Errors: `OPENWA_ERR_INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
 */
int32_t openwa_policy_check_recreate(openwa_str status,
                                     openwa_error **err);

/**
 * Whether only a running engine can hold a session in this status.
 *
 * - `status`: The status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `out`: the answer.
 */
int32_t openwa_policy_needs_engine(openwa_str status,
                                   bool *out,
                                   openwa_error **err);

/**
 * Whether a session in this status should run again after a start of the gateway.
 *
 * - `status`: The status: `created`, `initializing`, `qr_ready`, `authenticating`, `ready`, `disconnected`,
 *   `failed`.
 * - `out`: the answer.
 */
int32_t openwa_policy_should_restore(openwa_str status,
                                     bool *out,
                                     openwa_error **err);

/**
 * The delivery state that is further up. One never falls: none < 0 < -1 < 1 < 2 < 3 < 4 < 5.
 *
 * - `current`: The state now; NULL when not given.
 * - `reported`: The state reported; NULL when not given.
 * - `out`, `out_is_null`: the answer; `out_is_null` is true when there is none.
 */
int32_t openwa_policy_raise_ack(const int64_t *current,
                                const int64_t *reported,
                                int64_t *out,
                                bool *out_is_null,
                                openwa_error **err);

/**
 * Makes a new API key from the system's random numbers. Nothing is stored.
 *
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_generate_key(char **out, openwa_error **err);

/**
 * A key that the host brings along, without the white space around it.
 *
 * - `key`: The key.
 * - `out`: the answer; free it with `openwa_string_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` when nothing is left.
 */
int32_t openwa_policy_check_key(openwa_str key, char **out, openwa_error **err);

/**
 * The hash of an API key as it is stored: SHA-256 of the trimmed key, or HMAC-SHA256 of it keyed by the pepper,
 * in 64 lower-case hex digits.
 *
 * - `key`: The key.
 * - `pepper`: The pepper, if there is one; `NULL, 0` when not given.
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_hash_key(openwa_str key,
                               openwa_bytes pepper,
                               char **out,
                               openwa_error **err);

/**
 * Whether two stored hashes are equal, in a time that does not depend on where they differ.
 *
 * - `one`: One hash.
 * - `other`: The other.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is not 64 hex digits.
 */
int32_t openwa_policy_same_hash(openwa_str one, openwa_str other, bool *out, openwa_error **err);

/**
 * The first 12 characters of the trimmed key, by which people tell keys apart.
 *
 * - `key`: The key.
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_key_prefix(openwa_str key, char **out, openwa_error **err);

/**
 * Reads a JSON array of permission names. Repeated names count once, order is kept.
 *
 * - `permissions`: The names, as JSON.
 * - `out`: a list of texts; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place for an unknown name.
 */
int32_t openwa_policy_parse_permissions(openwa_str permissions,
                                        openwa_rows **out,
                                        openwa_error **err);

/**
 * Whether a key with these permissions has one. Unknown names grant nothing, `["*"]` grants everything.
 *
 * - `permissions`: A JSON array of names, as JSON.
 * - `permission`: The one asked for: a `Permission`.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is no JSON array of names.
 */
int32_t openwa_policy_permits(openwa_str permissions,
                              openwa_str permission,
                              bool *out,
                              openwa_error **err);

/**
 * Checks a JSON array of names to which a key is confined.
 *
 * - `names`: A JSON array of names, as JSON.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place.
 */
int32_t openwa_policy_check_scope(openwa_str names, openwa_error **err);

/**
 * Whether a key may do what a request asks, without any store.
 *
 * - `now_ms`: The present, in milliseconds since 1970.
 * - `rules`: What the key may do: a `KeyRules`, or NULL.
 * - `ask`: What the request asks for: an `Ask`, or NULL.
 * - `out`: a static string: `allowed`, `unknown_key`, `inactive`, `expired`, `ip_denied`, `permission_denied`,
 *   `session_denied`, `chat_denied`.
 *
 * Errors: `OPENWA_ERR_UNREADABLE` naming the column for rules that make no sense; deny then.
 */
int32_t openwa_policy_decide(int64_t now_ms,
                             const openwa_record *rules,
                             const openwa_record *ask,
                             const char **out,
                             openwa_error **err);

/**
 * Reads an IP address strictly and gives its one form: `::ffff:a.b.c.d` is `a.b.c.d`.
 *
 * - `address`: The address.
 * - `out`: the answer; free it with `openwa_string_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_policy_parse_ip(openwa_str address, char **out, openwa_error **err);

/**
 * Reads a network in CIDR notation strictly and gives its one form, with the bits behind the prefix masked off.
 *
 * - `network`: The network.
 * - `out`: the answer; free it with `openwa_string_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_policy_parse_network(openwa_str network,
                                    char **out,
                                    openwa_error **err);

/**
 * Whether an IP address lies in a network.
 *
 * - `network`: The network.
 * - `address`: The address.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_policy_network_contains(openwa_str network,
                                       openwa_str address,
                                       bool *out,
                                       openwa_error **err);

/**
 * The address of the client behind trusted proxies: the `X-Forwarded-For` header is read from the right, and
 * only past hops that are trusted.
 *
 * - `peer`: The other end of the connection.
 * - `x_forwarded_for`: The header, if there is one; `NULL, 0` when not given.
 * - `trusted`, `trusted_len`: The networks of trusted proxies: texts.
 * - `out`: the answer; free it with `openwa_string_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT`.
 */
int32_t openwa_policy_client_ip(openwa_str peer,
                                openwa_str x_forwarded_for,
                                const openwa_str *trusted,
                                size_t trusted_len,
                                char **out,
                                openwa_error **err);

/**
 * What makes an IP address unfit for a request to a stranger's server: `loopback`, `private`, `metadata` …;
 * nothing for a public address.
 *
 * - `address`: The address.
 * - `out`: the answer, or NULL when there is none; free it with `openwa_string_free`.
 */
int32_t openwa_policy_ip_special_use(openwa_str address,
                                     char **out,
                                     openwa_error **err);

/**
 * Reads a JSON array of webhook event names. Repeated names count once, order is kept.
 *
 * - `events`: The names, as JSON.
 * - `out`: a list of texts; free it with `openwa_rows_free`.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the place for an unknown name.
 */
int32_t openwa_policy_parse_webhook_events(openwa_str events,
                                           openwa_rows **out,
                                           openwa_error **err);

/**
 * Whether a webhook that was registered for some events hears of one.
 *
 * - `events`: A JSON array of names, as JSON.
 * - `event`: The event: a `WebhookEvent`.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for what is no JSON array of event names.
 */
int32_t openwa_policy_webhook_hears(openwa_str events,
                                    openwa_str event,
                                    bool *out,
                                    openwa_error **err);

/**
 * Checks a webhook's URL: http or https, at most 2,048 characters, no credentials, and no address that is
 * recognisably not public unless that is allowed. A public name may still resolve to a private address: check
 * that with `check_webhook_ip`, and connect to that very address.
 *
 * - `url`: The URL.
 * - `allow_private`: Allows private addresses.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column `url`.
 */
int32_t openwa_policy_check_webhook_url(openwa_str url,
                                        bool allow_private,
                                        openwa_error **err);

/**
 * Checks the address that a webhook's host stands for.
 *
 * - `address`: The address.
 * - `allow_private`: Allows private addresses.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a loopback, private, link-local or metadata address.
 */
int32_t openwa_policy_check_webhook_ip(openwa_str address, bool allow_private, openwa_error **err);

/**
 * Checks the extra headers of a webhook: a JSON object of strings, with names and values that cannot smuggle
 * another header in.
 *
 * - `headers`: A JSON object, as JSON.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the header.
 */
int32_t openwa_policy_check_webhook_headers(openwa_str headers,
                                            openwa_error **err);

/**
 * The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by the secret, in lower-case hex.
 *
 * - `secret`: The webhook's secret.
 * - `body`: The body.
 * - `out`: the answer; free it with `openwa_string_free`.
 */
int32_t openwa_policy_sign_webhook(openwa_str secret,
                                   openwa_bytes body,
                                   char **out,
                                   openwa_error **err);

/**
 * Whether a signature is the one of this body, compared in constant time.
 *
 * - `secret`: The webhook's secret.
 * - `body`: The body.
 * - `signature`: The signature.
 * - `out`: the answer.
 */
int32_t openwa_policy_verify_webhook(openwa_str secret,
                                     openwa_bytes body,
                                     openwa_str signature,
                                     bool *out,
                                     openwa_error **err);

/**
 * How long to wait after an attempt has failed: exponential back-off with full jitter. Nothing: no retries left.
 *
 * - `attempt`: The number of the attempt that failed, from 1.
 * - `random`: A fresh random number from 0 to 1.
 * - `policy`: How deliveries are tried again: a `RetryPolicy`, or NULL.
 * - `out`, `out_is_null`: the answer, in milliseconds; `out_is_null` is true when there is none.
 */
int32_t openwa_policy_next_attempt(int64_t attempt,
                                   double random,
                                   const openwa_record *policy,
                                   int64_t *out,
                                   bool *out_is_null,
                                   openwa_error **err);

/**
 * Checks a session's settings: known keys must have the right type, unknown ones are kept.
 *
 * - `config`: A JSON object, as JSON.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
 */
int32_t openwa_policy_check_session_config(openwa_str config, openwa_error **err);

/**
 * Whether a session with these settings keeps its messages.
 *
 * - `config`: A JSON object, as JSON.
 * - `out`: the answer.
 *
 * Errors: `OPENWA_ERR_UNREADABLE` for what is no JSON.
 */
int32_t openwa_policy_history_enabled(openwa_str config, bool *out, openwa_error **err);

/**
 * How long a session with these settings keeps its messages; nothing: for ever.
 *
 * - `config`: A JSON object, as JSON.
 * - `fallback_ms`: The store's own window, for a session that has none; not given: for ever, in milliseconds;
 *   NULL when not given.
 * - `out`, `out_is_null`: the answer, in milliseconds; `out_is_null` is true when there is none.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
 */
int32_t openwa_policy_message_window(openwa_str config,
                                     const int64_t *fallback_ms,
                                     int64_t *out,
                                     bool *out_is_null,
                                     openwa_error **err);

/**
 * Refuses a run of retention under a clock that seems to have jumped.
 *
 * - `now_ms`: The present, in milliseconds since 1970.
 * - `window_ms`: How long rows are kept, in milliseconds.
 * - `last_run_ms`: The last run that finished, in milliseconds since 1970; NULL when not given.
 * - `newest_row_ms`: The newest row that the run would delete, in milliseconds since 1970; NULL when not given.
 *
 * Errors: `OPENWA_ERR_CLOCK_JUMP` with the context `now`, `known` and `window_seconds`.
 */
int32_t openwa_policy_check_retention_clock(int64_t now_ms,
                                            int64_t window_ms,
                                            const int64_t *last_run_ms,
                                            const int64_t *newest_row_ms,
                                            openwa_error **err);

/**
 * Checks what a message says about its file.
 *
 * - `media`: A JSON object, as JSON.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
 */
int32_t openwa_policy_check_media(openwa_str media, openwa_error **err);

/**
 * Checks the options of a bulk job.
 *
 * - `options`: A JSON object, as JSON.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the path.
 */
int32_t openwa_policy_check_batch_options(openwa_str options, openwa_error **err);

/**
 * The size of a text as limits count it: in code points.
 *
 * - `text`: The text.
 * - `out`: the answer.
 */
int32_t openwa_policy_text_length(openwa_str text, int64_t *out, openwa_error **err);

/**
 * When a cron expression of five fields (`minute hour day month weekday`) is due next after an instant. A local
 * time that daylight saving time skips or repeats counts once.
 *
 * - `schedule`: The expression.
 * - `after_ms`: After this instant, in milliseconds since 1970.
 * - `timezone`: The IANA name of the expression's time zone; default UTC; `NULL, 0` when not given.
 * - `out`, `out_is_null`: the answer, in milliseconds since 1970; `out_is_null` is true when there is none.
 *
 * Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming `schedule` or `timezone`.
 */
int32_t openwa_policy_next_slot(openwa_str schedule,
                                int64_t after_ms,
                                openwa_str timezone,
                                int64_t *out,
                                bool *out_is_null,
                                openwa_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* OPENWA_H */
