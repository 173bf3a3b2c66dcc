/* embed, fill, classify, answer: as transformers and the recipe of sentence-transformers have it (tools/truth/encoders.py);
 * what a model lacks; other verbs on encoders. */
#define _GNU_SOURCE
#include "method/answer_spans.h"
#include "method_run.h"
#include "tiny_model.h"
#include "truth.h"
#include <math.h>

#define FAMILIES SONDE_SOURCE_DIR "/tests/golden/families/"

static method_run *open_family(const char *folder) {
    char path[400];
    snprintf(path, sizeof path, FAMILIES "%s", folder);
    return run_open(path);
}

static method_prompt *add_prompt(method_run *r, const char *a, const char *b) {
    r->cx.tokenize.pair = b;
    r->cx.tokenize.pair_len = b ? strlen(b) : 0;
    method_prompt *p = run_prompt(r, a);
    p->pair = b;
    p->pair_len = r->cx.tokenize.pair_len;
    r->cx.tokenize.pair = NULL;
    return p;
}

static const char *text_of(const json *row, const char *key) {
    const char *text = NULL;
    size_t      len;
    json_string(json_get(row, key), &text, &len);
    return text;
}

static void near(double a, double b, double most) {
    if (!(fabs(a - b) <= most)) FAIL_("%.9g, expected %.9g", a, b);
    CHECK(fabs(a - b) <= most);
}

static const sonde_array *array_of(const method_run *r, const char *name) {
    for (size_t i = 0; i < r->out->arrays.n; i++)
        if (!strcmp(r->out->arrays.at[i]->name, name)) return r->out->arrays.at[i];
    FAIL_("no array %s", name);
    return NULL;
}

/* ---- fill ---- */

static void check_mask(const method_run *r, const json *mask, size_t first, size_t n) {
    const sonde_table *t = run_table(r, "fills");
    const json *logits = truth_of(mask, "logits"), *probs = truth_of(mask, "probs");
    double above = INFINITY;
    for (size_t i = first; i < first + n; i++) {
        const size_t id = (size_t)run_token(t, i, "token");
        near(run_float(t, i, "logit"), truth_item(logits, id), 1e-5);
        near(run_float(t, i, "prob"), truth_item(probs, id), 1e-6);
        CHECK(truth_item(logits, id) <= above);
        above = truth_item(logits, id);
        CHECK_EQ(run_int(t, i, "rank"), (int64_t)(i - first) + 1);
    }
    size_t larger = 0;                          /* none is left out */
    for (size_t i = 0; i < logits->len; i++) larger += truth_item(logits, i) > above;
    CHECK_EQ((int64_t)larger, (int64_t)n - 1);
}

static void fills_are_the_masked_lms(void) {
    const truth f = truth_open("encoders");
    for (const json *x = truth_of(f.all, "fill")->child; x; x = x->next) {
        method_run *r = open_family(text_of(x, "folder"));
        const json *at = truth_of(x, "positions");
        add_prompt(r, text_of(x, "text"), NULL);
        r->cx.top = 4;
        RUN_OK(r, "fill", "target", "#7", NULL);
        const sonde_table *t = run_table(r, "fills"), *targets = run_table(r, "targets");
        CHECK_STR(run_columns(t), "position rank token prob logit");
        CHECK_EQ(run_rows(t), 4 * (int64_t)at->len);
        CHECK_EQ(run_rows(targets), (int64_t)at->len);
        for (size_t i = 0; i < at->len; i++) {
            const json *mask = truth_at(truth_of(x, "masks"), i);
            CHECK_EQ(run_int(t, 4 * i, "position"), (int64_t)truth_item(at, i));
            check_mask(r, mask, 4 * i, 4);
            CHECK_EQ(run_token(targets, i, "token"), 7);
            near(run_float(targets, i, "prob"), truth_item(truth_of(mask, "probs"), 7), 1e-6);
            size_t above = 0;
            for (size_t k = 0; k < truth_of(mask, "logits")->len; k++)
                above += truth_item(truth_of(mask, "logits"), k) > truth_item(truth_of(mask, "logits"), 7);
            CHECK_EQ(run_int(targets, i, "rank"), (int64_t)above + 1);
        }
        run_close(r);
    }
    truth_close(f);
}

static void fill_says_what_is_missing(void) {
    method_run *r = open_family("bert_mlm");
    add_prompt(r, "the cat", NULL);
    CHECK_EQ(run_method(r, "fill", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "the prompt has no mask, expected [MASK] (token 4) in it");
    CHECK_EQ(run_method(r, "fill", "target", "cat dog", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "target: \"cat dog\" is 2 tokens"));
    run_close(r);
    r = run_open(NULL);
    run_prompt(r, "The capital of");
    CHECK_EQ(run_method(r, "fill", NULL), SONDE_UNSUPPORTED);
    CHECK(strstr(r->err.message, "the model has lm, expected a masked LM's head"));
    CHECK_EQ(run_method(r, "classify", NULL), SONDE_UNSUPPORTED);
    CHECK_EQ(run_method(r, "answer", NULL), SONDE_UNSUPPORTED);
    CHECK_EQ(run_method(r, "embed", "pooling", "pooler", NULL), SONDE_UNSUPPORTED);
    CHECK(strstr(r->err.message, "expected a pooler"));
    run_close(r);
}

/* ---- classify ---- */

static void check_classes(const method_run *r, const json *x, const char *probs) {
    const sonde_table *t = run_table(r, "classes");
    const json *labels = truth_of(x, "labels");
    int64_t best = 0;
    CHECK_EQ(run_rows(t), (int64_t)labels->len);
    for (size_t i = 0; i < labels->len; i++) {
        CHECK_EQ(run_int(t, i, "class"), (int64_t)i);
        CHECK_STR(run_text(t, i, "label"), truth_at(labels, i)->text);
        near(run_float(t, i, "logit"), truth_item(truth_of(x, "logits"), i), 1e-5);
        if (probs) near(run_float(t, i, "prob"), truth_item(truth_of(x, probs), i), 1e-6);
        else CHECK(run_null(t, i, "prob"));
        if (truth_item(truth_of(x, "logits"), i) > truth_item(truth_of(x, "logits"), (size_t)best)) best = (int64_t)i;
    }
    CHECK_EQ(run_int(run_table(r, "answers"), 0, "class"), best);
}

static void labels_are_the_classifiers(void) {
    const truth f = truth_open("encoders");
    for (const json *x = truth_of(f.all, "classify")->child; x; x = x->next) {
        method_run *r = open_family(text_of(x, "folder"));
        add_prompt(r, text_of(x, "a"), text_of(x, "b"));
        RUN_OK(r, "classify", NULL);
        check_classes(r, x, "probs");
        run_close(r);
    }
    truth_close(f);
}

/* A copy of a golden folder in which `from` of one file reads `to`. */
static const char *changed(const char *folder, const char *file, const char *from, const char *to) {
    static char path[64];
    static int  number;
    char        command[1200];
    snprintf(path, sizeof path, "changed%d", number++);
    snprintf(command, sizeof command, "cp -r '" FAMILIES "%s' %s && chmod -R u+w %s && sed -i 's|%s|%s|' %s/%s && ! cmp -s '" FAMILIES
             "%s/%s' %s/%s", folder, path, path, from, to, path, file, folder, file, path, file);
    if (system(command)) FAIL_("%s", command);
    return path;
}

static void problem_types_choose_the_probability(void) {
    static const struct { const char *type, *probs; } rows[] = {
        { "multi_label_classification", "sigmoid" }, { "single_label_classification", "probs" }, { "regression", NULL },
    };
    const truth f = truth_open("encoders");
    const json *x = truth_at(truth_of(f.all, "classify"), 0);
    for (size_t i = 0; i < 3; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\\n\"problem_type\": \"%s\",", rows[i].type);
        method_run *r = run_open(changed("bert_class", "config.json", "^{$", line));
        CHECK_STR(sonde_model_describe(r->model)->problem, rows[i].type);
        add_prompt(r, text_of(x, "a"), text_of(x, "b"));
        RUN_OK(r, "classify", NULL);
        check_classes(r, x, rows[i].probs);
        run_close(r);
    }
    truth_close(f);
}

static void labels_have_names(void) {
    method_run *r = open_family("bert_class");
    CHECK_STR(sonde_model_label(r->model, 0), "bad");
    CHECK_STR(sonde_model_label(r->model, 2), "good");
    CHECK(!sonde_model_label(r->model, 3) && !sonde_model_label(r->model, -1));
    CHECK_EQ(sonde_model_describe(r->model)->head, SONDE_HEAD_CLASS | SONDE_HEAD_POOLER);
    run_close(r);
    sonde_model *m;
    sonde_error  err;
    CHECK_EQ(sonde_model_open(&m, changed("bert_class", "config.json", "\"1\": \"fair\"", "\"7\": \"fair\""), NULL, &err), SONDE_FORMAT);
    CHECK(strstr(err.message, "id2label: found the key \"7\", expected numbers below 3"));
    r = open_family("bert_mlm");
    CHECK(!sonde_model_label(r->model, 0));
    RUN_OK(r, "info", NULL);
    run_close(r);
}

/* ---- answer ---- */

static void check_answers(const method_run *r, const json *x) {
    const sonde_table *t = run_table(r, "spans"), *a = run_table(r, "answers");
    const json *spans = truth_of(x, "spans"), *answers = truth_of(x, "answers");
    CHECK_EQ(run_rows(t), (int64_t)spans->len);
    for (size_t i = 0; i < spans->len; i++) {
        const json *s = truth_at(spans, i);
        CHECK_EQ(run_int(t, i, "first"), (int64_t)truth_number(s, "first"));
        CHECK_EQ(run_int(t, i, "last"), (int64_t)truth_number(s, "last"));
        near(run_float(t, i, "score"), truth_number(s, "score"), 1e-6);
        near(run_float(t, i, "prob_start") * run_float(t, i, "prob_end"), truth_number(s, "score"), 1e-6);
    }
    CHECK_EQ(run_rows(a), (int64_t)answers->len);
    for (size_t i = 0; i < answers->len; i++) {
        const json *s = truth_at(answers, i);
        CHECK_STR(run_text(a, i, "answer"), text_of(s, "answer"));
        CHECK_EQ(run_int(a, i, "start"), (int64_t)truth_number(s, "start"));
        CHECK_EQ(run_int(a, i, "end"), (int64_t)truth_number(s, "end"));
        near(run_float(a, i, "score"), truth_number(s, "score"), 1e-6);
    }
}

static void answers_are_the_pipelines(void) {
    const truth f = truth_open("encoders");
    for (const json *x = truth_of(f.all, "answer")->child; x; x = x->next) {
        method_run *r = open_family(text_of(x, "folder"));
        char        longest[20];
        add_prompt(r, text_of(x, "question"), text_of(x, "context"));
        snprintf(longest, sizeof longest, "%d", (int)truth_number(x, "longest"));
        r->cx.top = 4;
        RUN_OK(r, "answer", "longest", longest, NULL);
        check_answers(r, x);
        const sonde_array *scores = array_of(r, "scores");      /* its largest number is the best span's */
        float best = 0;
        for (int64_t i = 0; i < scores->dim[0] * scores->dim[1]; i++)
            if (scores->data[i] > best) best = scores->data[i];
        near((double)best, run_float(run_table(r, "spans"), 0, "score"), 1e-7);
        run_close(r);
    }
    truth_close(f);
}

static void an_answer_needs_a_text(void) {
    method_run *r = open_family("bert_qa");
    add_prompt(r, "Who hears?", NULL);
    CHECK_EQ(run_method(r, "answer", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "a question without a text, expected --context beside it");
    run_close(r);
}

static void spans_by_hand(void) {
    const double  start[] = { 0.5, 0.1, 0.2, 0.2 }, end[] = { 0.4, 0.1, 0.4, 0.1 };
    const uint8_t inside[] = { 0, 1, 1, 1 };
    answer_span   out[8];
    const span_query two = { start, end, inside, 4, 2 };
    CHECK_EQ((int64_t)spans_best(&two, 7, out), 5);             /* 11 12 22 23 33 */
    CHECK(out[0].start == 2 && out[0].end == 2);
    CHECK(out[1].start == 1 && out[1].end == 2);
    CHECK(out[2].start == 2 && out[2].end == 3);                /* of equals the first */
    CHECK(out[3].start == 3 && out[3].end == 3);
    CHECK_EQ((int64_t)spans_best(&two, 1, out), 1);
    CHECK(out[0].start == 2 && out[0].end == 2);
    answer list[3];
    size_t n = answers_add(list, 0, "The the cat", (answer){ .start = 8, .end = 11, .score = 0.5 });
    n = answers_add(list, n, "The the cat", (answer){ .start = 0, .end = 3, .score = 0.3 });
    n = answers_add(list, n, "The the cat", (answer){ .start = 4, .end = 7, .score = 0.3 });
    CHECK_EQ((int64_t)n, 2);
    answers_sort(list, n);
    CHECK(list[0].start == 0 && list[0].score > 0.59);
}

/* ---- embed ---- */

static void check_vector(const method_run *r, size_t text, const json *want, double most) {
    const sonde_array *a = array_of(r, "vectors");
    CHECK_EQ(a->dim[1], (int64_t)want->len);
    for (size_t k = 0; k < want->len; k++)
        near((double)a->data[text * want->len + k], truth_item(want, k), most);
}

static void vectors_are_the_recipes(void) {
    static const char *const modes[] = { "mean", "cls", "max", "mean_sqrt_len", "weighted_mean", "last", "pooler" };
    const truth f = truth_open("encoders");
    const json *texts = truth_of(truth_of(f.all, "embed"), "texts");
    method_run *r = open_family("bert_sentence");
    r->cx.batch = true;
    for (const json *x = texts->child; x; x = x->next) add_prompt(r, text_of(x, "text"), NULL);
    RUN_OK(r, "embed", "truncate", "yes", NULL);
    for (size_t i = 0; i < texts->len; i++) {
        CHECK_EQ(run_int(run_table(r, "texts"), i, "tokens"), (int64_t)truth_number(truth_at(texts, i), "tokens"));
        check_vector(r, i, truth_of(truth_at(texts, i), "sentence"), 1e-6);
    }
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        RUN_OK(r, "embed", "pooling", modes[m], "truncate", "yes", NULL);
        for (size_t i = 0; i < texts->len; i++) check_vector(r, i, truth_of(truth_at(texts, i), modes[m]), 1e-5);
    }
    run_close(r);
    truth_close(f);
}

static void cosines_are_those_of_the_vectors(void) {
    method_run *r = open_family("bert_sentence");
    add_prompt(r, "the cat", NULL);
    add_prompt(r, "a dog walks", NULL);
    add_prompt(r, "the dog", NULL);
    RUN_OK(r, "embed", "pooling", "mean,cls", NULL);
    const sonde_array *v = array_of(r, "vectors"), *c = array_of(r, "cosine");
    CHECK_EQ(v->dim[1], 2 * 18);
    for (int64_t i = 0; i < 3; i++) {
        int64_t best = i == 0;
        for (int64_t k = 0; k < 3; k++) {
            double ab = 0, aa = 0, bb = 0;
            for (int64_t d = 0; d < v->dim[1]; d++) {
                const double a = (double)v->data[i * v->dim[1] + d], b = (double)v->data[k * v->dim[1] + d];
                ab += a * b, aa += a * a, bb += b * b;
            }
            near((double)c->data[i * 3 + k], ab / sqrt(aa) / sqrt(bb), 1e-6);
            if (k == i) near(run_float(run_table(r, "texts"), (size_t)i, "length"), sqrt(aa), 1e-5);
            if (k != i && c->data[i * 3 + k] > c->data[i * 3 + best]) best = k;
        }
        CHECK_EQ(run_int(run_table(r, "texts"), (size_t)i, "nearest"), best);
    }
    RUN_OK(r, "embed", "normalize", "no", NULL);
    double length = 0;
    for (int64_t d = 0; d < 18; d++) length += pow((double)array_of(r, "vectors")->data[d], 2);
    near(sqrt(length), run_float(run_table(r, "texts"), 0, "length"), 1e-5);
    CHECK(sqrt(length) > 1.5);
    run_close(r);
}

static void a_long_text_is_an_error_or_cut(void) {
    const truth f = truth_open("encoders");
    const json *x = truth_at(truth_of(truth_of(f.all, "embed"), "texts"), 2);
    method_run *r = open_family("bert_sentence");
    add_prompt(r, text_of(x, "text"), NULL);
    CHECK(truth_number(x, "full") > 12);
    CHECK_EQ(run_method(r, "embed", NULL), SONDE_USAGE);
    char want[200];
    snprintf(want, sizeof want, "%d tokens, expected at most 12, as the model's folder says; --truncate cuts texts",
             (int)truth_number(x, "full"));
    CHECK_STR(r->err.message, want);
    RUN_OK(r, "embed", "truncate", "yes", NULL);
    bool told = false;
    for (size_t i = 0; sonde_result_note_at(r->out, i); i++) told |= strstr(sonde_result_note_at(r->out, i), "cut to 12") != NULL;
    CHECK(told);
    run_close(r);
    truth_close(f);
}

static void a_decoder_has_vectors_too(void) {
    const truth f = truth_open("encoders");
    const json *x = truth_of(truth_of(f.all, "embed"), "decoder"), *ids = truth_of(x, "ids");
    method_run *r = open_family(text_of(x, "folder"));
    method_prompt *p = &r->prompt[r->cx.n_prompts++];
    *p = (method_prompt){ .tokens = { .n = (int64_t)ids->len, .id = calloc(ids->len, sizeof(int32_t)) } };
    for (size_t i = 0; i < ids->len; i++) p->tokens.id[i] = (int32_t)truth_item(ids, i);
    RUN_OK(r, "embed", NULL);
    check_vector(r, 0, truth_of(x, "mean"), 1e-5);
    RUN_OK(r, "embed", "pooling", "last", NULL);
    check_vector(r, 0, truth_of(x, "last"), 1e-5);
    CHECK_EQ(run_method(r, "embed", "pooling", "middle", NULL), SONDE_USAGE);
    run_close(r);
    truth_close(f);
}

static void check_refused(const char *file, const char *from, const char *to, int status, const char *why) {
    method_run *r = run_open(changed("bert_sentence", file, from, to));
    add_prompt(r, "the cat", NULL);
    CHECK_EQ(run_method(r, "embed", NULL), status);
    if (!strstr(r->err.message, why)) FAIL_("%s, expected %s", r->err.message, why);
    RUN_OK(r, "embed", "pooling", "mean", NULL);                /* names its own pooling: the folder is not asked */
    run_close(r);
}

static void what_a_folder_cannot_say_is_refused_by_name(void) {
    check_refused("modules.json", "models.Normalize", "models.Dense", SONDE_UNSUPPORTED, "module 2 is sentence_transformers.models.Dense");
    check_refused("modules.json", "\"1_Pooling\"", "\"../bert_mlm\"", SONDE_UNSUPPORTED, "module 1 lies in \"../bert_mlm\"");
    check_refused("modules.json", "\"1_Pooling\"", "\"other\"", SONDE_FORMAT, "other/config.json: is not there");
    check_refused("modules.json", "\"type\"", "\"kind\"", SONDE_FORMAT, "module 0 has no type");
    check_refused("modules.json", "^\\[$", "{", SONDE_FORMAT, "modules.json");
    check_refused("1_Pooling/config.json", "_mean_tokens\": true", "_mean_tokens\": false", SONDE_FORMAT, "names no pooling");
    check_refused("1_Pooling/config.json", "^{$", "{\"pooling_mode\": \"middle\",", SONDE_UNSUPPORTED, "pooling_mode \"middle\"");
    check_refused("sentence_bert_config.json", "\"do_lower_case\": false", "\"do_lower_case\": true", SONDE_UNSUPPORTED, "do_lower_case");
    check_refused("sentence_bert_config.json", "12", "0", SONDE_FORMAT, "max_seq_length");
}

static void a_folder_may_name_several_poolings(void) {
    method_run *r = run_open(changed("bert_sentence", "1_Pooling/config.json", "^{$", "{\"pooling_mode\": [\"max\", \"lasttoken\"],"));
    sonde_sentence s;
    CHECK_EQ(sonde_model_sentence(r->model, &s, &r->err), SONDE_OK);
    CHECK(s.told && s.n_pools == 2 && s.pool[0] == SONDE_POOL_MAX && s.pool[1] == SONDE_POOL_LAST && s.normalize && s.longest == 12);
    run_close(r);
    r = run_open(changed("bert_sentence", "1_Pooling/config.json", "cls_token\": false", "cls_token\": true"));
    CHECK_EQ(sonde_model_sentence(r->model, &s, &r->err), SONDE_OK);
    CHECK(s.n_pools == 2 && s.pool[0] == SONDE_POOL_CLS && s.pool[1] == SONDE_POOL_MEAN);
    run_close(r);
    r = run_open(NULL);
    CHECK_EQ(sonde_model_sentence(r->model, &s, &r->err), SONDE_OK);
    CHECK(!s.told && s.n_pools == 1 && s.pool[0] == SONDE_POOL_MEAN && !s.normalize && s.longest == DEMO_CONTEXT);
    run_close(r);
}

/* ---- other verbs ---- */

/* What the lens reads last is what fill says; states are behind the norms of a block. */
static void the_lens_ends_in_the_models_answer(void) {
    static const char *const folders[] = { "bert_mlm", "roberta_mlm", "distilbert_mlm", "bert_pretrain" };
    for (size_t i = 0; i < 4; i++) {
        method_run *r = open_family(folders[i]);
        add_prompt(r, i == 1 ? "The cat <mask>" : "the cat [MASK] .", NULL);
        r->cx.top = 1;
        RUN_OK(r, "fill", NULL);
        const sonde_table *t = run_table(r, "fills");
        const int32_t token = run_token(t, 0, "token");
        const double  logit = run_float(t, 0, "logit");
        char          at[20];
        snprintf(at, sizeof at, "%d", (int)run_int(t, 0, "position"));
        RUN_OK(r, "lens", "positions", at, NULL);
        t = run_table(r, "cells");
        const size_t last = (size_t)run_rows(t) - 1;
        CHECK_STR(run_text(t, last, "state"), "1 post");
        CHECK_STR(run_text(t, last, "site"), "blocks.1.hook_normalized_resid_post");
        CHECK_STR(run_text(t, last - 1, "site"), "blocks.1.ln1.hook_out");
        CHECK_EQ(run_token(t, last, "token"), token);
        CHECK(run_float(t, last, "logit") == logit);
        CHECK_EQ(run_int(t, last, "rank"), 1);
        run_close(r);
    }
}

static void what_needs_another_head_is_refused(void) {
    static const char *const verbs[] = { "eval", "layers", "stages", "neurons", "probe", "contributions" };
    method_run *r = open_family("bert_class");
    add_prompt(r, "the cat", NULL);
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_UNSUPPORTED);
    CHECK(strstr(r->err.message, "expected a masked LM's head"));
    float x[18] = { 0 }, logits[42];
    CHECK_EQ(sonde_session_unembed(r->cx.session, x, 1, logits, &r->err), SONDE_UNSUPPORTED);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        CHECK_EQ(method_fits(&r->cx, method_find(verbs[i]), &r->err), SONDE_UNSUPPORTED);
        CHECK(strstr(r->err.message, "the model has pooler, classifier, expected a head for the next token"));
    }
    sonde_metric *m;
    CHECK_EQ(sonde_metric_parse(&m, r->model, "loss", NULL, NULL, &r->err), SONDE_UNSUPPORTED);
    sonde_model *folded;
    CHECK_EQ(sonde_model_fold(r->model, &folded, &r->err), SONDE_UNSUPPORTED);
    CHECK(strstr(r->err.message, "norms the stream itself behind its sums"));
    run_close(r);
}

/* Without a norm in front of the unembedding, with caps or norms behind sums, folded weights would answer otherwise. */
static void decoders_that_do_not_fold_say_so(void) {
    static const struct { const char *folder, *why; } rows[] = {
        { "opt_post", "norms the stream itself" }, { "opt_bare", "no norm in front of the unembedding" }, { "gemma2", "caps its logits" },
    };
    for (size_t i = 0; i < 3; i++) {
        method_run  *r = open_family(rows[i].folder);
        sonde_model *folded;
        CHECK_EQ(sonde_model_fold(r->model, &folded, &r->err), SONDE_UNSUPPORTED);
        CHECK(strstr(r->err.message, rows[i].why));
        run_close(r);
    }
}

static void compare_names_labels(void) {
    method_run *r = open_family("bert_class");
    add_prompt(r, "Who hears?", "the dogs, cat");
    run_edit(r, "zero:blocks.0.attn.hook_z");
    RUN_OK(r, "compare", NULL);
    const sonde_table *t = run_table(r, "positions");
    CHECK_EQ(run_rows(t), 1);
    CHECK(run_null(t, 0, "loss_before"));
    const sonde_token was = table_token(t, 0, run_column(t, "argmax_before"));
    CHECK_EQ(was.id, 0);
    CHECK(was.len == 3 && !memcmp(was.bytes, "bad", 3));
    run_close(r);
}

/* Rows of an encoder go on behind the position; a decoder's end there. */
static void attention_of_an_encoder_counts_every_key(void) {
    method_run *r = open_family("bert_mlm");
    add_prompt(r, "the cat sees a dog", NULL);
    const sonde_prompt p = context_prompt(&r->cx, 0);
    run_values         v = run_site(r, p, false, "blocks.0.attn.hook_pattern");
    RUN_OK(r, "attention", NULL);
    for (size_t h = 0; h < 3; h++) {
        double entropy = 0;
        for (int64_t i = 0; i < p.n * p.n; i++) {
            const double x = (double)v.data[(int64_t)h * p.n * p.n + i];
            if (x > 0) entropy -= x * log2(x) / (double)p.n;
        }
        near(run_float(run_table(r, "heads"), h, "entropy_bits"), entropy, 1e-6);
    }
    CHECK(!array_of(r, "pattern")->causal);
    free(v.data);
    run_close(r);
}

/* A checkpoint of the next sentence head alone, and one whose config names two classes. */
static void heads_follow_the_classes(void) {
    const truth f = truth_open("encoders");
    const json *x = truth_at(truth_of(f.all, "classify"), 4);
    method_run *r = run_open(changed("bert_pretrain", "config.json", "\"BertForPreTraining\"", "\"BertForNextSentencePrediction\""));
    CHECK_EQ(sonde_model_describe(r->model)->head, SONDE_HEAD_NSP | SONDE_HEAD_POOLER);
    CHECK_EQ(sonde_model_describe(r->model)->n_answers, 2);
    add_prompt(r, text_of(x, "a"), text_of(x, "b"));
    RUN_OK(r, "classify", NULL);
    check_classes(r, x, "probs");
    run_edit(r, "scale:nsp_head.hook_nsp_out=2");
    RUN_OK(r, "compare", "metric", "logit(#1)", NULL);
    near(run_float(run_table(r, "metric"), 0, "before"), truth_item(truth_of(x, "logits"), 1), 1e-5);
    run_close(r);
    r = run_open(changed("bert_pretrain", "config.json", "\"BertForPreTraining\"", "\"BertForMaskedLM\", \"BertForNextSentencePrediction\""));
    CHECK_EQ(sonde_model_describe(r->model)->head, SONDE_HEAD_MLM | SONDE_HEAD_NSP | SONDE_HEAD_POOLER);
    run_close(r);
    truth_close(f);
}

/* ---- a pair in other verbs ---- */

static void a_pair_is_a_pair_in_every_verb(void) {
    method_run *r = open_family("bert_class");
    add_prompt(r, "Who hears?", "the dogs, cat");
    RUN_OK(r, "tokens", NULL);
    CHECK_STR(run_columns(run_table(r, "tokens")), "position id token start end text type");
    RUN_OK(r, "classify", NULL);
    double logit[3];
    for (size_t i = 0; i < 3; i++) logit[i] = run_float(run_table(r, "classes"), i, "logit");
    RUN_OK(r, "trace", "sites", "classifier.hook_out", NULL);
    for (size_t i = 0; i < 3; i++) CHECK((double)array_of(r, "classifier.hook_out")->data[i] == logit[i]);
    int32_t *type = r->prompt[0].tokens.type;
    r->prompt[0].tokens.type = NULL;            /* the same ids, all of type 0: another answer */
    RUN_OK(r, "classify", NULL);
    CHECK(fabs(run_float(run_table(r, "classes"), 0, "logit") - logit[0]) > 1e-3);
    r->prompt[0].tokens.type = type;
    run_close(r);
}

#define TESTS(X) X(fills_are_the_masked_lms) X(fill_says_what_is_missing) X(labels_are_the_classifiers) \
    X(problem_types_choose_the_probability) X(labels_have_names) X(answers_are_the_pipelines) X(an_answer_needs_a_text) \
    X(spans_by_hand) X(vectors_are_the_recipes) X(cosines_are_those_of_the_vectors) X(a_long_text_is_an_error_or_cut) \
    X(a_decoder_has_vectors_too) X(what_a_folder_cannot_say_is_refused_by_name) X(a_folder_may_name_several_poolings) \
    X(a_pair_is_a_pair_in_every_verb) X(the_lens_ends_in_the_models_answer) X(what_needs_another_head_is_refused) \
    X(decoders_that_do_not_fold_say_so) X(compare_names_labels) X(attention_of_an_encoder_counts_every_key) \
    X(heads_follow_the_classes)
TEST_MAIN(TESTS)
