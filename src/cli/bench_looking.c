/* bench looking: what it costs to look inside a run, beside the plain run, which computes the last position's logits. */
#define _POSIX_C_SOURCE 200809L
#include "bench_words.h"
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAIN, RESIDUAL, PATTERN, TRACE, WRITE, LENS, PRODUCT, JOBS };
enum { LENGTH = 256, PRODUCT_ROWS = 512, LIST = 10 };
static const int64_t most_written = (int64_t)8 << 30, least_model = 100000000;
static const double trace_bar = 1.3, residual_bar = 1.02, pattern_bar = 1.1, lens_bar = 1.3;

typedef struct {
    const char *folder, *residual, *pattern, *trace, *written;
    size_t     *chunk, n_chunks, room; int64_t bytes;           /* of a trace's values, in the order in which they come */
    char       *buffer;
    float      *x, *logits; int64_t rows, of_lens;              /* rows of the measured product, and those of a lens */
} looking;

/* ---- jobs ---- */

static sonde_status pass(const sonde_answer *a, void *user, sonde_error *err) {
    (void)a;
    (void)user;
    (void)err;
    return SONDE_OK;
}

/* The last position's logits, and a site's values where one is named. */
static sonde_status one_run(bench_race *r, const char *site, sonde_error *err) {
    const int64_t       last = r->prompt.n - 1;
    const sonde_want    wants[] = { { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 },
                                    { .kind = SONDE_WANT_SITE, .sites = site } };
    const sonde_variant plain = { .base = 0 };
    const sonde_batch   b = { .bases = &r->prompt, .n_bases = 1, .variants = &plain, .n_variants = 1,
                              .wants = wants, .n_wants = site ? 2 : 1 };
    return sonde_variants_run(r->o.session, &b, pass, NULL, err);
}

static sonde_status plain_job(bench_race *r, double *figure, sonde_error *err) {
    (void)figure;
    return one_run(r, NULL, err);
}
static sonde_status residual_job(bench_race *r, double *figure, sonde_error *err) {
    (void)figure;
    return one_run(r, ((const looking *)r->user)->residual, err);
}
static sonde_status pattern_job(bench_race *r, double *figure, sonde_error *err) {
    (void)figure;
    return one_run(r, ((const looking *)r->user)->pattern, err);
}

static void silent(void *user, const char *what, int64_t done, int64_t all) {
    (void)user, (void)what, (void)done, (void)all;
}

/* A method as its verb runs it, on the prompt; what it answers is thrown away. */
static sonde_status run_verb(bench_race *r, int argc, char **argv, const char *out, sonde_error *err) {
    command       sub = { .memory = arena_new(), .about = method_find(argv[0]) };
    bool          help = false;
    method_prompt prompt = { .tokens = { .n = r->prompt.n, .id = r->tokens } };
    sonde_context cx = opened_context(&r->o, r->word->c);
    prompt.tokens.start = prompt.tokens.end = arena_new_array(sub.memory, int64_t, (size_t)r->prompt.n);
    for (int64_t i = 0; i < r->prompt.n; i++) prompt.tokens.start[i] = -1;
    cx.prompts  = &prompt;
    cx.n_prompts = 1;
    cx.progress = silent;
    cx.top      = LIST;
    cx.out      = &out;
    cx.n_out    = out != NULL;
    sonde_result *result = sonde_result_new();
    sonde_status  s = options_read(&sub, argc, argv, &help, err);
    if (s == SONDE_OK) s = options_check(&sub, err);
    assert(s != SONDE_OK || !sub.n_words);          /* a value apart from its flag would be a prompt */
    if (s == SONDE_OK) s = sub.about->run(&cx, sub.args, result, err);
    sonde_result_free(result);
    arena_free(sub.memory);
    return s;
}

static sonde_status trace_job(bench_race *r, double *figure, sonde_error *err) {
    const looking *l = r->user;
    char *argv[] = { "trace" };
    const double begin = bench_now();
    const sonde_status s = run_verb(r, 1, argv, l->trace, err);
    *figure = bench_now() - begin;
    unlink(l->trace);
    return s;
}

static sonde_status lens_job(bench_race *r, double *figure, sonde_error *err) {
    char *argv[] = { "lens", "--mid=no" };
    (void)figure;
    return run_verb(r, 2, argv, NULL, err);
}

/* The bytes of the trace, and nothing else. */
static sonde_status write_job(bench_race *r, double *figure, sonde_error *err) {
    const looking *l = r->user;
    const double begin = bench_now();
    const int fd = open(l->written, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool ok = fd >= 0;
    for (size_t i = 0; i < l->n_chunks && ok; i++)
        for (size_t at = 0; at < l->chunk[i] && ok; ) {
            const ssize_t n = write(fd, l->buffer + at, l->chunk[i] - at);
            ok = n > 0;
            at += ok ? (size_t)n : 0;
        }
    if (fd >= 0) close(fd);
    *figure = bench_now() - begin;
    unlink(l->written);
    SONDE_FAIL_IF(!ok, err, SONDE_IO, "%s: %lld MB cannot be written", l->written, (long long)(l->bytes >> 20));
    return SONDE_OK;
}

static sonde_status product_job(bench_race *r, double *figure, sonde_error *err) {
    const looking *l = r->user;
    (void)figure;
    return sonde_session_unembed(r->o.session, l->x, l->rows, l->logits, err);
}

/* ---- figures ---- */

static double seconds(const bench_race *r, int i, double job) { return r->figure[(int)job][i]; }
static double megabytes(const bench_race *r, int i, double all) { return 1e-6 * all / r->figure[WRITE][i]; }
static double beside_plain(const bench_race *r, int i, double job) { return r->figure[(int)job][i] / r->figure[PLAIN][i]; }
static double trace_beside(const bench_race *r, int i, double unused) {
    (void)unused;
    return (r->figure[TRACE][i] - r->figure[WRITE][i]) / r->figure[PLAIN][i];
}
/* Without the run that the lens reads. */
static double lens_beside(const bench_race *r, int i, double products) {
    return (r->figure[LENS][i] - r->figure[PLAIN][i]) / (r->figure[PRODUCT][i] * products);
}

static void put_rows(bench_race *r) {
    const looking *l = r->user;
    arena *memory = r->word->c->memory;
    /* In small models what a run costs apart from its arithmetic counts for more than the bars allow. */
    const int bars = sonde_model_describe(r->o.model)->parameters >= least_model;
    const bench_row rows[] = {
        { arena_printf(memory, "plain run of %lld tokens", (long long)r->prompt.n), "s", seconds, PLAIN },
        { "one residual site", "s", seconds, RESIDUAL, "plain run", beside_plain, RESIDUAL, residual_bar * bars, true },
        { "one attention pattern", "s", seconds, PATTERN, "plain run", beside_plain, PATTERN, pattern_bar * bars, true },
        { "trace of every site", "s", seconds, TRACE, "plain run", trace_beside, 0, trace_bar * bars, true },
        { arena_printf(memory, "writing its %.1f MB", 1e-6 * (double)l->bytes), "MB/s", megabytes, (double)l->bytes },
        { "lens at every layer and position", "s", seconds, LENS, "its products", lens_beside,
          (double)l->of_lens / (double)l->rows, lens_bar * bars, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_put(r, &rows[i]);
}

/* ---- before the race ---- */

static sonde_status count_bytes(const sonde_answer *a, void *user, sonde_error *err) {
    looking *l = user;
    size_t n = sizeof *a->value.data;
    for (int i = 0; i < a->value.rank; i++) n *= (size_t)a->value.dim[i];
    if (l->n_chunks == l->room) {
        l->room = l->room ? 2 * l->room : 256;
        size_t *more = realloc(l->chunk, l->room * sizeof *more);
        SONDE_FAIL_IF(!more, err, SONDE_NOMEM, "bench: no memory for a list of %zu", l->room);
        l->chunk = more;
    }
    l->chunk[l->n_chunks++] = n;
    l->bytes += (int64_t)n;
    return SONDE_OK;
}

static sonde_status plan_trace(bench_race *r, sonde_error *err) {
    looking *l = r->user;
    size_t   most = 1;
    const sonde_single every = { .prompt = r->prompt, .sites = "**" };
    SONDE_TRY(sonde_run(r->o.session, &every, count_bytes, l, err));
    SONDE_FAIL_IF(l->bytes > most_written, err, SONDE_USAGE, "bench: a trace of %lld tokens has %.1f GB, expected %lld at "
                  "most (--length)", (long long)r->prompt.n, 1e-9 * (double)l->bytes, (long long)(most_written >> 30));
    for (size_t i = 0; i < l->n_chunks; i++) most = l->chunk[i] > most ? l->chunk[i] : most;
    l->buffer = malloc(most);
    SONDE_FAIL_IF(!l->buffer, err, SONDE_NOMEM, "bench: no memory for %zu bytes", most);
    memset(l->buffer, 1, most);
    return SONDE_OK;
}

static sonde_status plan_product(bench_race *r, sonde_error *err) {
    looking *l = r->user;
    const sonde_model_info *m = sonde_model_describe(r->o.model);
    l->of_lens = (m->layers + 1) * r->prompt.n;
    l->rows    = l->of_lens < PRODUCT_ROWS ? l->of_lens : PRODUCT_ROWS;
    l->x       = malloc((size_t)(l->rows * m->d) * sizeof *l->x);
    l->logits  = malloc((size_t)(l->rows * m->vocab) * sizeof *l->logits);
    SONDE_FAIL_IF(!l->x || !l->logits, err, SONDE_NOMEM, "bench: no memory for %lld rows of logits", (long long)l->rows);
    for (int64_t i = 0; i < l->rows * m->d; i++) l->x[i] = (float)(i * 2654435761 % 2048) / 1024 - 1;
    return SONDE_OK;
}

static sonde_status plan_names(bench_race *r, sonde_error *err) {
    looking    *l = r->user;
    arena      *memory = r->word->c->memory;
    const char *tmp = getenv("TMPDIR");
    const long long middle = sonde_model_describe(r->o.model)->layers / 2;
    char *folder = arena_printf(memory, "%s/sonde-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    SONDE_FAIL_IF(!mkdtemp(folder), err, SONDE_IO, "%s: no folder can be made there", tmp && *tmp ? tmp : "/tmp");
    l->folder   = folder;
    l->trace    = arena_printf(memory, "%s/trace.safetensors", folder);
    l->written  = arena_printf(memory, "%s/written", folder);
    l->residual = arena_printf(memory, "blocks.%lld.hook_resid_post", middle);
    l->pattern  = arena_printf(memory, "blocks.%lld.attn.hook_pattern", middle);
    return SONDE_OK;
}

static sonde_status measure(bench_race *r, sonde_error *err) {
    static const bench_job jobs[JOBS] = { plain_job, residual_job, pattern_job, trace_job, write_job, lens_job,
                                          product_job };
    SONDE_TRY(plan_names(r, err));
    SONDE_TRY(plan_trace(r, err));
    SONDE_TRY(plan_product(r, err));
    SONDE_TRY(bench_alternate(r, jobs, JOBS, "bench looking", err));
    put_rows(r);
    return SONDE_OK;
}

sonde_status bench_looking(bench_word *word, sonde_error *err) {
    looking    l = { 0 };
    bench_race r = { .user = &l };
    sonde_status s = bench_open(&r, word, LENGTH, 0, err);
    if (s == SONDE_OK) s = measure(&r, err);
    if (l.folder) rmdir(l.folder);
    free(l.chunk);
    free(l.buffer);
    free(l.x);
    free(l.logits);
    bench_close(&r);
    return s;
}
