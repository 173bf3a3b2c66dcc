/* Lines of text, each read as an edit, as a metric and as a pattern of sites: one line of error, or something that is
 * printed back to a text that means the same. Edits that are good run as plans; metrics are computed on a small run. */
#define _GNU_SOURCE
#include "target.h"
#include "model/edit_data.h"
#include "model/metric_data.h"
#include "../scratch.h"
#include "../small_model.h"
#include "sonde/site.h"

enum { MOST_EDITS = 4, LAYERS = 4, POSITIONS = 3, VOCAB = 12 };

static sonde_model model;
static sonde_array_file *values;

/* An open trace with value/0 [16] and value/1 [4, 4]; its file is gone already. */
static void make_values(void) {
    const scratch s = scratch_new();
    const sonde_array_spec specs[] = { { "value/0", "F32", 1, { 16 } }, { "value/1", "F32", 2, { 4, 4 } } };
    const float data[16] = { 1, -2, 3, 0, 5, 6, 7 };
    sonde_array_writer *w;
    PROMISE(sonde_array_writer_open(&w, in_scratch(&s, "v.safetensors").text, (sonde_array_list){ .specs = specs, .n = 2 }, NULL) == SONDE_OK);
    for (size_t i = 0; i < 2; i++) PROMISE(sonde_array_write(w, i, 0, data, 16, NULL) == SONDE_OK);
    PROMISE(sonde_array_writer_close(w, NULL) == SONDE_OK);
    PROMISE(sonde_array_file_open(&values, in_scratch(&s, "v.safetensors").text, NULL) == SONDE_OK);
    scratch_end(&s);
}

static void check_error(sonde_status s, const sonde_error *err) {
    PROMISE(s == err->status && s != SONDE_OK && s != SONDE_DIFFERS && s != SONDE_CANCELLED);
    PROMISE(err->message[0] && !strpbrk(err->message, "\n\033"));
}

static sonde_edit *check_edit(const char *text) {
    sonde_edit *e, *again;
    sonde_error err = { 0 };
    const sonde_status s = sonde_edit_parse(&e, &model, text, values, &err);
    if (s != SONDE_OK) {
        check_error(s, &err);
        return NULL;
    }
    const size_t n = sonde_edit_format(e, NULL, 0);
    char *first = malloc(n + 1), *second = malloc(n + 1);
    PROMISE(first && second);
    PROMISE(sonde_edit_format(e, first, n + 1) == n && strlen(first) == n);
    PROMISE(sonde_edit_parse(&again, &model, first, values, &err) == SONDE_OK);
    PROMISE(sonde_edit_format(again, second, n + 1) == n && strcmp(first, second) == 0);
    PROMISE(e->op == again->op && e->when == again->when && e->value.kind == again->value.kind);
    PROMISE(e->value.number == again->value.number && e->index.n == again->index.n && e->times == again->times);
    for (size_t i = 0; sonde_edit_run(e, i); i++) PROMISE(strcmp(sonde_edit_run(e, i), sonde_edit_run(again, i)) == 0);
    free(first);
    free(second);
    sonde_edit_free(again);
    return e;
}

static int64_t length_of(void *user, const char *run) {
    (void)user;
    return run[0] == 'A' || run[0] == 'B' ? POSITIONS : -1;
}

static const float *logits_of(void *user, const char *run, int64_t position) {
    (void)run;
    return (const float *)user + position * VOCAB;
}

static void check_run(const sonde_metric *x) {
    float rows[POSITIONS * VOCAB], slope[VOCAB] = { 0 };
    const int32_t tokens[POSITIONS] = { 3, 1, 4 };
    bound_metric *b;
    sonde_error err = { 0 };
    arena *a = arena_new();
    for (int i = 0; i < POSITIONS * VOCAB; i++) rows[i] = (float)(i * 7 % 11) - 5;
    const metric_prompt p = { tokens, { POSITIONS, POSITIONS - 1 }, VOCAB, { logits_of, length_of, rows } };
    const sonde_status s = metric_bind(a, x, &p, &b, &err);
    if (s != SONDE_OK) check_error(s, &err);
    for (int i = 0; s == SONDE_OK && i < POSITIONS; i++) metric_row(b, i, rows + i * VOCAB);
    for (int i = 0; s == SONDE_OK && i < POSITIONS; i++) metric_gradient(b, i, rows + i * VOCAB, slope);
    if (s == SONDE_OK) (void)metric_value(b);
    arena_free(a);
}

static void check_metric(const char *text) {
    sonde_metric *x, *again;
    sonde_error err = { 0 };
    const sonde_status s = sonde_metric_parse(&x, &model, text, "a", NULL, &err);
    if (s != SONDE_OK) {
        check_error(s, &err);
        return;
    }
    const size_t n = sonde_metric_format(x, NULL, 0);
    char *first = malloc(n + 1), *second = malloc(n + 1);
    PROMISE(first && second);
    PROMISE(sonde_metric_format(x, first, n + 1) == n && strlen(first) == n);
    PROMISE(sonde_metric_parse(&again, &model, first, NULL, NULL, &err) == SONDE_OK);
    PROMISE(sonde_metric_format(again, second, n + 1) == n && strcmp(first, second) == 0);
    check_run(x);
    free(first);
    free(second);
    sonde_metric_free(again);
    sonde_metric_free(x);
}

static void check_places(const slots *run, const char *pattern, bool every_turn) {
    place_list found = { 0 };
    sonde_error err = { 0 };
    arena *a = arena_new();
    const sonde_status s = places_select(a, (place_scope){ &model.config, run, every_turn }, pattern, &found, &err);
    const place *at = found.at;
    const size_t n = found.n;
    if (s != SONDE_OK) check_error(s, &err);
    else PROMISE(n > 0);
    for (size_t i = 1; s == SONDE_OK && i < n; i++)
        PROMISE(at[i - 1].slot < at[i].slot || (at[i - 1].slot == at[i].slot && at[i - 1].site < at[i].site));
    arena_free(a);
}

/* The edits together, as a plan, and each one's sites in it. */
static void check_plan(const sonde_edit *const *e, size_t n, const char *pattern) {
    enum { SHORT = 100 };
    slots run;
    sonde_error err = { 0 };
    arena *a = arena_new();
    const sonde_status s = plan_slots(a, &model.config, e, n, &run, &err);
    if (s != SONDE_OK) check_error(s, &err);
    else if (run.n <= SHORT) {
        check_places(&run, pattern, false);
        for (size_t i = 0; i < n; i++)
            if (!sonde_edit_is_plan(e[i])) check_places(&run, e[i]->site, true);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!values) {
        model = small_model();
        model.config.layers = LAYERS;
        make_values();
    }
    char *text = malloc(size + 1), *rest = text;
    sonde_edit *e[MOST_EDITS];
    size_t n = 0;
    PROMISE(text);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    const char *line = "";
    while (rest && n < MOST_EDITS) {
        line = strsep(&rest, "\n");
        e[n] = check_edit(line);
        if (e[n]) n++;
        check_metric(line);
    }
    check_plan((const sonde_edit *const *)e, n, line);
    for (size_t i = 0; i < n; i++) sonde_edit_free(e[i]);
    free(text);
    return 0;
}
