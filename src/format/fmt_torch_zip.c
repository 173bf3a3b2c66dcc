/* torch.save since torch 1.6: a zip of stored entries, NAME/data.pkl (a pickle that names storages) and NAME/data/KEY (the
 * storages' bytes); NAME is the archive's, any. */
#include "torch.h"
#include "npz.h"
#include "zip.h"
#include "base/text.h"
#include <inttypes.h>

typedef struct {
    zip_archive zip;
    const char *stem;           /* "NAME/", stem_len bytes of an entry's name */
    size_t      stem_len;
    arena      *memory;
} container;

static const zip_entry *find(const container *c, const char *name) {
    const char *whole = arena_printf(c->memory, "%.*s%s", (int)c->stem_len, c->stem, name);
    return zip_find(&c->zip, whole, strlen(whole));
}

/* Archives of others that a zip may be, known by an entry. */
static const struct { const char *entry, *what; } others[] = {
    { "model.weights.h5", "a Keras model" },
    { "[Content_Types].xml", "an office document" },
    { "META-INF/MANIFEST.MF", "a Java archive" },
};

/* The one entry NAME/data.pkl, which names the archive. */
static sonde_status find_pickle(container *c, const zip_entry **pickle, sonde_error *err) {
    *pickle = NULL;
    for (size_t i = 0; i < c->zip.n; i++) {
        const zip_entry *e = &c->zip.entry[i];
        const char *slash = strchr(e->name, '/');
        if (!slash || slash == e->name || strcmp(slash, "/data.pkl") != 0) continue;
        SONDE_FAIL_IF(*pickle, err, SONDE_FORMAT, "holds %s and %s, expected one data.pkl",
                      name_shown((*pickle)->name).text, name_shown(e->name).text);
        *pickle = e;
        c->stem = e->name;
        c->stem_len = (size_t)(slash - e->name) + 1;
    }
    for (size_t i = 0; !*pickle && i < sizeof others / sizeof *others; i++)
        SONDE_FAIL_IF(zip_find(&c->zip, others[i].entry, strlen(others[i].entry)), err, SONDE_UNSUPPORTED,
                      "is %s, expected weights", others[i].what);
    SONDE_FAIL_IF(!*pickle, err, SONDE_FORMAT, "is a zip without NAME/data.pkl, which torch.save writes; it holds %s",
                  name_shown(c->zip.entry[0].name).text);
    return SONDE_OK;
}

/* Archives with code, and those of big-endian machines. */
static sonde_status check_kind(const container *c, sonde_error *err) {
    bool code = find(c, "constants.pkl") != NULL;
    for (size_t i = 0; i < c->zip.n; i++)
        code = code || (strncmp(c->zip.entry[i].name, c->stem, c->stem_len) == 0
                        && strncmp(c->zip.entry[i].name + c->stem_len, "code/", 5) == 0);
    SONDE_FAIL_IF(code, err, SONDE_UNSUPPORTED,
                  "is a TorchScript archive, which holds code; save the model's state_dict() by torch.save");
    SONDE_TRY(zip_all_stored(&c->zip, err));
    const zip_entry *order = find(c, "byteorder");
    SONDE_FAIL_IF(order && (order->size != 6 || memcmp(order->data, "little", 6) != 0), err, SONDE_UNSUPPORTED,
                  "byteorder is %s, expected little; save it again on a little-endian machine",
                  text_shown((const char *)order->data, order->size < 16 ? (size_t)order->size : 16).text);
    return SONDE_OK;
}

static sonde_status locate(const void *container_, const pickle_storage *s, torch_bytes *out, sonde_error *err) {
    const container *c = container_;
    const char *key = arena_printf(c->memory, "data/%.*s", (int)s->key_len, s->key);
    const zip_entry *e = strlen(key) == s->key_len + 5 ? find(c, key) : NULL;
    uint64_t bytes;
    SONDE_FAIL_IF(!e, err, SONDE_FORMAT, "its storage %s is not in the archive", text_shown(s->key, s->key_len).text);
    SONDE_FAIL_IF(!torch_storage_bytes(s, &bytes) || bytes != e->size, err, SONDE_FORMAT,
                  "its storage %s has %" PRIu64 " bytes, expected %" PRId64 " items of %d",
                  text_shown(s->key, s->key_len).text, e->size, s->count, dtype_table[s->type->type].bytes);
    *out = (torch_bytes){ e->data, e->size };
    return SONDE_OK;
}

static sonde_status read_pickle(const zip_entry *e, arena *memory, pickle_value *out, sonde_error *err) {
    cursor c = { e->data, e->data + e->size, false };
    pickle_source from = { .from = e->data };
    SONDE_TRY(zip_check(e, err));
    sonde_status s = pickle_read(&c, &from, memory, out, err);
    if (s == SONDE_OK && c.at != c.end)
        s = sonde_fail(err, SONDE_FORMAT, "%td bytes stand behind the pickle", c.end - c.at);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "data.pkl");
}

static sonde_status read_file(weights *w, arena *memory, sonde_error *err) {
    container c = { .memory = memory };
    const zip_entry *pickle;
    torch_saved saved = { .locate = locate, .container = &c };
    SONDE_FAIL_IF(!zip_probe(w->file.data, w->file.size), err, SONDE_FORMAT,
                  "begins neither like the zip nor like the pickle that torch.save writes");
    SONDE_TRY(zip_read(&w->file, memory, &c.zip, err));
    SONDE_TRY(find_pickle(&c, &pickle, err));
    SONDE_TRY(check_kind(&c, err));
    SONDE_TRY(read_pickle(pickle, memory, &saved.top, err));
    return torch_collect(w, &saved, err);
}

sonde_status torch_zip_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    arena *memory = arena_new();
    const sonde_status s = read_file(w, memory, err);
    arena_free(memory);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

static bool probe(const uint8_t *head, size_t n) { return zip_probe(head, n) && !npz_probe(head, n); }

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const sonde_status s = torch_zip_read(f, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
}

extern const format format_torch_zip;
const format format_torch_zip = {
    .name = "torch zip", .doc = "torch.save since torch 1.6: a zip of a pickle and raw storages (.bin, .pth, .pt)",
    .endings = { "bin", "pth", "pt" }, .probe = probe, .open = open_file,
};
