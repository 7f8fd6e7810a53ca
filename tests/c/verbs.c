/* Sessions, messages, contacts, webhooks, bulk jobs, credentials, and the store's own verbs. */
#include "check.h"

#include <unistd.h>

static void sessions_live(void) {
  openwa_store *store = memory_store();
  const char *id = new_session(store, "shop-1");
  openwa_record *record, *update = from_json("SessionUpdate", "{\"phone\": \"12025550100\", \"config\": {\"history\": true}}");
  openwa_rows *rows;
  bool truth;
  OK(openwa_sessions_update(store, S(id), update, &record, &err));
  CHECK(is(text_of(record, "phone"), "12025550100"));
  openwa_record_free(record);
  OK(openwa_record_set_text(update, "phone", OPENWA_NONE, &err));
  OK(openwa_sessions_update(store, S(id), update, &record, &err));
  OK(openwa_record_is_null(record, "phone", &truth, &err));
  CHECK(truth);
  openwa_record_free(record);
  openwa_record_free(update);

  OK(openwa_sessions_get(store, S(id), &record, &err));
  CHECK(is(text_of(record, "status"), "created"));
  openwa_record_free(record);
  OK(openwa_sessions_find(store, OPENWA_STR("shop-1"), &record, &err));
  CHECK(is(text_of(record, "id"), id));
  openwa_record_free(record);
  OK(openwa_sessions_find(store, OPENWA_STR("nosuch"), &record, &err));
  CHECK(record == NULL);
  OK(openwa_sessions_list(store, NULL, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);

  OK(openwa_sessions_transition(store, S(id), OPENWA_STR("initializing"), OPENWA_STR("start"), &record, &err));
  CHECK(truth_of(record, "changed") && is(text_of(record, "from"), "created"));
  openwa_record_free(record);
  FAILS(openwa_sessions_transition(store, S(id), OPENWA_STR("created"), OPENWA_NONE, &record, &err),
        OPENWA_ERR_INVALID_TRANSITION, "initializing to created");
  FAILS(openwa_sessions_transition(store, S(id), OPENWA_STR("awake"), OPENWA_NONE, &record, &err),
        OPENWA_ERR_INVALID_ARGUMENT, "qr_ready");
  OK(openwa_sessions_restore(store, &rows, &err));
  CHECK(is(text_of(next_row(rows), "status"), "disconnected"));
  openwa_rows_free(rows);
  OK(openwa_sessions_transition(store, S(id), OPENWA_STR("failed"), OPENWA_NONE, NULL, &err));
  OK(openwa_sessions_recreate(store, S(id), &record, &err));
  CHECK(is(text_of(record, "status"), "created"));
  openwa_record_free(record);
  OK(openwa_sessions_log(store, S(id), OPENWA_STR("note"), OPENWA_STR("{\"a\":1}"), &record, &err));
  openwa_record_free(record);
  OK(openwa_sessions_logs(store, S(id), OPENWA_STR("note"), NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_sessions_delete(store, S(id), &truth, &err));
  CHECK(truth);
  OK(openwa_sessions_delete(store, S(id), &truth, &err));
  CHECK(!truth);
  openwa_store_free(store);
}

static void messages_come_and_change(void) {
  openwa_store *store = memory_store();
  const char *id = new_session(store, "shop-1");
  openwa_str session = S(id);
  openwa_record *record = save_text(store, id, "A1", "hello"), *message;
  CHECK(is(text_of(record, "outcome"), "inserted") && truth_of(record, "is_new"));
  const openwa_record *row;
  OK(openwa_record_record(record, "message", &row, &err));
  openwa_str row_id = text_of(row, "id");
  OK(openwa_messages_get(store, row_id, &message, &err));
  CHECK(is(text_of(message, "body"), "hello"));
  openwa_record_free(message);
  openwa_record_free(record);
  record = save_text(store, id, "A1", "hello");
  CHECK(is(text_of(record, "outcome"), "unchanged") && !truth_of(record, "is_new"));
  openwa_record_free(record);

  const char *changed;
  int64_t at = 1767600083000, n;
  openwa_str a1 = OPENWA_STR("A1");
  OK(openwa_messages_ack(store, session, a1, 3, &changed, &err));
  CHECK(strcmp(changed, "updated") == 0);
  OK(openwa_messages_edit(store, session, a1, OPENWA_STR("hello!"), &at, &changed, &err));
  CHECK(strcmp(changed, "updated") == 0);
  OK(openwa_messages_react(store, session, a1, OPENWA_STR("me"), OPENWA_STR("\360\237\221\215"), NULL, &changed, &err));
  CHECK(strcmp(changed, "updated") == 0);
  OK(openwa_messages_find(store, session, a1, &message, &err));
  CHECK(is(text_of(message, "body"), "hello!") && number_of(message, "ack") == 3);
  openwa_record_free(message);
  OK(openwa_messages_revoke(store, session, a1, NULL, &changed, &err));
  OK(openwa_messages_revoke(store, session, OPENWA_STR("later"), NULL, &changed, &err));
  CHECK(strcmp(changed, "waiting") == 0);
  OK(openwa_messages_waiting(store, session, OPENWA_STR("revoke"), &n, &err));
  CHECK(n == 1);

  openwa_rows *rows;
  OK(openwa_messages_reactions(store, session, a1, &rows, &err));
  CHECK(is(text_of(next_row(rows), "sender"), "me"));
  openwa_rows_free(rows);
  openwa_record *many[3] = {
      from_json("NewMessage", "{\"wa_message_id\":\"B1\",\"chat_id\":\"12025550144\",\"from_number\":\"12025550144\",\"type\":\"text\"}"),
      from_json("NewMessage", "{\"wa_message_id\":\"B2\",\"chat_id\":\"12025550144\",\"from_number\":\"12025550144\",\"type\":\"text\",\"ack\":9}"),
      from_json("NewMessage", "{\"wa_message_id\":\"B3\",\"chat_id\":\"12025550144\",\"from_number\":\"12025550144\",\"type\":\"text\","
                              "\"wa_timestamp\":\"2026-01-01T00:00:00Z\"}")};
  OK(openwa_messages_save_many(store, session, (const openwa_record *const *)many, 2, &rows, &err));
  OK(openwa_record_record(next_row(rows), "saved", &row, &err));
  CHECK(is(text_of(row, "outcome"), "inserted"));
  OK(openwa_record_record(next_row(rows), "error", &row, &err));
  CHECK(is(text_of(row, "kind"), "INVALID_ARGUMENT") && number_of(row, "code") == OPENWA_ERR_INVALID_ARGUMENT);
  openwa_rows_free(rows);
  OK(openwa_messages_backfill(store, session, (const openwa_record *const *)many + 2, 1, &rows, &err));
  CHECK(count_rows(rows) == 1);
  for (int i = 0; i < 3; i++) {
    openwa_record_free(many[i]);
  }
  OK(openwa_messages_list(store, session, NULL, NULL, &rows, &err));
  CHECK(openwa_rows_len(rows) == 3 && openwa_rows_after(rows).ptr == NULL);
  openwa_rows_free(rows);
  openwa_record *filter = from_json("MessageFilter", "{\"chat\": \"12025550144@c.us\"}");
  OK(openwa_messages_count(store, session, filter, &n, &err));
  CHECK(n == 2);
  openwa_record_free(filter);
  OK(openwa_messages_chats(store, session, NULL, &rows, &err));
  const openwa_record *chat = next_row(rows);
  OK(openwa_record_record(chat, "last_message", &row, &err));
  CHECK(openwa_rows_len(rows) == 2 && row != NULL);
  openwa_rows_free(rows);
  openwa_store_free(store);
}

static void contacts_have_two_addresses(void) {
  openwa_store *store = memory_store();
  openwa_str session = S(new_session(store, "shop-1"));
  openwa_record *change = from_json("ContactChange", "{\"wa_contact_id\": \"20000000000100@lid\", \"name\": \"Ann\"}"), *contact;
  openwa_rows *rows;
  bool truth;
  char *address;
  OK(openwa_contacts_upsert(store, session, change, &contact, &err));
  openwa_record_free(contact);
  OK(openwa_contacts_learn_identity(store, session, OPENWA_STR("20000000000100@lid"), OPENWA_STR("12025550100"), &truth, &err));
  CHECK(truth);
  OK(openwa_contacts_canonical(store, session, OPENWA_STR("20000000000100:3@lid"), &address, &err));
  CHECK(strcmp(address, "12025550100@s.whatsapp.net") == 0);
  openwa_string_free(address);
  OK(openwa_contacts_identities(store, session, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_contacts_get(store, session, OPENWA_STR("12025550100@c.us"), &contact, &err));
  CHECK(is(text_of(contact, "name"), "Ann"));
  openwa_record_free(contact);
  openwa_record *filter = from_json("ContactFilter", "{\"blocked\": true}");
  OK(openwa_contacts_list(store, session, filter, NULL, &rows, &err));
  CHECK(count_rows(rows) == 0);
  OK(openwa_contacts_delete(store, session, OPENWA_STR("12025550100"), &truth, &err));
  CHECK(truth);
  openwa_record_free(filter);
  openwa_record_free(change);
  openwa_store_free(store);
}

static void webhooks_deliver_once(void) {
  openwa_store *store = memory_store();
  openwa_str session = S(new_session(store, "shop-1")), key = OPENWA_STR("A1/received");
  openwa_record *new_webhook = from_json("NewWebhook", "{\"url\": \"https://hooks.example.com/wa\"}"), *webhook, *record;
  openwa_rows *rows;
  bool truth;
  OK(openwa_webhooks_create(store, session, new_webhook, &webhook, &err));
  openwa_str id = text_of(webhook, "id");
  OK(openwa_webhooks_get(store, id, &record, &err));
  openwa_record_free(record);
  openwa_record *update = from_json("WebhookUpdate", "{\"secret\": \"s\", \"events\": [\"*\"]}");
  OK(openwa_webhooks_update(store, id, update, &record, &err));
  CHECK(is(text_of(record, "secret"), "s"));
  openwa_record_free(record);
  OK(openwa_webhooks_list(store, session, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_webhooks_subscribed(store, session, OPENWA_STR("call.missed"), &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_webhooks_begin(store, id, key, OPENWA_STR("message.received"), &record, &err));
  CHECK(truth_of(record, "is_new"));
  openwa_record_free(record);
  int64_t status = 200;
  OK(openwa_webhooks_finish(store, id, key, &status, OPENWA_STR("{\"ok\":true}"), &err));
  OK(openwa_webhooks_begin(store, id, key, OPENWA_STR("message.received"), &record, &err));
  openwa_str data;
  OK(openwa_record_json(record, "response_data", &data, &err));
  CHECK(!truth_of(record, "is_new") && number_of(record, "response_status") == 200 && is(data, "{\"ok\":true}"));
  openwa_record_free(record);
  OK(openwa_webhooks_forget(store, id, key, &truth, &err));
  CHECK(truth);
  openwa_record *delivery = from_json("NewDelivery", "{\"event\": \"message.received\", \"payload\": {}, \"status_code\": 500}");
  OK(openwa_webhooks_log(store, id, delivery, &record, &err));
  CHECK(number_of(record, "attempt") == 1);
  openwa_record_free(record);
  OK(openwa_webhooks_logs(store, id, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  OK(openwa_webhooks_delete(store, id, &truth, &err));
  CHECK(truth);
  openwa_record_free(delivery);
  openwa_record_free(update);
  openwa_record_free(webhook);
  openwa_record_free(new_webhook);
  openwa_store_free(store);
}

static void batches_hand_out_once(void) {
  openwa_store *store = memory_store();
  openwa_str session = S(new_session(store, "shop-1"));
  openwa_record *job, *message, *record, *batch;
  OK(openwa_record_new("NewBatch", &batch, &err));
  OK(openwa_record_set_text(batch, "batch_id", OPENWA_STR("b1"), &err));
  openwa_record *to_send =
      from_json("NewBatchMessage", "{\"chat_id\": \"12025550100\", \"message_type\": \"text\", \"content\": {\"text\": \"hi\"}}");
  const openwa_record *messages[3] = {to_send, to_send, to_send};
  OK(openwa_record_set_records(batch, "messages", messages, 3, &err));
  OK(openwa_batches_create(store, session, batch, &job, &err));
  openwa_str id = text_of(job, "id");
  OK(openwa_batches_get(store, id, &record, &err));
  CHECK(number_of(record, "total_messages") == 3);
  openwa_record_free(record);
  OK(openwa_batches_find(store, session, OPENWA_STR("b1"), &record, &err));
  openwa_record_free(record);
  openwa_rows *rows;
  OK(openwa_batches_list(store, session, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  int64_t from = 1;
  OK(openwa_batches_messages(store, id, &from, &rows, &err));
  CHECK(count_rows(rows) == 2);
  OK(openwa_batches_claim_next(store, id, &message, &err));
  OK(openwa_batches_unknown(store, id, &rows, &err));
  CHECK(count_rows(rows) == 1);
  openwa_record *result = from_json("BatchResult", "{\"sent\": true, \"wa_message_id\": \"C1\"}");
  OK(openwa_batches_record(store, text_of(message, "id"), result, &record, &err));
  CHECK(number_of(record, "sent_count") == 1);
  openwa_record_free(record);
  OK(openwa_batches_cancel(store, id, &record, &err));
  CHECK(is(text_of(record, "status"), "cancelled") && number_of(record, "cancelled_count") == 2);
  openwa_record_free(record);
  FAILS(openwa_batches_fail(store, id, OPENWA_STR("over"), &record, &err), OPENWA_ERR_CONFLICT, "final");
  OK(openwa_record_set_text(batch, "batch_id", OPENWA_STR("b2"), &err));
  openwa_record_free(job);
  OK(openwa_batches_create(store, session, batch, &job, &err));
  OK(openwa_batches_fail(store, text_of(job, "id"), OPENWA_STR("over"), &record, &err));
  CHECK(is(text_of(record, "error"), "over"));
  openwa_record_free(record);
  openwa_record_free(result);
  openwa_record_free(message);
  openwa_record_free(job);
  openwa_record_free(to_send);
  openwa_record_free(batch);
  openwa_store_free(store);
}

static void credentials_are_kept(void) {
  openwa_store *store = memory_store();
  openwa_str session = S(new_session(store, "shop-1")), pre_key = OPENWA_STR("pre-key");
  openwa_record *one = from_json("AuthEntry", "{\"category\": \"pre-key\", \"key_id\": \"1\", \"value\": \"AAE=\"}");
  openwa_record *two = from_json("AuthEntry", "{\"category\": \"creds\", \"key_id\": \"\", \"value\": \"AQ==\"}"), *record;
  const openwa_record *entries[2] = {one, two};
  OK(openwa_auth_set(store, session, entries, 2, &err));
  OK(openwa_auth_get(store, session, pre_key, OPENWA_STR("1"), &record, &err));
  openwa_bytes value;
  OK(openwa_record_bytes(record, "value", &value, &err));
  CHECK(is(text_of(record, "found"), "found") && value.len == 2);
  openwa_record_free(record);
  openwa_rows *rows;
  openwa_str ids[2] = {OPENWA_STR("2"), OPENWA_STR("1")};
  OK(openwa_auth_get_many(store, session, pre_key, ids, 2, &rows, &err));
  CHECK(is(text_of(next_row(rows), "found"), "missing") && is(text_of(next_row(rows), "found"), "found"));
  openwa_rows_free(rows);
  OK(openwa_auth_list(store, session, pre_key, &rows, &err));
  CHECK(is(text_of(next_row(rows), "value"), "1"));
  openwa_rows_free(rows);
  OK(openwa_auth_all(store, session, &rows, &err));
  CHECK(count_rows(rows) == 2);
  int64_t n;
  OK(openwa_auth_clear(store, session, OPENWA_NONE, &n, &err));
  CHECK(n == 2);
  openwa_record_free(one);
  openwa_record_free(two);
  openwa_store_free(store);
}

static int32_t count_calls(void *user, openwa_str table, int64_t rows, int64_t total) {
  CHECK(table.len > 0 && rows >= 0 && total >= -1);
  ++*(int *)user;
  return 0;
}

static int32_t stop(void *user, openwa_str table, int64_t rows, int64_t total) {
  (void)user, (void)table, (void)rows, (void)total;
  return 1;
}

static void a_store_takes_events_and_moves(void) {
  openwa_store *store = folder_store("");
  openwa_str session = S(new_session(store, "shop-1"));
  openwa_record *record;
  openwa_rows *rows;
  OK(openwa_store_ingest(store, OPENWA_STR("baileys"), session,
                         OPENWA_STR("{\"messages.upsert\": {\"type\": \"notify\", \"messages\": [{\"key\": {\"remoteJid\": "
                                    "\"12025550143@s.whatsapp.net\", \"id\": \"A1\", \"fromMe\": false}, \"messageTimestamp\": "
                                    "1767600083, \"message\": {\"conversation\": \"hello\"}}]}, \"x.y\": {}}"),
                         NULL, &record, &err));
  OK(openwa_record_rows(record, "messages", &rows, &err));
  CHECK(is(text_of(next_row(rows), "outcome"), "inserted"));
  openwa_rows_free(rows);
  OK(openwa_record_rows(record, "unknown", &rows, &err));
  CHECK(is(text_of(next_row(rows), "value"), "x.y"));
  openwa_rows_free(rows);
  openwa_record_free(record);
  OK(openwa_store_check(store, &record, &err));
  OK(openwa_record_rows(record, "problems", &rows, &err));
  CHECK(count_rows(rows) == 0);
  openwa_record_free(record);

  char path[600];
  snprintf(path, sizeof path, "%s/export.json", fresh_folder());
  int calls = 0;
  openwa_record *options = from_json("ExportOptions", "{\"redact\": true}");
  openwa_str tables[] = {OPENWA_STR("sessions"), OPENWA_STR("messages")};
  OK(openwa_record_set_texts(options, "tables", tables, 2, &err));
  OK(openwa_store_export_file(store, S(path), options, count_calls, &calls, &record, &err));
  CHECK(calls > 0 && text_of(record, "sha256").len == 64);
  openwa_record_free(record);
  FAILS(openwa_store_import_file(store, S(path), NULL, stop, NULL, &record, &err), OPENWA_ERR_CANCELLED, "request");
  openwa_record *import = from_json("ImportOptions", "{\"dry_run\": true, \"mode\": \"merge\"}");
  OK(openwa_store_import_file(store, S(path), import, NULL, NULL, &record, &err));
  CHECK(truth_of(record, "dry_run"));
  openwa_record_free(record);

  openwa_record *retention = from_json("RetentionOptions", "{\"now\": \"2027-01-05T08:00:00Z\", \"force\": true, "
                                                           "\"windows\": {\"messages\": 86400000, \"session_logs\": null}}");
  OK(openwa_store_retention_preview(store, retention, &record, &err));
  OK(openwa_record_rows(record, "tables", &rows, &err));
  int64_t old = 0;
  for (const openwa_record *row; (row = next_row(rows)) != NULL;) {
    old += is(text_of(row, "table"), "messages") ? number_of(row, "rows") : 0;
  }
  CHECK(old == 1);
  openwa_rows_free(rows);
  openwa_record_free(record);
  calls = 0;
  OK(openwa_store_run_retention(store, retention, count_calls, &calls, &record, &err));
  CHECK(calls > 0 && !truth_of(record, "stopped"));
  openwa_record_free(record);
  int64_t n;
  OK(openwa_messages_count(store, session, NULL, &n, &err));
  CHECK(n == 0);
  openwa_record_free(retention);
  openwa_record_free(import);
  openwa_record_free(options);
  openwa_store_free(store);
}

const struct test verbs_tests[] = {{"sessions_live", sessions_live},
                                   {"messages_come_and_change", messages_come_and_change},
                                   {"contacts_have_two_addresses", contacts_have_two_addresses},
                                   {"webhooks_deliver_once", webhooks_deliver_once},
                                   {"batches_hand_out_once", batches_hand_out_once},
                                   {"credentials_are_kept", credentials_are_kept},
                                   {"a_store_takes_events_and_moves", a_store_takes_events_and_moves},
                                   {NULL, NULL}};
