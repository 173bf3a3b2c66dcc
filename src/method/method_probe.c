/* Linear probes of what comes next: is the next token of a class? Of single neurons and of the best ones together (Gurnee et
 * al., Finding neurons in a haystack, 2023; Lad, Gurnee and Tegmark, The remarkable robustness of LLMs, 2024), or of all
 * numbers of a site. Learned on documents that neither rank nor judge. */
#include "method_probe.h"
#include "room.h"
#include <math.h>

const param probe_params[] = {
    [PROBE_CLASS] = { "class", PARAM_TEXT, "start_capital", 0, 0, "class of the next token that is told from all others (neurons --class list)" },
    [PROBE_NEURONS] = { "neurons", PARAM_TEXT, "", 0, 0, "neurons that are probed, as in 3.77,0.5; without them the --k that write the class most" },
    [PROBE_K] = { "k", PARAM_INT, "32", 1, 4096, "how many neurons, those whose weights raise the class and others most unequally" },
    [PROBE_SITE] = { "site", PARAM_SITE, "", 0, 0, "probe all numbers of these sites instead of neurons, as hook_resid_post" },
    [PROBE_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose neurons or sites are probed" },
    [PROBE_EACH] = { "each", PARAM_INT, "8", 0, 1e6, "examples of either kind taken of a document at most; 0: as many as there are" },
    [PROBE_C] = { "c", PARAM_REAL, "1", 1e-6, 1e6, "weight of the losses against that of the coefficients" },
    [PROBE_N] = { 0 },
};

/* ---- fits ---- */

int64_t probe_count(const probe *p, probe_part part) {
    int64_t n = 0;
    for (int64_t i = 0; i < p->n; i++) n += p->part[i] == part;
    return n;
}

/* Examples of the training part one behind another. */
static int64_t gather(const probe_fit *f, double *x, uint8_t *yes) {
    int64_t n = 0;
    for (int64_t i = 0; i < f->p->n; i++) {
        if (f->p->part[i] != PART_TRAIN) continue;
        memcpy(x + n * f->d, f->x + i * f->d, (size_t)f->d * sizeof *x);
        yes[n++] = f->p->yes[i];
    }
    return n;
}

sonde_status probe_learn(probe_fit *f, const probe *p, const int64_t *column, int64_t d, sonde_error *err) {
    *f = (probe_fit){ p, d, ROOM(double, p->n * d), ROOM(double, d), ROOM(double, d), { ROOM(double, d), 0 }, ROOM(double, p->n) };
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < d; k++) f->x[i * d + k] = (double)p->x[i * p->width + column[k]];
    double  *x = ROOM(double, p->n * d);
    uint8_t *yes = ROOM(uint8_t, p->n);
    const examples e = { x, yes, gather(f, x, yes), d };
    columns_measure(&e, f->mean, f->sd);
    columns_standardise(x, e.n, d, f->mean, f->sd);
    columns_standardise(f->x, p->n, d, f->mean, f->sd);
    const sonde_status s = sonde_session_stopped(p->cx->session) ? sonde_fail(err, SONDE_CANCELLED, "interrupted")
                                                                 : classifier_fit(&e, p->c, &f->fit, err);
    for (int64_t i = 0; i < p->n; i++) f->score[i] = classifier_score(&f->fit, f->x + i * d, d);
    free(x);
    free(yes);
    return s;
}

void probe_forget(probe_fit *f) {
    free(f->x);
    free(f->mean);
    free(f->sd);
    free(f->fit.w);
    free(f->score);
}

share probe_share(const probe_fit *f, probe_part part) {
    int64_t right = 0;
    for (int64_t i = 0; i < f->p->n; i++) right += f->p->part[i] == part && (f->score[i] > 0) == f->p->yes[i];
    return share_of(right, probe_count(f->p, part));
}

double probe_area(const probe_fit *f, probe_part part) {
    double  *score = ROOM(double, f->p->n);
    uint8_t *yes = ROOM(uint8_t, f->p->n);
    int64_t n = 0;
    for (int64_t i = 0; i < f->p->n; i++)
        if (f->p->part[i] == part) {
            score[n] = f->score[i];
            yes[n++] = f->p->yes[i];
        }
    const double area = area_under(score, yes, n);
    free(score);
    free(yes);
    return area;
}

/* ---- the method ---- */

void probe_put_baseline(const probe *p, sonde_result *out) {
    static const char *const counts[] = { "n_train", "n_validation", "n_test" };
    sonde_table *t = sonde_result_table(out, "baseline");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    sonde_table_column(t, "accuracy", SONDE_FLOAT, "");
    sonde_table_column(t, "low", SONDE_FLOAT, "");
    sonde_table_column(t, "high", SONDE_FLOAT, "");
    for (int i = 0; i < PARTS; i++) sonde_table_column(t, counts[i], SONDE_INT, "");
    sonde_table_column(t, "positives", SONDE_INT, "");
    sonde_table_column(t, "documents", SONDE_INT, "");
    int64_t right = 0, yes = 0;
    for (int64_t i = 0; i < p->n; i++) {
        right += p->part[i] == PART_TEST && p->best[i] == p->yes[i];
        yes += p->yes[i];
    }
    const share s = share_of(right, probe_count(p, PART_TEST));
    sonde_table_row(t);
    sonde_cell_text(t, p->args[PROBE_CLASS].text);
    sonde_cell_float(t, s.at);
    sonde_cell_float(t, s.low);
    sonde_cell_float(t, s.high);
    for (int i = 0; i < PARTS; i++) sonde_cell_int(t, probe_count(p, (probe_part)i));
    sonde_cell_int(t, yes);
    sonde_cell_int(t, p->documents[0] + p->documents[1] + p->documents[2]);
}

extern const method method_probe;

static sonde_status probe_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    probe p = { .cx = cx, .args = args, .each = args[PROBE_EACH].i, .c = args[PROBE_C].real };
    context_head(cx, &method_probe, out);
    sonde_status s = probe_open(&p, err);
    if (s == SONDE_OK && cx->dry_run) s = probe_dry(&p, out, err);
    else if (s == SONDE_OK) {
        s = probe_collect(&p, err);
        if (s == SONDE_OK) s = p.n_neurons ? probe_put_neurons(&p, out, err) : probe_put_places(&p, out, err);
        if (s == SONDE_OK) probe_put_baseline(&p, out);
    }
    probe_close(&p);
    return s;
}

const method method_probe = {
    .name = "probe",
    .summary = "how well neurons, or whole sites, tell whether the next token is of a class: linear probes over documents",
    .reference = "Gurnee et al., Finding Neurons in a Haystack, 2023; Lad, Gurnee and Tegmark, The Remarkable Robustness of LLMs: "
                 "Stages of Inference?, 2024; interval: Wilson, Probable Inference, 1927",
    .formula = "an example is a position, yes where the next token is of --class; as many yes as no of every document. Values "
               "(activations behind the nonlinearity) are standardised on the training documents; logistic regression: least "
               "w w / 2 + c * sum of log losses, the bias free. 60 % of the documents teach, 20 % rank, 20 % judge, by a draw "
               "from --seed and their tokens. accuracy, low, high: share right of those that judge, Wilson interval at 95 %; "
               "auc: P(score of a yes > of a no), ties half; score: mean of w_out W_U (folded) over the class - over the rest, "
               "kind its sign; ensembles: the k neurons best in validation; baseline: the model's most probable token is of "
               "the class or not",
    .example = "probe --text held-out --documents 60",
    .params = probe_params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | NEEDS_TEXT | TAKES_EDITS,
    .run = probe_run,
};
