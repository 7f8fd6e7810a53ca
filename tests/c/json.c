#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *at;

static void fail(const char *why) {
  fprintf(stderr, "the vectors are no JSON: %s at \"%.30s\"\n", why, at);
  exit(1);
}

static void space(void) {
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
    at++;
  }
}

static unsigned hex4(void) {
  unsigned n = 0;
  if (sscanf(at, "%4x", &n) != 1) {
    fail("bad escape");
  }
  at += 4;
  return n;
}

static char *put_utf8(char *out, unsigned c) {
  if (c < 0x80) {
    *out++ = (char)c;
  } else if (c < 0x800) {
    *out++ = (char)(0xC0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out++ = (char)(0xE0 | c >> 12);
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  } else {
    *out++ = (char)(0xF0 | c >> 18);
    *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  }
  return out;
}

static char *string(size_t *len) {
  if (*at++ != '"') {
    fail("no string");
  }
  const char *end = at;
  while (*end != '"') {
    end += *end == '\\' ? 2 : 1;
  }
  /* Never longer than with its escapes. */
  char *text = malloc((size_t)(end - at) + 1), *out = text;
  while (*at != '"') {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    at++;
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *name = strchr(names, *at);
    if (*at == 'u') {
      at++;
      unsigned c = hex4();
      if (c >= 0xD800 && c < 0xDC00 && at[0] == '\\' && at[1] == 'u') {
        at += 2;
        c = 0x10000 + ((c - 0xD800) << 10) + (hex4() - 0xDC00);
      }
      out = put_utf8(out, c);
    } else if (name != NULL) {
      *out++ = meant[name - names];
      at++;
    } else {
      fail("bad escape");
    }
  }
  at++;
  *out = '\0';
  *len = (size_t)(out - text);
  return text;
}

static struct json value(void);

static void add(struct json *list, char *key, struct json item, size_t *room) {
  if (list->len == *room) {
    *room = *room * 2 + 8;
    list->items = realloc(list->items, *room * sizeof *list->items);
    list->keys = realloc(list->keys, *room * sizeof *list->keys);
  }
  list->keys[list->len] = key;
  list->items[list->len++] = item;
}

static struct json many(bool object) {
  struct json list = {.kind = object ? JSON_OBJECT : JSON_ARRAY};
  size_t room = 0, len;
  char close = object ? '}' : ']';
  at++;
  for (space(); *at != close; space()) {
    char *key = NULL;
    if (object) {
      key = string(&len);
      space();
      if (*at++ != ':') {
        fail("no colon");
      }
    }
    add(&list, key, value(), &room);
    space();
    if (*at == ',') {
      at++;
    } else if (*at != close) {
      fail("no comma");
    }
  }
  at++;
  return list;
}

static struct json value(void) {
  space();
  const char *start = at;
  struct json v = {.kind = JSON_NULL};
  if (*at == '{' || *at == '[') {
    v = many(*at == '{');
  } else if (*at == '"') {
    v.kind = JSON_STRING;
    v.text = string(&v.len);
  } else if (strncmp(at, "null", 4) == 0) {
    at += 4;
  } else if (strncmp(at, "true", 4) == 0) {
    v.kind = JSON_BOOL;
    v.number = 1;
    at += 4;
  } else if (strncmp(at, "false", 5) == 0) {
    v.kind = JSON_BOOL;
    at += 5;
  } else {
    char *end;
    v.kind = JSON_NUMBER;
    v.number = strtod(at, &end);
    if (end == at) {
      fail("no value");
    }
    at = end;
  }
  v.start = start;
  v.end = at;
  return v;
}

const struct json *json_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(1);
  }
  long size = ftell(file);
  rewind(file);
  /* Never freed: the tree points into it. */
  static struct json documents[32];
  static int n;
  char *text = malloc((size_t)size + 1);
  if (n == 32 || fread(text, 1, (size_t)size, file) != (size_t)size) {
    exit(1);
  }
  fclose(file);
  text[size] = '\0';
  at = text;
  documents[n] = value();
  return &documents[n++];
}

const struct json *json_get(const struct json *object, const char *key) {
  static const struct json nothing = {.kind = JSON_NULL};
  for (size_t i = 0; object->kind == JSON_OBJECT && i < object->len; i++) {
    if (strcmp(object->keys[i], key) == 0) {
      return &object->items[i];
    }
  }
  return &nothing;
}
