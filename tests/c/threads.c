/* One store, many threads; records that are read by many; answers that come to callbacks. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, EACH = 25 };

struct work {
  openwa_store *store;
  const char *session;
  const openwa_record *shared;
  int number;
};

static void *save_and_read(void *arg) {
  const struct work *work = arg;
  for (int i = 0; i < EACH; i++) {
    char id[32];
    snprintf(id, sizeof id, "T%d-%d", work->number, i);
    openwa_record_free(save_text(work->store, work->session, id, "hello"));
    /* Two threads may ask for the same column at once, and get the same text. */
    CHECK(is(text_of(work->shared, "session_id"), work->session));
    CHECK(is(text_of(work->shared, "body"), "shared"));
    int64_t n;
    OK(openwa_messages_count(work->store, S(work->session), NULL, &n, &err));
    CHECK(n > 0);
  }
  return NULL;
}

static void many_threads_share_a_store(void) {
  openwa_store *store = folder_store(", \"durability\": \"normal\"");
  const char *session = new_session(store, "shop-1");
  openwa_record *saved = save_text(store, session, "A1", "shared");
  const openwa_record *shared;
  OK(openwa_record_record(saved, "message", &shared, &err));
  pthread_t threads[THREADS];
  struct work work[THREADS];
  for (int i = 0; i < THREADS; i++) {
    work[i] = (struct work){store, session, shared, i};
    CHECK(pthread_create(&threads[i], NULL, save_and_read, &work[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  int64_t n;
  OK(openwa_messages_count(store, S(session), NULL, &n, &err));
  CHECK(n == THREADS * EACH + 1);
  openwa_record_free(saved);
  openwa_store_free(store);
}

static void *close_it(void *arg) {
  OK(openwa_store_close(arg, &err));
  return NULL;
}

static void many_threads_may_close(void) {
  openwa_store *store = folder_store("");
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, close_it, store) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  openwa_store_free(store);
}

struct heard {
  pthread_mutex_t lock;
  pthread_cond_t more;
  int saved, failed;
};

static void hear(void *user, openwa_record *saved, openwa_error *error) {
  struct heard *heard = user;
  pthread_mutex_lock(&heard->lock);
  heard->saved += saved != NULL && is(text_of(saved, "outcome"), "inserted");
  heard->failed += error != NULL && openwa_error_code(error) == OPENWA_ERR_INVALID_ARGUMENT;
  pthread_cond_signal(&heard->more);
  pthread_mutex_unlock(&heard->lock);
  openwa_record_free(saved);
  openwa_error_free(error);
}

static void answers_come_to_callbacks(void) {
  openwa_store *store = folder_store(", \"durability\": \"normal\"");
  openwa_str session = S(new_session(store, "shop-1"));
  struct heard heard = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
  openwa_record *message = from_json("NewMessage", "{\"chat_id\": \"12025550143\", \"from_number\": \"12025550143\", \"type\": \"text\"}");
  char id[16];
  for (int i = 0; i < 100; i++) {
    snprintf(id, sizeof id, "A%d", i);
    OK(openwa_record_set_text(message, "wa_message_id", S(id), &err));
    OK(openwa_messages_save_async(store, session, message, hear, &heard, &err));
  }
  pthread_mutex_lock(&heard.lock);
  while (heard.saved < 50) {
    pthread_cond_wait(&heard.more, &heard.lock);
  }
  pthread_mutex_unlock(&heard.lock);
  OK(openwa_record_set_i64(message, "ack", 99, &err));
  OK(openwa_messages_save_async(store, session, message, hear, &heard, &err));
  FAILS(openwa_messages_save_async(store, session, message, NULL, NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "done is NULL");
  FAILS(openwa_messages_save_async(store, session, NULL, hear, NULL, &err), OPENWA_ERR_INVALID_ARGUMENT, "message");
  /* Freeing waits for the callbacks. */
  openwa_store_free(store);
  CHECK(heard.saved == 100 && heard.failed == 1);
  openwa_record_free(message);
}

static void full_queues_say_so(void) {
  openwa_store *store = folder_store(", \"queue\": 1, \"group\": 1");
  openwa_str session = S(new_session(store, "shop-1"));
  struct heard heard = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
  openwa_record *message = from_json("NewMessage", "{\"chat_id\": \"12025550143\", \"from_number\": \"12025550143\", \"type\": \"text\"}");
  int accepted = 0, full = 0;
  for (int i = 0; i < 10000 && full == 0; i++) {
    int32_t code = openwa_messages_save_async(store, session, message, hear, &heard, &err);
    if (code == OPENWA_ERR_QUEUE_FULL) {
      CHECK(openwa_error_retryable(err));
      openwa_error_free(err);
      err = NULL;
      full++;
    } else {
      CHECK(code == OPENWA_OK);
      accepted++;
    }
  }
  CHECK(full == 1);
  openwa_store_free(store);
  CHECK(heard.saved == accepted && heard.failed == 0);
  openwa_record_free(message);
}

const struct test threads_tests[] = {{"many_threads_share_a_store", many_threads_share_a_store},
                                     {"many_threads_may_close", many_threads_may_close},
                                     {"answers_come_to_callbacks", answers_come_to_callbacks},
                                     {"full_queues_say_so", full_queues_say_so},
                                     {NULL, NULL}};
