/* The documents of --text: lines, JSON lines, or one text cut into stretches; the first ones or a drawn few, as tokens, no
 * longer than the context. */
#define _POSIX_C_SOURCE 200809L
#include "prompts.h"
#include "source.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENT_STREAM = 0x646f63 };        /* of the draws */

typedef struct {
    command           *c;
    const sonde_model *m;
    const char        *path;
    sonde_token_options how;
    int64_t            most;                /* tokens of a document */
} reading;

static method_prompt *room_for(const reading *r, size_t n) { return arena_new_array(r->c->memory, method_prompt, n + !n); }

static int by_number(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Which of n documents are read, ascending; *count of them. */
static int64_t *choose(const reading *r, size_t n, size_t *count) {
    const size_t asked = (size_t)r->c->option[OPTION_DOCUMENTS].i;
    int64_t *order = arena_new_array(r->c->memory, int64_t, n + !n);
    *count = asked && asked < n ? asked : n;
    if (option_given(r->c, OPTION_RANDOM))
        sonde_random_order((uint64_t)r->c->option[OPTION_SEED].i, DOCUMENT_STREAM, order, (int64_t)n);
    else
        for (size_t i = 0; i < n; i++) order[i] = (int64_t)i;
    qsort(order, *count, sizeof *order, by_number);
    return order;
}

static void cut(const reading *r, sonde_tokens *t) {
    if (t->n > r->most) t->n = r->most;
}

/* A file, or, where there is none of that name, the documents that come with the embedded model. */
static sonde_status read_source(const reading *r, bytes *out, sonde_error *err) {
    if (strcmp(r->path, "held-out") != 0 || access(r->path, F_OK) == 0) return source_read(r->c->memory, r->path, out, err);
    out->at = sonde_demo_text(&out->n);
    return SONDE_OK;
}

static sonde_status read_lines(const reading *r, inputs *in, sonde_error *err) {
    method_prompt *all;
    size_t n, count;
    bytes  text;
    SONDE_TRY(read_source(r, &text, err));
    SONDE_TRY(prompt_lines(r->c, r->path, text, (prompt_list){ &all, &n }, err));
    const int64_t *order = choose(r, n, &count);
    in->document = room_for(r, count);
    for (size_t i = 0; i < n; i++) {            /* those that are not read give their ids back */
        method_prompt *p = &all[i];
        const bool chosen = in->n_documents < count && order[in->n_documents] == (int64_t)i;
        if (!chosen) {
            sonde_tokens_free(&p->tokens);
            continue;
        }
        const sonde_status s = prompt_tokens(r->c, r->m, p, err);
        in->document[in->n_documents++] = *p;
        if (s == SONDE_OK) cut(r, &in->document[in->n_documents - 1].tokens);
        else {
            prompts_drop(all + i + 1, n - i - 1);
            return sonde_fail_at(err, s, "%s: document %zu", name_shown(r->path).text, i);
        }
    }
    return SONDE_OK;
}

static bool bos_in_front(const reading *r) {
    const sonde_model_info *m = sonde_model_describe(r->m);
    return r->how.bos == SONDE_BOS_YES || (r->how.bos == SONDE_BOS_AUTO && m->adds_bos);
}

static void put_stretch(const reading *r, const sonde_tokens *all, int64_t first, method_prompt *out) {
    const int64_t bos = bos_in_front(r), n = all->n - first < r->most - bos ? all->n - first : r->most - bos;
    sonde_tokens *t = &out->tokens;
    *t = (sonde_tokens){ .n = n + bos, .id = malloc((size_t)(n + bos) * sizeof *t->id) };
    if (!t->id) abort();
    if (bos) t->id[0] = sonde_model_describe(r->m)->bos;
    memcpy(t->id + bos, all->id + first, (size_t)n * sizeof *t->id);
}

static sonde_status read_packed(const reading *r, inputs *in, sonde_error *err) {
    bytes text;
    sonde_tokens all = { 0 };
    SONDE_TRY(read_source(r, &text, err));
    SONDE_FAIL_IF(text.n == 0, err, SONDE_USAGE, "%s: is empty, expected a text", name_shown(r->path).text);
    const int64_t step = r->most - bos_in_front(r);
    SONDE_FAIL_IF(step < 1, err, SONDE_USAGE, "cut: %" PRId64 ", expected a token behind BOS", r->most);
    const sonde_status s = sonde_tokenize(r->m, text.at, text.n, (sonde_token_options){ .bos = SONDE_BOS_NO, .plain = r->how.plain }, &all, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", name_shown(r->path).text);
    size_t count;
    const int64_t *order = choose(r, (size_t)((all.n + step - 1) / step), &count);
    in->document = room_for(r, count);
    for (; in->n_documents < count; in->n_documents++)
        put_stretch(r, &all, order[in->n_documents] * step, &in->document[in->n_documents]);
    sonde_tokens_free(&all);
    return SONDE_OK;
}

/* What says how documents are read, without any. */
static sonde_status check_alone(const command *c, sonde_error *err) {
    static const option_id of_text[] = { OPTION_PACKED, OPTION_DOCUMENTS, OPTION_RANDOM, OPTION_CUT, OPTION_RESULTS };
    for (size_t i = 0; i < sizeof of_text / sizeof *of_text; i++) {
        const bool other = of_text[i] == OPTION_RESULTS && c->about->takes & KEEPS_CELLS;
        SONDE_FAIL_IF(!other && option_given(c, of_text[i]), err, SONDE_USAGE, "%s: it is of documents, expected --text FILE beside it",
                      option_rows[of_text[i]].row.name);
    }
    return SONDE_OK;
}

sonde_status documents_read(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    reading r = { .c = c, .m = m, .path = option_text(c, OPTION_TEXT), .most = sonde_model_describe(m)->context };
    const int takes = c->about->takes;
    SONDE_FAIL_IF(!r.path && takes & NEEDS_TEXT, err, SONDE_USAGE, "%s: no documents, expected --text FILE", c->about->name);
    if (!r.path) return check_alone(c, err);
    const int64_t asked = c->option[OPTION_CUT].i;
    if (asked && asked < r.most) r.most = asked;
    SONDE_TRY(inputs_options(c, &r.how, err));
    return option_given(c, OPTION_PACKED) ? read_packed(&r, in, err) : read_lines(&r, in, err);
}
