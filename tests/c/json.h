/* Just enough JSON to read the shared vectors: a tree of values that lives as long as the program. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

struct json {
  enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } kind;
  double number;      /* also 0 or 1 for a truth value */
  char *text;         /* a string, unescaped, NUL-terminated */
  size_t len;         /* its length, or how many items */
  struct json *items; /* of an array or object */
  char **keys;        /* of an object */
  /* Where it stands in the file. */
  const char *start, *end;
};

/* Reads a file; ends the program if it is no JSON. */
const struct json *json_file(const char *path);
/* A member of an object; null when there is none. */
const struct json *json_get(const struct json *object, const char *key);

#endif
