/* Which tokens of the prompt the answer rests on, to first order: the gradient of the answer's logit at the token
 * embeddings, times the embeddings themselves, summed over the width (Simonyan et al., 2013; Shrikumar et al., 2016).
 */
#include <sonde/sonde.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const sonde_model  *model;
    const sonde_tokens *tokens;
    float              *embed;      /* [t, d], kept from the forward run */
} work;

/* Values of SITE wants come while the run goes on, gradients behind them. */
static sonde_status see(const sonde_answer *a, void *user, sonde_error *err) {
    work         *w = user;
    const int64_t n = a->value.dim[0], d = a->value.dim[1];
    (void)err;
    if (a->want == 0) {
        memcpy(w->embed + a->first * d, a->value.data, (size_t)(n * d) * sizeof(float));
        return SONDE_OK;
    }
    printf("logit = %.4f\n", a->metric);
    for (int64_t t = 0; t < n; t++) {
        double share = 0;
        size_t len;
        for (int64_t i = 0; i < d; i++) share += (double)a->value.data[t * d + i] * (double)w->embed[(a->first + t) * d + i];
        const char *bytes = sonde_token_bytes(w->model, w->tokens->id[a->first + t], &len);
        char shown[64];
        sonde_token_show(bytes, len, shown, sizeof shown);      /* never print a token raw */
        printf("%-12s %+9.4f\n", shown, share);
    }
    return SONDE_OK;
}

static sonde_status attribute(const sonde_model *m, sonde_session *s, const sonde_tokens *t, sonde_error *err) {
    sonde_metric *metric = NULL;
    work          w = { m, t, calloc((size_t)(t->n * sonde_model_describe(m)->d), sizeof(float)) };
    sonde_status  status = w.embed ? SONDE_OK : SONDE_NOMEM;
    if (status == SONDE_OK) status = sonde_metric_parse(&metric, m, "logit(argmax)", NULL, NULL, err);
    const sonde_prompt  prompt = { .tokens = t->id, .n = t->n };
    const sonde_variant plain = { 0 };
    const sonde_want    wants[2] = { { .kind = SONDE_WANT_SITE, .sites = "hook_embed" },
                                     { .kind = SONDE_WANT_GRAD, .sites = "hook_embed", .metric = metric } };
    const sonde_batch   batch = { .bases = &prompt, .n_bases = 1, .variants = &plain, .n_variants = 1, .wants = wants,
                                  .n_wants = 2 };
    if (status == SONDE_OK) status = sonde_variants_run(s, &batch, see, &w, err);
    sonde_metric_free(metric);
    free(w.embed);
    return status;
}

int main(int argc, char **argv) {
    const char    *text = argc > 1 ? argv[1] : "When Mary and John went to the store, John gave a drink to";
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    sonde_tokens   t = { 0 };
    sonde_status   status = sonde_model_open(&m, NULL, NULL, &err);
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ 0 }, &err);
    if (status == SONDE_OK) status = sonde_tokenize(m, text, strlen(text), (sonde_token_options){ 0 }, &t, &err);
    if (status == SONDE_OK) status = attribute(m, s, &t, &err);
    if (status != SONDE_OK) fprintf(stderr, "gradient_times_input: %s\n", err.message);
    sonde_tokens_free(&t);
    sonde_session_free(s);
    sonde_model_close(m);
    return sonde_status_exit_code(status);
}
