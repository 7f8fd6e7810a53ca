/* Backups: made, listed, verified, pruned, restored into another folder. */
#include "check.h"

#ifdef WITHOUT_FEATURES
static void a_build_without_backups_says_so(void) {
  openwa_store *store = folder_store("");
  openwa_record *place = from_json("BackupRepo", "{\"repo\": \"nowhere\", \"password\": \"secret\"}");
  openwa_rows *rows;
  FAILS(openwa_store_backups(store, place, &rows, &err), OPENWA_ERR_UNSUPPORTED, "feature `backup`");
  openwa_record_free(place);
  openwa_store_free(store);
}

const struct test backup_tests[] = {{"a_build_without_backups_says_so", a_build_without_backups_says_so}, {NULL, NULL}};
#else
static void a_backup_comes_back(void) {
  openwa_store *store = folder_store("");
  const char *session = new_session(store, "shop-1");
  openwa_record_free(save_text(store, session, "A1", "hello"));
  char repo[700], options[900], target[700];
  snprintf(repo, sizeof repo, "{\"repo\": \"%s/repo\", \"password\": \"secret\"}", fresh_folder());
  snprintf(options, sizeof options, "{\"repo\": %s}", repo);
  snprintf(target, sizeof target, "{\"dir\": \"%s/new\"}", fresh_folder());

  openwa_record *place = from_json("BackupRepo", repo), *how = from_json("BackupOptions", options), *report;
  openwa_rows *rows;
  FAILS(openwa_store_backups(store, place, &rows, &err), OPENWA_ERR_NOT_FOUND, "repository");
  OK(openwa_store_backup(store, how, NULL, NULL, &report, &err));
  openwa_record_free(report);
  openwa_record_free(how);
  OK(openwa_store_backups(store, place, &rows, &err));
  CHECK(count_rows(rows) == 1);
  how = from_json("VerifyOptions", options);
  OK(openwa_store_verify_backups(store, how, NULL, NULL, &report, &err));
  CHECK(number_of(report, "bytes") > 4096);
  openwa_record_free(report);
  openwa_record_free(how);
  openwa_record *keep = from_json("KeepRules", "{\"last\": 1}");
  OK(openwa_store_prune_backups(store, place, keep, NULL, NULL, &report, &err));
  openwa_record_free(report);
  openwa_record_free(keep);

  openwa_record *to = from_json("OpenOptions", target);
  how = from_json("RestoreOptions", options);
  OK(openwa_store_restore_backup(store, to, how, NULL, NULL, &report, &err));
  openwa_record_free(report);
  FAILS(openwa_store_restore_backup(store, to, how, NULL, NULL, &report, &err), OPENWA_ERR_CONFLICT, "already");
  openwa_record_free(how);
  openwa_record_free(to);
  openwa_record_free(place);
  openwa_store *again;
  OK(openwa_store_open(S(target), &again, &err));
  openwa_record *found;
  OK(openwa_messages_find(again, S(session), OPENWA_STR("A1"), &found, &err));
  CHECK(is(text_of(found, "body"), "hello"));
  openwa_record_free(found);
  openwa_store_free(again);
  openwa_store_free(store);
}

const struct test backup_tests[] = {{"a_backup_comes_back", a_backup_comes_back}, {NULL, NULL}};
#endif
