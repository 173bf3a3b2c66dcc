/* What edits, metrics, sites, prompts and models are, in rows. */
#include "page.h"
#include <string.h>

typedef struct { const char *left, *right; } row;

static void put_rows(page *p, const char *left, const char *right, const row *rows, int width) {
    page_rows(p, left, right, width);
    for (const row *r = rows; r->left; r++) page_row(p, r->left, r->right);
    page_rows_end(p);
}

static const row edit_parts[] = {
    { "edit",   "OP:SITE[INDEX]=VALUE@WHEN; index, value and when where they are needed" },
    { "index",  "one part per axis of the site, missing ones are \":\"; N, N:M (half-open), :, {N,M}, from the end if "
                "negative; on t and s also a token: \"text\" or #id, every position that has it" },
    { "value",  "a number, a vector, number*vector, a run, number*run, number*(run-run)" },
    { "vector", "FILE.npy or FILE.safetensors#name, with an index if need be" },
    { "run",    "NAME[INDEX] or avg(run,run): a run that --run names; A is the unedited run" },
    { "when",   "prompt, generated or all (default): which positions it may touch" },
    { 0 },
};
static const row edit_ops[] = {
    { "zero",    "0. zero:blocks.8.attn.hook_z[5,3]" },
    { "set",     "the number, vector or run. set:blocks.3.attn.hook_pattern[2,-1,0]=1" },
    { "scale",   "itself times the number or vector. scale:blocks.4.mlp.hook_post[:,77]=3" },
    { "add",     "itself plus any value. add:blocks.6.hook_resid_post[-1]=4*dir.npy" },
    { "project", "itself without its part along the vector. project:hook_resid_pre=dir.npy" },
    { "noise",   "itself plus Gaussian noise of that sd, keyed by --seed and the place. noise:hook_embed[1:4]=0.3" },
    { "mean",    "its mean over the positions of the unedited prompt, or of --reference FILE. "
                 "mean:blocks.8.attn.hook_z[:,3]" },
    { "patch",   "another run's value at the same index, or at the index given. "
                 "patch:blocks.6.hook_resid_pre[5]=B[4]" },
    { "freeze",  "its value in the unedited run. freeze:blocks.1-3.attn.hook_pattern" },
    { 0 },
};
static const row edit_plans[] = {
    { "skip",   "a block or its part adds nothing. skip:blocks.2, skip:blocks.2.attn, skip:blocks.2.mlp" },
    { "swap",   "two blocks change places. swap:blocks.1,blocks.2" },
    { "repeat", "blocks run so many times. repeat:blocks.1-2=2; the second time is blocks.1r1" },
    { "order",  "the blocks in this order. order:0,2,1,3" },
    { 0 },
};

sonde_status topic_edits(page *p, sonde_error *err) {
    (void)err;
    page_title(p, 1, "Edits");
    page_text(p, "An edit changes values while the model runs; everything computed from them follows. The same text "
                 "works in the shell (--edit, repeated; @FILE has one a line), in files of results and in C.");
    page_title(p, 3, "Grammar");
    put_rows(p, "part", "what it is", edit_parts, 8);
    page_title(p, 3, "Operations: the value there becomes");
    put_rows(p, "op", "the value there becomes", edit_ops, 8);
    page_title(p, 3, "Plans of execution, before all edits");
    put_rows(p, "plan", "what runs", edit_plans, 8);
    page_text(p, "An integer in an index drops that axis and values broadcast, both as in numpy. Edits of one site apply "
                 "in the order given. Masked scores stay -inf and masked pattern entries 0. Indices are resolved once, "
                 "against the prompt.");
    page_title(p, 3, "Example");
    page_code(p, "sonde compare \"When Mary and John went to the store, John gave a drink to\" "
                 "--edit zero:blocks.2.attn.hook_z");
    return SONDE_OK;
}

static const row metric_rows[] = {
    { "logit(T)",   "logit of the token T" },
    { "prob(T)",    "its probability, softmax at temperature 1" },
    { "logprob(T)", "the natural logarithm of it" },
    { "rank(T)",    "1 + number of tokens with a greater logit" },
    { "entropy",    "of the softmax, in bits" },
    { "loss",       "mean next-token cross-entropy over the prompt, in nats; needs two tokens" },
    { "kl(RUN)",    "KL(RUN || this), in nats; kl(A): against the unedited run" },
    { "T",          "\"a text\" that is one token, #id, argmax (of run A), answer, wrong (of --prompts FILE.jsonl)" },
    { "position",   "a last argument, logit(T,3), entropy(-2); default: the last" },
    { 0 },
};

sonde_status topic_metrics(page *p, sonde_error *err) {
    (void)err;
    page_title(p, 1, "Metrics");
    page_text(p, "A metric is one number of a run: sums, differences, products and quotients of these, with "
                 "parentheses. It is computed in double from float32 logits, in vocabulary order.");
    put_rows(p, "word", "what it is", metric_rows, 10);
    page_title(p, 3, "Example");
    page_code(p, "logit(\" Mary\") - logit(\" John\")");
    return SONDE_OK;
}

static const row axis_rows[] = {
    { "t", "position (query)" },     { "s", "position of the key" },  { "h", "head" }, { "g", "key/value head" },
    { "e", "width of a head" },      { "d", "width of the model" },   { "f", "width of the MLP" },
    { "v", "vocabulary" },           { "1", "one number" },           { 0 },
};

static sonde_status put_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    page *p = user;
    const char *part = strncmp(s->name, "blocks.0.", 9) ? s->name : s->name + 9;
    char left[96], right[256];
    if (s->block > 0) return SONDE_OK;
    snprintf(left, sizeof left, "%s%s", part == s->name ? "" : "blocks.L.", part);
    snprintf(right, sizeof right, "%s: %s%s", s->axes, s->doc, s->on_request ? " (on request)" : "");
    page_row(p, left, right);
    return SONDE_OK;
}

sonde_status topic_sites(page *p, sonde_error *err) {
    page_title(p, 1, "Sites");
    page_text(p, "A site is a named place where a value exists; the names are TransformerLens's. L is the layer. "
                 "These are the sites of all families; \"sonde sites\" lists those of a model, with shapes.");
    page_rows(p, "site", "axes and meaning", 32);
    SONDE_TRY(sonde_sites(NULL, NULL, put_site, p, err));
    page_rows_end(p);
    page_title(p, 3, "Axes, outermost first");
    put_rows(p, "axis", "what it counts", axis_rows, 4);
    page_text(p, "Patterns: * is inside one part of a name, ** any number of parts, {a,b} alternatives, blocks.3-5 a range, "
                 "blocks.-1 the last. A name without wildcards that is no whole name means every layer's site that "
                 "ends in its parts: hook_z, attn.hook_z. Sites on request are selected by spelling their last part. "
                 "TransformerLens's short names (resid_pre5) and llama.cpp's (l_out-3) work too.");
    return SONDE_OK;
}

static const row prompt_rows[] = {
    { "TEXT",           "one argument, byte for byte; -- in front of a text that begins with -" },
    { "--file F",       "the bytes of a file; - is stdin" },
    { "--tokens IDS",   "464,3139, taken as they are" },
    { "--prompts F",    "many: one a line; of a .jsonl file one object a line, {\"prompt\": TEXT} or {\"tokens\": [IDS]}, "
                        "perhaps with \"pair\" (the text beside it), \"types\" (token types of the ids), \"B\" (the text of run B; "
                        "\"B_pair\", else it has the prompt's pair), \"answer\", \"wrong\". Empty lines are passed over" },
    { "--pair TEXT",    "a second text beside each prompt that has none of its own, and beside the texts of --run: [CLS] A [SEP] B [SEP] "
                        "and the like, with token types, as the tokenizer's template for pairs says; refused where it has none" },
    { "--escape",       "\\n \\t \\r \\\\ \\xNN in it are bytes" },
    { "--plain",        "texts of special tokens are ordinary text" },
    { "--bos WORD",     "auto: what the model's tokenizer does; yes: BOS in front (or the end-of-text token); no" },
    { 0 },
};

sonde_status topic_prompts(page *p, sonde_error *err) {
    (void)err;
    page_title(p, 1, "Prompts");
    put_rows(p, "way", "what is taken", prompt_rows, 14);
    page_text(p, "Nothing is trimmed: with --file a last newline is part of the prompt. Layers, heads, neurons and "
                 "positions count from 0. Chat templates are not rendered.");
    return SONDE_OK;
}

static const row model_rows[] = {
    { "a path",      "a folder with config.json and safetensors or torch files, Meta's checkpoints with params.json, or a file: GGUF, llama2.c, .. (help files)" },
    { "shipped",     "demo (in the program), encoder, induction, seq2seq; found in $SONDE_MODELS, beside the program, in its share folder" },
    { "cached",      "gpt2, org/name, org/name@rev, org/name:Q4_K_M (one GGUF of several): in the local Hugging Face cache ($HF_HUB_CACHE, $HF_HOME/hub, "
                     "$XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub)" },
    { 0 },
};

sonde_status topic_models(page *p, sonde_error *err) {
    (void)err;
    page_title(p, 1, "Models");
    page_text(p, "-m MODEL, else $SONDE_MODEL, else demo, in this order:");
    put_rows(p, "kind", "what it is", model_rows, 8);
    page_text(p, "Nothing is downloaded unless asked: \"sonde pull gpt2\", or --pull beside -m, which fetches a model that is not "
                 "here into the cache.");
    return SONDE_OK;
}
