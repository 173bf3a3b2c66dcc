/* Activation steering (Turner et al., 2023): the difference of the streams of two prompts, times a strength, is added
 * to the stream while the model writes. Every edit works in the prompt and while generating.
 */
#include <sonde/sonde.h>
#include <stdio.h>
#include <string.h>

static sonde_status print_token(const sonde_generated *g, void *user, sonde_error *err) {
    const sonde_model *m = user;
    size_t             len;
    const char        *bytes = sonde_token_bytes(m, g->id, &len);
    char               shown[64];
    (void)err;
    sonde_token_show(bytes, len, shown, sizeof shown);
    printf("%s(%.2f)%s", shown, g->prob, g->last ? "\n" : " ");
    return SONDE_OK;
}

static sonde_status tokens_of(const sonde_model *m, const char *text, sonde_tokens *out, sonde_error *err) {
    return sonde_tokenize(m, text, strlen(text), (sonde_token_options){ 0 }, out, err);
}

/* strength 0 writes the plain continuation */
static sonde_status write_on(const sonde_model *m, sonde_session *s, const sonde_tokens t[3], double strength,
                             sonde_error *err) {
    char        text[128];
    sonde_edit *edit = NULL;
    snprintf(text, sizeof text, "add:blocks.1.hook_resid_post[-1]=%g*(B[-1]-C[-1])", strength);
    sonde_status status = sonde_edit_parse(&edit, m, text, NULL, err);
    const sonde_prompt    prompt = { .tokens = t[0].id, .n = t[0].n };
    const sonde_named_run runs[2] = { { .name = "B", .prompt = { .tokens = t[1].id, .n = t[1].n } },
                                      { .name = "C", .prompt = { .tokens = t[2].id, .n = t[2].n } } };
    const sonde_writing   w = { .prompts = &prompt, .n_prompts = 1, .edits = (const sonde_edit *const *)&edit, .n_edits = 1,
                                .runs = runs, .n_runs = 2, .sampling = { .n = 6 } };
    printf("%4g: ", strength);
    if (status == SONDE_OK) status = sonde_generate(s, &w, print_token, (void *)(uintptr_t)m, err);
    sonde_edit_free(edit);
    return status;
}

int main(void) {
    sonde_error    err = { 0 };
    sonde_model   *m = NULL;
    sonde_session *s = NULL;
    sonde_tokens   t[3] = { { 0 } };
    sonde_status   status = sonde_model_open(&m, NULL, NULL, &err);
    if (status == SONDE_OK) status = sonde_session_new(&s, m, (sonde_session_options){ 0 }, &err);
    if (status == SONDE_OK) status = tokens_of(m, "Paris is in", &t[0], &err);
    if (status == SONDE_OK) status = tokens_of(m, "Rome is in", &t[1], &err);
    if (status == SONDE_OK) status = tokens_of(m, "Paris is in", &t[2], &err);
    if (status == SONDE_OK) status = write_on(m, s, t, 0, &err);
    if (status == SONDE_OK) status = write_on(m, s, t, 1, &err);
    if (status != SONDE_OK) fprintf(stderr, "steer_and_generate: %s\n", err.message);
    for (int i = 0; i < 3; i++) sonde_tokens_free(&t[i]);
    sonde_session_free(s);
    sonde_model_close(m);
    return sonde_status_exit_code(status);
}
