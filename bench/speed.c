/* speed MODEL PROMPT_TOKENS DECODED_TOKENS RUNS [THREADS] - seconds for a prompt (to the last position's logits) and for
 * each token decoded behind it, one line a run: "PROMPT_SECONDS DECODE_SECONDS_PER_TOKEN". bench/compare.py reads it. */
#include <sonde/sonde.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct { double first, last; int64_t n; } stamps;

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

static sonde_status time_one(sonde_session *s, const int32_t *tokens, int64_t n, int64_t decoded, sonde_error *err) {
    const sonde_prompt  prompt = { .tokens = tokens, .n = n };
    const sonde_writing w = { .prompts = &prompt, .n_prompts = 1, .sampling = { .n = decoded + 1, .ignore_eos = true } };
    stamps       at = { 0 };
    const double start = now();
    SONDE_TRY(sonde_generate(s, &w, stamp, &at, err));
    printf("%.6f %.6f\n", at.first - start, decoded ? (at.last - at.first) / (double)decoded : 0.0);
    fflush(stdout);
    return SONDE_OK;
}

int main(int argc, char **argv) {
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    if (argc < 5) {
        fprintf(stderr, "speed MODEL PROMPT_TOKENS DECODED_TOKENS RUNS [THREADS]\n");
        return 2;
    }
    const int64_t n = strtol(argv[2], NULL, 10), decoded = strtol(argv[3], NULL, 10), runs = strtol(argv[4], NULL, 10);
    int32_t      *tokens = calloc((size_t)n + 1, sizeof *tokens);
    sonde_status  status = tokens ? sonde_model_open(&m, argv[1], NULL, &err) : SONDE_NOMEM;
    const int     threads = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 0;
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ .threads = threads }, &err);
    for (int64_t i = 0; i < n && status == SONDE_OK; i++)
        tokens[i] = (int32_t)((uint64_t)i * 7919 % (uint64_t)sonde_model_describe(m)->vocab);
    for (int64_t i = 0; i < runs && status == SONDE_OK; i++) status = time_one(s, tokens, n, decoded, &err);
    if (status != SONDE_OK) fprintf(stderr, "speed: %s\n", err.message);
    free(tokens);
    sonde_session_free(s);
    sonde_model_close(m);
    return sonde_status_exit_code(status);
}
