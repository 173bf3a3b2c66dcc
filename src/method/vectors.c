#include "vectors.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { BLOCK_NUMBERS = 1 << 20 };

static const struct { const char *word, *weight; int axis; } tables[] = {
    [VECTORS_EMBED]   = { "embed", "embed.W_E", 0 },
    [VECTORS_POS]     = { "pos", "pos_embed.W_pos", 0 },
    [VECTORS_UNEMBED] = { "unembed", "unembed.W_U", 1 },
};
enum { TABLES = sizeof tables / sizeof *tables };

sonde_status vectors_open(vectors *v, const sonde_context *cx, const char *of, sonde_error *err) {
    int k = 0;
    while (k < TABLES && strcmp(tables[k].word, of) != 0) k++;
    SONDE_FAIL_IF(k == TABLES, err, SONDE_USAGE, "of: \"%.40s\", expected embed, pos or unembed", of);
    const sonde_model_info *info = sonde_model_describe(cx->model);
    for (size_t i = 0; i < sonde_model_weights(cx->model); i++) {
        sonde_weight_info w;
        sonde_model_weight(cx->model, i, &w);
        if (strcmp(w.name, tables[k].weight) != 0) continue;
        *v = (vectors){ .cx = cx, .kind = (vectors_kind)k, .name = tables[k].weight, .weight = i, .axis = tables[k].axis,
                        .n = w.dim[tables[k].axis], .d = w.dim[1 - tables[k].axis] };
        v->known = vectors_are_tokens(v) && info->has_tokenizer && info->tokens < v->n ? info->tokens : v->n;
        return SONDE_OK;
    }
    return sonde_fail(err, SONDE_UNSUPPORTED, "the model has no table %s", tables[k].weight);
}

bool vectors_are_tokens(const vectors *v) { return v->kind != VECTORS_POS; }

sonde_status vectors_each(const vectors *v, const vectors_walk *w, sonde_error *err) {
    const int64_t most = BLOCK_NUMBERS / v->d + 1;
    float *x = ROOM(float, (most < w->n ? most : w->n) * v->d);
    sonde_status s = SONDE_OK;
    for (int64_t done = 0; done < w->n && s == SONDE_OK;) {
        const int64_t rows = w->n - done < most ? w->n - done : most;
        const sonde_weight_part p = { v->weight, v->axis, w->first + done, rows };
        s = sonde_session_stopped(v->cx->session) ? sonde_fail(err, SONDE_CANCELLED, "interrupted")
                                                  : sonde_model_weight_vectors(v->cx->model, p, x, err);
        if (s == SONDE_OK) s = w->fn(w->user, w->first + done, rows, x, err);
        done += rows;
        if (w->what) v->cx->progress(v->cx->progress_user, w->what, done, w->n);
    }
    free(x);
    return s;
}

static sonde_status position_index(const vectors *v, const char **at, int64_t *out, sonde_error *err) {
    char *end;
    const char *digits = *at + (**at == '#');
    *out = strtoll(digits, &end, 10);
    SONDE_FAIL_IF(end == digits || *out < 0 || *out >= v->n, err, SONDE_USAGE,
                  "\"%.40s\" is no position, expected 0 to %" PRId64, *at, v->n - 1);
    *at = end;
    return SONDE_OK;
}

sonde_status vectors_index(const vectors *v, const char **at, bool whole, int64_t *out, sonde_error *err) {
    if (!vectors_are_tokens(v)) return position_index(v, at, out, err);
    int32_t id = 0;
    const bool spelled = **at == '"' || (**at == '#' && (*at)[1] >= '0' && (*at)[1] <= '9');
    if (spelled) SONDE_TRY(sonde_token_read(v->cx->model, *at, at, &id, err));
    else {
        const size_t len = whole ? strlen(*at) : strcspn(*at, " ");
        SONDE_TRY(sonde_token_single(v->cx->model, *at, len, &id, err));
        *at += len;
    }
    *out = id;
    return SONDE_OK;
}
