/* API keys, their whitelists and logs, and the audit trail. */
#include "check.h"

static void keys_open_doors(void) {
  openwa_store *store = folder_store("");
  openwa_record *input = from_json("NewApiKey", "{\"name\": \"ci\", \"permissions\": [\"messages:read\"]}");
  openwa_record *created, *record, *master;
  openwa_rows *rows;
  bool truth;
  OK(openwa_api_keys_create(store, input, &created, &err));
  openwa_str key = text_of(created, "key");
  const openwa_record *row;
  OK(openwa_record_record(created, "api_key", &row, &err));
  openwa_str id = text_of(row, "id");
  CHECK(key.len == 71 && memcmp(key.ptr, "owa_k1_", 7) == 0);

  openwa_record *ask = from_json("Ask", "{\"permission\": \"messages:read\", \"ip\": \"203.0.113.7\"}");
  OK(openwa_api_keys_authorize(store, key, ask, &record, &err));
  const openwa_record *same;
  OK(openwa_record_record(record, "api_key", &same, &err));
  CHECK(truth_of(record, "allowed") && is(text_of(record, "decision"), "allowed") && is(text_of(same, "name"), "ci"));
  openwa_record_free(record);
  const char *decision;
  OK(openwa_api_keys_decide(store, key, OPENWA_STR("messages:send"), OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, &decision, &err));
  CHECK(strcmp(decision, "permission_denied") == 0);
  OK(openwa_api_keys_decide(store, OPENWA_STR("nosuch"), OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, &decision, &err));
  CHECK(strcmp(decision, "unknown_key") == 0);
  FAILS(openwa_api_keys_decide(store, key, OPENWA_STR("everything"), OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, &decision, &err),
        OPENWA_ERR_INVALID_ARGUMENT, "everything");
  FAILS(openwa_api_keys_decide(store, key, OPENWA_NONE, OPENWA_STR("10.0.0.300"), OPENWA_NONE, OPENWA_NONE, &decision, &err),
        OPENWA_ERR_INVALID_ARGUMENT, "IP address");

  openwa_record *entry = from_json("NewWhitelistEntry", "{\"ip_address\": \"203.0.113.0\", \"cidr_range\": \"203.0.113.0/24\"}");
  openwa_record *allowed;
  OK(openwa_api_keys_allow_address(store, id, entry, &allowed, &err));
  OK(openwa_api_keys_decide(store, key, OPENWA_NONE, OPENWA_STR("198.51.100.1"), OPENWA_NONE, OPENWA_NONE, &decision, &err));
  CHECK(strcmp(decision, "ip_denied") == 0);
  OK(openwa_api_keys_set_address_active(store, text_of(allowed, "id"), false, &truth, &err));
  CHECK(truth);
  OK(openwa_api_keys_whitelist(store, id, &rows, &err));
  CHECK(!truth_of(next_row(rows), "active"));
  openwa_rows_free(rows);
  OK(openwa_api_keys_remove_address(store, text_of(allowed, "id"), &truth, &err));
  CHECK(truth);

  OK(openwa_api_keys_get(store, id, &record, &err));
  CHECK(number_of(record, "usage_count") == 1);
  openwa_record_free(record);
  OK(openwa_api_keys_find(store, key, &record, &err));
  CHECK(is(text_of(record, "id"), "") == false);
  openwa_record_free(record);
  openwa_record *full = from_json("NewApiKey", "{\"name\": \"master\"}");
  OK(openwa_api_keys_register(store, OPENWA_STR("a long bootstrap secret"), full, &master, &err));
  OK(openwa_record_record(master, "api_key", &row, &err));
  FAILS(openwa_api_keys_revoke(store, text_of(row, "id"), false, &record, &err), OPENWA_ERR_LAST_FULL_ACCESS_KEY, "");
  OK(openwa_api_keys_list(store, NULL, &rows, &err));
  CHECK(count_rows(rows) == 2);
  openwa_record *update = from_json("ApiKeyUpdate", "{\"allowed_sessions\": [\"shop-1\"], \"expires_at\": null}");
  OK(openwa_api_keys_update(store, id, update, &record, &err));
  openwa_record_free(record);
  OK(openwa_api_keys_decide(store, key, OPENWA_NONE, OPENWA_NONE, OPENWA_STR("shop-2"), OPENWA_NONE, &decision, &err));
  CHECK(strcmp(decision, "session_denied") == 0);
  OK(openwa_api_keys_revoke(store, id, false, &record, &err));
  openwa_record_free(record);
  OK(openwa_api_keys_decide(store, key, OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, &decision, &err));
  CHECK(strcmp(decision, "inactive") == 0);
  openwa_record *request = from_json("NewApiKeyLog", "{\"endpoint\": \"/messages\", \"method\": \"GET\", \"status_code\": 200}");
  OK(openwa_record_set_text(request, "api_key_id", id, &err));
  OK(openwa_api_keys_log(store, request, &record, &err));
  openwa_record_free(record);
  OK(openwa_api_keys_logs(store, id, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_api_keys_delete(store, id, false, &truth, &err));
  CHECK(truth);
  openwa_record *const all[] = {input, created, ask, entry, allowed, full, master, update, request};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    openwa_record_free(all[i]);
  }
  openwa_store_free(store);
}

static void the_trail_is_kept(void) {
  openwa_store *store = memory_store();
  openwa_record *entry = from_json("NewAuditLog", "{\"action\": \"session.created\", \"severity\": \"warn\"}"), *record;
  OK(openwa_audit_log(store, entry, &record, &err));
  CHECK(is(text_of(record, "severity"), "warn"));
  openwa_record_free(record);
  openwa_rows *rows;
  openwa_record *filter = from_json("AuditFilter", "{\"action\": \"session.created\"}");
  OK(openwa_audit_list(store, filter, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_record_set_text(filter, "session_id", OPENWA_STR("00000000-0000-7000-8000-000000000000"), &err));
  FAILS(openwa_audit_list(store, filter, NULL, &rows, &err), OPENWA_ERR_INVALID_ARGUMENT, "one of");
  openwa_record_free(filter);
  openwa_record_free(entry);
  openwa_store_free(store);
}

const struct test keys_tests[] = {
    {"keys_open_doors", keys_open_doors}, {"the_trail_is_kept", the_trail_is_kept}, {NULL, NULL}};
