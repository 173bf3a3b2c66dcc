/* The .bin files of karpathy/llama2.c: seven numbers and arrays back to back. Version 0 has nothing to know it by but that
 * the numbers make sense and the file is exactly as long as they say; versions 1 (float32) and 2 (int8 in groups that
 * share a float32 factor) have a magic. Arrays of all layers stand together and are given layer by layer, by the names of
 * Meta's checkpoints. Version 2 is widened to float32 in memory: no storage type has float32 factors. */
#include "container.h"
#include "cursor.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>

enum { NUMBERS = 7, MOST = (1 << 24) - 1, MOST_LAYERS = 4096, HEADER = 256, MAGIC = 0x616b3432 };
enum { N_DIM, N_HIDDEN, N_LAYERS, N_HEADS, N_KV_HEADS, N_VOCAB, N_SEQ };

static const char *const number_names[NUMBERS] = {
    "llama2c.dim", "llama2c.hidden_dim", "llama2c.n_layers", "llama2c.n_heads", "llama2c.n_kv_heads",
    "llama2c.vocab_size", "llama2c.seq_len",
};
static const size_t key_prefix = sizeof "llama2c." - 1;

typedef enum { ONE, DIM, HIDDEN, VOCAB, KV, SEQ, HEAD, SIDES } side;

typedef struct {
    int64_t n[NUMBERS];
    int64_t side[SIDES];
    int64_t version, group;
    bool    shared;
    size_t  start;              /* where the arrays begin */
} model;

typedef struct {
    const char *name;           /* "%d" is the layer; NULL: passed over */
    bool        layers;
    side        rows, cols;     /* rows ONE: a vector */
} part;

typedef enum { EMBED, ATT_NORM, WQ, WK, WV, WO, FFN_NORM, W1, W2, W3, NORM, ROPE, OUT, PARTS } part_id;

static const part parts[PARTS] = {
    [EMBED]    = { "tok_embeddings.weight", false, VOCAB, DIM },
    [ATT_NORM] = { "layers.%d.attention_norm.weight", true, ONE, DIM },
    [WQ]       = { "layers.%d.attention.wq.weight", true, DIM, DIM },
    [WK]       = { "layers.%d.attention.wk.weight", true, KV, DIM },
    [WV]       = { "layers.%d.attention.wv.weight", true, KV, DIM },
    [WO]       = { "layers.%d.attention.wo.weight", true, DIM, DIM },
    [FFN_NORM] = { "layers.%d.ffn_norm.weight", true, ONE, DIM },
    [W1]       = { "layers.%d.feed_forward.w1.weight", true, HIDDEN, DIM },
    [W2]       = { "layers.%d.feed_forward.w2.weight", true, DIM, HIDDEN },
    [W3]       = { "layers.%d.feed_forward.w3.weight", true, HIDDEN, DIM },
    [NORM]     = { "norm.weight", false, ONE, DIM },
    [ROPE]     = { NULL, false, SEQ, HEAD },            /* cosines, then sines, of half a head each */
    [OUT]      = { "output.weight", false, VOCAB, DIM },
};

static const part_id order_0[PARTS] = { EMBED, ATT_NORM, WQ, WK, WV, WO, FFN_NORM, W1, W2, W3, NORM, ROPE, OUT };
static const part_id order_1[PARTS - 1] = { ATT_NORM, FFN_NORM, NORM, EMBED, WQ, WK, WV, WO, W1, W2, W3, OUT };

static int64_t read_int(cursor *c) {
    int32_t v = 0;
    const uint8_t *p = cursor_take(c, sizeof v);
    if (p) memcpy(&v, p, sizeof v);
    return v;
}

static sonde_status check_numbers(model *m, sonde_error *err) {
    for (int i = 0; i < NUMBERS; i++) {
        const int most = i == N_LAYERS ? MOST_LAYERS : MOST;
        SONDE_FAIL_IF(m->n[i] < 1 || m->n[i] > most, err, SONDE_FORMAT, "%s is %" PRId64 ", expected 1 to %d",
                      number_names[i] + key_prefix, m->n[i], most);
    }
    const int64_t dim = m->n[N_DIM], heads = m->n[N_HEADS], kv = m->n[N_KV_HEADS];
    SONDE_FAIL_IF(dim % heads, err, SONDE_FORMAT, "n_heads is %" PRId64 ", expected a divisor of dim %" PRId64, heads, dim);
    SONDE_FAIL_IF(heads % kv, err, SONDE_FORMAT, "n_kv_heads is %" PRId64 ", expected a divisor of n_heads %" PRId64, kv,
                  heads);
    const int64_t head = dim / heads;
    SONDE_FAIL_IF(head % 2, err, SONDE_FORMAT, "dim %" PRId64 " over n_heads %" PRId64 " is odd, expected an even number",
                  dim, heads);
    m->side[ONE] = 1;
    m->side[DIM] = dim;
    m->side[HIDDEN] = m->n[N_HIDDEN];
    m->side[VOCAB] = m->n[N_VOCAB];
    m->side[KV] = head * kv;
    m->side[SEQ] = m->n[N_SEQ];
    m->side[HEAD] = head;
    return SONDE_OK;
}

/* A negative size of the vocabulary says that the classifier is not the embedding. */
static sonde_status read_version_0(cursor *c, model *m, sonde_error *err) {
    for (int i = 0; i < NUMBERS; i++) m->n[i] = read_int(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its seven numbers");
    m->shared = m->n[N_VOCAB] > 0;
    if (!m->shared) m->n[N_VOCAB] = -m->n[N_VOCAB];
    m->start = NUMBERS * sizeof(int32_t);
    return check_numbers(m, err);
}

static sonde_status read_later_version(cursor *c, model *m, sonde_error *err) {
    const uint8_t *begin = c->at - sizeof(int32_t);
    m->version = read_int(c);
    SONDE_FAIL_IF(!c->bad && m->version != 1 && m->version != 2, err, SONDE_UNSUPPORTED,
                  "is version %" PRId64 " of llama2.c's format, expected 1 or 2", m->version);
    for (int i = 0; i < NUMBERS; i++) m->n[i] = read_int(c);
    const uint8_t *shared = cursor_take(c, 1);
    if (m->version == 2) m->group = read_int(c);
    const uint8_t *padding = c->at;
    const size_t used = (size_t)(c->at - begin);
    (void)cursor_take(c, HEADER - used);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its first %d bytes", HEADER);
    SONDE_FAIL_IF(*shared > 1, err, SONDE_FORMAT, "shared_classifier is %d, expected 0 or 1", *shared);
    m->shared = *shared;
    for (size_t i = 0; i < HEADER - used; i++)
        SONDE_FAIL_IF(padding[i], err, SONDE_FORMAT, "byte %zu is %d, expected zeros up to %d", used + i,
                      padding[i], HEADER);
    SONDE_FAIL_IF(m->version == 2 && (m->group < 1 || m->group > MOST), err, SONDE_FORMAT,
                  "group_size is %" PRId64 ", expected 1 to %d", m->group, MOST);
    m->start = HEADER;
    return check_numbers(m, err);
}

static sonde_status read_header(cursor *c, model *m, sonde_error *err) {
    cursor first = *c;
    if (read_int(&first) != MAGIC) return read_version_0(c, m, err);
    *c = first;
    return read_later_version(c, m, err);
}

static int part_count(const model *m) { return m->version ? PARTS - 1 : PARTS; }

static const part *part_at(const model *m, int i) { return &parts[m->version ? order_1[i] : order_0[i]]; }

/* How often a part stands in the file: a shared classifier does not. */
static int64_t times(const model *m, const part *p) {
    if (p == &parts[OUT] && m->shared) return 0;
    return p->layers ? m->n[N_LAYERS] : 1;
}

static bool grouped(const model *m, const part *p) { return m->version == 2 && p->rows != ONE; }

/* Two sides are below 2^24, so a product of both fits; four bytes of each too. */
static uint64_t part_items(const model *m, const part *p) { return (uint64_t)(m->side[p->rows] * m->side[p->cols]); }

static uint64_t part_bytes(const model *m, const part *p) {
    const uint64_t items = part_items(m, p);
    return grouped(m, p) ? items + items / (uint64_t)m->group * sizeof(float) : items * sizeof(float);
}

/* The file must be exactly as long as the numbers say. *widened: bytes of what has to be in memory. */
static sonde_status check_size(const model *m, size_t size, uint64_t *widened, sonde_error *err) {
    uint64_t total = m->start, bytes;
    bool wraps = false;
    *widened = 0;
    for (int i = 0; i < part_count(m); i++) {
        const part *p = part_at(m, i);
        const uint64_t n = (uint64_t)times(m, p), items = part_items(m, p);
        SONDE_FAIL_IF(grouped(m, p) && items % (uint64_t)m->group, err, SONDE_FORMAT,
                      "group_size is %" PRId64 ", expected a divisor of the %" PRIu64 " items of %s", m->group, items,
                      p->name);
        wraps |= __builtin_mul_overflow(part_bytes(m, p), n, &bytes) || __builtin_add_overflow(total, bytes, &total);
        if (grouped(m, p))
            wraps |= __builtin_mul_overflow(items * sizeof(float), n, &bytes) ||
                     __builtin_add_overflow(*widened, bytes, widened);
    }
    SONDE_FAIL_IF(wraps, err, SONDE_FORMAT, "its numbers need 2^64 bytes or more");
    SONDE_FAIL_IF(total != size, err, SONDE_FORMAT,
                  "is %zu bytes, but a llama2.c file of version %" PRId64 " of its numbers has %" PRIu64, size, m->version,
                  total);
    return SONDE_OK;
}

static void widen(float *out, const uint8_t *in, uint64_t items, uint64_t group) {
    const uint8_t *factors = in + items;
    for (uint64_t i = 0; i < items; i++) {
        float factor;
        memcpy(&factor, factors + i / group * sizeof factor, sizeof factor);
        out[i] = (float)(int8_t)in[i] * factor;
    }
}

static void add_tensor(weights *w, const part *p, int layer, const model *m, const uint8_t *data) {
    stored_tensor *t = &w->tensor[w->n++];
    const char *behind = strstr(p->name, "%d");
    t->name = behind ? arena_printf(w->memory, "%.*s%d%s", (int)(behind - p->name), p->name, layer, behind + 2) : p->name;
    t->type = DTYPE_F32;
    t->rank = p->rows == ONE ? 1 : 2;
    t->dim[0] = m->side[t->rank == 1 ? p->cols : p->rows];
    if (t->rank == 2) t->dim[1] = m->side[p->cols];
    t->data = data;
    t->bytes = part_items(m, p) * sizeof(float);
}

static void add_tensors(weights *w, cursor *c, const model *m) {
    float *next = w->own;
    for (int i = 0; i < part_count(m); i++) {
        const part *p = part_at(m, i);
        for (int64_t layer = 0; layer < times(m, p); layer++) {
            const uint8_t *data = cursor_take(c, part_bytes(m, p));
            if (!p->name) continue;
            if (grouped(m, p)) {
                widen(next, data, part_items(m, p), (uint64_t)m->group);
                data = (const uint8_t *)next;
                next += part_items(m, p);
            }
            add_tensor(w, p, (int)layer, m, data);
        }
    }
}

static void add_numbers(weights *w, const model *m) {
    weights_meta_reserve(w, NUMBERS + 2);
    for (int i = 0; i < NUMBERS; i++)
        weights_meta_add(w, &(meta_value){ .key = number_names[i], .kind = META_INT, .integer = m->n[i] });
    weights_meta_add(w, &(meta_value){ .key = "llama2c.shared_classifier", .kind = META_BOOL, .integer = m->shared });
    weights_meta_add(w, &(meta_value){ .key = "llama2c.version", .kind = META_INT, .integer = m->version });
}

static sonde_status read_file(weights *w, sonde_error *err) {
    model m = { 0 };
    cursor c = { w->file.data, w->file.data + w->file.size, false };
    SONDE_TRY(read_header(&c, &m, err));
    SONDE_TRY(check_size(&m, w->file.size, &w->copied, err));
    if (w->copied) w->own = malloc(w->copied);
    SONDE_FAIL_IF(w->copied && !w->own, err, SONDE_NOMEM, "needs %" PRIu64 " bytes of memory for its arrays as float32",
                  w->copied);
    size_t n = 0;
    for (int i = 0; i < PARTS; i++) n += (size_t)times(&m, &parts[i]);
    w->tensor = arena_new_array(w->memory, stored_tensor, n);
    add_numbers(w, &m);
    c.at = w->file.data + m.start;
    add_tensors(w, &c, &m);
    weights_sort(w);
    return SONDE_OK;
}

sonde_status llama2c_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    const sonde_status s = read_file(w, err);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

static bool probe(const uint8_t *head, size_t n) {
    model m = { 0 };
    cursor c = { head, head + n, false };
    const int64_t first = read_int(&c);
    c.at = head;
    return first == MAGIC || read_version_0(&c, &m, NULL) == SONDE_OK;
}

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const sonde_status s = llama2c_read(f, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
}

extern const format format_llama2c;
const format format_llama2c = {
    .name = "llama2c", .doc = "llama2.c's .bin, versions 0 to 2: seven numbers, then the arrays", .probe = probe,
    .open = open_file,
};
