/* The metric of every cell of a grid of edits; ablate and patch are the same with the edit given.
 * Activation patching: Vig et al., Investigating gender bias in language models using causal mediation analysis, 2020;
 * Meng et al., Locating and editing factual associations in GPT, 2022. */
#include "method_sweep.h"
#include "room.h"
#include <ctype.h>

enum { SWEEP_OVER, SWEEP_METRIC, SWEEP_APPROX, SWEEP_DO, SWEEP_MEAN = SWEEP_DO };

#define METRIC_ROW { "metric", PARAM_TEXT, "", 0, 0, "what is measured, as logit(\" Mary\")-logit(\" John\"); without it " \
                     "logit(answer)-logit(wrong) where the file of prompts names both" }
#define APPROX_ROW { "approx", PARAM_TEXT, "", 0, 0, "gradient: beside each cell the change that the gradient foretells" }
#define OVER_HELP  "sites and an index: a letter is an axis of the answer, : all at once, a number fixed; without an index " \
                   "every head, else every position"

static const param sweep_params[] = {
    [SWEEP_OVER] = { "over", PARAM_SITE, NULL, 0, 0, OVER_HELP ", as attn.hook_z[:,h]" },
    [SWEEP_METRIC] = METRIC_ROW,
    [SWEEP_APPROX] = APPROX_ROW,
    [SWEEP_DO] = { "do", PARAM_TEXT, NULL, 0, 0, "what is done to each cell: zero, mean, scale=2, add=4*dir.npy, patch=B" },
    { 0 },
};
static const param ablate_params[] = {
    [SWEEP_OVER] = { "over", PARAM_SITE, "attn.hook_z", 0, 0, OVER_HELP },
    [SWEEP_METRIC] = METRIC_ROW,
    [SWEEP_APPROX] = APPROX_ROW,
    [SWEEP_MEAN] = { "mean", PARAM_FLAG, "", 0, 0, "the mean over positions (of --reference if given) in place of 0" },
    { 0 },
};
static const param patch_params[] = {
    [SWEEP_OVER] = { "over", PARAM_SITE, "hook_resid_pre", 0, 0, OVER_HELP },
    [SWEEP_METRIC] = METRIC_ROW,
    [SWEEP_APPROX] = APPROX_ROW,
    { 0 },
};

/* The run that --do names ("patch=B[4]": B), else B. */
static char *run_beside(sweep *s) {
    const char *at = s->grid.value ? s->grid.value : "";
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
    s->patches = !strcmp(s->grid.op, "patch");
    return s->patches && n ? room_text(at, n) : room_text("B", 1);
}

/* An edit that is wrong everywhere is said once, before anything runs. */
static sonde_status check_edit(const sweep *s, sonde_error *err) {
    char        text[4096];
    sonde_edit *e;
    const sweep_cell c = sweep_cell_at(&s->grid, 0);
    sweep_edit_text(&s->grid, &c, text, sizeof text);
    SONDE_TRY(sonde_edit_parse(&e, s->cx->model, text, NULL, err));
    sonde_edit_free(e);
    return SONDE_OK;
}

static sonde_status sweep_do(sonde_context *cx, const method *m, const value *args, const char *op, sonde_result *out,
                             sonde_error *err) {
    const char *approx = args[SWEEP_APPROX].text;
    SONDE_FAIL_IF(*approx && strcmp(approx, "gradient") != 0, err, SONDE_USAGE, "approx: \"%s\", expected gradient", approx);
    sweep s = { .cx = cx, .metric = args[SWEEP_METRIC].text, .approximate = *approx, .prompt = ROOM(sweep_values, cx->n_prompts) };
    context_head(cx, m, out);
    sonde_status status = sweep_grid_open(&s.grid, cx, args[SWEEP_OVER].text, op, err);
    if (status == SONDE_OK) {
        s.beside = run_beside(&s);
        status = check_edit(&s, err);
    }
    if (status == SONDE_OK) {
        status = sweep_measure(&s, err);
        if (cx->dry_run && status == SONDE_OK) sweep_put_dry(&s, out);
        if (!cx->dry_run && (status == SONDE_OK || status == SONDE_CANCELLED)) sweep_put(&s, out);
    }
    for (size_t i = 0; i < cx->n_prompts; i++) {
        free(s.prompt[i].metric);
        free(s.prompt[i].approx);
        free(s.prompt[i].state);
    }
    free(s.prompt);
    free(s.beside);
    sweep_grid_close(&s.grid);
    return status;
}

#define SWEEP_FORMULA "metric: M of the run with the cell's edit (and --edit); change: M - M_A, A the run without the cell's edit; " \
                      "share: (M - M_A) / (M_B - M_A) where there is a run B; every cell is a run of its own, the same bits as alone; " \
                      "cells only at positions that the runs have, none where everything is masked. Several prompts: table mean, " \
                      "sd with n - 1. Interrupted: what is not done is null. approx (attribution patching): sum over the cell's places of " \
                      "d metric / d value in A times (value with the edit - value in A), foretells change; table agreement: how well"

static sonde_status sweep_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    extern const method method_sweep;
    return sweep_do(cx, &method_sweep, args, args[SWEEP_DO].text, out, err);
}

static sonde_status ablate_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    extern const method method_ablate;
    return sweep_do(cx, &method_ablate, args, args[SWEEP_MEAN].i ? "mean" : "zero", out, err);
}

static sonde_status patch_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    extern const method method_patch;
    return sweep_do(cx, &method_patch, args, "patch=B", out, err);
}

#define DEMO_METRIC "--metric 'logit(\" Mary\")-logit(\" John\")'"

const method method_sweep = {
    .name = "sweep",
    .summary = "one edit at every cell of a grid: layers by positions, heads, neurons; what each does to a metric",
    .reference = "Vig et al., Investigating Gender Bias in Language Models Using Causal Mediation Analysis, 2020; Meng et al., "
                 "Locating and Editing Factual Associations in GPT, 2022; approx: Nanda, Attribution Patching, 2023; Syed, Rager "
                 "and Conmy, Attribution Patching Outperforms Automated Circuit Discovery, 2023",
    .formula = SWEEP_FORMULA,
    .example = "sweep \"When Mary and John went to the store, John gave a drink to\" --over \"hook_attn_out[t]\" --do zero "
               DEMO_METRIC,
    .params = sweep_params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | KEEPS_CELLS | TAKES_TWO,
    .run = sweep_method,
};

const method method_ablate = {
    .name = "ablate",
    .summary = "what is lost without each head (or neuron, or layer): sweep --do zero, or --mean",
    .reference = "Michel, Levy and Neubig, Are Sixteen Heads Really Better than One?, 2019; means: Wang et al., Interpretability in "
                 "the Wild, 2022",
    .formula = SWEEP_FORMULA,
    .example = "ablate \"When Mary and John went to the store, John gave a drink to\" " DEMO_METRIC,
    .params = ablate_params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | KEEPS_CELLS | TAKES_TWO,
    .run = ablate_method,
};

const method method_patch = {
    .name = "patch",
    .summary = "values of run B put into A, cell by cell: where is what makes the difference? (sweep --do patch=B)",
    .reference = "Vig et al., 2020; Meng et al., 2022; Wang et al., Interpretability in the Wild, 2022",
    .formula = SWEEP_FORMULA,
    .example = "patch \"When Mary and John went to the store, John gave a drink to\" "
               "--run B=\"When Mary and John went to the store, Mary gave a drink to\" " DEMO_METRIC,
    .params = patch_params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | KEEPS_CELLS | TAKES_TWO,
    .run = patch_method,
};
