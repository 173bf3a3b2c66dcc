/* speed MODEL [THREADS] - sonde's side of bench/peers.py: opens a model once, then answers requests, a line each on standard
 * input, with the requests and tokens of bench/peer_worker.py:
 *
 *     prompt N         seconds from N tokens to the last position's logits
 *     decode N D       seconds for each of D tokens behind N, greedily
 *     logits N PATH    writes the last position's logits as float32, answers how many
 *
 * By hand: printf 'prompt 512\nprompt 512\n' | build/release/speed MODEL 2 */
#include <sonde/sonde.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { double first, last; int64_t n; } stamps;
typedef struct { char line[300]; const char *path; int64_t n, decoded; } request;       /* path: of logits, else NULL */

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static sonde_status stamp(const sonde_generated *g, void *user, sonde_error *err) {
    stamps *s = user;
    (void)g;
    (void)err;
    s->last = now();
    if (!s->n++) s->first = s->last;
    return SONDE_OK;
}

/* A prompt and the tokens behind it: seconds to the first token, seconds a token from there on. */
static sonde_status write_on(sonde_session *s, const sonde_prompt *prompt, const request *r, sonde_error *err) {
    const sonde_writing w = { .prompts = prompt, .n_prompts = 1, .sampling = { .n = r->decoded + 1, .ignore_eos = true } };
    stamps       at = { 0 };
    const double start = now();
    const sonde_status status = sonde_generate(s, &w, stamp, &at, err);
    if (status != SONDE_OK) return status;
    printf("%.9f\n", r->decoded ? (at.last - at.first) / (double)r->decoded : at.first - start);
    return SONDE_OK;
}

static sonde_status save(const sonde_answer *a, void *user, sonde_error *err) {
    const request *r = user;
    const size_t n = (size_t)a->value.dim[a->value.rank - 1];
    FILE *f = fopen(r->path, "wb");
    const bool written = f && fwrite(a->value.data, sizeof *a->value.data, n, f) == n;
    if (f && fclose(f) == 0 && written) return printf("%zu\n", n) > 0 ? SONDE_OK : SONDE_IO;
    snprintf(err->message, sizeof err->message, "%s: cannot be written", r->path);
    return SONDE_IO;
}

static sonde_status logits(sonde_session *s, const sonde_prompt *prompt, request *r, sonde_error *err) {
    const int64_t       last = prompt->n - 1;
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 };
    const sonde_variant plain = { .base = 0 };
    const sonde_batch   b = { .bases = prompt, .n_bases = 1, .variants = &plain, .n_variants = 1,
                              .wants = &want, .n_wants = 1 };
    return sonde_variants_run(s, &b, save, r, err);
}

/* One line; false where it is no request. */
static bool read_request(request *r, FILE *from) {
    static const char *const words[] = { "prompt ", "decode ", "logits " };
    if (!fgets(r->line, sizeof r->line, from)) return false;
    r->line[strcspn(r->line, "\n")] = '\0';
    size_t kind = 0;
    while (kind < 3 && strncmp(r->line, words[kind], 7) != 0) kind++;
    if (kind == 3) return false;
    char *end;
    r->n = strtol(r->line + 7, &end, 10);
    r->decoded = kind == 1 ? strtol(end, NULL, 10) : 0;
    r->path = kind == 2 && *end == ' ' ? end + 1 : NULL;
    return r->n > 0 && r->decoded >= 0 && (kind != 2 || r->path);
}

static sonde_status answer_all(sonde_session *s, sonde_error *err) {
    request r;
    sonde_status status = SONDE_OK;
    const int64_t vocab = sonde_model_describe(sonde_session_model(s))->vocab;
    while (status == SONDE_OK && read_request(&r, stdin)) {
        int32_t *tokens = malloc((size_t)r.n * sizeof *tokens);
        if (!tokens) return SONDE_NOMEM;
        for (int64_t i = 0; i < r.n; i++) tokens[i] = (int32_t)(i * 7919 % vocab);
        const sonde_prompt prompt = { .tokens = tokens, .n = r.n };
        status = r.path ? logits(s, &prompt, &r, err) : write_on(s, &prompt, &r, err);
        free(tokens);
        fflush(stdout);
    }
    return status;
}

int main(int argc, char **argv) {
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "speed MODEL [THREADS]\n");
        return 2;
    }
    const int    threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    sonde_status status = sonde_model_open(&m, argv[1], NULL, &err);
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ .threads = threads }, &err);
    if (status == SONDE_OK) {
        printf("sonde %s, %s\n", sonde_version(), sonde_isa_name());
        fflush(stdout);
        status = answer_all(s, &err);
    }
    if (status != SONDE_OK) fprintf(stderr, "speed: %s\n", err.message);
    sonde_session_free(s);
    sonde_model_close(m);
    return sonde_status_exit_code(status);
}
