/* looking MODEL TOKENS THREADS PAIRS site SITES   a run to the last position's logits without and with these sites, in turn
 * looking MODEL TOKENS THREADS PAIRS writes FILE   writing what a full trace writes: the same pieces in the same order
 * looking MODEL TOKENS THREADS PAIRS products N    N rows through the final norm and the unembedding, 512 at once
 *
 * Seconds, one line each ("PLAIN LOOKING" of site). bench/looking.py reads them. */
#define _POSIX_C_SOURCE 200809L
#include <sonde/sonde.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct { int64_t at, bytes; } piece;
typedef struct { char name[128]; int64_t at, rows; } laid_out;

typedef struct {
    sonde_session *s;
    sonde_prompt   prompt;
    laid_out      *site;  size_t n_sites;
    piece         *piece; size_t n;
    int64_t        bytes;
} bench;

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *grown(void *at, size_t n, size_t item) {
    if (n & (n - 1)) return at;                     /* has room up to the next power of two */
    void *more = realloc(at, (n ? 2 * n : 1) * item);
    if (!more) abort();
    return more;
}

static sonde_status look(const sonde_answer *a, void *user, sonde_error *err) {
    (void)a;
    (void)user;
    (void)err;
    return SONDE_OK;
}

/* sites NULL: none. */
static sonde_status time_run(const bench *b, const char *sites, sonde_answer_fn fn, double *seconds, sonde_error *err) {
    const int64_t       last = b->prompt.n - 1;
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_want    want[2] = { { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 },
                                    { .kind = SONDE_WANT_SITE, .sites = sites } };
    const sonde_batch   batch = { .bases = &b->prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                                  .n_wants = sites ? 2 : 1 };
    const double start = now();
    SONDE_TRY(sonde_variants_run(b->s, &batch, fn, (void *)b, err));
    *seconds = now() - start;
    return SONDE_OK;
}

static sonde_status time_site(const bench *b, long pairs, const char *sites, sonde_error *err) {
    double plain, looking;
    for (long i = 0; i <= pairs; i++) {             /* the first pair warms up */
        SONDE_TRY(time_run(b, NULL, look, &plain, err));
        SONDE_TRY(time_run(b, sites, look, &looking, err));
        if (i) printf("%.6f %.6f\n", plain, looking);
    }
    return SONDE_OK;
}

/* ---- what a trace writes ---- */

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    bench  *b = user;
    int64_t n = 1;
    b->site = grown(b->site, b->n_sites, sizeof *b->site);
    laid_out *x = &b->site[b->n_sites++];
    snprintf(x->name, sizeof x->name, "%s", s->name);
    x->at = b->bytes;
    x->rows = s->dim[sonde_axes_rows(s->axes)];
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    b->bytes += n * (int64_t)sizeof(float);
    return SONDE_OK;
}

static sonde_status add_pieces(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    bench  *b = user;
    size_t  i = 0;
    while (i < b->n_sites && a->site && strcmp(b->site[i].name, a->site) != 0) i++;
    if (a->want == 0 || i == b->n_sites) return SONDE_OK;
    const int t = sonde_axes_rows(a->value.axes);
    int64_t   inner = sizeof(float);
    for (int k = t + 1; k < a->value.rank; k++) inner *= a->value.dim[k];
    for (int64_t o = 0; o < (t ? a->value.dim[0] : 1); o++) {
        b->piece = grown(b->piece, b->n, sizeof *b->piece);
        b->piece[b->n++] = (piece){ b->site[i].at + (o * b->site[i].rows + a->first) * inner, a->value.dim[t] * inner };
    }
    return SONDE_OK;
}

static sonde_status write_pieces(const bench *b, const char *path, double *seconds, sonde_error *err) {
    int64_t most = 1;
    for (size_t i = 0; i < b->n; i++) most = b->piece[i].bytes > most ? b->piece[i].bytes : most;
    char        *bytes = malloc((size_t)most);
    const double start = now();
    const int    f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    sonde_status s = f >= 0 && bytes ? SONDE_OK : SONDE_IO;
    if (bytes) memset(bytes, 1, (size_t)most);
    if (s == SONDE_OK && pwrite(f, "", 1, b->bytes - 1) != 1) s = SONDE_IO;
    for (size_t i = 0; i < b->n && s == SONDE_OK; i++)
        if (pwrite(f, bytes, (size_t)b->piece[i].bytes, b->piece[i].at) != b->piece[i].bytes) s = SONDE_IO;
    if (f >= 0) close(f);
    *seconds = now() - start;
    unlink(path);
    free(bytes);
    if (s != SONDE_OK) snprintf(err->message, sizeof err->message, "cannot write %s", path);
    return s;
}

static sonde_status time_writes(bench *b, long pairs, const char *path, sonde_error *err) {
    const sonde_site_query q = { "**", NULL, 0, b->prompt.n, b->prompt.n };
    double seconds;
    SONDE_TRY(sonde_sites(sonde_session_model(b->s), &q, add_site, b, err));
    SONDE_TRY(time_run(b, "**", add_pieces, &seconds, err));
    for (long i = 0; i < pairs; i++) {
        SONDE_TRY(write_pieces(b, path, &seconds, err));
        printf("%.6f\n", seconds);
        fflush(stdout);
    }
    return SONDE_OK;
}

/* ---- products ---- */

static sonde_status time_products(const bench *b, long pairs, int64_t rows, sonde_error *err) {
    enum { ROWS = 512 };
    const sonde_model_info *info = sonde_model_describe(sonde_session_model(b->s));
    float       *x = malloc((size_t)(ROWS * info->d) * sizeof *x), *y = malloc((size_t)(ROWS * info->vocab) * sizeof *y);
    sonde_status s = x && y ? SONDE_OK : SONDE_NOMEM;
    for (int64_t i = 0; s == SONDE_OK && i < ROWS * info->d; i++) x[i] = (float)(i * 7919 % 1000) * 0.002f - 1;
    for (long i = 0; i <= pairs && s == SONDE_OK; i++) {
        const double start = now();
        for (int64_t at = 0; at < rows && s == SONDE_OK; at += ROWS)
            s = sonde_session_unembed(b->s, x, rows - at < ROWS ? rows - at : ROWS, y, err);
        if (i) printf("%.6f\n", now() - start);
        fflush(stdout);
    }
    free(x);
    free(y);
    return s;
}

static sonde_status run(bench *b, long pairs, const char *what, const char *of, sonde_error *err) {
    if (!strcmp(what, "site")) return time_site(b, pairs, of, err);
    if (!strcmp(what, "writes")) return time_writes(b, pairs, of, err);
    return time_products(b, pairs, strtol(of, NULL, 10), err);
}

int main(int argc, char **argv) {
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    bench          b = { 0 };
    if (argc != 7) {
        fprintf(stderr, "looking MODEL TOKENS THREADS PAIRS site SITES | writes FILE | products ROWS\n");
        return 2;
    }
    const int64_t n = strtol(argv[2], NULL, 10);
    int32_t      *tokens = calloc((size_t)n + 1, sizeof *tokens);
    sonde_status  s = tokens ? sonde_model_open(&m, argv[1], NULL, &err) : SONDE_NOMEM;
    const sonde_session_options o = { .threads = (int)strtol(argv[3], NULL, 10) };
    if (s == SONDE_OK) s = sonde_session_new(&b.s, m, o, &err);
    for (int64_t i = 0; i < n && s == SONDE_OK; i++)
        tokens[i] = (int32_t)((uint64_t)i * 7919 % (uint64_t)sonde_model_describe(m)->vocab);
    b.prompt = (sonde_prompt){ .tokens = tokens, .n = n };
    if (s == SONDE_OK) s = run(&b, strtol(argv[4], NULL, 10), argv[5], argv[6], &err);
    if (s != SONDE_OK) fprintf(stderr, "looking: %s\n", err.message);
    free(tokens);
    free(b.site);
    free(b.piece);
    sonde_session_free(b.s);
    sonde_model_close(m);
    return sonde_status_exit_code(s);
}
