/* Every stage beside the official captures, a weight changed by hand, what is computed a second time beside closed forms. */
#define _GNU_SOURCE
#include "rebuild_run.h"
#include <dirent.h>

static void every_stage_is_the_official_one_and_what_its_inputs_give(void) {
    static const char *const name[] = { "three", "inner", "limit", "one_head", "llama_grouped", "llama_biased",
                                        "llama_limit" };
    char model[400];
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(model, sizeof model, GOLDEN "%s", name[i]);
        check_model(name[i], model);
    }
    check_model("demo", NULL);
}

/* Every operation of every family that opens has a second form, and it gives what the run gives. */
static bool check_family(const char *folder) {
    char capture[600];
    sonde_model *m;
    sonde_error  err = { 0 };
    const sonde_status opened = sonde_model_open(&m, folder, NULL, &err);
    if (opened == SONDE_UNSUPPORTED) return false;
    if (opened != SONDE_OK) FAIL_("%s", err.message);
    sonde_model_close(m);
    snprintf(capture, sizeof capture, "%s/plain.safetensors", folder);
    method_run *r = open_golden(folder, capture);
    RUN_OK(r, "rebuild", NULL);
    const sonde_table *t = run_table(r, "stages");
    for (size_t i = 1; i < t->rows; i++) {
        if (!strcmp(run_text(t, i, "operation"), "tokenize")) continue;
        if (run_null(t, i, "recomputed_max_diff")) FAIL_("%s: %s has no second form", folder, run_text(t, i, "title"));
        CHECK(run_float(t, i, "recomputed_max_diff") <= 5e-6 * size_of(r, i));
    }
    run_close(r);
    return true;
}

static void every_family_is_what_its_formulas_give(void) {
    size_t models = 0;
    DIR   *d = opendir(GOLDEN "families");
    for (struct dirent *e; d && (e = readdir(d));) {
        char folder[512];
        if (e->d_name[0] == '.') continue;
        snprintf(folder, sizeof folder, GOLDEN "families/%s", e->d_name);
        models += check_family(folder);
    }
    if (d) closedir(d);
    CHECK(models >= 50);
    check_model("families/bert_plain", GOLDEN "families/bert_plain");       /* two texts: token types */
    check_model("families/gemma2", GOLDEN "families/gemma2");
    check_model("families/olmoe", GOLDEN "families/olmoe");
}

/* Weights, formulas, inputs of a few stages by hand. */
static void a_stage_says_what_it_reads(void) {
    method_run *r = open_golden(GOLDEN "llama_grouped", GOLDEN "llama_grouped/plain.safetensors");
    RUN_OK(r, "rebuild", NULL);
    const sonde_table *t = run_table(r, "stages"), *w = run_table(r, "weights");
    CHECK_STR(run_columns(t), "stage block title operation formula inputs weights site shape first "
              "recomputed_max_diff against_max_diff against_mean_diff cosine alone_max_diff ok");
    const size_t post = stage_of(t, "block 1: neurons behind the activation"), q = stage_of(t, "block 1: queries"),
                 turned = stage_of(t, "block 1: keys, rotated");
    CHECK_STR(run_text(t, post, "operation"), "activation, multiply");
    CHECK_STR(run_text(t, post, "formula"), "y = x / (1 + exp(-x)); y = a * b, element by element");
    CHECK_STR(run_text(t, post, "inputs"), "blocks.1.mlp.hook_pre, blocks.1.mlp.hook_pre_linear");
    CHECK_STR(run_text(t, post, "weights"), "");
    CHECK_STR(run_text(t, q, "formula"), "y = x W");
    CHECK_STR(run_text(t, q, "weights"), "blocks.1.attn.W_Q");
    CHECK_STR(run_text(t, q, "shape"), "[7, 4, 10]");
    CHECK(run_null(t, q, "against_max_diff") && run_null(t, q, "cosine"));
    CHECK(strstr(run_text(t, turned, "formula"), "base = "));
    size_t rows = 0;
    for (size_t i = 0; i < w->rows; i++) {
        if (run_int(w, i, "stage") != (int64_t)q + 1) continue;
        rows++;
        CHECK_STR(run_text(w, i, "shape"), "[4, 24, 10]");
        CHECK_STR(run_text(w, i, "type"), "F32");
        CHECK_STR(run_text(w, i, "stored_as"), "model.layers.1.self_attn.q_proj.weight");
    }
    CHECK(rows == 1);
    run_close(r);
}

static void tokens_come_with_offsets(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital of France is");
    RUN_OK(r, "rebuild", "stage", "1-3", "against", GOLDEN "demo/plain.safetensors", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_EQ(run_rows(t), 5);
    CHECK_EQ(run_int(t, 3, "start"), 14);
    CHECK_EQ(run_int(t, 3, "end"), 21);
    CHECK_STR(run_text(t, 3, "bytes"), "204672616e6365");
    CHECK_EQ(run_rows(run_table(r, "stages")), 3);
    CHECK_STR(run_text(run_table(r, "stages"), 2, "title"), "positions");
    run_close(r);
}

/* ---- a weight changed by hand ---- */

/* A copy of golden/three with one number of a tensor moved. */
static void copy_changed(const scratch *dir, const char *tensor, int64_t item, float by) {
    sonde_array_file   *f;
    sonde_array_writer *w;
    sonde_error err = { 0 };
    if (sonde_array_file_open(&f, GOLDEN "three/model.safetensors", &err)) FAIL_("%s", err.message);
    const size_t n = sonde_array_file_count(f);
    sonde_array_spec *spec = calloc(n, sizeof *spec);
    for (size_t i = 0; i < n; i++) spec[i] = *sonde_array_file_spec(f, i);
    if (sonde_array_writer_open(&w, in_scratch(dir, "model.safetensors").text, (sonde_array_list){ spec, n, NULL, 0 }, &err))
        FAIL_("%s", err.message);
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        const int64_t count = agree_items(&spec[i]);
        float *x = calloc((size_t)count, sizeof *x);
        CHECK_STR(spec[i].dtype, "F32");
        CHECK_EQ(sonde_array_read(f, i, 0, count, x, &err), SONDE_OK);
        if (!strcmp(spec[i].name, tensor)) x[item] += by, found = true;
        CHECK_EQ(sonde_array_write(w, i, 0, x, count, &err), SONDE_OK);
        free(x);
    }
    if (!found) FAIL_("no tensor %s", tensor);
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);
    free(spec);
    sonde_array_file_close(f);
    FILE *from = fopen(GOLDEN "three/config.json", "rb");
    char  text[8192];
    const size_t size = from ? fread(text, 1, sizeof text, from) : 0;
    if (from) fclose(from);
    scratch_write(dir, "config.json", text, size);
}

static void a_changed_weight_fails_first_at_the_stage_that_reads_it(void) {
    static const struct { const char *tensor; int64_t item; const char *title; } rows[] = {
        { "transformer.wpe.weight", 5, "positions" },
        { "transformer.h.0.ln_1.bias", 3, "block 0: first norm, output" },
        { "transformer.h.0.attn.c_attn.weight", 2, "block 0: queries" },
        { "transformer.h.0.attn.c_attn.weight", 24 + 2, "block 0: keys" },
        { "transformer.h.1.attn.c_attn.bias", 48 + 2, "block 1: values" },
        { "transformer.h.1.attn.c_proj.weight", 7, "block 1: attention's output" },
        { "transformer.h.2.mlp.c_fc.weight", 11, "block 2: neurons before the activation" },
        { "transformer.h.2.mlp.c_proj.bias", 0, "block 2: MLP's output" },
        { "transformer.ln_f.weight", 9, "final norm, output" },
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        scratch dir = scratch_new();
        copy_changed(&dir, rows[k].tensor, rows[k].item, 0.25f);
        method_run *r = open_golden(dir.path, GOLDEN "three/plain.safetensors");
        CHECK_EQ(run_method(r, "rebuild", "against", GOLDEN "three/plain.safetensors", NULL), SONDE_DIFFERS);
        const sonde_table *t = run_table(r, "stages");
        const size_t bad = stage_of(t, rows[k].title);
        char start[120];
        snprintf(start, sizeof start, "stage %zu, %s: ", bad + 1, rows[k].title);
        if (strncmp(r->err.message, start, strlen(start)) != 0) FAIL_("%s, expected %s", r->err.message, start);
        for (size_t i = 1; i < t->rows; i++) {
            if (i < bad) CHECK(is_ok(t, i));
            const double size = size_of(r, i);
            CHECK(run_float(t, i, "recomputed_max_diff") <= 2e-6 * size);
            CHECK((run_float(t, i, "alone_max_diff") > 1e-4 * size) == (i == bad));
        }
        CHECK(!is_ok(t, bad));
        run_close(r);
        scratch_end(&dir);
    }
}

/* What is not a number goes where the formulas carry it, and nowhere else: rows that do not see it stay. */
static void stages_of_a_model_that_is_not_finite_agree(void) {
    static const struct { const char *tensor; int64_t item; } rows[] = {
        { "transformer.wpe.weight", 3 * 24 + 5 }, { "transformer.h.1.attn.c_attn.weight", 2 },
        { "transformer.h.1.attn.c_attn.weight", 48 + 2 }, { "transformer.h.2.mlp.c_proj.bias", 0 }, { "transformer.ln_f.weight", 9 },
    };
    for (size_t k = 0; k < 2 * sizeof rows / sizeof *rows; k++) {
        scratch dir = scratch_new();
        copy_changed(&dir, rows[k / 2].tensor, rows[k / 2].item, k % 2 ? INFINITY : NAN);
        method_run *r = open_golden(dir.path, GOLDEN "three/plain.safetensors");
        if (run_method(r, "rebuild", NULL) != SONDE_OK) FAIL_("%s: %s", rows[k / 2].tensor, r->err.message);
        run_close(r);
        scratch_end(&dir);
    }
}

/* ---- references that do not fit ---- */

static void a_reference_of_another_run_is_noticed(void) {
    method_run *r = open_golden(GOLDEN "three", GOLDEN "three/plain.safetensors");
    CHECK_EQ(run_method(r, "rebuild", "against", GOLDEN "three/edit-zero-head.safetensors", NULL), SONDE_UNSUPPORTED);
    CHECK(strstr(r->err.message, "sonde verify"));
    CHECK_EQ(run_method(r, "rebuild", "stage", "5", "against", GOLDEN "three/grad.safetensors", NULL), SONDE_FORMAT);
    CHECK(strstr(r->err.message, "nothing would be compared"));
    CHECK_EQ(run_method(r, "rebuild", "against", GOLDEN "three/none.safetensors", NULL), SONDE_NOT_FOUND);
    r->prompt[0].tokens.id[8] ^= 1;
    CHECK_EQ(run_method(r, "rebuild", "against", GOLDEN "three/plain.safetensors", NULL), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "stage 1, tokens: ") == r->err.message);
    r->prompt[0].tokens.n = 5;
    CHECK_EQ(run_method(r, "rebuild", "stage", "3", "against", GOLDEN "three/plain.safetensors", NULL), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "stage 3, positions: the reference has another shape"));
    run_close(r);
}

static void of_several_runs_the_one_with_these_tokens_counts(void) {
    static const char batch[] = GOLDEN "three/batch.safetensors";
    method_run *r = open_golden(GOLDEN "three", GOLDEN "three/plain.safetensors");
    tokens_of(r, batch, "2/tokens");
    RUN_OK(r, "rebuild", "against", batch, NULL);
    const sonde_table *t = run_table(r, "stages");
    CHECK(!run_null(t, stage_of(t, "block 1: scores"), "against_max_diff"));
    CHECK(run_null(t, stage_of(t, "block 1: queries"), "against_max_diff"));
    run_close(r);
}

/* A trace is sonde's own: that it agrees says little, and rows of some positions are compared where they belong. */
static void a_trace_of_our_own_says_so(void) {
    scratch dir = scratch_new();
    method_run *r = run_open(NULL);
    static char path[700];
    static const char *out[] = { path };
    snprintf(path, sizeof path, "%s", in_scratch(&dir, "a.safetensors").text);
    run_prompt(r, DEMO_PROMPT);
    r->cx.out = out;
    r->cx.n_out = 1;
    RUN_OK(r, "trace", "sites", "blocks.2.hook_resid_mid,blocks.2.attn.hook_pattern", "at", "3,-1", NULL);
    r->cx.n_out = 0;
    RUN_OK(r, "rebuild", "against", path, NULL);
    CHECK(strstr(sonde_result_note_at(r->out, 0), "written by sonde itself"));
    const sonde_table *t = run_table(r, "stages");
    CHECK(run_float(t, stage_of(t, "block 2: pattern"), "against_max_diff") == 0);
    CHECK(run_float(t, stage_of(t, "block 2: stream behind attention"), "against_max_diff") == 0);
    run_close(r);
    scratch_end(&dir);
}

/* ---- one stage ---- */

static void one_stage_has_the_corners_of_its_matrices(void) {
    method_run *r = open_golden(GOLDEN "three", GOLDEN "three/plain.safetensors");
    RUN_OK(r, "rebuild", "stage", "8", "against", GOLDEN "three/plain.safetensors", NULL);
    const sonde_table *t = run_table(r, "corners"), *all = run_table(r, "stages");
    CHECK_EQ(run_rows(all), 1);
    CHECK_EQ(run_int(all, 0, "stage"), 8);
    CHECK_STR(run_text(all, 0, "title"), "block 0: queries");
    static float w[3 * 24 * 8];
    sonde_weight_info info;
    size_t i = 0;
    while (sonde_model_weight(r->model, i, &info), strcmp(info.name, "blocks.0.attn.W_Q") != 0) i++;
    CHECK_EQ(sonde_model_weight_read(r->model, i, w, &r->err), SONDE_OK);
    run_values v = run_site(r, (sonde_prompt){ .tokens = r->prompt[0].tokens.id, .n = 9 }, false, "blocks.0.attn.hook_q");
    static const char *const roles[] = { "input", "weight", "output", "recomputed", "reference" };
    static const char *const columns[] = { "c0", "c1", "c2", "c3", "c4" };
    size_t rows[5] = { 0 };
    for (size_t k = 0; k < t->rows; k++) {
        const char *role = run_text(t, k, "role");
        int which = 0;
        while (strcmp(role, roles[which]) != 0) which++;
        rows[which]++;
        if (!strcmp(run_text(t, k, "matrix"), info.name) && !strcmp(run_text(t, k, "row"), "0,3"))
            for (int c = 0; c < 5; c++) CHECK(run_float(t, k, columns[c]) == (double)w[3 * 8 + c]);
        if (strcmp(run_text(t, k, "row"), "0,2") != 0) continue;
        if (which == 2) CHECK(run_float(t, k, "c4") == (double)v.data[2 * 8 + 4]);
        if (which == 3) CHECK_NEAR(run_float(t, k, "c4"), (double)v.data[2 * 8 + 4], 1e-5);
    }
    CHECK(rows[0] == 5 && rows[1] == 5 + 3 && rows[2] == 3 && rows[3] == 3 && rows[4] == 3);
    free(v.data);
    run_close(r);
}

static void stages_are_chosen_by_number(void) {
    method_run *r = open_golden(GOLDEN "three", GOLDEN "three/plain.safetensors");
    RUN_OK(r, "rebuild", NULL);
    const int64_t all = run_rows(run_table(r, "stages"));
    RUN_OK(r, "rebuild", "stage", "-1", NULL);
    CHECK_EQ(run_int(run_table(r, "stages"), 0, "stage"), all);
    RUN_OK(r, "rebuild", "stage", "4-6,9", NULL);
    CHECK_EQ(run_rows(run_table(r, "stages")), 4);
    CHECK_EQ(run_method(r, "rebuild", "stage", "0-2", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "stages count from 1"));
    CHECK_EQ(run_method(r, "rebuild", "stage", "999", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "rebuild", "stage", "4-6", NULL);
    CHECK_EQ(run_rows(run_table(r, "sites")), 3);
    CHECK_EQ(run_rows(run_table(r, "cost")), 1);
    run_close(r);
}

/* ---- export ---- */

static void what_is_exported_reads_back_equal(void) {
    scratch dir = scratch_new();
    method_run *r = open_golden(GOLDEN "llama_grouped", GOLDEN "llama_grouped/plain.safetensors");
    const scratch_path folder = in_scratch(&dir, "out");
    RUN_OK(r, "rebuild", "export", folder.text, NULL);
    check_weights(r, folder.text);
    const sonde_table *t = run_table(r, "stages");
    const sonde_prompt p = { .tokens = r->prompt[0].tokens.id, .n = r->prompt[0].tokens.n };
    char path[900], site[200];
    for (size_t i = 1; i < t->rows; i++) {
        rebuild_site(run_text(t, i, "site"), 0, site, sizeof site);
        run_values v = run_site(r, p, false, site);
        const bool    square = strstr(site, "scores") || strstr(site, "pattern");
        const int64_t n = square ? 4 * p.n * p.n : v.rows * v.cols;
        snprintf(path, sizeof path, "%s/stages/%s.npy", folder.text, site);
        float *is = npy(path, n);
        CHECK(!memcmp(v.data, is, (size_t)n * sizeof *is));
        free(v.data);
        free(is);
    }
    snprintf(path, sizeof path, "%s/stages", folder.text);
    CHECK(scratch_count(path) == t->rows - 1);
    snprintf(path, sizeof path, "%s/index.json", folder.text);
    static char text[1 << 18];
    FILE  *f = fopen(path, "rb");
    CHECK(f);
    const size_t size = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    sonde_result *index = sonde_result_new();
    CHECK_EQ(sonde_result_read(index, text, size, &r->err), SONDE_OK);
    CHECK(result_table(index, "weights")->rows == sonde_model_weights(r->model));
    CHECK(result_table(index, "stages")->rows == t->rows - 1);
    sonde_result_free(index);
    run_close(r);
    drop_export(folder.text);
    scratch_end(&dir);
}

static int asked;
static bool stop_later(void *user) {
    (void)user;
    return ++asked > 40;
}

static void an_export_of_one_stage_is_small_and_an_interrupted_one_has_no_index(void) {
    scratch dir = scratch_new();
    method_run *r = open_golden(GOLDEN "three", GOLDEN "three/plain.safetensors");
    const scratch_path folder = in_scratch(&dir, "out"), index = in_scratch(&dir, "out/index.json");
    RUN_OK(r, "rebuild", "stage", "8", "export", folder.text, NULL);
    CHECK(scratch_count(in_scratch(&dir, "out/weights").text) == 2);
    CHECK(scratch_count(in_scratch(&dir, "out/stages").text) == 1);
    CHECK(access(index.text, F_OK) == 0);
    unlink(index.text);
    RUN_OK(r, "rebuild", NULL);
    sonde_session_stop_when(r->cx.session, stop_later, NULL);
    CHECK_EQ(run_method(r, "rebuild", "export", folder.text, NULL), SONDE_CANCELLED);
    CHECK(access(index.text, F_OK) != 0);
    CHECK(run_rows(run_table(r, "stages")) > 0);
    sonde_session_stop_when(r->cx.session, NULL, NULL);
    CHECK_EQ(run_method(r, "rebuild", "export", in_scratch(&dir, "no/such").text, NULL), SONDE_IO);
    run_close(r);
    drop_export(folder.text);
    scratch_end(&dir);
}

/* ---- what is computed a second time ---- */

static void compute(const char *operation, sonde_operation *o, const double *a, const double *b, double *y) {
    const rebuild_call c = { .o = o, .in = { a, b } };
    sonde_error err = { 0 };
    o->operation = operation;
    if (rebuild_reference(operation)(&c, y, &err)) FAIL_("%s", err.message);
}

static void references_are_closed_forms(void) {
    double y[12];
    static const struct { const char *kind; double at_one; } acts[] = {
        { "gelu_tanh", 0.84119199 }, { "gelu", 0.84134475 }, { "silu", 0.73105858 }, { "relu", 1 },
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        sonde_operation o = { .kind = acts[i].kind, .out = { 2, { 1, 2 } } };
        compute("activation", &o, (double[]){ 1, -30 }, NULL, y);
        CHECK_NEAR(y[0], acts[i].at_one, 1e-7);
        CHECK_NEAR(y[1], 0, 1e-7);
    }
    const sonde_shape two = { 2, { 1, 2 } }, one = { 2, { 1, 1 } };
    const sonde_constant eps = { .name = "eps", .value = 0.75 };
    sonde_operation norm = { .in = { two, one }, .out = one, .constant = &eps, .n_constants = 1 };
    compute("layer_scale", &norm, (double[]){ 1, 2 }, NULL, y);
    CHECK_NEAR(y[0], 1, 1e-12);                                 /* var 1/4 */
    compute("rms_scale", &norm, (double[]){ 1, sqrt(5.5) }, NULL, y);
    CHECK_NEAR(y[0], 2, 1e-12);
    norm.out = two;
    compute("layer_normalize", &norm, (double[]){ 1, 3 }, (double[]){ 2 }, y);
    CHECK(y[0] == -0.5 && y[1] == 0.5);
    compute("rms_normalize", &norm, (double[]){ 1, 3 }, (double[]){ 2 }, y);
    CHECK(y[0] == 0.5 && y[1] == 1.5);
}

static void references_of_attention_are_closed_forms(void) {
    double y[12];
    const float quarter[] = { 1.57079637f };
    const sonde_constant turn[] = { { .name = "frequency", .list = quarter, .n = 1 } };
    const sonde_shape heads = { 2, { 2, 2 } }, square = { 3, { 1, 2, 2 } };
    sonde_operation o = { .in = { heads }, .out = heads, .constant = turn, .n_constants = 1 };
    compute("rotate", &o, (double[]){ 3, 4, 3, 4 }, NULL, y);   /* position 0 stays, position 1 turns by a right angle */
    CHECK(y[0] == 3 && y[1] == 4);
    CHECK_NEAR(y[2], -4, 1e-6);
    CHECK_NEAR(y[3], 3, 1e-6);
    const sonde_constant scale[] = { { .name = "scale", .value = 0.5 }, { .name = "causal", .value = 1 } };
    o = (sonde_operation){ .in = { heads, heads }, .out = square, .constant = scale, .n_constants = 2 };
    compute("scores", &o, (double[]){ 1, 2, 3, 4 }, (double[]){ 1, 0, 0, 2 }, y);
    CHECK(y[0] == 0.5 && isinf(y[1]) && y[1] < 0 && y[2] == 1.5 && y[3] == 4);
    o = (sonde_operation){ .in = { square }, .out = square };
    compute("softmax", &o, (double[]){ 7, -INFINITY, 0, log(3) }, NULL, y);
    CHECK(y[0] == 1 && y[1] == 0);
    CHECK_NEAR(y[2], 0.25, 1e-12);
    o = (sonde_operation){ .in = { square, heads }, .out = { 3, { 2, 1, 2 } } };
    compute("mix", &o, (double[]){ 1, 0, 0.25, 0.75 }, (double[]){ 1, 2, 5, 6 }, y);
    CHECK(y[0] == 1 && y[1] == 2 && y[2] == 4 && y[3] == 5);
}

static void references_of_caps_biases_and_choices_are_closed_forms(void) {
    double y[16];
    const sonde_constant two = { .name = "limit", .value = 2 };
    const sonde_shape    row = { 2, { 1, 3 } };
    sonde_operation o = { .in = { row }, .out = row, .constant = &two, .n_constants = 1 };
    compute("clamp", &o, (double[]){ -3, 1, 5 }, NULL, y);
    CHECK(y[0] == -2 && y[1] == 1 && y[2] == 2);
    compute("clamp", &o, (double[]){ NAN, -INFINITY, INFINITY }, NULL, y);
    CHECK(isnan(y[0]) && y[1] == -2 && y[2] == 2 && isnan(rebuild_activation("relu")(NAN)));
    compute("soft_cap", &o, (double[]){ -INFINITY, 0, 2 }, NULL, y);
    CHECK(isinf(y[0]) && y[1] == 0);
    CHECK_NEAR(y[2], 2 * 0.76159415595576489, 1e-12);
    o = (sonde_operation){ .in = { { 2, { 1, 4 } } }, .out = { 2, { 1, 2 } } };
    compute("largest", &o, (double[]){ 0.2, 0.3, 0.2, 0.3 }, NULL, y);
    CHECK(y[0] == 1 && y[1] == 3);
    o.in[0].dim[1] = 3;
    compute("largest", &o, (double[]){ 0.2, 0.2, 0.6 }, NULL, y);
    CHECK(y[0] == 0 && y[1] == 2);
    const sonde_shape    three = { 3, { 2, 3, 1 } };            /* 3 heads: slopes 2^-4, 2^-8, 2^-2 */
    const sonde_constant alibi[] = { { .name = "alibi", .value = 1 }, { .name = "causal", .value = 1 },
                                     { .name = "window", .value = 1 } };
    o = (sonde_operation){ .in = { three, three }, .out = { 3, { 3, 2, 2 } }, .constant = alibi, .n_constants = 2 };
    compute("scores", &o, (double[6]){ 0 }, (double[6]){ 0 }, y);
    CHECK(y[3] == 0.0625 && y[7] == 1.0 / 256 && y[11] == 0.25);
    CHECK(isinf(y[1]) && y[2] == 0);
    o.n_constants = 3;
    compute("scores", &o, (double[6]){ 0 }, (double[6]){ 0 }, y);
    CHECK(isinf(y[2]) && y[3] == 0.0625);
}

#define TESTS(T) \
    T(every_stage_is_the_official_one_and_what_its_inputs_give) T(a_stage_says_what_it_reads) T(tokens_come_with_offsets) \
    T(a_changed_weight_fails_first_at_the_stage_that_reads_it) T(stages_of_a_model_that_is_not_finite_agree) \
    T(a_reference_of_another_run_is_noticed) \
    T(of_several_runs_the_one_with_these_tokens_counts) T(a_trace_of_our_own_says_so) \
    T(one_stage_has_the_corners_of_its_matrices) T(stages_are_chosen_by_number) T(what_is_exported_reads_back_equal) \
    T(an_export_of_one_stage_is_small_and_an_interrupted_one_has_no_index) T(references_are_closed_forms) \
    T(references_of_attention_are_closed_forms) T(every_family_is_what_its_formulas_give) \
    T(references_of_caps_biases_and_choices_are_closed_forms)
TEST_MAIN(TESTS)
