/* torch.save before torch 1.6: five pickles (a magic number, a protocol number, what machine wrote it, the value, the
 * storages' keys in the file's order), then of each storage its number of items (i64) and the items, unaligned. */
#include "torch.h"
#include "base/map.h"
#include "base/text.h"
#include <inttypes.h>

enum { PROTOCOL = 1001, MAGIC_BYTES = 10 };
static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

typedef struct {
    const pickle_storage *named;        /* the first one of its key in the pickle of the value */
    torch_bytes in;
} place;

typedef struct {
    cursor        c;
    pickle_source from;
    arena        *memory;
    map          *keys;                 /* key -> its place */
    place        *places;
    size_t        n;
} container;

static sonde_status next_pickle(container *c, const char *what, pickle_value *out, sonde_error *err) {
    const sonde_status s = pickle_read(&c->c, &c->from, c->memory, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", what);
}

static sonde_status read_preface(container *c, sonde_error *err) {
    pickle_value v;
    SONDE_TRY(next_pickle(c, "magic number", &v, err));
    SONDE_FAIL_IF(v.kind != PICKLE_BIG || v.text.len != MAGIC_BYTES || memcmp(v.text.at, magic, MAGIC_BYTES) != 0, err,
                  SONDE_FORMAT, "does not begin with torch's magic number");
    SONDE_TRY(next_pickle(c, "protocol number", &v, err));
    SONDE_FAIL_IF(v.kind != PICKLE_INT || v.integer != PROTOCOL, err, SONDE_UNSUPPORTED,
                  "torch's protocol number is not %d", PROTOCOL);
    SONDE_TRY(next_pickle(c, "description of the machine", &v, err));
    pickle_value little;
    SONDE_FAIL_IF(v.kind != PICKLE_DICT || !pickle_get(&v, "little_endian", &little) || little.kind != PICKLE_BOOL, err,
                  SONDE_FORMAT, "does not say whether it is little-endian");
    SONDE_FAIL_IF(!little.integer, err, SONDE_UNSUPPORTED,
                  "is big-endian; save it again on a little-endian machine");
    return SONDE_OK;
}

/* Every storage that the value names, once. All that name a key must mean the same. */
static sonde_status list_storages(container *c, const pickle_storage *last, sonde_error *err) {
    size_t most = 0;
    for (const pickle_storage *s = last; s; s = s->next) most++;
    c->places = arena_new_array(c->memory, place, most);
    c->keys = map_new(c->memory, 16);
    for (const pickle_storage *s = last; s; s = s->next) {
        int64_t i;
        if (map_put(c->keys, s->key, s->key_len, (int64_t)c->n)) {
            c->places[c->n++] = (place){ .named = s };
            continue;
        }
        map_get(c->keys, s->key, s->key_len, &i);
        const pickle_storage *known = c->places[i].named;
        SONDE_FAIL_IF(s->type != known->type || s->count != known->count, err, SONDE_FORMAT,
                      "storage %s is named with two types or lengths", text_shown(s->key, s->key_len).text);
    }
    return SONDE_OK;
}

/* One storage: where its items lie. */
static sonde_status read_storage(container *c, const pickle_value *key, sonde_error *err) {
    int64_t i;
    SONDE_FAIL_IF(key->kind != PICKLE_TEXT, err, SONDE_FORMAT, "a storage's key is no text");
    const char *shown_key = arena_printf(c->memory, "%s", text_shown(key->text.at, key->text.len).text);
    SONDE_FAIL_IF(!map_get(c->keys, key->text.at, key->text.len, &i), err, SONDE_FORMAT,
                  "storage %s is listed, but nothing names it, so its type is unknown", shown_key);
    place *p = &c->places[i];
    SONDE_FAIL_IF(p->in.data, err, SONDE_FORMAT, "storage %s is listed twice", shown_key);
    uint64_t bytes;
    const uint64_t count = cursor_u64(&c->c), left = (uint64_t)(c->c.end - c->c.at);
    SONDE_FAIL_IF(c->c.bad, err, SONDE_FORMAT, "the file ends before storage %s", shown_key);
    SONDE_FAIL_IF(count != (uint64_t)p->named->count, err, SONDE_FORMAT,
                  "storage %s has %" PRIu64 " items, expected %" PRId64, shown_key, count, p->named->count);
    SONDE_FAIL_IF(!torch_storage_bytes(p->named, &bytes) || bytes > left, err, SONDE_FORMAT,
                  "storage %s has %" PRIu64 " items of %d bytes, but %" PRIu64 " bytes are left", shown_key, count,
                  dtype_table[p->named->type->type].bytes, left);
    p->in = (torch_bytes){ cursor_take(&c->c, bytes), bytes };
    return SONDE_OK;
}

static sonde_status read_storages(container *c, const pickle_value *keys, sonde_error *err) {
    SONDE_FAIL_IF(keys->kind != PICKLE_LIST, err, SONDE_FORMAT, "the storages' keys are no list");
    for (size_t i = 0; i < c->n; i++)
        SONDE_FAIL_IF(!c->places[i].named->type->read, err, SONDE_UNSUPPORTED, "storage type torch.%s is not read",
                      c->places[i].named->type->name);
    for (size_t i = 0; i < keys->items->n; i++) SONDE_TRY(read_storage(c, &keys->items->at[i], err));
    SONDE_FAIL_IF(c->c.at != c->c.end, err, SONDE_FORMAT, "%td bytes stand behind the last storage", c->c.end - c->c.at);
    return SONDE_OK;
}

static sonde_status locate(const void *container_, const pickle_storage *s, torch_bytes *out, sonde_error *err) {
    const container *c = container_;
    int64_t i = 0;
    map_get(c->keys, s->key, s->key_len, &i);           /* all that are named are there */
    *out = c->places[i].in;
    SONDE_FAIL_IF(!out->data, err, SONDE_FORMAT, "its storage %s is not in the file", text_shown(s->key, s->key_len).text);
    return SONDE_OK;
}

static sonde_status read_file(weights *w, arena *memory, sonde_error *err) {
    container c = { .c = { w->file.data, w->file.data + w->file.size, false }, .from = { .from = w->file.data },
                    .memory = memory };
    torch_saved saved = { .locate = locate, .container = &c };
    pickle_value keys;
    SONDE_TRY(read_preface(&c, err));
    SONDE_TRY(next_pickle(&c, "saved value", &saved.top, err));
    SONDE_TRY(list_storages(&c, c.from.storages, err));
    SONDE_TRY(next_pickle(&c, "list of storages", &keys, err));
    SONDE_TRY(read_storages(&c, &keys, err));
    return torch_collect(w, &saved, err);
}

sonde_status torch_legacy_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    arena *memory = arena_new();
    const sonde_status s = read_file(w, memory, err);
    arena_free(memory);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

/* A pickle, from protocol 4 on in a frame, that begins with the magic number. */
static bool probe(const uint8_t *head, size_t n) {
    cursor c = { head, head + n, false };
    const uint8_t *proto = cursor_take(&c, 2);
    if (!proto || proto[0] != 0x80 || proto[1] < 2) return false;
    if (c.at < c.end && *c.at == 0x95) cursor_take(&c, 9);
    const uint8_t *number = cursor_take(&c, 2 + MAGIC_BYTES);
    return number && number[0] == 0x8a && number[1] == MAGIC_BYTES && memcmp(number + 2, magic, MAGIC_BYTES) == 0;
}

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const sonde_status s = torch_legacy_read(f, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
}

extern const format format_torch_legacy;
const format format_torch_legacy = {
    .name = "torch legacy", .doc = "torch.save before torch 1.6: pickles, then raw storages (.bin, .pth, .pt)",
    .probe = probe, .open = open_file,
};
