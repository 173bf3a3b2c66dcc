/* The card of a model. Nothing of the weights is read for it, but to look for numbers that are none: always where all
 * weights are below CHECKED bytes, else when asked. */
#include "method.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { INFO_LIST, INFO_CHECK, INFO_TREE };
static const int64_t CHECKED = 64 << 20;

static const param params[] = {
    [INFO_LIST] = { "list", PARAM_FLAG, "", 0, 0, "the shipped models instead of a card" },
    [INFO_CHECK] = { "check", PARAM_FLAG, "", 0, 0, "count NaN and infinite weights, whatever the size (below 64 MB: always)" },
    [INFO_TREE] = { "tree", PARAM_FLAG, "", 0, 0, "the tree of modules and their weights too; of a model that does not run, "
                    "its stored tensors" },
    { 0 },
};

typedef struct { const char *name; int64_t parameters, bytes, broken; size_t tensors; } group;
enum { GROUPS = 7, NORMS = 4, UNEMBEDDING = 5, HEADS = 6 };

/* Which part of the model a weight belongs to, by its TransformerLens name. */
static size_t group_of(const char *name) {
    static const struct { const char *part; size_t group; } rows[] = {
        { "unembed", UNEMBEDDING }, { "mlm_head", HEADS }, { "pooler", HEADS }, { "nsp_head", HEADS }, { "classifier", HEADS },
        { "qa.", HEADS }, { "embed.ln", NORMS }, { "pos_embed", 1 }, { "embed", 0 }, { "attn.", 2 }, { ".mlp.", 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strstr(name, rows[i].part)) return rows[i].group;
    return NORMS;
}

static int64_t items(const sonde_weight_info *w) {
    int64_t n = 1;
    for (int i = 0; i < w->rank; i++) n *= w->dim[i];
    return n;
}

/* A tied unembedding is the embedding, counted there. */
static bool counted_elsewhere(const sonde_model *m, const sonde_weight_info *w) {
    return sonde_model_describe(m)->tied && !strcmp(w->name, "unembed.W_U");
}

static sonde_status count_broken(const sonde_model *m, size_t i, int64_t n, int64_t *out, sonde_error *err) {
    float *x = ROOM(float, n);
    const sonde_status s = sonde_model_weight_read(m, i, x, err);
    for (int64_t k = 0; k < n && s == SONDE_OK; k++) *out += !isfinite(x[k]);
    free(x);
    return s;
}

/* Every type that occurs. */
enum { TYPES = 16 };
typedef struct { char name[TYPES][16]; size_t count[TYPES]; int64_t bytes[TYPES]; size_t n; } types;

static void add_type(types *t, const char *type, int64_t bytes) {
    size_t i = 0;
    while (i < t->n && strcmp(t->name[i], type) != 0) i++;
    if (i == TYPES) return;
    if (i == t->n) snprintf(t->name[t->n++], sizeof t->name[0], "%s", type);
    t->count[i]++;
    t->bytes[i] += bytes;
}

/* "F32 (148 tensors), F16 (2 tensors)" */
static void types_text(const types *t, char *out, size_t n) {
    size_t used = 0;
    if (n) out[0] = 0;
    for (size_t i = 0; i < t->n && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, "%s%s (%zu tensors)", i ? ", " : "", t->name[i], t->count[i]);
}

static void put_types(sonde_result *out, const types *x) {
    sonde_table *t = sonde_result_table(out, "types");
    sonde_table_column(t, "type", SONDE_TEXT, "");
    sonde_table_column(t, "tensors", SONDE_INT, "");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    for (size_t i = 0; i < x->n; i++) {
        sonde_table_row(t);
        sonde_cell_text(t, x->name[i]);
        sonde_cell_int(t, (int64_t)x->count[i]);
        sonde_cell_int(t, x->bytes[i]);
    }
}

/* Largest unit that is exceeded; 124M, 1.56B. */
static void rounded(int64_t n, char *out, size_t size) {
    static const struct { double unit; const char *letter; } rows[] = { { 1e12, "T" }, { 1e9, "B" }, { 1e6, "M" }, { 1e3, "K" } };
    snprintf(out, size, "%lld", (long long)n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((double)n < rows[i].unit) continue;
        snprintf(out, size, "%.3g%s", (double)n / rows[i].unit, rows[i].letter);
        return;
    }
}

static void put(sonde_table *t, const char *what, const char *text) {
    sonde_table_row(t);
    sonde_cell_text(t, what);
    sonde_cell_text(t, text);
}

static void put_number(sonde_table *t, const char *what, int64_t n) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    put(t, what, text);
}

static void put_token(const sonde_context *cx, sonde_table *t, const char *what, int32_t id) {
    char shown[100] = "", text[140] = "none";
    const sonde_token x = id < 0 ? (sonde_token){ .id = -1 } : context_token(cx, id);
    if (x.len) sonde_token_show(x.bytes, x.len, shown, sizeof shown);
    if (id >= 0) snprintf(text, sizeof text, *shown ? "%d %s" : "%d", (int)id, shown);
    put(t, what, text);
}

/* "gguf", "safetensors, 3 files". */
static void put_container(sonde_table *t, const sonde_model_info *m) {
    char text[80];
    if (!m->container) return;
    if (m->files == 1) snprintf(text, sizeof text, "%s", m->container);
    else snprintf(text, sizeof text, "%s, %" PRId64 " files", m->container, m->files);
    put(t, "container", text);
}

static void put_tokenizer(const sonde_context *cx, sonde_table *t, const sonde_model_info *m) {
    char text[320] = "none: prompts are --tokens";
    if (m->tokenizer_kind) snprintf(text, sizeof text, "%s, of %s", m->tokenizer_kind, m->tokenizer_from);
    put(t, "tokenizer", text);
    put(t, "bos_auto", m->adds_bos ? "put in front of every prompt" : "nothing is put in front");
    put_token(cx, t, "bos", m->bos);
    put_token(cx, t, "eos", m->eos);
    if (m->mask >= 0) put_token(cx, t, "mask", m->mask);
    if (m->takes_pairs) put(t, "pairs", "--pair, by the tokenizer's template");
}

static void append(char *text, size_t n, const char *more) {
    const size_t used = strlen(text);
    snprintf(text + used, n - used, "%s%s", used ? ", " : "", more);
}

/* How the folder's own recipe makes a vector of a text. */
static void put_pooling(const sonde_context *cx, sonde_table *t) {
    char           text[200] = "";
    sonde_error    why;
    sonde_sentence s;
    if (sonde_model_sentence(cx->model, &s, &why) != SONDE_OK) {
        put(t, "pooling", why.message);
        return;
    }
    if (!s.told) return;
    for (size_t i = 0; i < s.n_pools; i++) append(text, sizeof text, sonde_pool_name(s.pool[i]));
    if (s.normalize) append(text, sizeof text, "to length 1");
    put(t, "pooling", text);
    put_number(t, "longest_text", s.longest);
}

/* The model's ends, where they are not the next token alone; labels of a classifier. */
static void put_heads(const sonde_context *cx, sonde_table *t, const sonde_model_info *m) {
    char text[400] = "";
    for (unsigned h = 1; h <= SONDE_HEAD_QA; h *= 2)
        if (m->head & h) append(text, sizeof text, sonde_head_name((sonde_head)h));
    if (m->head != SONDE_HEAD_LM) put(t, "head", *text ? text : "none");
    if (m->types) put_number(t, "token_types", m->types);
    *text = 0;
    for (int64_t i = 0; i < m->labels && strlen(text) + 100 < sizeof text; i++) append(text, sizeof text, sonde_model_label(cx->model, i));
    if (m->labels) put_number(t, "labels", m->labels);
    if (m->labels) put(t, "label_names", text);
    if (m->problem) put(t, "problem_type", m->problem);
    put_pooling(cx, t);
}

/* Of a model that was opened for its tokenizer. */
static void put_bare(const sonde_context *cx, sonde_table *t, const sonde_model_info *m) {
    put(t, "runs", m->container ? "no, its tokenizer alone was opened" : "no, this is a tokenizer");
    if (m->container) put(t, "because", m->refused);
    put_number(t, "vocabulary", m->tokens);
    if (m->container) put_number(t, "tensors", (int64_t)sonde_model_stored_count(cx->model));
    put_tokenizer(cx, t, m);
}

static void put_sizes(const sonde_context *cx, sonde_table *t, const sonde_model_info *m) {
    char text[64], block[400];
    put(t, "name", m->name);
    if (m->container || !m->refused) put(t, "family", m->family);
    put(t, "hash", sonde_model_hash(cx->model));
    put_container(t, m);
    if (m->refused) {
        put_bare(cx, t, m);
        return;
    }
    sonde_model_block(cx->model, block, sizeof block);
    put(t, "block", block);
    put_number(t, "parameters", m->parameters);
    rounded(m->parameters, text, sizeof text);
    put(t, "parameters_rounded", text);
    if (m->experts) put_number(t, "parameters_active", m->active);
    if (m->encoder_layers) put_number(t, "encoder_layers", m->encoder_layers);
    put_number(t, "layers", m->layers);
    put_number(t, "heads", m->heads);
    put_number(t, "kv_heads", m->kv_heads);
    put_number(t, "d_model", m->d);
    put_number(t, "d_head", m->e);
    put_number(t, "d_mlp", m->f);
    if (m->experts) {
        put_number(t, "experts", m->experts);
        put_number(t, "experts_chosen", m->chosen);
        put_number(t, "d_expert", m->expert_f);
    }
    put_number(t, "vocabulary", m->vocab);
    put_number(t, "context", m->context);
    if (m->head & (SONDE_HEAD_LM | SONDE_HEAD_MLM)) put(t, "unembedding", m->tied ? "the embedding (tied)" : "its own");
    put_heads(cx, t, m);
    put_number(t, "bytes", m->bytes);
    put_number(t, "bytes_copied", m->copied);
    put_tokenizer(cx, t, m);
}

typedef struct { group part[GROUPS]; types types; int64_t broken; bool checked; } counted;

static sonde_status count_all(const sonde_context *cx, bool check, counted *c, sonde_error *err) {
    const sonde_model *m = cx->model;
    const size_t n = sonde_model_weights(m);
    c->checked = check;
    for (size_t i = 0; i < n; i++) {
        sonde_weight_info w;
        sonde_model_weight(m, i, &w);
        group        *g = &c->part[group_of(w.name)];
        int64_t       broken = 0;
        if (counted_elsewhere(m, &w)) continue;
        if (check) SONDE_TRY(count_broken(m, i, items(&w), &broken, err));
        add_type(&c->types, w.dtype, w.bytes);
        g->tensors++;
        g->parameters += items(&w);
        g->bytes += w.bytes;
        g->broken += broken;
        c->broken += broken;
        cx->progress(cx->progress_user, "weights", (int64_t)i + 1, (int64_t)n);
    }
    return SONDE_OK;
}

static void put_groups(sonde_result *out, const counted *c) {
    int64_t all = 0;
    for (size_t i = 0; i < GROUPS; i++) all += c->part[i].parameters;
    static const char *const names[GROUPS] = { "embeddings", "positions", "attention", "mlp", "norms", "unembedding", "heads" };
    sonde_table *t = sonde_result_table(out, "components");
    sonde_table_column(t, "component", SONDE_TEXT, "");
    sonde_table_column(t, "tensors", SONDE_INT, "");
    sonde_table_column(t, "parameters", SONDE_INT, "");
    sonde_table_column(t, "share", SONDE_FLOAT, "");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    sonde_table_column(t, "not_finite", SONDE_INT, "");
    for (size_t i = 0; i < GROUPS; i++) {
        if (!c->part[i].tensors) continue;
        sonde_table_row(t);
        sonde_cell_text(t, names[i]);
        sonde_cell_int(t, (int64_t)c->part[i].tensors);
        sonde_cell_int(t, c->part[i].parameters);
        sonde_cell_float(t, (double)c->part[i].parameters / (double)all);
        sonde_cell_int(t, c->part[i].bytes);
        if (c->checked) sonde_cell_int(t, c->part[i].broken);
    }
}

static void put_check(sonde_result *out, sonde_table *t, const counted *c) {
    char text[128];
    if (!c->checked) put(t, "not_finite", "not counted, --check does (64 MB and more of weights)");
    else put_number(t, "not_finite", c->broken);
    if (!c->broken) return;
    snprintf(text, sizeof text, "%lld weights are NaN or infinite", (long long)c->broken);
    put(t, "warning", text);
    sonde_result_note(out, text);
}

/* ---- the tree: names of weights cut at their dots; what has a name in common stands together ---- */

static void tree_row(sonde_table *t, int depth, const char *name, size_t len) {
    char module[96];
    snprintf(module, sizeof module, "%.*s", (int)len, name);
    sonde_table_row(t);
    sonde_cell_int(t, depth);
    sonde_cell_text(t, module);
}

/* Parameters of every weight whose name begins with these letters and a dot. */
static int64_t below(const sonde_model *m, const char *name, size_t len) {
    int64_t n = 0;
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_weight_info w;
        sonde_model_weight(m, i, &w);
        if (!strncmp(w.name, name, len) && w.name[len] == '.' && !counted_elsewhere(m, &w)) n += items(&w);
    }
    return n;
}

static void shape_text(const int64_t *dim, int rank, char *out, size_t n) {
    size_t used = 0;
    if (n) out[0] = 0;
    for (int i = 0; i < rank && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, "%s%lld", i ? " " : "", (long long)dim[i]);
}

static void put_leaf(const sonde_model *m, sonde_table *t, int depth, const sonde_weight_info *w) {
    char shape[96];
    shape_text(w->dim, w->rank, shape, sizeof shape);
    tree_row(t, depth, w->name, strlen(w->name));
    sonde_cell_text(t, shape);
    sonde_cell_text(t, w->dtype);
    sonde_cell_int(t, counted_elsewhere(m, w) ? 0 : items(w));
    sonde_cell_text(t, w->stored_as);
}

static void put_tree(const sonde_model *m, sonde_result *out) {
    char before[96] = "";
    sonde_table *t = sonde_result_table(out, "tree");
    sonde_table_column(t, "depth", SONDE_INT, "");
    sonde_table_column(t, "module", SONDE_TEXT, "");
    sonde_table_column(t, "shape", SONDE_TEXT, "");
    sonde_table_column(t, "type", SONDE_TEXT, "");
    sonde_table_column(t, "parameters", SONDE_INT, "");
    sonde_table_column(t, "stored_as", SONDE_TEXT, "");
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_weight_info w;
        sonde_model_weight(m, i, &w);
        int depth = 0;
        for (const char *dot = strchr(w.name, '.'); dot; dot = strchr(dot + 1, '.'), depth++) {
            const size_t len = (size_t)(dot - w.name);
            if (!strncmp(before, w.name, len + 1)) continue;
            tree_row(t, depth, w.name, len);
            sonde_cell_null(t);
            sonde_cell_null(t);
            sonde_cell_int(t, below(m, w.name, len));
        }
        put_leaf(m, t, depth, &w);
        snprintf(before, sizeof before, "%s", w.name);
    }
}

/* What the files hold, under its own names. */
static void put_stored(const sonde_model *m, sonde_result *out) {
    static const char *const texts[] = { "name", "type", "shape" };
    sonde_table *t = sonde_result_table(out, "stored");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) sonde_table_column(t, texts[i], SONDE_TEXT, "");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    for (size_t i = 0; i < sonde_model_stored_count(m); i++) {
        sonde_stored_info x;
        char shape[200];
        sonde_model_stored(m, i, &x);
        shape_text(x.dim, x.rank, shape, sizeof shape);
        sonde_table_row(t);
        sonde_cell_text(t, x.name);
        sonde_cell_text(t, x.dtype);
        sonde_cell_text(t, shape);
        sonde_cell_int(t, x.bytes);
    }
}

/* Of a model that does not run: nothing is said of components, and nothing is read. */
static void put_refused(const sonde_context *cx, bool tree, sonde_table *t, sonde_result *out) {
    char  text[200];
    types all = { .n = 0 };
    const sonde_model *m = cx->model;
    put_sizes(cx, t, sonde_model_describe(m));
    for (size_t i = 0; i < sonde_model_stored_count(m); i++) {
        sonde_stored_info x;
        sonde_model_stored(m, i, &x);
        add_type(&all, x.dtype, x.bytes);
    }
    if (!all.n) return;
    types_text(&all, text, sizeof text);
    put(t, "types", text);
    put_types(out, &all);
    if (tree) put_stored(m, out);
}

static sonde_status card(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(cx->model);
    counted c = { 0 };
    char    text[200];
    SONDE_TRY(count_all(cx, !cx->dry_run && (args[INFO_CHECK].i || m->bytes < CHECKED), &c, err));
    sonde_table *t = sonde_result_table(out, "model");
    sonde_table_column(t, "what", SONDE_TEXT, "");
    sonde_table_column(t, "value", SONDE_TEXT, "");
    if (m->refused) {
        put_refused(cx, args[INFO_TREE].i != 0, t, out);
        return SONDE_OK;
    }
    put_sizes(cx, t, m);
    types_text(&c.types, text, sizeof text);
    put(t, "types", text);
    put_check(out, t, &c);
    put_groups(out, &c);
    put_types(out, &c.types);
    if (args[INFO_TREE].i) put_tree(cx->model, out);
    return SONDE_OK;
}

static sonde_status put_name(const char *name, void *user, sonde_error *err) {
    (void)err;
    sonde_table_row(user);
    sonde_cell_text(user, name);
    return SONDE_OK;
}

extern const method method_info;

static sonde_status info_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    context_head(cx, &method_info, out);
    if (!args[INFO_LIST].i) return card(cx, args, out, err);
    sonde_table *t = sonde_result_table(out, "models");
    sonde_table_column(t, "name", SONDE_TEXT, "");
    return sonde_models_shipped(cx->search, put_name, t, err);
}

const method method_info = {
    .name = "info",
    .summary = "the card of a model: its sizes, parts, types of weights, tokenizer and hash",
    .reference = NULL,
    .formula = "parameters: of distinct tensors, a tied unembedding counted once; parameters_active: without "
               "the experts that a position does not choose; bytes: of the stored tensors that are used; "
               "bytes_copied: those that could not be used where they lie in the file (norms, biases, views that are not "
               "contiguous); container: the format, and of how many files; hash: 16 hex digits of SHA-256 over "
               "configuration, tokenizer and pages of every tensor, it tells files apart and proves nothing; bos_auto: what "
               "--bos auto does; block: what stands in it, in order, and what else the family's description says; share: "
               "of the parameters; tree: parameters of a module are those of all weights below it, a tied weight has none of its own; not_finite: weights that are NaN or infinite",
    .example = "info",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_BARE | TAKES_TWO,
    .run = info_run,
};
