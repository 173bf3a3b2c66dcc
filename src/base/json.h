/* json.h - JSON that nobody vouches for, read into a tree; and quoting for writers.
 *
 * yajl does the lexing; depth, duplicate keys, UTF-8, numbers out of grammar and
 * text behind the value are refused here, with the byte offset. Numbers keep their
 * text, so 64-bit integers stay exact. The tree lies in the caller's arena; keys
 * and strings are NUL-terminated besides having a length. */
#ifndef SONDE_JSON_H
#define SONDE_JSON_H
#include "sonde/error.h"
#include "arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind          kind;
    bool               boolean;
    const char        *text;            /* STRING: its bytes; NUMBER: as written */
    size_t             len;             /* of text; ARRAY and OBJECT: number of children */
    const char        *key;             /* in an object */
    size_t             key_len;
    const struct json *child, *next;
} json;

/* FORMAT with "offset N: what" otherwise. Depth at most 64. */
sonde_status json_parse(const char *text, size_t n, arena *into, const json **out, sonde_error *err);
/* The same, but of members with one key the last counts, in the place of the first, as Python reads it. *twice: the first
 * key that stood twice, fit to be shown, in the arena; NULL: none did. */
sonde_status json_parse_last(const char *text, size_t n, arena *into, const json **out, const char **twice, sonde_error *err);

/* Member of an object, NULL if there is none or `j` is NULL or no object. */
const json *json_get(const json *j, const char *key);
/* False unless the node is that kind and fits exactly. */
bool json_int(const json *j, int64_t *out);
bool json_double(const json *j, double *out);
bool json_string(const json *j, const char **text, size_t *len);
bool json_bool(const json *j, bool *out);

/* `text` as a JSON string with its quotes, in the arena; broken UTF-8 becomes U+FFFD. */
const char *json_quote(arena *into, const char *text, size_t len);
#endif
