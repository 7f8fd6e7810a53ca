/* The storage of an echo bot: reads an event log of Baileys from standard input (a JSON event a line, as in
 * tests/fixtures), saves what is in it, "answers" what is new once however often it is delivered, prints a page of each
 * chat.
 *
 *   ./bot DIR SESSION < events.jsonl
 */
#define _GNU_SOURCE
#include <openwa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static openwa_error *err;

/* Ends the program when a call fails, and says why. */
static void must(int32_t code) {
  if (code != OPENWA_OK) {
    fprintf(stderr, "error %d: %s\n", (int)code, openwa_error_message(err));
    exit(1);
  }
}

static openwa_str text(const openwa_record *record, const char *column) {
  openwa_str out;
  must(openwa_record_text(record, column, &out, &err));
  return out;
}

static bool flag(const openwa_record *record, const char *column) {
  bool out;
  must(openwa_record_bool(record, column, &out, &err));
  return out;
}

/* The id of the session with this name, made if there is none. */
static void session_id(const openwa_store *store, const char *name, char id[37]) {
  openwa_record *session, *input;
  must(openwa_sessions_find(store, openwa_cstr(name), &session, &err));
  if (session == NULL) {
    must(openwa_record_new("NewSession", &input, &err));
    must(openwa_record_set_text(input, "name", openwa_cstr(name), &err));
    must(openwa_sessions_create(store, input, &session, &err));
    openwa_record_free(input);
  }
  snprintf(id, 37, "%.36s", text(session, "id").ptr);
  openwa_record_free(session);
}

/* Saves the answer to a message as an own message that is still to be sent. */
static void answer(const openwa_store *store, openwa_str session, const openwa_record *message) {
  openwa_record *reply;
  must(openwa_record_new("NewMessage", &reply, &err));
  must(openwa_record_set_text(reply, "chat_id", text(message, "chat_id"), &err));
  must(openwa_record_set_text(reply, "from_number", OPENWA_STR("me"), &err));
  must(openwa_record_set_text(reply, "type", OPENWA_STR("text"), &err));
  must(openwa_record_set_text(reply, "body", text(message, "body"), &err));
  must(openwa_record_set_bool(reply, "from_me", true, &err));
  must(openwa_messages_save(store, session, reply, NULL, &err));
  openwa_record_free(reply);
}

/* Takes one event. Gives how many messages it answered; duplicates are counted in *again. */
static int take(const openwa_store *store, openwa_str session, openwa_str event, int *again) {
  openwa_record *done;
  openwa_rows *messages;
  const openwa_record *saved, *message;
  int answered = 0;
  must(openwa_store_ingest(store, OPENWA_STR("baileys"), session, event, NULL, &done, &err));
  must(openwa_record_rows(done, "messages", &messages, &err));
  for (;;) {
    must(openwa_rows_next(messages, &saved, &err));
    if (saved == NULL) {
      break;
    }
    must(openwa_record_record(saved, "message", &message, &err));
    if (!flag(saved, "is_new")) {
      ++*again;
    } else if (!flag(message, "from_me") && text(message, "body").ptr != NULL) {
      answer(store, session, message);
      answered++;
    }
  }
  openwa_rows_free(messages);
  openwa_record_free(done);
  return answered;
}

/* Prints the newest messages of every chat. */
static void print_chats(const openwa_store *store, openwa_str session) {
  openwa_rows *chats, *page;
  const openwa_record *chat, *row;
  openwa_record *filter, *few;
  must(openwa_record_new("MessageFilter", &filter, &err));
  must(openwa_record_from_json("PageRequest", OPENWA_STR("{\"limit\": 3}"), &few, &err));
  must(openwa_messages_chats(store, session, few, &chats, &err));
  while (must(openwa_rows_next(chats, &chat, &err)), chat != NULL) {
    openwa_str address = text(chat, "chat_id");
    printf("%.*s\n", (int)address.len, address.ptr);
    must(openwa_record_set_text(filter, "chat", address, &err));
    must(openwa_messages_list(store, session, filter, few, &page, &err));
    while (must(openwa_rows_next(page, &row, &err)), row != NULL) {
      openwa_str body = text(row, "body");
      printf("  %s %.*s\n", flag(row, "from_me") ? ">" : "<", (int)body.len, body.ptr == NULL ? "" : body.ptr);
    }
    openwa_rows_free(page);
  }
  openwa_rows_free(chats);
  openwa_record_free(few);
  openwa_record_free(filter);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s DIR SESSION < events.jsonl\n", argv[0]);
    return 2;
  }
  char options[4096], id[37];
  snprintf(options, sizeof options, "{\"dir\": \"%s\"}", argv[1]);
  openwa_store *store;
  must(openwa_store_open(openwa_cstr(options), &store, &err));
  session_id(store, argv[2], id);

  char *line = NULL;
  size_t room = 0;
  int answered = 0, again = 0;
  for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
    answered += take(store, openwa_cstr(id), (openwa_str){line, (size_t)len}, &again);
  }
  free(line);
  print_chats(store, openwa_cstr(id));
  printf("%d answered, %d delivered again\n", answered, again);
  must(openwa_store_close(store, &err));
  openwa_store_free(store);
  return 0;
}
