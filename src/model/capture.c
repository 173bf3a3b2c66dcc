#include "capture_data.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sonde_status room_for(arena *a, int64_t count, int64_t *budget, float **out, sonde_error *err) {
    const int64_t bytes = count * (int64_t)sizeof(float);
    SONDE_FAIL_IF(bytes > *budget, err, SONDE_NOMEM, "values to be kept need %lld MB, %lld MB of the budget are left (--memory)",
                  (long long)(bytes >> 20) + 1, (long long)(*budget >> 20));
    *budget -= bytes;
    *out = arena_alloc(a, (size_t)bytes);
    return SONDE_OK;
}

sonde_capture *capture_new(const arch_config *c, const positions of[2]) {
    sonde_capture *k = calloc(1, sizeof *k);
    if (!k) abort();
    k->memory = arena_new();
    for (int i = 0; i < 2; i++) {
        int32_t *ids = arena_new_array(k->memory, int32_t, (size_t)of[i].length + 1);
        if (of[i].length) memcpy(ids, of[i].tokens, (size_t)of[i].length * sizeof *ids);
        k->of[i] = (positions){ .tokens = ids, .prompt = of[i].length, .length = of[i].length };
    }
    k->vocab = arch_answers(c);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

sonde_status capture_keep(sonde_capture *k, const arch_config *a, const slots *run, capture_wants w, int64_t *budget,
                          sonde_error *err) {
    const place *at = w.at;
    const size_t n = w.n, n_rows = w.n_rows;
    k->value = arena_new_array(k->memory, kept, n + 1);
    k->at = arena_new_array(k->memory, place, n + 1);
    for (size_t i = 0; i < n; i++) {
        int64_t dim[4], count = 1;
        const int rank = place_dims(a, run, at[i], (run_length){ { k->of[0].length, k->of[1].length } }, dim);
        for (int j = 0; j < rank; j++) count *= dim[j];
        kept *v = &k->value[i];
        *v = (kept){ .site = place_name(k->memory, run, at[i]), .axes = site_rows[at[i].site].axes, .rank = rank,
                     .dim = { dim[0], rank > 1 ? dim[1] : 1, rank == 3 ? dim[2] : 1 } };
        SONDE_TRY(room_for(k->memory, count, budget, &v->data, err));
        k->at[i] = at[i];
        k->n_values = i + 1;
    }
    k->row = w.rows;
    k->n_rows = n_rows;
    return room_for(k->memory, (int64_t)n_rows * k->vocab, budget, &k->logits, err);
}

sonde_status capture_see(void *user, const sighting *s, sonde_error *err) {
    (void)err;
    sonde_capture *k = user;
    for (size_t i = 0; i < k->n_values; i++) {
        if (k->at[i].slot != s->at.slot || k->at[i].site != s->at.site) continue;
        const kept   *v = &k->value[i];
        const int     axis = sonde_axes_rows(v->axes);
        const int64_t t = axis < 0 ? v->dim[0] : s->view.dim[axis];
        if (axis <= 0) {
            const int64_t row = v->dim[1] * v->dim[2];
            memcpy(v->data + s->first * row, s->view.data, (size_t)(t * row) * sizeof(float));
        } else {                                                    /* h t s */
            for (int64_t h = 0; h < v->dim[0]; h++)
                memcpy(v->data + (h * v->dim[1] + s->first) * v->dim[2], s->view.data + h * t * v->dim[2],
                       (size_t)(t * v->dim[2]) * sizeof(float));
        }
    }
    return SONDE_OK;
}

static int64_t row_of(const sonde_capture *k, int64_t position) {
    for (size_t i = 0; i < k->n_rows; i++)
        if (k->row[i] == position) return (int64_t)i;
    return -1;
}

sonde_status capture_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    (void)err;
    sonde_capture *k = user;
    const int64_t  i = row_of(k, position);
    if (i >= 0) memcpy(k->logits + i * k->vocab, logits, (size_t)k->vocab * sizeof *logits);
    return SONDE_OK;
}

/* ---- files ---- */

static sonde_status read_ids(sonde_capture *k, const char *name, positions *out, sonde_error *err) {
    const size_t at = sonde_array_file_find(k->file, name);
    SONDE_FAIL_IF(at == SIZE_MAX, err, SONDE_FORMAT, "no tensor \"%s\" in the trace", name);
    const sonde_array_spec *s = sonde_array_file_spec(k->file, at);
    SONDE_FAIL_IF(s->rank != 1, err, SONDE_FORMAT, "tensor \"%s\" has %d axes, expected one", name, s->rank);
    int64_t *wide = arena_new_array(k->memory, int64_t, (size_t)s->dim[0] + 1);
    int32_t *ids = arena_new_array(k->memory, int32_t, (size_t)s->dim[0] + 1);
    SONDE_TRY(sonde_array_read_int(k->file, at, 0, s->dim[0], wide, err));
    for (int64_t i = 0; i < s->dim[0]; i++) {
        SONDE_FAIL_IF(wide[i] < 0 || wide[i] > INT32_MAX, err, SONDE_FORMAT, "token %lld is no id", (long long)wide[i]);
        ids[i] = (int32_t)wide[i];
    }
    *out = (positions){ .tokens = ids, .prompt = s->dim[0], .length = s->dim[0] };
    return SONDE_OK;
}

/* With `target`, the tokens are those of an encoder. */
static sonde_status read_tokens(sonde_capture *k, sonde_error *err) {
    const char *target = arena_printf(k->memory, "%starget", k->prefix);
    const bool  two = sonde_array_file_find(k->file, target) != SIZE_MAX;
    if (two) SONDE_TRY(read_ids(k, target, &k->of[STACK_MAIN], err));
    return read_ids(k, arena_printf(k->memory, "%stokens", k->prefix), &k->of[two ? STACK_ENCODER : STACK_MAIN], err);
}

static sonde_capture *of_file(const sonde_array_file *f, const char *prefix) {
    sonde_capture *k = calloc(1, sizeof *k);
    if (!k) abort();
    k->memory = arena_new();
    k->file = f;
    k->prefix = arena_printf(k->memory, "%s", prefix);
    k->read = arena_new_array(k->memory, kept *, sonde_array_file_count(f) + 1);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

sonde_status sonde_capture_open(sonde_capture **out, const char *path, sonde_error *err) {
    sonde_array_file *f;
    SONDE_TRY(sonde_array_file_open(&f, path, err));
    sonde_capture *k = of_file(f, "");
    k->owned = f;
    const sonde_status s = read_tokens(k, err);
    if (s != SONDE_OK) {
        sonde_capture_free(k);
        return sonde_fail_at(err, s, "%s", path);
    }
    *out = k;
    return SONDE_OK;
}

/* Whose positions are the rows of a tensor of this name: the decoder's of two stacks, or those of the only one. */
static stack_id rows_of(const char *site) {
    const bool keys = strstr(site, "cross_attn.hook_k") || strstr(site, "cross_attn.hook_v");
    return !strncmp(site, "encoder", 7) || keys ? STACK_ENCODER : STACK_MAIN;
}

/* A run whose tokens the file does not tell is as long as its longest tensor. */
static sonde_status guess_length(sonde_capture *k, const char *run, sonde_error *err) {
    const size_t n = strlen(k->prefix);
    for (size_t i = 0; i < sonde_array_file_count(k->file); i++) {
        const sonde_array_spec *s = sonde_array_file_spec(k->file, i);
        if (strncmp(s->name, k->prefix, n) != 0 || s->rank < 2) continue;
        const int t = strstr(s->name, "hook_attn_scores") || strstr(s->name, "hook_pattern") || strstr(s->name, "rel_pos") ? 1 : 0;
        positions *p = &k->of[rows_of(s->name + n)];
        if (s->dim[t] > p->length) p->length = s->dim[t];
    }
    SONDE_FAIL_IF(!k->of[0].length && !k->of[1].length, err, SONDE_FORMAT,
                  "the file holds no values of run %s (tensors \"%sSITE\")", run, k->prefix);
    for (int j = 0; j < 2; j++) {
        int32_t *unknown = arena_new_array(k->memory, int32_t, (size_t)k->of[j].length + 1);
        for (int64_t i = 0; i < k->of[j].length; i++) unknown[i] = -1;
        k->of[j] = (positions){ .tokens = unknown, .prompt = k->of[j].length, .length = k->of[j].length };
    }
    return SONDE_OK;
}

sonde_status sonde_capture_of_file(sonde_capture **out, const sonde_array_file *f, const char *run, sonde_error *err) {
    char prefix[128];
    const size_t n = (size_t)snprintf(prefix, sizeof prefix, "run/%s/", run);
    SONDE_FAIL_IF(n >= sizeof prefix, err, SONDE_USAGE, "the name of run %.20s.. is longer than 120 bytes", run);
    sonde_capture *k = of_file(f, prefix);
    const char *tokens = arena_printf(k->memory, "%stokens", prefix);
    const sonde_status s = sonde_array_file_find(f, tokens) != SIZE_MAX ? read_tokens(k, err) : guess_length(k, run, err);
    if (s == SONDE_OK) *out = k;
    else sonde_capture_free(k);
    return s;
}

void sonde_capture_free(sonde_capture *c) {
    if (!c) return;
    sonde_array_file_close(c->owned);
    pthread_mutex_destroy(&c->lock);
    arena_free(c->memory);
    free(c);
}

/* The prompt's, which an encoder reads where there is one. */
static const positions *given(const sonde_capture *c) { return &c->of[c->of[STACK_ENCODER].length ? STACK_ENCODER : STACK_MAIN]; }

int64_t        sonde_capture_length(const sonde_capture *c) { return given(c)->length; }
const int32_t *sonde_capture_tokens(const sonde_capture *c) { return given(c)->tokens; }

const int32_t *sonde_capture_target(const sonde_capture *c, int64_t *n) {
    const bool two = c->of[STACK_ENCODER].length > 0;
    *n = two ? c->of[STACK_MAIN].length : 0;
    return two ? c->of[STACK_MAIN].tokens : NULL;
}

const char *sonde_capture_site(const sonde_capture *c, size_t i) {
    if (!c->file) return i < c->n_values ? c->value[i].site : NULL;
    return i < sonde_array_file_count(c->file) ? sonde_array_file_spec(c->file, i)->name : NULL;
}

static kept *read_array(sonde_capture *k, size_t at, const char *site) {
    const sonde_array_spec *s = sonde_array_file_spec(k->file, at);
    if (s->rank < 1 || s->rank > 3) return NULL;
    kept   *v = arena_alloc(k->memory, sizeof *v);
    int64_t count = 1;
    *v = (kept){ .site = arena_printf(k->memory, "%s", site), .rank = s->rank, .dim = { 1, 1, 1 } };
    for (int i = 0; i < s->rank; i++) count *= v->dim[i] = s->dim[i];
    v->data = arena_alloc(k->memory, (size_t)count * sizeof(float));
    return sonde_array_read(k->file, at, 0, count, v->data, NULL) == SONDE_OK ? v : NULL;
}

static const kept *find_in_file(sonde_capture *k, const char *site) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", k->prefix, site);
    const size_t at = sonde_array_file_find(k->file, name);
    if (at == SIZE_MAX) return NULL;
    pthread_mutex_lock(&k->lock);
    if (!k->read[at]) k->read[at] = read_array(k, at, site);
    const kept *v = k->read[at];
    pthread_mutex_unlock(&k->lock);
    return v;
}

const kept *capture_find(sonde_capture *k, const char *site) {
    if (k->file) return find_in_file(k, site);
    for (size_t i = 0; i < k->n_values; i++)
        if (!strcmp(k->value[i].site, site)) return &k->value[i];
    return NULL;
}

const float *capture_logits(sonde_capture *k, int64_t position) {
    if (k->file) {
        const kept *v = find_in_file(k, "logits");          /* where a cap or a bias stands behind the product */
        if (!v) v = find_in_file(k, "unembed.hook_out");
        return v && v->rank == 2 && position < v->dim[0] ? v->data + position * v->dim[1] : NULL;
    }
    const int64_t i = row_of(k, position);
    return i < 0 ? NULL : k->logits + i * k->vocab;
}
