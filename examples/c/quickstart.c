/* Open a store, create a session, save a message, read a page, ask an API key. */
#include <openwa.h>
#include <stdio.h>
#include <stdlib.h>

static openwa_error *err;

/* Ends the program when a call fails, and says why. */
static void must(int32_t code) {
  if (code != OPENWA_OK) {
    fprintf(stderr, "error %d: %s\n", (int)code, openwa_error_message(err));
    exit(1);
  }
}

int main(void) {
  openwa_store *store;
  openwa_record *input, *session, *saved, *key;
  openwa_str id, text;
  must(openwa_store_open(OPENWA_STR("{\"dir\": \"./data\"}"), &store, &err));

  must(openwa_sessions_find(store, OPENWA_STR("shop-1"), &session, &err));
  if (session == NULL) {
    must(openwa_record_from_json("NewSession", OPENWA_STR("{\"name\": \"shop-1\"}"), &input, &err));
    must(openwa_sessions_create(store, input, &session, &err));
    openwa_record_free(input);
  }
  must(openwa_record_text(session, "id", &id, &err));

  must(openwa_record_new("NewMessage", &input, &err));
  must(openwa_record_set_text(input, "wa_message_id", OPENWA_STR("3EB0C431C26A1916E07A"), &err));
  must(openwa_record_set_text(input, "chat_id", OPENWA_STR("12025550143@s.whatsapp.net"), &err));
  must(openwa_record_set_text(input, "from_number", OPENWA_STR("12025550143@s.whatsapp.net"), &err));
  must(openwa_record_set_text(input, "type", OPENWA_STR("text"), &err));
  must(openwa_record_set_text(input, "body", OPENWA_STR("hello"), &err));
  must(openwa_messages_save(store, id, input, &saved, &err));
  must(openwa_record_text(saved, "outcome", &text, &err));
  printf("%.*s\n", (int)text.len, text.ptr); /* inserted; the second time: unchanged */
  openwa_record_free(saved);
  openwa_record_free(input);

  openwa_rows *page;
  const openwa_record *message;
  must(openwa_messages_list(store, id, NULL, NULL, &page, &err));
  while (must(openwa_rows_next(page, &message, &err)), message != NULL) {
    must(openwa_record_text(message, "body", &text, &err));
    printf("%.*s\n", (int)text.len, text.ptr);
  }
  openwa_rows_free(page);

  const char *decision;
  must(openwa_record_from_json("NewApiKey", OPENWA_STR("{\"name\": \"ci\", \"permissions\": [\"messages:read\"]}"), &input, &err));
  must(openwa_api_keys_create(store, input, &key, &err));
  must(openwa_record_text(key, "key", &text, &err));
  must(openwa_api_keys_decide(store, text, OPENWA_STR("messages:send"), OPENWA_NONE, OPENWA_NONE, OPENWA_NONE, &decision, &err));
  printf("%s\n", decision); /* permission_denied */
  openwa_record_free(key);
  openwa_record_free(input);

  openwa_record_free(session);
  must(openwa_store_close(store, &err));
  openwa_store_free(store);
  return 0;
}
