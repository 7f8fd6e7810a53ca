/* Overview, check, repair, vacuum, indexes and partitions, moving to another database, taking over what another gateway
   kept, sealed secrets. */
#include "check.h"

static void indexes_are_rebuilt(void) {
  openwa_store *store = folder_store("");
  openwa_rows *rows;
  int64_t n;
  OK(openwa_store_indexes(store, &rows, &err));
  CHECK(openwa_rows_len(rows) > 10 && truth_of(next_row(rows), "valid"));
  openwa_rows_free(rows);
  OK(openwa_store_reindex(store, OPENWA_STR("messages"), NULL, NULL, &n, &err));
  CHECK(n > 1);
  FAILS(openwa_store_reindex(store, OPENWA_STR("nosuch"), NULL, NULL, &n, &err), OPENWA_ERR_INVALID_ARGUMENT, "nosuch");
  /* SQLite has no partitions, which is no error. */
  OK(openwa_store_partitions(store, &rows, &err));
  CHECK(count_rows(rows) == 0);
  OK(openwa_store_make_partitions(store, &n, &err));
  CHECK(n == 0);
  openwa_store_free(store);
}

static void a_store_is_looked_after(void) {
  openwa_store *store = folder_store("");
  const char *session = new_session(store, "shop-1");
  openwa_record_free(save_text(store, session, "A1", "hello"));
  openwa_record *options = from_json("OverviewOptions", "{\"days\": 3}"), *record;
  openwa_rows *rows;
  OK(openwa_store_overview(store, options, &record, &err));
  OK(openwa_record_rows(record, "days", &rows, &err));
  int64_t messages = 0;
  CHECK(openwa_rows_len(rows) == 3);
  for (const openwa_record *row; (row = next_row(rows)) != NULL;) messages += number_of(row, "messages");
  CHECK(messages == 1);
  openwa_rows_free(rows);
  openwa_record_free(record);
  openwa_record_free(options);

  options = from_json("RepairOptions", "{\"dry_run\": true}");
  OK(openwa_store_repair(store, options, NULL, NULL, &record, &err));
  OK(openwa_record_rows(record, "found", &rows, &err));
  CHECK(count_rows(rows) == 0);
  openwa_record_free(record);
  openwa_record_free(options);

  options = from_json("VacuumOptions", "{\"full\": true}");
  OK(openwa_store_vacuum(store, options, NULL, NULL, &record, &err));
  CHECK(!truth_of(record, "stopped") && !truth_of(record, "already_running"));
  OK(openwa_record_rows(record, "parts", &rows, &err));
  CHECK(openwa_rows_len(rows) == 2 && is(text_of(next_row(rows), "database"), "main"));
  openwa_rows_free(rows);
  openwa_record_free(record);
  openwa_record_free(options);
  openwa_store_free(store);
}

static void a_store_moves(void) {
  openwa_store *store = folder_store("");
  const char *session = new_session(store, "shop-1");
  openwa_record_free(save_text(store, session, "A1", "hello"));
  char path[600];
  snprintf(path, sizeof path, "%s/moved.sqlite", fresh_folder());
  openwa_record *report;
  openwa_rows *rows;
  OK(openwa_store_migrate_to(store, S(path), NULL, NULL, NULL, &report, &err));
  OK(openwa_record_rows(report, "tables", &rows, &err));
  int64_t moved = 0;
  for (const openwa_record *row; (row = next_row(rows)) != NULL;) {
    moved += is(text_of(row, "table"), "messages") ? number_of(row, "rows") : 0;
  }
  CHECK(moved == 1);
  openwa_rows_free(rows);
  openwa_record_free(report);
  FAILS(openwa_store_migrate_to(store, S(path), NULL, NULL, NULL, &report, &err), OPENWA_ERR_CONFLICT, "");

  char export[640];
  snprintf(export, sizeof export, "%s/openwa.json", fresh_folder());
  OK(openwa_store_export_openwa_file(store, S(export), NULL, NULL, &report, &err));
  CHECK(number_of(report, "bytes") > 100);
  openwa_record_free(report);
  openwa_store *other = folder_store("");
  openwa_str sources[] = {S(export)};
  OK(openwa_store_takeover(other, sources, 1, NULL, NULL, NULL, &report, &err));
  openwa_record_free(report);
  openwa_record *found;
  OK(openwa_messages_find(other, S(session), OPENWA_STR("A1"), &found, &err));
  CHECK(is(text_of(found, "body"), "hello"));
  openwa_record_free(found);
  sources[0] = OPENWA_STR("/nowhere");
  FAILS(openwa_store_takeover(other, sources, 1, NULL, NULL, NULL, &report, &err), OPENWA_ERR_NOT_FOUND, "");
  openwa_store_free(other);
  openwa_store_free(store);
}

/* The store in a folder, with a key if there is one. */
static int32_t open_with_key(const char *dir, const char *key, openwa_store **store) {
  char options[1024];
  const char *name = key == NULL ? "" : ", \"store_key\": \"";
  snprintf(options, sizeof options, "{\"dir\": \"%s\"%s%s%s", dir, name, key == NULL ? "" : key,
           key == NULL ? "}" : "\"}");
  return openwa_store_open(S(options), store, &err);
}

static void secrets_are_sealed(void) {
  static const char first[] = "0101010101010101010101010101010101010101010101010101010101010101";
  static const char second[] = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
  char dir[512];
  snprintf(dir, sizeof dir, "%s", fresh_folder());
  openwa_store *store;
  openwa_record *record;
  int64_t rows;
  FAILS(open_with_key(dir, "0101", &store), OPENWA_ERR_INVALID_ARGUMENT, "32 bytes");
  OK(open_with_key(dir, first, &store));
  const char *session = new_session(store, "shop-1");
  openwa_record *hook = from_json("NewWebhook", "{\"url\": \"https://example.com/hook\", \"secret\": \"s3cret\"}");
  char id[37] = "";
  OK(openwa_webhooks_create(store, S(session), hook, &record, &err));
  memcpy(id, text_of(record, "id").ptr, 36);
  openwa_record_free(record);
  openwa_record_free(hook);
  OK(openwa_store_seal_secrets(store, NULL, NULL, &rows, &err));
  CHECK(rows == 0);
  OK(openwa_store_rotate_store_key(store, S(second), true, NULL, NULL, &rows, &err));
  CHECK(rows == 1);
  openwa_store_free(store);

  FAILS(open_with_key(dir, first, &store), OPENWA_ERR_WRONG_STORE_KEY, "another key");
  OK(open_with_key(dir, NULL, &store));
  OK(openwa_store_secrets_status(store, &record, &err));
  CHECK(is(text_of(record, "state"), "sealed") && !truth_of(record, "usable"));
  openwa_record_free(record);
  FAILS(openwa_webhooks_get(store, S(id), &record, &err), OPENWA_ERR_STORE_KEY_MISSING, "sealed");
  openwa_store_free(store);

  OK(open_with_key(dir, second, &store));
  OK(openwa_webhooks_get(store, S(id), &record, &err));
  CHECK(is(text_of(record, "secret"), "s3cret"));
  openwa_record_free(record);
  OK(openwa_store_unseal_secrets(store, NULL, NULL, &rows, &err));
  CHECK(rows == 1);
  openwa_store_free(store);

  OK(open_with_key(dir, first, &store));
  openwa_store_free(store);
  OK(open_with_key(dir, NULL, &store));
  OK(openwa_store_forget_secrets(store, NULL, NULL, &rows, &err));
  CHECK(rows == 1);
  OK(openwa_webhooks_get(store, S(id), &record, &err));
  CHECK(!truth_of(record, "active"));
  openwa_record_free(record);
  openwa_store_free(store);
}

static void maintenance_runs(void) {
  openwa_store *store = folder_store("");
  openwa_rows *rows;
  openwa_record *options = from_json("MaintenanceOptions", "{\"usage\": null, \"timezone\": \"Europe/Berlin\"}");
  OK(openwa_store_run_maintenance(store, options, OPENWA_NONE, NULL, NULL, &rows, &err));
  int runs = 0;
  for (const openwa_record *row; (row = next_row(rows)) != NULL; runs++) {
    /* What deletes has its first run in its next slot. */
    CHECK(is(text_of(row, "outcome"), "done") || is(text_of(row, "outcome"), "scheduled"));
  }
  CHECK(runs == 5);
  openwa_rows_free(rows);
  openwa_record *status;
  OK(openwa_store_retention_status(store, NULL, &status, &err));
  openwa_record_free(status);
  OK(openwa_store_accept_retention(store, &rows, &err));
  CHECK(next_row(rows) == NULL);
  openwa_rows_free(rows);
  OK(openwa_store_start_maintenance(store, options, &err));
  FAILS(openwa_store_start_maintenance(store, options, &err), OPENWA_ERR_CONFLICT, "already");
  OK(openwa_store_maintenance(store, &rows, &err));
  const openwa_record *usage = next_row(rows);
  CHECK(is(text_of(usage, "job"), "usage"));
  const openwa_record *retention = next_row(rows);
  CHECK(is(text_of(retention, "job"), "retention") && is(text_of(retention, "schedule"), "0 0 * * *"));
  openwa_rows_free(rows);
  OK(openwa_store_stop_maintenance(store, &err));
  openwa_record_free(options);
  options = from_json("MaintenanceOptions", "{\"retention\": \"at noon\"}");
  FAILS(openwa_store_start_maintenance(store, options, &err), OPENWA_ERR_INVALID_ARGUMENT, "at noon");
  openwa_record_free(options);
  /* Closing it with its thread at work. */
  OK(openwa_store_start_maintenance(store, NULL, &err));
  openwa_store_free(store);

  int64_t slot;
  bool none;
  OK(openwa_policy_next_slot(OPENWA_STR("30 2 * * *"), 1774742400000, OPENWA_STR("Europe/Berlin"), &slot, &none, &err));
  CHECK(!none && slot == 1774746000000); /* 2026-03-29: half past two does not exist, three o'clock does */
}

static void logs_wait_for_nobody(void) {
  openwa_store *store = folder_store("");
  const char *session = new_session(store, "shop-1");
  openwa_record *hook = from_json("NewWebhook", "{\"url\": \"https://example.com/hook\"}"), *created;
  OK(openwa_webhooks_create(store, S(session), hook, &created, &err));
  openwa_record *delivery = from_json("NewDelivery", "{\"event\": \"message.received\", \"status_code\": 204, \"payload\": {}}");
  openwa_record *request = from_json("NewApiKeyLog", "{\"endpoint\": \"/\", \"method\": \"GET\", \"status_code\": 200}");
  openwa_record *buffer;
  OK(openwa_webhooks_log_later(store, text_of(created, "id"), delivery, &err));
  OK(openwa_api_keys_log_later(store, request, &err));
  OK(openwa_store_flush_logs(store, &err));
  OK(openwa_store_log_buffer(store, &buffer, &err));
  CHECK(number_of(buffer, "waiting") == 0 && number_of(buffer, "dropped") == 0);
  openwa_record_free(buffer);
  openwa_rows *rows;
  OK(openwa_webhooks_logs(store, text_of(created, "id"), NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  openwa_record_free(request);
  openwa_record_free(delivery);
  openwa_record_free(created);
  openwa_record_free(hook);
  openwa_store_free(store);
}

const struct test upkeep_tests[] = {{"indexes_are_rebuilt", indexes_are_rebuilt},
                                    {"a_store_is_looked_after", a_store_is_looked_after},
                                    {"a_store_moves", a_store_moves},
                                    {"secrets_are_sealed", secrets_are_sealed},
                                    {"maintenance_runs", maintenance_runs},
                                    {"logs_wait_for_nobody", logs_wait_for_nobody},
                                    {NULL, NULL}};
