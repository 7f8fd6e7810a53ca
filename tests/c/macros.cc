// The header's macros in C++.
#include "openwa.h"

int main() {
  openwa_store *store = nullptr;
  openwa_error *err = nullptr;
  if (openwa_store_open(OPENWA_STR("{}"), &store, &err) != OPENWA_OK) {
    openwa_error_free(err);
  }
  openwa_record *found = nullptr;
  openwa_sessions_find(store, openwa_cstr("shop-1"), &found, nullptr);
  openwa_sessions_log(store, OPENWA_NONE, OPENWA_STR("x"), OPENWA_NONE, &found, nullptr);
  openwa_store_free(store);
}
