/* A small test runner: named tests, checks that say where they failed, and a note of every function that succeeded. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openwa.h"

/* Wraps every exported function so that it notes itself when it succeeds; made by the Makefile from the header. */
#include "noted.h"

/* The error of the last call of this thread. */
extern _Thread_local openwa_error *err;

void check_failed(const char *file, int line, const char *what);
void check_ok(const char *file, int line, const char *what, int32_t code);
void check_fails(const char *file, int line, const char *what, int32_t code, int32_t wanted, const char *says);

/* Something must be true. */
#define CHECK(what) ((what) ? (void)0 : check_failed(__FILE__, __LINE__, #what))
/* A call must succeed. */
#define OK(call) check_ok(__FILE__, __LINE__, #call, (call))
/* A call must fail with a code, and its message must hold a text. */
#define FAILS(call, wanted, says) check_fails(__FILE__, __LINE__, #call, (call), (wanted), (says))

/* Whether a text is this one. */
bool is(openwa_str text, const char *wanted);
#define S(text) openwa_cstr(text)

/* Short forms for what every test does; all of them check. */
openwa_store *memory_store(void);
openwa_store *folder_store(const char *options_after_dir);
const char *fresh_folder(void);
openwa_record *from_json(const char *type, const char *json);
const char *new_session(openwa_store *store, const char *name);
openwa_record *save_text(openwa_store *store, const char *session, const char *id, const char *body);
openwa_str text_of(const openwa_record *record, const char *column);
int64_t number_of(const openwa_record *record, const char *column);
bool truth_of(const openwa_record *record, const char *column);
const openwa_record *next_row(openwa_rows *rows);
size_t count_rows(openwa_rows *rows);

typedef void test_fn(void);
struct test {
  const char *name;
  test_fn *run;
};

extern const struct test basics_tests[], verbs_tests[], keys_tests[], rules_tests[], upkeep_tests[], backup_tests[], misuse_tests[],
    threads_tests[], fork_tests[], vectors_tests[];

#endif
