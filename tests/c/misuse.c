/* Wrong use is an error with a message, never a crash. */
#include "check.h"

int32_t openwa_test_panic(openwa_error **err);

static void null_is_no_handle(void) {
  int64_t n;
  openwa_str text;
  openwa_record *record;
  const openwa_record *row;
  char *json;
  FAILS(openwa_messages_count(NULL, OPENWA_STR("x"), NULL, &n, &err), OPENWA_ERR_INVALID_ARGUMENT, "UUID");
  FAILS(openwa_store_status(NULL, &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "openwa_store is NULL");
  FAILS(openwa_store_close(NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "is NULL");
  FAILS(openwa_record_text(NULL, "body", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "openwa_record is NULL");
  FAILS(openwa_record_to_json(NULL, &json, &err), OPENWA_ERR_INVALID_ARGUMENT, "is NULL");
  FAILS(openwa_record_new(NULL, &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "type is NULL");
  FAILS(openwa_record_new("NoSuch", &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "NoSuch");
  FAILS(openwa_rows_next(NULL, &row, &err), OPENWA_ERR_INVALID_ARGUMENT, "openwa_rows is NULL");
  CHECK(openwa_rows_len(NULL) == 0 && openwa_rows_after(NULL).ptr == NULL);
  CHECK(openwa_record_columns(NULL) == 0 && openwa_record_type(NULL).ptr == NULL);
  CHECK(openwa_record_column_name(NULL, 0).ptr == NULL);
  CHECK(openwa_error_code(NULL) == OPENWA_OK && *openwa_error_message(NULL) == '\0');
  CHECK(strcmp(openwa_error_context_json(NULL), "{}") == 0 && !openwa_error_retryable(NULL));
  openwa_store_free(NULL);
  openwa_record_free(NULL);
  openwa_rows_free(NULL);
  openwa_error_free(NULL);
  openwa_string_free(NULL);
}

/* Every verb with nothing but a store, or not even that: made by the Makefile from the library's description. */
static void every_verb_survives_nothing(void) {
  openwa_store *store = memory_store();
  openwa_store_close(store, NULL);
  openwa_store *const stores[] = {NULL, store};
  int refused = 0;
  for (int i = 0; i < 2; i++) {
#define NOTHING(name, ...) \
  if ((name)(__VA_ARGS__) != OPENWA_OK) { \
    CHECK(*openwa_error_message(err) != '\0'); \
    openwa_error_free(err); \
    err = NULL; \
    refused++; \
  }
    openwa_store *one = stores[i];
#include "nothing.h"
#undef NOTHING
  }
  CHECK(refused > 150);
  openwa_store_free(store);
}

static void text_must_be_utf8(void) {
  openwa_store *store = memory_store();
  openwa_record *record;
  openwa_str bad = {"ab\xff", 3}, no_pointer = {NULL, 3};
  FAILS(openwa_sessions_find(store, bad, &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "name is not UTF-8 at byte 2");
  FAILS(openwa_sessions_find(store, no_pointer, &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "no pointer");
  FAILS(openwa_sessions_find(store, OPENWA_NONE, &record, &err), OPENWA_ERR_INVALID_ARGUMENT, "name is missing");
  FAILS(openwa_store_open(bad, NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "UTF-8");
  OK(openwa_record_new("NewSession", &record, &err));
  FAILS(openwa_record_set_text(record, "name", bad, &err), OPENWA_ERR_INVALID_ARGUMENT, "UTF-8");
  FAILS(openwa_record_set_json(record, "config", OPENWA_STR("{"), &err), OPENWA_ERR_INVALID_ARGUMENT, "JSON");
  FAILS(openwa_record_set_text(record, "id", OPENWA_STR("1"), &err), OPENWA_ERR_INVALID_ARGUMENT, "UUID");
  openwa_record_free(record);
  openwa_store_free(store);
}

static void columns_have_one_type(void) {
  openwa_record *record = from_json("NewMessage", "{\"body\": \"x\", \"ack\": 1}");
  openwa_str text;
  openwa_bytes bytes;
  openwa_rows *rows;
  const openwa_record *inner;
  int64_t n;
  bool truth;
  size_t column;
  FAILS(openwa_record_i64(record, "body", &n, &err), OPENWA_ERR_INVALID_ARGUMENT, "body is text");
  FAILS(openwa_record_time_ms(record, "ack", &n, &err), OPENWA_ERR_INVALID_ARGUMENT, "whole number");
  FAILS(openwa_record_bool(record, "body", &truth, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_json(record, "body", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_bytes(record, "body", &bytes, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_text(record, "ack", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "ack");
  /* Nothing in a column does not make its type any other. */
  FAILS(openwa_record_text(record, "media", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "JSON");
  FAILS(openwa_record_record(record, "body", &inner, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_rows(record, "body", &rows, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_text(record, "nosuch", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "wa_message_id");
  FAILS(openwa_record_text(record, NULL, &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "column is NULL");
  FAILS(openwa_record_column(record, "nosuch", &column, &err), OPENWA_ERR_INVALID_ARGUMENT, "nosuch");
  FAILS(openwa_record_set_i64(record, "body", 1, &err), OPENWA_ERR_INVALID_ARGUMENT, "body must be text");
  FAILS(openwa_record_set_text(record, "chat_id", OPENWA_NONE, &err), OPENWA_ERR_INVALID_ARGUMENT, "chat_id");
  FAILS(openwa_record_set_time_ms(record, "wa_timestamp", INT64_MAX, &err), OPENWA_ERR_INVALID_ARGUMENT, "9999");
  FAILS(openwa_record_set_texts(record, "body", &text, 1, &err), OPENWA_ERR_INVALID_ARGUMENT, "body");
  FAILS(openwa_record_set_records(record, "body", NULL, 2, &err), OPENWA_ERR_INVALID_ARGUMENT, "no pointer");
  openwa_store *store = memory_store();
  openwa_record *session;
  FAILS(openwa_sessions_create(store, record, &session, &err), OPENWA_ERR_INVALID_ARGUMENT, "must be a NewSession");
  openwa_store_free(store);
  openwa_record_free(record);
}

static void handles_are_told_apart(void) {
  openwa_store *store = memory_store();
  openwa_record *record = from_json("NewSession", "{}");
  const openwa_record *row;
  openwa_str text;
  FAILS(openwa_store_status((openwa_store *)record, NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "something else");
  FAILS(openwa_record_text((openwa_record *)store, "x", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "something else");
  openwa_rows_free((openwa_rows *)store);
  openwa_rows *rows;
  OK(openwa_sessions_list(store, NULL, NULL, &rows, &err));
  openwa_store_free(store);
  openwa_store_free(store);
  openwa_record_free(record);
  openwa_record_free(record);
  FAILS(openwa_store_status(store, NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "freed already");
  FAILS(openwa_store_close(store, &err), OPENWA_ERR_INVALID_ARGUMENT, "freed already");
  FAILS(openwa_record_text(record, "name", &text, &err), OPENWA_ERR_INVALID_ARGUMENT, "freed already");
  OK(openwa_rows_next(rows, &row, &err));
  CHECK(row == NULL);
  openwa_rows_free(rows);
  openwa_rows_free(rows);
  FAILS(openwa_rows_next(rows, &row, &err), OPENWA_ERR_INVALID_ARGUMENT, "freed already");
}

static void a_closed_store_says_so(void) {
  openwa_store *store = folder_store("");
  openwa_str session = S(new_session(store, "shop-1"));
  openwa_rows *rows;
  OK(openwa_messages_iterate(store, session, NULL, &rows, &err));
  OK(openwa_store_close(store, &err));
  const openwa_record *row;
  FAILS(openwa_rows_next(rows, &row, &err), OPENWA_ERR_CLOSED, "closed");
  FAILS(openwa_sessions_get(store, session, NULL, &err), OPENWA_ERR_CLOSED, "closed");
  FAILS(openwa_sessions_delete(store, session, NULL, &err), OPENWA_ERR_CLOSED, "closed");
  openwa_rows_free(rows);
  openwa_store_free(store);
}

static void panics_stay_inside(void) {
  FAILS(openwa_test_panic(&err), OPENWA_ERR_INTERNAL, "a deliberate panic");
  CHECK(openwa_test_panic(NULL) == OPENWA_ERR_INTERNAL);
}

const struct test misuse_tests[] = {{"null_is_no_handle", null_is_no_handle},
                                    {"every_verb_survives_nothing", every_verb_survives_nothing},
                                    {"text_must_be_utf8", text_must_be_utf8},
                                    {"columns_have_one_type", columns_have_one_type},
                                    {"handles_are_told_apart", handles_are_told_apart},
                                    {"a_closed_store_says_so", a_closed_store_says_so},
                                    {"panics_stay_inside", panics_stay_inside},
                                    {NULL, NULL}};
