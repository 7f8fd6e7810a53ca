/* Forks: what a child may open, what it is refused, and how it ends. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that hangs is ended by its alarm. */
enum { PATIENCE = 60 };

/* A test that some builds leave out. */
#define MAYBE_UNUSED __attribute__((unused))

static char options[2][1024];

/* The options of a store in a fresh folder, of two at a time. */
static openwa_str folder(int which) {
  snprintf(options[which], sizeof options[which], "{\"dir\": \"%s\"}", fresh_folder());
  return S(options[which]);
}

static openwa_store *opened(openwa_str with) {
  openwa_store *store;
  OK(openwa_store_open(with, &store, &err));
  return store;
}

static pid_t child(void) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(PATIENCE);
  }
  return pid;
}

/* Ends a child as programs do. Where leaks are looked for it goes without a look: what only the parent's threads knew is
 * lost to it. */
static void end(bool good) {
  if (getenv("TEST_NO_LEAK_CHECK") != NULL) {
    execlp(good ? "true" : "false", "", (char *)NULL);
    _exit(2);
  }
  exit(good ? 0 : 1);
}

static void went_well(pid_t pid) {
  int status;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool refused(openwa_str with) {
  openwa_store *store;
  openwa_error *why = NULL;
  bool good = openwa_store_open(with, &store, &why) == OPENWA_ERR_FORKED && store == NULL &&
              strstr(openwa_error_message(why), "before the fork") != NULL &&
              strstr(openwa_error_message(why), "post_fork") != NULL;
  openwa_error_free(why);
  return good;
}

static int64_t messages(openwa_store *store, const char *session) {
  int64_t n;
  OK(openwa_messages_count(store, S(session), NULL, &n, &err));
  return n;
}

static void save(openwa_store *store, const char *session, const char *who, int count) {
  for (int i = 0; i < count; i++) {
    char id[32];
    snprintf(id, sizeof id, "%s-%d", who, i);
    openwa_record_free(save_text(store, session, id, "hello"));
  }
}

static void never(void *user, openwa_record *saved, openwa_error *error) {
  openwa_record_free(saved);
  openwa_error_free(error);
  *(bool *)user = true;
}

/* Every kind of handle that was open says so, and can be closed and freed. */
static void a_childs_inherited_handles_say_so(void) {
  openwa_store *store = opened(folder(0));
  openwa_str session = S(new_session(store, "shop-1"));
  openwa_record *message = from_json("NewMessage",
                                     "{\"chat_id\": \"1\", \"from_number\": \"1\", \"type\": \"text\", \"body\": \"x\"}");
  openwa_rows *rows;
  OK(openwa_messages_iterate(store, session, NULL, &rows, &err));
  pid_t pid = child();
  if (pid == 0) {
    const openwa_record *row;
    openwa_record *saved;
    bool called = false;
    bool good = openwa_sessions_get(store, session, NULL, NULL) == OPENWA_ERR_FORKED &&
                openwa_sessions_delete(store, session, NULL, NULL) == OPENWA_ERR_FORKED &&
                openwa_messages_save(store, session, message, &saved, NULL) == OPENWA_ERR_FORKED &&
                openwa_messages_save_async(store, session, message, never, &called, NULL) == OPENWA_ERR_FORKED &&
                openwa_store_flush_logs(store, NULL) == OPENWA_ERR_FORKED &&
                openwa_store_stop_maintenance(store, NULL) == OPENWA_ERR_FORKED &&
                openwa_rows_next(rows, &row, NULL) == OPENWA_ERR_FORKED && !called &&
                openwa_store_close(store, NULL) == OPENWA_OK;
    openwa_rows_free(rows);
    openwa_store_free(store);
    end(good);
  }
  went_well(pid);
  OK(openwa_sessions_get(store, session, NULL, &err));
  openwa_record_free(message);
  openwa_rows_free(rows);
  openwa_store_free(store);
}

/* Refused, whatever the path is called; another store is the child's own, and it ends as any program. The parent closes
 * while the child lives, and all that either saved is there. */
MAYBE_UNUSED static void a_child_is_refused_what_the_parent_has_open(void) {
  char path[512], detour[1100], link[600];
  strcpy(path, fresh_folder());
  snprintf(link, sizeof link, "%s-link", path);
  CHECK(symlink(strrchr(path, '/') + 1, link) == 0);
  snprintf(detour, sizeof detour, "{\"dir\": \"%s\"}", link);
  snprintf(options[0], sizeof options[0], "{\"dir\": \"%s\"}", path);
  openwa_str here = S(options[0]), elsewhere = folder(1);
  openwa_store *store = opened(here);
  const char *session = new_session(store, "shop-1");
  save(store, session, "parent", 100);
  int closed[2];
  CHECK(pipe(closed) == 0);
  pid_t pid = child();
  if (pid == 0) {
    bool good = refused(here) && refused(S(detour));
    openwa_store *own = opened(elsewhere);
    /* The handle goes while threads of the child run, which may have the numbers of the parent's. */
    openwa_store_free(store);
    const char *of_its_own = new_session(own, "shop-1");
    save(own, of_its_own, "child", 100);
    char byte;
    close(closed[1]);
    good = good && read(closed[0], &byte, 1) == 0 && refused(here);
    openwa_store_free(own);
    end(good);
  }
  openwa_store_free(store);
  close(closed[0]);
  close(closed[1]);
  went_well(pid);
  store = opened(here);
  CHECK(messages(store, session) == 100);
  openwa_store_free(store);
  store = opened(elsewhere);
  openwa_rows *rows;
  OK(openwa_sessions_list(store, NULL, NULL, &rows, &err));
  CHECK(count_rows(rows) == 1);
  openwa_store_free(store);
}

/* What was closed before the fork is open to both. */
MAYBE_UNUSED static void closed_before_the_fork(void) {
  openwa_str here = folder(0);
  openwa_store *store = opened(here);
  char session[37];
  strcpy(session, new_session(store, "shop-1"));
  openwa_record *created, *key = from_json("NewApiKey", "{\"name\": \"k\"}");
  OK(openwa_api_keys_create(store, key, &created, &err));
  openwa_record_free(created);
  openwa_record_free(key);
  save(store, session, "before", 10);
  OK(openwa_store_close(store, &err));
  pid_t pids[2];
  for (int i = 0; i < 2; i++) {
    pids[i] = child();
    if (pids[i] == 0) {
      openwa_store *own = opened(here);
      save(own, session, i == 0 ? "first" : "second", 200);
      /* Not closed: as a program that just ends. */
      end(messages(own, session) >= 210);
    }
  }
  openwa_store_free(store);
  store = opened(here);
  save(store, session, "parent", 200);
  went_well(pids[0]);
  went_well(pids[1]);
  CHECK(messages(store, session) == 610);
  openwa_store_free(store);
}

/* A daemon: the process that it comes from ends. It has a store if that was closed, and is refused one that was not. */
MAYBE_UNUSED static void a_daemon_opens_its_own(void) {
  openwa_str here = folder(0), elsewhere = folder(1);
  openwa_store *store = opened(here);
  char session[37];
  strcpy(session, new_session(store, "shop-1"));
  int told[2];
  CHECK(pipe(told) == 0);
  pid_t pid = child();
  if (pid == 0) {
    setsid();
    if (child() == 0) {
      CHECK(chdir("/") == 0);
      bool good = refused(here);
      openwa_store *own = opened(elsewhere);
      save(own, new_session(own, "shop-1"), "daemon", 50);
      openwa_store_free(own);
      CHECK(write(told[1], good ? "+" : "-", 1) == 1);
      end(good);
    }
    end(true);
  }
  went_well(pid);
  close(told[1]);
  char byte = '?';
  CHECK(read(told[0], &byte, 1) == 1 && byte == '+');
  close(told[0]);
  save(store, session, "parent", 50);
  openwa_store_free(store);
  store = opened(here);
  CHECK(messages(store, session) == 50);
  openwa_store_free(store);
}

struct busy {
  openwa_store *store;
  const char *session;
  openwa_str other;
  bool stop;
};

static void *save_on(void *arg) {
  struct busy *busy = arg;
  for (int i = 0; !__atomic_load_n(&busy->stop, __ATOMIC_RELAXED); i++) {
    char id[32];
    snprintf(id, sizeof id, "T%d", i);
    openwa_record_free(save_text(busy->store, busy->session, id, "hello"));
  }
  return NULL;
}

/* Opens and closes, which is when SQLite holds the locks of the whole process. */
static void *open_on(void *arg) {
  struct busy *busy = arg;
  while (!__atomic_load_n(&busy->stop, __ATOMIC_RELAXED)) {
    openwa_store_free(opened(busy->other));
  }
  return NULL;
}

MAYBE_UNUSED static void forks_in_the_middle_of_saves(void) {
  openwa_str here = folder(0), other = folder(1);
  char base[512];
  strcpy(base, fresh_folder());
  openwa_store *store = opened(here);
  struct busy busy = {store, new_session(store, "shop-1"), other, false};
  pthread_t saver, opener;
  CHECK(pthread_create(&saver, NULL, save_on, &busy) == 0);
  CHECK(pthread_create(&opener, NULL, open_on, &busy) == 0);
  for (int i = 0; i < 20; i++) {
    pid_t pid = child();
    if (pid == 0) {
      bool good = refused(here);
      char with[1024];
      snprintf(with, sizeof with, "{\"dir\": \"%s/%d\"}", base, i);
      openwa_store *own = opened(S(with));
      save(own, new_session(own, "shop-1"), "child", 3);
      openwa_store_free(own);
      end(good);
    }
    went_well(pid);
  }
  __atomic_store_n(&busy.stop, true, __ATOMIC_RELAXED);
  pthread_join(saver, NULL);
  pthread_join(opener, NULL);
  openwa_store_free(store);
}

/* The allocators of the sanitizers may be locked in a child of a process with threads at work, and ThreadSanitizer allows no
 * thread in one. */
const struct test fork_tests[] = {
    {"a_childs_inherited_handles_say_so", a_childs_inherited_handles_say_so},
#ifndef __SANITIZE_THREAD__
    {"a_child_is_refused_what_the_parent_has_open", a_child_is_refused_what_the_parent_has_open},
    {"closed_before_the_fork", closed_before_the_fork},
    {"a_daemon_opens_its_own", a_daemon_opens_its_own},
#ifndef __SANITIZE_ADDRESS__
    {"forks_in_the_middle_of_saves", forks_in_the_middle_of_saves},
#endif
#endif
    {NULL, NULL},
};
