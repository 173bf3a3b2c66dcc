/* One number for a whole run: the same on every machine, whatever the threads and the instruction set. */
#include "dry.h"
#include "prompt_runs.h"

static const param params[] = { { 0 } };

extern const method method_hash;

static sonde_status hash_one(const sonde_context *cx, size_t i, sonde_cost *cost, char hex[65], sonde_error *err) {
    const sonde_prompt  p = context_prompt(cx, i);
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS };
    prompt_runs  runs;
    sonde_status s = prompt_runs_open(&runs, cx, i, err);
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1,
                            .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (s == SONDE_OK)
        s = cost ? sonde_variants_cost(cx->session, &b, cost, err) : sonde_run_hash(cx->session, &b, hex, err);
    prompt_runs_close(&runs);
    return s;
}

static sonde_status dry(const sonde_context *cx, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    for (size_t i = 0; i < cx->n_prompts; i++) {
        sonde_cost one;
        SONDE_TRY(hash_one(cx, i, &one, NULL, err));
        all.flops += one.flops;
        all.rows += one.rows;
        if (one.bytes > all.bytes) all.bytes = one.bytes;
    }
    dry_cost(out, (int64_t)cx->n_prompts, all);
    return SONDE_OK;
}

static sonde_status hash_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    (void)args;
    context_head(cx, &method_hash, out);
    if (cx->dry_run) return dry(cx, out, err);
    sonde_table *t = sonde_result_table(out, "hash");
    if (cx->batch) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "sha256", SONDE_TEXT, "");
    for (size_t i = 0; i < cx->n_prompts; i++) {
        char hex[65];
        SONDE_TRY(hash_one(cx, i, NULL, hex, err));
        sonde_table_row(t);
        if (cx->batch) sonde_cell_int(t, (int64_t)i);
        sonde_cell_text(t, hex);
        cx->progress(cx->progress_user, "prompts", (int64_t)i + 1, (int64_t)cx->n_prompts);
    }
    return SONDE_OK;
}

const method method_hash = {
    .name = "hash",
    .summary = "one number for a whole run: the same on every machine",
    .reference = "NIST, FIPS 180-4, 2015",
    .formula = "sha256: SHA-256, in hex, of the prompt's tokens as int32 (of an encoder-decoder then the target's, its start token "
               "first) and then the logits of all positions as float32, position by position, all little-endian, every NaN as 0x7fc00000",
    .example = "hash \"The capital of\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | TAKES_TWO,
    .run = hash_run,
};
