/* The shared truth in tests/vectors: Rust, C, Python and Node all run it. */
#include "check.h"
#include "json.h"

static const struct json *document;
static const char *document_name;
static int bad;

static void open_vectors(const char *name) {
  char path[600];
  const char *folder = getenv("TEST_VECTORS");
  snprintf(path, sizeof path, "%s/%s", folder == NULL ? "../vectors" : folder, name);
  document = json_file(path);
  document_name = name;
}

/* The cases of a list; an empty list tests nothing. */
static const struct json *cases(const char *list) {
  const struct json *found = json_get(document, list);
  CHECK(found->kind == JSON_ARRAY && found->len > 0);
  return found;
}
#define EACH(c, list) \
  for (const struct json *list_ = cases(list), *c = list_->items; c < list_->items + list_->len; c++)

static void expect(bool right, const struct json *c) {
  if (!right && bad++ < 20) {
    fprintf(stderr, "%s: %.*s\n", document_name, (int)(c->end - c->start), c->start);
  }
  CHECK(right);
}

static openwa_str str(const struct json *value) {
  return value->kind == JSON_STRING ? (openwa_str){value->text, value->len} : OPENWA_NONE;
}

static openwa_str raw(const struct json *value) {
  return (openwa_str){value->start, (size_t)(value->end - value->start)};
}

/* Whether a rule refused its argument; anything but that and success is a failure. */
static bool accepted(int32_t code) {
  CHECK(code == OPENWA_OK || code == OPENWA_ERR_INVALID_ARGUMENT);
  openwa_error_free(err);
  err = NULL;
  return code == OPENWA_OK;
}

/* Compares a text the library gave with a string of the vectors, or NULL with null; frees the text. */
static bool same_text(char *text, const struct json *wanted) {
  bool same = text == NULL ? wanted->kind == JSON_NULL
                           : wanted->kind == JSON_STRING && strcmp(text, wanted->text) == 0;
  openwa_string_free(text);
  return same;
}

/* Compares a list of texts; NULL with null. */
static bool same_list(openwa_rows *rows, const struct json *wanted) {
  if (rows == NULL) {
    return wanted->kind == JSON_NULL;
  }
  bool same = wanted->kind == JSON_ARRAY && openwa_rows_len(rows) == wanted->len;
  for (size_t i = 0; same && i < wanted->len; i++) {
    same = is(text_of(next_row(rows), "value"), wanted->items[i].text);
  }
  openwa_rows_free(rows);
  return same;
}

static bool truth(const struct json *value) { return value->kind == JSON_BOOL && value->number != 0; }

static bool same_number(int64_t n, bool is_null, const struct json *wanted) {
  return is_null ? wanted->kind == JSON_NULL : wanted->kind == JSON_NUMBER && (double)n == wanted->number;
}

static void keys(void) {
  open_vectors("keys.json");
  EACH(c, "cases") {
    openwa_str pepper = str(json_get(c, "pepper")), key = str(json_get(c, "key"));
    char *text;
    OK(openwa_policy_hash_key(key, (openwa_bytes){(const uint8_t *)pepper.ptr, pepper.len}, &text, &err));
    bool same;
    OK(openwa_policy_same_hash(S(text), str(json_get(c, "hash")), &same, &err));
    expect(same & same_text(text, json_get(c, "hash")), c);
    OK(openwa_policy_key_prefix(key, &text, &err));
    expect(same_text(text, json_get(c, "prefix")), c);
  }
}

static void permissions(void) {
  open_vectors("permissions.json");
  openwa_rows *rows;
  OK(openwa_policy_parse_permissions(raw(json_get(document, "names")), &rows, &err));
  expect(same_list(rows, json_get(document, "names")), document);
  EACH(c, "parse") {
    rows = NULL;
    accepted(openwa_policy_parse_permissions(str(json_get(c, "json")), &rows, &err));
    expect(same_list(rows, json_get(c, "permissions")), c);
  }
  EACH(c, "allows") {
    bool allows;
    OK(openwa_policy_permits(raw(json_get(c, "permissions")), str(json_get(c, "asks")), &allows, &err));
    expect(allows == truth(json_get(c, "allows")), c);
  }
}

static void ip_addresses(void) {
  open_vectors("addresses_ip.json");
  char *text;
  EACH(c, "addresses") {
    accepted(openwa_policy_parse_ip(str(json_get(c, "text")), &text, &err));
    expect(same_text(text, json_get(c, "address")), c);
  }
  EACH(c, "networks") {
    accepted(openwa_policy_parse_network(str(json_get(c, "text")), &text, &err));
    expect(same_text(text, json_get(c, "network")), c);
  }
  EACH(c, "contains") {
    bool contains;
    OK(openwa_policy_network_contains(str(json_get(c, "network")), str(json_get(c, "address")), &contains, &err));
    expect(contains == truth(json_get(c, "contains")), c);
  }
  EACH(c, "client_ip") {
    openwa_str trusted[16];
    const struct json *list = json_get(c, "trusted");
    for (size_t i = 0; i < list->len; i++) {
      trusted[i] = str(&list->items[i]);
    }
    OK(openwa_policy_client_ip(str(json_get(c, "peer")), str(json_get(c, "x_forwarded_for")), trusted, list->len, &text, &err));
    expect(same_text(text, json_get(c, "client")), c);
  }
}

static void status_edges(void) {
  open_vectors("status_edges.json");
  EACH(c, "edges") {
    const char *step = NULL;
    int32_t code = openwa_policy_check_transition(str(json_get(c, "from")), str(json_get(c, "to")), &step, &err);
    CHECK(code == OPENWA_OK || code == OPENWA_ERR_INVALID_TRANSITION);
    expect(strcmp(step == NULL ? "refused" : step, json_get(c, "result")->text) == 0, c);
    openwa_error_free(err);
    err = NULL;
  }
  EACH(c, "on_start") {
    openwa_str status = str(json_get(c, "status"));
    bool yes;
    OK(openwa_policy_needs_engine(status, &yes, &err));
    expect(yes == truth(json_get(c, "needs_engine")), c);
    OK(openwa_policy_should_restore(status, &yes, &err));
    expect(yes == truth(json_get(c, "should_restore")), c);
    yes = openwa_policy_check_recreate(status, &err) == OPENWA_OK;
    openwa_error_free(err);
    err = NULL;
    expect(yes == truth(json_get(c, "recreate")), c);
  }
}

static const int64_t *optional(const struct json *value, int64_t *room) {
  *room = (int64_t)value->number;
  return value->kind == JSON_NUMBER ? room : NULL;
}

static void acks(void) {
  open_vectors("acks.json");
  EACH(c, "cases") {
    int64_t a, b, out;
    bool is_null;
    OK(openwa_policy_raise_ack(optional(json_get(c, "current"), &a), optional(json_get(c, "new"), &b), &out, &is_null, &err));
    expect(same_number(out, is_null, json_get(c, "result")), c);
  }
}

static void webhooks(void) {
  open_vectors("webhooks.json");
  openwa_rows *rows;
  OK(openwa_policy_parse_webhook_events(raw(json_get(document, "names")), &rows, &err));
  expect(same_list(rows, json_get(document, "names")), document);
  EACH(c, "events") {
    rows = NULL;
    accepted(openwa_policy_parse_webhook_events(str(json_get(c, "json")), &rows, &err));
    expect(same_list(rows, json_get(c, "events")), c);
  }
  EACH(c, "hears") {
    bool hears;
    OK(openwa_policy_webhook_hears(raw(json_get(c, "events")), str(json_get(c, "event")), &hears, &err));
    expect(hears == truth(json_get(c, "hears")), c);
  }
  EACH(c, "urls") {
    openwa_str url = str(json_get(c, "url"));
    expect(accepted(openwa_policy_check_webhook_url(url, false, &err)) == truth(json_get(c, "default")), c);
    expect(accepted(openwa_policy_check_webhook_url(url, true, &err)) == truth(json_get(c, "private_allowed")), c);
  }
  EACH(c, "headers") {
    expect(accepted(openwa_policy_check_webhook_headers(str(json_get(c, "json")), &err)) == truth(json_get(c, "ok")), c);
  }
  EACH(c, "sign") {
    openwa_str body = str(json_get(c, "body"));
    char *text;
    OK(openwa_policy_sign_webhook(str(json_get(c, "secret")), (openwa_bytes){(const uint8_t *)body.ptr, body.len}, &text, &err));
    expect(same_text(text, json_get(c, "signature")), c);
  }
  EACH(c, "verify") {
    openwa_str body = str(json_get(c, "body"));
    bool valid;
    OK(openwa_policy_verify_webhook(str(json_get(c, "secret")), (openwa_bytes){(const uint8_t *)body.ptr, body.len},
                                    str(json_get(c, "signature")), &valid, &err));
    expect(valid == truth(json_get(c, "valid")), c);
  }
}

static void retries(void) {
  open_vectors("retry.json");
  EACH(c, "cases") {
    openwa_record *policy;
    OK(openwa_record_new("RetryPolicy", &policy, &err));
    OK(openwa_record_set_i64(policy, "retry_count", (int64_t)json_get(c, "retry_count")->number, &err));
    OK(openwa_record_set_i64(policy, "base", (int64_t)json_get(c, "base_ms")->number, &err));
    OK(openwa_record_set_i64(policy, "cap", (int64_t)json_get(c, "cap_ms")->number, &err));
    int64_t wait;
    bool none;
    OK(openwa_policy_next_attempt((int64_t)json_get(c, "attempt")->number, json_get(c, "random")->number, policy, &wait, &none, &err));
    expect(same_number(wait, none, json_get(c, "wait_ms")), c);
    openwa_record_free(policy);
  }
}

static void authorization(void) {
  open_vectors("authorize.json");
  int64_t now;
  OK(openwa_policy_parse_time(str(json_get(document, "now")), &now, &err));
  EACH(c, "cases") {
    openwa_record *rules, *ask;
    OK(openwa_record_from_json("KeyRules", raw(json_get(c, "key")), &rules, &err));
    OK(openwa_record_from_json("Ask", raw(json_get(c, "request")), &ask, &err));
    const char *decision;
    OK(openwa_policy_decide(now, rules, ask, &decision, &err));
    expect(strcmp(decision, json_get(c, "decision")->text) == 0, c);
    openwa_record_free(rules);
    openwa_record_free(ask);
  }
}

static void dates(void) {
  int64_t ms;
  open_vectors("dates.json");
  EACH(c, "cases") {
    bool good = accepted(openwa_policy_parse_time(str(json_get(c, "text")), &ms, &err));
    expect(same_number(ms, !good, json_get(c, "ms")), c);
  }
  open_vectors("dates_node.json");
  CHECK(cases("iso")->len == 10000 && cases("parsed")->len == 2000);
  EACH(c, "iso") {
    char *text;
    OK(openwa_policy_format_time((int64_t)c->items[0].number, &text, &err));
    expect(same_text(text, &c->items[1]), c);
    OK(openwa_policy_parse_time(str(&c->items[1]), &ms, &err));
    expect((double)ms == c->items[0].number, c);
  }
  EACH(c, "parsed") {
    bool good = accepted(openwa_policy_parse_time(str(&c->items[0]), &ms, &err));
    expect(same_number(ms, !good, &c->items[1]), c);
  }
}

const struct test vectors_tests[] = {{"vectors_keys", keys},
                                     {"vectors_permissions", permissions},
                                     {"vectors_ip_addresses", ip_addresses},
                                     {"vectors_status_edges", status_edges},
                                     {"vectors_acks", acks},
                                     {"vectors_webhooks", webhooks},
                                     {"vectors_retries", retries},
                                     {"vectors_authorization", authorization},
                                     {"vectors_dates", dates},
                                     {NULL, NULL}};
