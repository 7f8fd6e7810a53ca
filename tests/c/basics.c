/* Versions, records, cursors, errors, options. */
#include "check.h"

static void versions_agree(void) {
  CHECK(strcmp(openwa_version(), OPENWA_VERSION) == 0);
  CHECK(openwa_version_number() == OPENWA_VERSION_NUMBER);
  CHECK(openwa_abi_version() == OPENWA_ABI_VERSION);
  int major, minor, patch;
  CHECK(sscanf(OPENWA_VERSION, "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(major * 1000000 + minor * 1000 + patch == OPENWA_VERSION_NUMBER);
}

static void records_hold_every_type(void) {
  openwa_record *record;
  OK(openwa_record_new("NewMessage", &record, &err));
  CHECK(is(openwa_record_type(record), "NewMessage"));
  openwa_str text;
  openwa_bytes bytes;
  int64_t number;
  bool truth;

  OK(openwa_record_is_null(record, "body", &truth, &err));
  CHECK(truth);
  OK(openwa_record_text(record, "body", &text, &err));
  CHECK(text.ptr == NULL && text.len == 0);
  OK(openwa_record_i64(record, "ack", &number, &err));
  CHECK(number == 0);
  OK(openwa_record_bytes(record, "raw", &bytes, &err));
  CHECK(bytes.ptr == NULL);

  OK(openwa_record_set_text(record, "body", OPENWA_STR(""), &err));
  OK(openwa_record_text(record, "body", &text, &err));
  CHECK(text.ptr != NULL && text.len == 0);
  /* U+0000 is text like any other. */
  OK(openwa_record_set_text(record, "body", OPENWA_STR("a\0b\342\220\233"), &err));
  OK(openwa_record_text(record, "body", &text, &err));
  CHECK(text.len == 6 && memcmp(text.ptr, "a\0b\342\220\233", 6) == 0);
  OK(openwa_record_set_i64(record, "ack", -1, &err));
  CHECK(number_of(record, "ack") == -1);
  OK(openwa_record_set_bool(record, "from_me", true, &err));
  CHECK(truth_of(record, "from_me"));
  OK(openwa_record_set_time_ms(record, "wa_timestamp", 1767600083000, &err));
  OK(openwa_record_time_ms(record, "wa_timestamp", &number, &err));
  CHECK(number == 1767600083000);
  OK(openwa_record_set_json(record, "media", OPENWA_STR("{\"size\": 18446744073709551617}"), &err));
  OK(openwa_record_json(record, "media", &text, &err));
  CHECK(is(text, "{\"size\": 18446744073709551617}"));
  OK(openwa_record_set_bytes(record, "raw", (openwa_bytes){(const uint8_t *)"\0\377", 2}, &err));
  OK(openwa_record_bytes(record, "raw", &bytes, &err));
  CHECK(bytes.len == 2 && bytes.ptr[1] == 255);
  OK(openwa_record_set_text(record, "to_number", OPENWA_STR("me"), &err));
  OK(openwa_record_set_text(record, "to_number", OPENWA_NONE, &err));
  OK(openwa_record_is_null(record, "to_number", &truth, &err));
  CHECK(truth);
  OK(openwa_record_unset(record, "ack", &err));
  OK(openwa_record_is_null(record, "ack", &truth, &err));
  CHECK(truth);

  char *json;
  OK(openwa_record_to_json(record, &json, &err));
  openwa_record *again = from_json("NewMessage", json);
  char *json_again;
  OK(openwa_record_to_json(again, &json_again, &err));
  CHECK(strcmp(json, json_again) == 0);
  CHECK(strstr(json, "2026-01-05T08:01:23.000Z") != NULL);
  openwa_string_free(json);
  openwa_string_free(json_again);
  openwa_record_free(again);
  openwa_record_free(record);
}

static void columns_by_position(void) {
  openwa_record *record = from_json("NewMessage", "{\"body\": \"hello\", \"ack\": 2, \"from_me\": true, \"raw\": \"AAE=\","
                                                  "\"wa_timestamp\": \"2026-01-05T08:01:23Z\", \"media\": {\"a\": 1}}");
  size_t body, ack, from_me, raw, time, media;
  OK(openwa_record_column(record, "body", &body, &err));
  OK(openwa_record_column(record, "ack", &ack, &err));
  OK(openwa_record_column(record, "from_me", &from_me, &err));
  OK(openwa_record_column(record, "raw", &raw, &err));
  OK(openwa_record_column(record, "wa_timestamp", &time, &err));
  OK(openwa_record_column(record, "media", &media, &err));
  CHECK(is(openwa_record_column_name(record, body), "body"));
  CHECK(openwa_record_columns(record) > media);
  CHECK(openwa_record_column_name(record, openwa_record_columns(record)).ptr == NULL);

  openwa_str text;
  openwa_bytes bytes;
  int64_t number;
  bool truth;
  OK(openwa_record_text_at(record, body, &text, &err));
  CHECK(is(text, "hello"));
  OK(openwa_record_i64_at(record, ack, &number, &err));
  CHECK(number == 2);
  OK(openwa_record_bool_at(record, from_me, &truth, &err));
  CHECK(truth);
  OK(openwa_record_bytes_at(record, raw, &bytes, &err));
  CHECK(bytes.len == 2);
  OK(openwa_record_time_ms_at(record, time, &number, &err));
  CHECK(number == 1767600083000);
  OK(openwa_record_json_at(record, media, &text, &err));
  CHECK(is(text, "{\"a\": 1}"));
  OK(openwa_record_is_null_at(record, media, &truth, &err));
  CHECK(!truth);
  OK(openwa_record_set_text_at(record, body, OPENWA_STR("bye"), &err));
  OK(openwa_record_set_i64_at(record, ack, 3, &err));
  OK(openwa_record_set_bool_at(record, from_me, false, &err));
  OK(openwa_record_set_bytes_at(record, raw, (openwa_bytes){NULL, 0}, &err));
  OK(openwa_record_set_time_ms_at(record, time, 0, &err));
  OK(openwa_record_set_json_at(record, media, OPENWA_NONE, &err));
  CHECK(is(text_of(record, "body"), "bye") && number_of(record, "ack") == 3);
  FAILS(openwa_record_text_at(record, 99, &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "no column 99");
  openwa_record_free(record);
}

static void records_inside_records(void) {
  openwa_store *store = memory_store();
  const char *session = new_session(store, "shop-1");
  openwa_record *saved = save_text(store, session, "A1", "hello");
  const openwa_record *message;
  OK(openwa_record_record(saved, "message", &message, &err));
  CHECK(is(text_of(message, "body"), "hello") && is(text_of(message, "session_id"), session));
  /* Asked again, it is the same record, and its texts stay where they are. */
  const openwa_record *again;
  size_t column;
  OK(openwa_record_column(saved, "message", &column, &err));
  OK(openwa_record_record_at(saved, column, &again, &err));
  CHECK(again == message && text_of(message, "id").ptr == text_of(again, "id").ptr);
  FAILS(openwa_record_set_text((openwa_record *)message, "body", OPENWA_STR("x"), &err), OPENWA_ERR_INVALID_ARGUMENT,
        "inside another");
  openwa_record_free(saved);
  FAILS(openwa_record_to_json(message, &(char *){NULL}, &err), OPENWA_ERR_INVALID_ARGUMENT, "freed already");

  openwa_record *options = from_json("RetentionOptions", "{}"), *windows = from_json("RetentionWindows", "{}");
  OK(openwa_record_set_i64(windows, "messages", 86400000, &err));
  OK(openwa_record_set_record(options, "windows", windows, &err));
  OK(openwa_record_column(options, "windows", &column, &err));
  OK(openwa_record_set_record_at(options, column, windows, &err));
  const openwa_record *inner;
  OK(openwa_record_record(options, "windows", &inner, &err));
  CHECK(number_of(inner, "messages") == 86400000);
  openwa_record_free(windows);
  openwa_record_free(options);

  openwa_record *status;
  OK(openwa_store_status(store, &status, &err));
  CHECK(is(text_of(status, "version"), OPENWA_VERSION));
  openwa_rows *databases, *tables;
  OK(openwa_record_column(status, "databases", &column, &err));
  OK(openwa_record_rows_at(status, column, &databases, &err));
  openwa_record_free(status);
  const openwa_record *database = next_row(databases);
  CHECK(openwa_rows_len(databases) == 2 && is(text_of(database, "database"), "main"));
  OK(openwa_record_rows(database, "rows", &tables, &err));
  CHECK(is(text_of(next_row(tables), "table"), "api_keys"));
  openwa_rows_free(tables);
  openwa_rows_free(databases);
  openwa_store_free(store);
}

static void errors_tell_what_and_where(void) {
  openwa_store *store = memory_store();
  openwa_record *session;
  CHECK(openwa_sessions_get(store, OPENWA_STR("00000000-0000-7000-8000-000000000000"), &session, &err) ==
        OPENWA_ERR_NOT_FOUND);
  CHECK(session == NULL);
  CHECK(strcmp(openwa_error_message(err), "sessions.get: no session 00000000-0000-7000-8000-000000000000 (what=session, "
                                          "id=00000000-0000-7000-8000-000000000000)") == 0);
  CHECK(strstr(openwa_error_context_json(err), "\"what\":\"session\"") != NULL);
  CHECK(!openwa_error_retryable(err));
  openwa_error_free(err);
  err = NULL;
  /* Who does not want to know, need not. */
  CHECK(openwa_sessions_get(store, OPENWA_STR("x"), NULL, NULL) == OPENWA_ERR_INVALID_ARGUMENT);
  openwa_store_free(store);
}

static void options_are_checked(void) {
  openwa_store *store;
  FAILS(openwa_store_open(OPENWA_STR("{\"folder\": 1}"), &store, &err), OPENWA_ERR_INVALID_ARGUMENT, "no field");
  FAILS(openwa_store_open(OPENWA_STR("{\"history\": 1}"), &store, &err), OPENWA_ERR_INVALID_ARGUMENT, "history");
  FAILS(openwa_store_open(OPENWA_STR("{"), &store, &err), OPENWA_ERR_INVALID_ARGUMENT, "JSON");
  FAILS(openwa_store_open(OPENWA_STR("{\"dir\": \"/proc/nowhere\"}"), &store, &err), OPENWA_ERR_NOT_FOUND, "/proc");
  CHECK(store == NULL);
  OK(openwa_store_open(OPENWA_NONE, &store, &err));
  openwa_store_free(store);
}

static void pages_and_iterations(void) {
  openwa_store *store = folder_store(", \"durability\": \"normal\"");
  const char *session = new_session(store, "shop-1");
  for (int i = 0; i < 7; i++) {
    char id[16];
    snprintf(id, sizeof id, "A%d", i);
    openwa_record_free(save_text(store, session, id, id));
  }
  openwa_record *page = from_json("PageRequest", "{\"limit\": 3}");
  size_t seen = 0, pages = 0;
  for (;;) {
    openwa_rows *rows;
    OK(openwa_messages_list(store, S(session), NULL, page, &rows, &err));
    seen += openwa_rows_len(rows);
    pages++;
    openwa_str after = openwa_rows_after(rows);
    bool more = after.ptr != NULL;
    OK(openwa_record_set_text(page, "after", after, &err));
    CHECK(count_rows(rows) <= 3);
    if (!more) {
      break;
    }
  }
  CHECK(seen == 7 && pages == 3);
  openwa_record_free(page);

  openwa_rows *rows;
  openwa_record *filter = from_json("MessageFilter", "{\"order\": \"oldest\", \"from_me\": false}");
  OK(openwa_messages_iterate(store, S(session), filter, &rows, &err));
  CHECK(count_rows(rows) == 7);
  OK(openwa_messages_iterate(store, S(session), NULL, &rows, &err));
  CHECK(next_row(rows) != NULL);
  OK(openwa_store_close(store, &err));
  CHECK(count_rows(rows) == 6); /* one page was fetched already */
  OK(openwa_store_close(store, &err));
  openwa_record_free(filter);
  openwa_store_free(store);
}

const struct test basics_tests[] = {{"versions_agree", versions_agree},
                                    {"records_hold_every_type", records_hold_every_type},
                                    {"columns_by_position", columns_by_position},
                                    {"records_inside_records", records_inside_records},
                                    {"errors_tell_what_and_where", errors_tell_what_and_where},
                                    {"options_are_checked", options_are_checked},
                                    {"pages_and_iterations", pages_and_iterations},
                                    {NULL, NULL}};
