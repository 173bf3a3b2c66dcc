/* How long the residual stream is after every block, at the last token of a prompt.
 *
 *     cc norms_by_layer.c $(pkg-config --cflags --libs sonde) -lm && ./a.out [MODEL] [PROMPT]
 */
#include <math.h>
#include <sonde/sonde.h>
#include <stdio.h>
#include <string.h>

/* Called once a site and block of positions; the view is lent until we return. */
static sonde_status print_norm(const sonde_answer *a, void *user, sonde_error *err) {
    const int64_t  last = *(const int64_t *)user, row = last - a->first;    /* our position inside this view */
    const int64_t  d = a->value.dim[1];
    double         square = 0;
    (void)err;
    if (row < 0 || row >= a->value.dim[0]) return SONDE_OK;
    for (int64_t i = 0; i < d; i++) square += (double)a->value.data[row * d + i] * (double)a->value.data[row * d + i];
    printf("%-28s %8.3f\n", a->site, sqrt(square));
    return SONDE_OK;
}

static sonde_status run(const char *name, const char *text, sonde_error *err) {
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    sonde_tokens   tokens = { 0 };
    sonde_status   status = sonde_model_open(&m, name, NULL, err);          /* NULL: the model inside the library */
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ 0 }, err);
    if (status == SONDE_OK) status = sonde_tokenize(m, text, strlen(text), (sonde_token_options){ 0 }, &tokens, err);
    if (status == SONDE_OK) {
        int64_t            last = tokens.n - 1;
        const sonde_single look = { .prompt = { .tokens = tokens.id, .n = tokens.n }, .sites = "hook_resid_post" };
        status = sonde_run(s, &look, print_norm, &last, err);
    }
    sonde_tokens_free(&tokens);
    sonde_session_free(s);
    sonde_model_close(m);
    return status;
}

int main(int argc, char **argv) {
    sonde_error        err = { 0 };
    const sonde_status status = run(argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : "The capital of", &err);
    if (status != SONDE_OK) fprintf(stderr, "norms_by_layer: %s\n", err.message);
    return sonde_status_exit_code(status);
}
