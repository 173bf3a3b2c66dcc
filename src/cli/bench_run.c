/* bench run: opening, a prompt, and tokens behind it, beside what the machine can do. */
#include "bench_words.h"
#include <stdlib.h>
#include <string.h>

enum { OPEN, FIRST, PROMPT, DECODE, FMA, READ, JOBS };
enum { LENGTH = 512, AHEAD = 64, BEHIND = 32, READ_MOST = 512 << 20, READ_LEAST = 1 << 20 };

typedef struct { void *buffer; size_t bytes; double flops, weights; int64_t ahead; } whole;
typedef struct { double first, last; int64_t n; } stamps;

/* ---- jobs ---- */

static sonde_status open_again(bench_race *r, sonde_model **out, sonde_error *err) {
    const char *usual = getenv("SONDE_MODEL"), *named = option_text(r->word->c, OPTION_MODEL);
    if (!named && usual && *usual) named = usual;
    const sonde_model_search where = search_folders(r->word->c->memory);
    return sonde_model_open(out, named, named ? &where : NULL, err);
}

static sonde_status open_job(bench_race *r, double *figure, sonde_error *err) {
    sonde_model *m;
    (void)figure;
    SONDE_TRY(open_again(r, &m, err));
    sonde_model_close(m);
    return SONDE_OK;
}

static sonde_status stamp(const sonde_generated *g, void *user, sonde_error *err) {
    stamps *s = user;
    (void)g;
    (void)err;
    s->last = bench_now();
    if (!s->n++) s->first = s->last;
    return SONDE_OK;
}

static sonde_status write_tokens(sonde_session *s, sonde_prompt p, int64_t n, stamps *at, sonde_error *err) {
    const sonde_writing w = { .prompts = &p, .n_prompts = 1, .sampling = { .n = n, .ignore_eos = true } };
    return sonde_generate(s, &w, stamp, at, err);
}

static sonde_status first_job(bench_race *r, double *figure, sonde_error *err) {
    sonde_model   *m;
    sonde_session *s = NULL;
    stamps         at = { 0 };
    (void)figure;
    SONDE_TRY(open_again(r, &m, err));
    sonde_status status = sonde_session_new(&s, m, (sonde_session_options){ .threads = r->threads }, err);
    if (status == SONDE_OK) status = write_tokens(s, (sonde_prompt){ .tokens = r->tokens, .n = 1 }, 1, &at, err);
    sonde_session_free(s);
    sonde_model_close(m);
    return status;
}

static sonde_status prompt_job(bench_race *r, double *figure, sonde_error *err) {
    stamps at = { 0 };
    (void)figure;
    return write_tokens(r->o.session, r->prompt, 1, &at, err);
}

static sonde_status decode_job(bench_race *r, double *figure, sonde_error *err) {
    stamps at = { 0 };
    const whole *w = r->user;
    SONDE_TRY(write_tokens(r->o.session, (sonde_prompt){ .tokens = r->tokens, .n = w->ahead }, BEHIND + 1, &at, err));
    *figure = (at.last - at.first) / BEHIND;
    return SONDE_OK;
}

static sonde_status fma_job(bench_race *r, double *figure, sonde_error *err) {
    (void)err;
    *figure = sonde_machine_fma(r->threads);
    return SONDE_OK;
}

static sonde_status read_job(bench_race *r, double *figure, sonde_error *err) {
    const whole *w = r->user;
    (void)err;
    *figure = sonde_machine_read(w->buffer, w->bytes, r->threads);
    return SONDE_OK;
}

/* ---- figures ---- */

static double milliseconds(const bench_race *r, int i, double job) { return 1e3 * r->figure[(int)job][i]; }
static double prompt_rate(const bench_race *r, int i, double work) { return work / r->figure[PROMPT][i]; }
static double decode_rate(const bench_race *r, int i, double work) { return work / r->figure[DECODE][i]; }
static double prompt_share(const bench_race *r, int i, double flops) { return prompt_rate(r, i, flops) / r->figure[FMA][i]; }
static double decode_share(const bench_race *r, int i, double read) { return decode_rate(r, i, read) / r->figure[READ][i]; }
static double peak(const bench_race *r, int i, double job) { return 1e-9 * r->figure[(int)job][i]; }

/* Bytes of weights that one token reads: all but tables of which it takes a row, and experts that it does not choose. */
static double weights_read(const sonde_model *m) {
    const sonde_model_info *info = sonde_model_describe(m);
    double read = 0;
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_weight_info w;
        sonde_model_weight(m, i, &w);
        if (!strcmp(w.name, "embed.W_E") || !strcmp(w.name, "pos_embed.W_pos")) continue;
        const bool expert = strstr(w.name, ".experts.") && info->experts;
        read += (double)w.bytes * (expert ? (double)info->chosen / (double)info->experts : 1);
    }
    return read;
}

static sonde_status prompt_flops(bench_race *r, double *out, sonde_error *err) {
    const int64_t       last = r->prompt.n - 1;
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 };
    const sonde_variant plain = { .base = 0 };
    sonde_cost cost = { 0 };
    SONDE_TRY(sonde_variants_cost(r->o.session, &(sonde_batch){ .bases = &r->prompt, .n_bases = 1, .variants = &plain,
                                  .n_variants = 1, .wants = &want, .n_wants = 1 }, &cost, err));
    *out = cost.flops;
    return SONDE_OK;
}

static void put_rows(bench_race *r) {
    const whole *w = r->user;
    arena *memory = r->word->c->memory;
    const char *prompt = arena_printf(memory, "prompt of %lld tokens", (long long)r->prompt.n);
    const char *decode = arena_printf(memory, "each token behind %lld", (long long)w->ahead);
    const bench_row rows[] = {
        { "open the model", "ms", milliseconds, OPEN },
        { "open and first token", "ms", milliseconds, FIRST },
        { prompt, "tokens/s", prompt_rate, (double)r->prompt.n },
        { prompt, "GFLOP/s", prompt_rate, 1e-9 * w->flops, "FMA peak", prompt_share, w->flops, 0 },
        { decode, "tokens/s", decode_rate, 1 },
        { decode, "GB/s", decode_rate, 1e-9 * w->weights, "read loop", decode_share, w->weights, 0 },
        { "FMA peak", "GFLOP/s", peak, FMA },
        { arena_printf(memory, "read loop over %zu MB", w->bytes >> 20), "GB/s", peak, READ },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_put(r, &rows[i]);
}

static sonde_status measure(bench_race *r, sonde_error *err) {
    static const bench_job jobs[JOBS] = { open_job, first_job, prompt_job, decode_job, fma_job, read_job };
    whole *w = r->user;
    SONDE_TRY(prompt_flops(r, &w->flops, err));
    w->ahead   = r->prompt.n < AHEAD ? r->prompt.n : AHEAD;
    w->weights = weights_read(r->o.model);
    w->bytes   = w->weights > READ_MOST ? READ_MOST : w->weights < READ_LEAST ? READ_LEAST : (size_t)w->weights;
    w->buffer  = malloc(w->bytes);
    SONDE_FAIL_IF(!w->buffer, err, SONDE_NOMEM, "bench: no memory for a buffer of %zu MB", w->bytes >> 20);
    memset(w->buffer, 1, w->bytes);
    SONDE_TRY(bench_alternate(r, jobs, JOBS, "bench run", err));
    put_rows(r);
    return SONDE_OK;
}

sonde_status bench_run(bench_word *word, sonde_error *err) {
    whole      w = { 0 };
    bench_race r = { .user = &w };
    sonde_status s = bench_open(&r, word, LENGTH, BEHIND + 1, err);
    if (s == SONDE_OK) s = measure(&r, err);
    free(w.buffer);
    bench_close(&r);
    return s;
}
