/* One vector of a text: rows of the last norm, pooled as a sentence-transformers folder says, or as asked. */
#include "dry.h"
#include "ends.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { EMBED_POOLING, EMBED_NORMALIZE, EMBED_TRUNCATE };

static const param params[] = {
    [EMBED_POOLING] = { "pooling", PARAM_TEXT, "", 0, 0, "mean, cls, max, mean_sqrt_len, weighted_mean, last or pooler; several with "
                        "commas stand side by side (default: what modules.json says, else mean)" },
    [EMBED_NORMALIZE] = { "normalize", PARAM_FLAG, "", 0, 0, "vectors of length 1 (default: what modules.json says, where it "
                          "says the pooling too)" },
    [EMBED_TRUNCATE] = { "truncate", PARAM_FLAG, "", 0, 0, "cut texts that are too long, as sentence-transformers does, and say so" },
    { 0 },
};

typedef struct { sonde_tokens t; bool cut; } text_tokens;

typedef struct {
    sonde_context *cx;
    sonde_sentence how;
    const char    *site;                        /* rows that are pooled; NULL: the pooler alone */
    text_tokens   *text;                        /* [n_prompts] */
    float         *vector; int64_t d;           /* [n_prompts, d] before they get length 1 */
    sonde_cost     cost;
} embedding;

/* ---- how ---- */

static sonde_status read_pooling(embedding *e, const char *list, sonde_error *err) {
    e->how.n_pools = 0;
    for (const char *at = list; ; at++) {
        const size_t len = strcspn(at, ",");
        sonde_pool   p = 0;
        while (p < SONDE_POOLS && (strncmp(sonde_pool_name(p), at, len) != 0 || sonde_pool_name(p)[len])) p++;
        SONDE_FAIL_IF(p == SONDE_POOLS, err, SONDE_USAGE, "pooling: \"%.*s\", expected mean, cls, max, mean_sqrt_len, weighted_mean, "
                      "last or pooler", (int)(len < 40 ? len : 40), at);
        SONDE_FAIL_IF(e->how.n_pools == SONDE_POOLS, err, SONDE_USAGE, "pooling: more than %d", SONDE_POOLS);
        e->how.pool[e->how.n_pools++] = p;
        at += len;
        if (!*at) return SONDE_OK;
    }
}

/* What is asked goes before what the folder says. */
static sonde_status read_how(embedding *e, const value *args, sonde_error *err) {
    const bool pooling = args[EMBED_POOLING].given;
    const sonde_status s = sonde_model_sentence(e->cx->model, &e->how, pooling ? NULL : err);
    if (s != SONDE_OK && !pooling) return s;
    if (s != SONDE_OK) e->how.longest = sonde_model_describe(e->cx->model)->context;
    if (pooling) SONDE_TRY(read_pooling(e, args[EMBED_POOLING].text, err));
    if (pooling || args[EMBED_NORMALIZE].given) e->how.normalize = args[EMBED_NORMALIZE].i != 0;
    return SONDE_OK;
}

static sonde_status keep_name(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    snprintf(user, 80, "%s", s->name);
    return SONDE_OK;
}

/* The rows behind the last norm; of an encoder-decoder its encoder's. */
static sonde_status find_site(const sonde_context *cx, char name[80], sonde_error *err) {
    static const char *const last[] = { "encoder_final_ln.hook_out", "encoder.-1.hook_normalized_resid_post", "ln_final.hook_out",
                                        "blocks.-1.hook_normalized_resid_post" };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        const sonde_site_query q = { last[i], cx->edits, cx->n_edits, 1 };
        if (sonde_sites(cx->model, &q, keep_name, name, NULL) == SONDE_OK) return SONDE_OK;
    }
    const sonde_site_query q = { "blocks.-1.hook_resid_post", cx->edits, cx->n_edits, 1 };
    return sonde_sites(cx->model, &q, keep_name, name, err);
}

/* ---- tokens ---- */

static void drop(sonde_tokens *t, int64_t at) {
    t->n--;
    const size_t n = (size_t)(t->n - at);
    memmove(t->id + at, t->id + at + 1, n * sizeof *t->id);
    memmove(t->text + at, t->text + at + 1, n * sizeof *t->text);
    if (t->type) memmove(t->type + at, t->type + at + 1, n * sizeof *t->type);
}

/* Tokens of the text go from its end, those around it stay; of a pair, the longer text's. */
static void cut(sonde_tokens *t, int64_t longest) {
    while (t->n > longest) {
        int64_t count[2] = { 0 }, last[2] = { -1, -1 };
        for (int64_t i = 0; i < t->n; i++) {
            if (t->text[i] < 0) continue;
            count[t->text[i]]++;
            last[t->text[i]] = i;
        }
        const int of = count[1] >= count[0];
        if (last[of] < 0) return;
        drop(t, last[of]);
    }
}

static int32_t *copy_ids(const int32_t *ids, int64_t n) {
    int32_t *out = ROOM(int32_t, n);
    memcpy(out, ids, (size_t)n * sizeof *out);
    return out;
}

static sonde_status take_tokens(embedding *e, size_t i, bool truncate, sonde_error *err) {
    const sonde_tokens *from = &e->cx->prompts[i].tokens;
    const bool long_text = from->n > e->how.longest;
    text_tokens *x = &e->text[i];
    SONDE_FAIL_IF(long_text && !(truncate && from->text), err, SONDE_USAGE, "%" PRId64 " tokens, expected at most %" PRId64
                  "%s; --truncate cuts texts", from->n, e->how.longest, e->how.told ? ", as the model's folder says" : "");
    x->t = (sonde_tokens){ .n = from->n, .id = copy_ids(from->id, from->n),
                           .text = from->text ? copy_ids(from->text, from->n) : NULL,
                           .type = from->type ? copy_ids(from->type, from->n) : NULL };
    x->cut = long_text;
    if (long_text) cut(&x->t, e->how.longest);
    return SONDE_OK;
}

/* ---- pooling: v [n, d] into out [d] ---- */

static double row_weight(sonde_pool p, int64_t i, int64_t n) {
    if (p == SONDE_POOL_WEIGHTED_MEAN) return (double)(i + 1) / (0.5 * (double)n * (double)(n + 1));
    return p == SONDE_POOL_MEAN ? 1 / (double)n : 1 / sqrt((double)n);
}

static void pool(sonde_pool p, const end_values *v, float *out) {
    const int64_t n = v->rows, d = v->cols;
    if (p == SONDE_POOL_CLS || p == SONDE_POOL_LAST) {
        memcpy(out, v->data + (p == SONDE_POOL_LAST ? (n - 1) * d : 0), (size_t)d * sizeof *out);
        return;
    }
    for (int64_t k = 0; k < d; k++) {
        double sum = 0;
        float  most = v->data[k];
        for (int64_t i = 0; i < n; i++) {
            const float x = v->data[i * d + k];
            sum += row_weight(p, i, n) * (double)x;
            if (!(x <= most)) most = x;
        }
        out[k] = p == SONDE_POOL_MAX ? most : (float)sum;
    }
}

static sonde_status read_site(embedding *e, size_t i, const char *site, end_values *out, sonde_error *err) {
    const sonde_tokens *t = &e->text[i].t;
    const end_query     q = { .cx = e->cx, .prompt = i, .p = { .tokens = t->id, .n = t->n, .types = t->type }, .site = site };
    *out = (end_values){ 0 };
    return e->cx->dry_run ? end_cost(&q, &e->cost, err) : end_read(&q, out, err);
}

static sonde_status embed_text(embedding *e, size_t i, sonde_error *err) {
    const int64_t d = sonde_model_describe(e->cx->model)->d;
    end_values    rows = { 0 };
    if (e->site) SONDE_TRY(read_site(e, i, e->site, &rows, err));
    sonde_status s = SONDE_OK;
    for (size_t k = 0; k < e->how.n_pools && s == SONDE_OK; k++) {
        float *out = e->vector + (int64_t)i * e->d + (int64_t)k * d;
        end_values pooler = { 0 };
        if (e->how.pool[k] == SONDE_POOL_POOLER) s = read_site(e, i, "pooler.hook_pooler_out", &pooler, err);
        if (pooler.data) memcpy(out, pooler.data, (size_t)d * sizeof *out);
        else if (rows.data) pool(e->how.pool[k], &rows, out);
        free(pooler.data);
    }
    free(rows.data);
    return s;
}

/* ---- the result ---- */

static double product(const float *a, const float *b, int64_t d) {
    double sum = 0;
    for (int64_t k = 0; k < d; k++) sum += (double)a[k] * (double)b[k];
    return sum;
}

static void label(const embedding *e, sonde_array *a, int axis) {
    for (size_t i = 0; i < e->cx->n_prompts; i++) {
        const method_prompt *p = &e->cx->prompts[i];
        char text[100];
        snprintf(text, sizeof text, "text %zu", i);
        if (p->text && p->len < sizeof text) snprintf(text, sizeof text, "%.*s", (int)p->len, p->text);
        sonde_array_label_text(a, axis, text);
    }
}

static void put_vectors(const embedding *e, sonde_result *out) {
    const int64_t dim[2] = { (int64_t)e->cx->n_prompts, e->d };
    sonde_array  *a = sonde_result_array(out, "vectors", "text d", dim);
    sonde_array_quiet(a);
    for (int64_t i = 0; i < dim[0]; i++) {
        const float *from = e->vector + i * e->d;
        float       *to = sonde_array_data(a) + i * e->d;
        const double length = sqrt(product(from, from, e->d)), by = e->how.normalize ? fmax(length, 1e-12) : 1;
        for (int64_t k = 0; k < e->d; k++) to[k] = (float)((double)from[k] / by);
    }
    label(e, a, 0);
}

/* Vectors of length 0 are at right angles to all. */
static const float *put_cosines(const embedding *e, sonde_result *out) {
    const int64_t n = (int64_t)e->cx->n_prompts, dim[2] = { n, n };
    if (n < 2) return NULL;
    double      *length = ROOM(double, n);
    sonde_array *a = sonde_result_array(out, "cosine", "text other", dim);
    for (int64_t i = 0; i < n; i++) length[i] = fmax(sqrt(product(e->vector + i * e->d, e->vector + i * e->d, e->d)), 1e-12);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            sonde_array_data(a)[i * n + k] =
                (float)(product(e->vector + i * e->d, e->vector + k * e->d, e->d) / length[i] / length[k]);
    free(length);
    label(e, a, 0);
    label(e, a, 1);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "cosine", .title = "Cosine of every two texts" });
    return sonde_array_data(a);
}

static void put_texts(const embedding *e, const float *cosine, sonde_table *t) {
    const size_t n = e->cx->n_prompts;
    sonde_table_column(t, "text", SONDE_INT, "");
    sonde_table_column(t, "tokens", SONDE_INT, "token");
    sonde_table_column(t, "length", SONDE_FLOAT, "");
    if (cosine) sonde_table_column(t, "nearest", SONDE_INT, "");
    if (cosine) sonde_table_column(t, "cosine_nearest", SONDE_FLOAT, "");
    for (size_t i = 0; i < n; i++) {
        const float *x = e->vector + (int64_t)i * e->d;
        size_t best = i == 0;
        for (size_t k = 0; k < n && cosine; k++)
            if (k != i && cosine[i * n + k] > cosine[i * n + best]) best = k;
        sonde_table_row(t);
        sonde_cell_int(t, (int64_t)i);
        sonde_cell_int(t, e->text[i].t.n);
        sonde_cell_float(t, sqrt(product(x, x, e->d)));
        if (!cosine) continue;
        sonde_cell_int(t, (int64_t)best);
        sonde_cell_float(t, cosine[i * n + best]);
    }
}

static void note(const embedding *e, sonde_result *out) {
    char text[400] = "vectors: ";
    for (size_t i = 0; i < e->how.n_pools; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", sonde_pool_name(e->how.pool[i]));
    }
    const size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s%s%s", e->site ? " of " : "", e->site ? e->site : "", e->how.normalize ? ", to length 1" : "");
    strncat(text, "; the numbers are in --json, --out FILE.npy or .safetensors", sizeof text - strlen(text) - 1);
    sonde_result_note(out, text);
    for (size_t i = 0; i < e->cx->n_prompts; i++) {
        if (!e->text[i].cut) continue;
        snprintf(text, sizeof text, "text %zu: %" PRId64 " tokens, cut to %" PRId64, i, e->cx->prompts[i].tokens.n, e->text[i].t.n);
        sonde_result_note(out, text);
    }
}

static sonde_status embed(embedding *e, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = e->cx;
    char name[80];
    SONDE_TRY(read_how(e, args, err));
    e->text = ROOM(text_tokens, cx->n_prompts);
    for (size_t i = 0; i < e->how.n_pools; i++) {
        if (e->how.pool[i] == SONDE_POOL_POOLER) SONDE_TRY(end_needed(cx, SONDE_HEAD_POOLER, err));
        else if (!e->site) {
            SONDE_TRY(find_site(cx, name, err));
            e->site = name;
        }
    }
    e->d = (int64_t)e->how.n_pools * sonde_model_describe(cx->model)->d;
    e->vector = ROOM(float, (int64_t)cx->n_prompts * e->d);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        sonde_status s = take_tokens(e, i, args[EMBED_TRUNCATE].i != 0, err);
        if (s == SONDE_OK) s = embed_text(e, i, err);
        if (s != SONDE_OK) return end_fail_at(cx, i, s, err);
        cx->progress(cx->progress_user, "texts", (int64_t)i + 1, (int64_t)cx->n_prompts);
    }
    note(e, out);
    e->site = NULL;                             /* name ends here */
    if (cx->dry_run) {
        dry_cost(out, (int64_t)cx->n_prompts, e->cost);
        return SONDE_OK;
    }
    sonde_table *texts = sonde_result_table(out, "texts");
    put_vectors(e, out);
    put_texts(e, put_cosines(e, out), texts);
    return SONDE_OK;
}

extern const method method_embed;

static sonde_status embed_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    embedding e = { .cx = cx };
    context_head(cx, &method_embed, out);
    const sonde_status s = embed(&e, args, out, err);
    for (size_t i = 0; i < cx->n_prompts && e.text; i++) {
        free(e.text[i].t.id);
        free(e.text[i].t.text);
        free(e.text[i].t.type);
    }
    free(e.text);
    free(e.vector);
    return s;
}

const method method_embed = {
    .name = "embed",
    .summary = "a vector of each text, as its sentence-transformers folder makes it, and how near texts are to each other",
    .reference = "Reimers and Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, 2019",
    .formula = "x[i] is row i of the last norm's output, for all n tokens, those around the text too (of an encoder-decoder: the "
               "encoder's). mean: sum x[i] / n; mean_sqrt_len: sum x[i] / sqrt n; weighted_mean: sum (i + 1) x[i] / sum (i + 1); cls: "
               "x[0]; last: x[n - 1]; max: the largest of each number; pooler: pooler.hook_pooler_out. vectors: that, or divided "
               "by max(|v|, 1e-12); length: |v| before; cosine: u . v / |u| |v|; nearest: the other text with the largest. Texts of "
               "more tokens than max_seq_length of the folder, or than the context, are an error unless --truncate cuts them",
    .example = "embed \"the cat sees a dog\" \"a dog sees the cat\" \"What is the capital of France?\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | MANY_WORDS | TAKES_EDITS,
    .run = embed_run,
};
