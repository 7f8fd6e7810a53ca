/* Rust's ThreadSanitizer calls these by a name that the C compiler's older runtime does not have; it watches them under
 * their own. */
#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t len) { return memcpy(to, from, len); }
void *__tsan_memmove(void *to, const void *from, size_t len) { return memmove(to, from, len); }
void *__tsan_memset(void *to, int byte, size_t len) { return memset(to, byte, len); }
