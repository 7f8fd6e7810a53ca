#include "check.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

_Thread_local openwa_error *err;

static int failures;
static const char *running = "";

void check_failed(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: in %s: not so: %s\n", file, line, running, what);
  __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

void check_ok(const char *file, int line, const char *what, int32_t code) {
  if (code == OPENWA_OK) {
    return;
  }
  fprintf(stderr, "%s:%d: in %s: %s failed with %d: %s\n", file, line, running, what, (int)code,
          openwa_error_message(err));
  /* What follows would only fail in its wake. */
  exit(1);
}

void check_fails(const char *file, int line, const char *what, int32_t code, int32_t wanted, const char *says) {
  const char *message = openwa_error_message(err);
  if (code != wanted || openwa_error_code(err) != wanted || strstr(message, says) == NULL) {
    fprintf(stderr, "%s:%d: in %s: %s gave %d \"%s\", wanted %d \"…%s…\"\n", file, line, running, what, (int)code,
            message, (int)wanted, says);
    __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
  }
  openwa_error_free(err);
  err = NULL;
}

bool is(openwa_str text, const char *wanted) {
  return text.ptr != NULL && text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

/* Functions that succeeded. */
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
static const char *noted[1024];
static size_t noted_len;

void note(const char *name) {
  pthread_mutex_lock(&noting);
  size_t i = 0;
  while (i < noted_len && strcmp(noted[i], name) != 0) {
    i++;
  }
  if (i == noted_len && noted_len < sizeof noted / sizeof *noted) {
    noted[noted_len++] = name;
  }
  pthread_mutex_unlock(&noting);
}

int32_t note_ok(const char *name, int32_t code) {
  if (code == OPENWA_OK) {
    note(name);
  }
  return code;
}

/* A child must not find it locked by a thread that it does not have. */
static void lock_notes(void) {
  pthread_mutex_lock(&noting);
}

static void unlock_notes(void) {
  pthread_mutex_unlock(&noting);
}

static char folder[512];
static int folders;

const char *fresh_folder(void) {
  const char *base = getenv("TEST_TMP");
  snprintf(folder, sizeof folder, "%s/%d-%d", base == NULL ? "." : base, (int)getpid(), ++folders);
  CHECK(mkdir(folder, 0700) == 0);
  return folder;
}

openwa_store *memory_store(void) {
  openwa_store *store;
  OK(openwa_store_open(OPENWA_STR("{}"), &store, &err));
  return store;
}

openwa_store *folder_store(const char *options_after_dir) {
  char options[1024];
  snprintf(options, sizeof options, "{\"dir\": \"%s\"%s}", fresh_folder(), options_after_dir);
  openwa_store *store;
  OK(openwa_store_open(S(options), &store, &err));
  return store;
}

openwa_record *from_json(const char *type, const char *json) {
  openwa_record *record;
  OK(openwa_record_from_json(type, S(json), &record, &err));
  return record;
}

const char *new_session(openwa_store *store, const char *name) {
  static _Thread_local char ids[8][37];
  static _Thread_local int next;
  char *id = ids[next++ % 8];
  openwa_record *input, *session;
  OK(openwa_record_new("NewSession", &input, &err));
  OK(openwa_record_set_text(input, "name", S(name), &err));
  OK(openwa_sessions_create(store, input, &session, &err));
  memcpy(id, text_of(session, "id").ptr, 36);
  openwa_record_free(session);
  openwa_record_free(input);
  return id;
}

openwa_record *save_text(openwa_store *store, const char *session, const char *id, const char *body) {
  openwa_record *message, *saved;
  OK(openwa_record_new("NewMessage", &message, &err));
  OK(openwa_record_set_text(message, "wa_message_id", S(id), &err));
  OK(openwa_record_set_text(message, "chat_id", OPENWA_STR("12025550143@s.whatsapp.net"), &err));
  OK(openwa_record_set_text(message, "from_number", OPENWA_STR("12025550143@s.whatsapp.net"), &err));
  OK(openwa_record_set_text(message, "type", OPENWA_STR("text"), &err));
  OK(openwa_record_set_text(message, "body", S(body), &err));
  OK(openwa_messages_save(store, S(session), message, &saved, &err));
  openwa_record_free(message);
  return saved;
}

openwa_str text_of(const openwa_record *record, const char *column) {
  openwa_str out;
  OK(openwa_record_text(record, column, &out, &err));
  return out;
}

int64_t number_of(const openwa_record *record, const char *column) {
  int64_t out;
  OK(openwa_record_i64(record, column, &out, &err));
  return out;
}

bool truth_of(const openwa_record *record, const char *column) {
  bool out;
  OK(openwa_record_bool(record, column, &out, &err));
  return out;
}

const openwa_record *next_row(openwa_rows *rows) {
  const openwa_record *row;
  OK(openwa_rows_next(rows, &row, &err));
  return row;
}

size_t count_rows(openwa_rows *rows) {
  size_t n = 0;
  while (next_row(rows) != NULL) {
    n++;
  }
  openwa_rows_free(rows);
  return n;
}

/* Usage: suite [NAME]: every test, or those whose name holds NAME. The names of functions that succeeded go to the file
 * that TEST_NOTED names. */
int main(int argc, char **argv) {
  static const struct test *const groups[] = {basics_tests, verbs_tests,  keys_tests,    rules_tests, upkeep_tests, backup_tests,
                                              misuse_tests, threads_tests, fork_tests,  vectors_tests};
  int run = 0;
  pthread_atfork(lock_notes, unlock_notes, unlock_notes);
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    for (const struct test *t = groups[g]; t->name != NULL; t++) {
      if (argc > 1 && strstr(t->name, argv[1]) == NULL) {
        continue;
      }
      running = t->name;
      t->run();
      CHECK(err == NULL);
      run++;
    }
  }
  const char *path = getenv("TEST_NOTED");
  if (path != NULL) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (size_t i = 0; i < noted_len; i++) {
      fprintf(file, "%s\n", noted[i]);
    }
    fclose(file);
  }
  printf("%d tests, %d failures\n", run, failures);
  return run == 0 || failures > 0;
}
