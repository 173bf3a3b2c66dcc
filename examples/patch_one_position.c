/* Activation patching, by hand: run A with the residual stream of run B at one position, layer by layer, and see how
 * much of the answer moves. One batch of variants does it; every answer equals a full run of its own.
 */
#include <sonde/sonde.h>
#include <stdio.h>
#include <string.h>

static const char A[] = "When Mary and John went to the store, Mary gave a drink to";
static const char B[] = "When Mary and John went to the store, John gave a drink to";

enum { MOST_LAYERS = 64 };

static sonde_status print_cell(const sonde_answer *a, void *user, sonde_error *err) {
    (void)user;
    (void)err;
    if (a->variant == 0) printf("unpatched      logit(Mary) - logit(John) = %8.3f\n", a->metric);
    else printf("patch layer %zu  logit(Mary) - logit(John) = %8.3f\n", a->variant - 1, a->metric);
    return SONDE_OK;
}

/* The subject's second mention is the one token in which the two prompts differ. */
static int64_t where_they_differ(const sonde_tokens *a, const sonde_tokens *b) {
    int64_t i = 0;
    while (i < a->n && i < b->n && a->id[i] == b->id[i]) i++;
    return i;
}

static sonde_status patch(const sonde_model *m, sonde_session *s, const sonde_tokens *a, const sonde_tokens *b,
                          sonde_error *err) {
    const int64_t layers = sonde_model_describe(m)->layers, position = where_they_differ(a, b);
    sonde_edit   *edit[MOST_LAYERS] = { 0 };
    sonde_variant variant[MOST_LAYERS + 1] = { { 0 } };         /* the first one has no edits: run A itself */
    sonde_metric *metric = NULL;
    sonde_status  status = sonde_metric_parse(&metric, m, "logit(\" Mary\")-logit(\" John\")", NULL, NULL, err);
    for (int64_t l = 0; l < layers && status == SONDE_OK; l++) {
        char text[96];
        snprintf(text, sizeof text, "patch:blocks.%lld.hook_resid_pre[%lld]=B", (long long)l, (long long)position);
        status = sonde_edit_parse(&edit[l], m, text, NULL, err);
        variant[l + 1] = (sonde_variant){ .edits = (const sonde_edit *const *)&edit[l], .n_edits = 1 };
    }
    const sonde_prompt    base = { .tokens = a->id, .n = a->n };
    const sonde_named_run run_b = { .name = "B", .prompt = { .tokens = b->id, .n = b->n } };
    const sonde_want      want = { .kind = SONDE_WANT_METRIC, .metric = metric };
    const sonde_batch     batch = { .bases = &base, .n_bases = 1, .variants = variant, .n_variants = (size_t)layers + 1,
                                    .wants = &want, .n_wants = 1, .runs = &run_b, .n_runs = 1 };
    if (status == SONDE_OK) status = sonde_variants_run(s, &batch, print_cell, NULL, err);
    for (int64_t l = 0; l < layers; l++) sonde_edit_free(edit[l]);
    sonde_metric_free(metric);
    return status;
}

int main(void) {
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    sonde_tokens   a = { 0 }, b = { 0 };
    sonde_status   status = sonde_model_open(&m, NULL, NULL, &err);
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ 0 }, &err);
    if (status == SONDE_OK) status = sonde_tokenize(m, A, strlen(A), (sonde_token_options){ 0 }, &a, &err);
    if (status == SONDE_OK) status = sonde_tokenize(m, B, strlen(B), (sonde_token_options){ 0 }, &b, &err);
    if (status == SONDE_OK) status = patch(m, s, &a, &b, &err);
    if (status != SONDE_OK) fprintf(stderr, "patch_one_position: %s\n", err.message);
    sonde_tokens_free(&a);
    sonde_tokens_free(&b);
    sonde_session_free(s);
    sonde_model_close(m);
    return sonde_status_exit_code(status);
}
