/* truth.h - what another program computed (tests/truth/NAME.json, made by tools/truth/NAME.py), read by keys and indices. */
#ifndef TRUTH_H
#define TRUTH_H
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"
#include <stdio.h>
#include <string.h>

typedef struct { arena *memory; const json *all; } truth;

static inline truth truth_open(const char *name) {
    char        path[512];
    sonde_error err;
    file_map    map;
    truth       t = { .memory = arena_new() };
    snprintf(path, sizeof path, SONDE_SOURCE_DIR "/tests/truth/%s.json", name);
    if (file_map_open(&map, path, &err)) FAIL_("%s", err.message);
    if (json_parse((const char *)map.data, map.size, t.memory, &t.all, &err)) FAIL_("%s: %s", path, err.message);
    file_map_close(&map);
    return t;
}

static inline void truth_close(truth t) { arena_free(t.memory); }

static inline const json *truth_at(const json *j, size_t i) {
    const json *c = j && i < j->len ? j->child : NULL;
    while (c && i--) c = c->next;
    if (!c) FAIL_("no such item");
    return c;
}

static inline const json *truth_of(const json *j, const char *key) {
    const json *c = json_get(j, key);
    if (!c) FAIL_("no %s", key);
    return c;
}

static inline double truth_value(const json *j) {
    double x = 0;
    if (!json_double(j, &x)) FAIL_("no number");
    return x;
}

static inline double truth_number(const json *j, const char *key) { return truth_value(truth_of(j, key)); }
static inline double truth_item(const json *j, size_t i) { return truth_value(truth_at(j, i)); }
#endif
