/* Two threads change one record, which the guide forbids: ThreadSanitizer must see it. */
#include <pthread.h>
#include <stddef.h>

#include "openwa.h"

static openwa_record *record;

static void *change(void *body) {
  for (int i = 0; i < 1000; i++) {
    openwa_record_set_text(record, "body", openwa_cstr(body), NULL);
  }
  return NULL;
}

int main(void) {
  pthread_t other;
  openwa_record_new("NewMessage", &record, NULL);
  pthread_create(&other, NULL, change, "one");
  change("two");
  pthread_join(other, NULL);
  openwa_record_free(record);
  return 0;
}
