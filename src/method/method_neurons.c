/* Neurons: which tokens the weights of each raise and lower; what they write in a prompt (Gurnee et al., Universal neurons
 * in GPT2 language models, 2024; Geva et al., LM-Debugger, 2022). */
#include "method_neurons.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

const param neurons_params[] = {
    [NEURONS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose neurons are shown" },
    [NEURONS_KURTOSIS] = { "kurtosis", PARAM_REAL, "10", 0, 1e9, "above it a neuron is a prediction (skew > 0) or "
                   "suppression neuron (skew < 0)" },
    [NEURONS_VARIANCE] = { "variance", PARAM_REAL, "0.005", 0, 1, "above it, and not above --kurtosis, a partition neuron" },
    [NEURONS_CLASS] = { "class", PARAM_TEXT, "", 0, 0, "neurons that write a class of tokens, as end_w_ing; all: the class "
                        "that each writes most; list: the classes there are" },
    [NEURONS_ALL] = { "all", PARAM_FLAG, "", 0, 0, "with --class: every neuron, whatever its kurtosis and variance" },
    [NEURONS_BY] = { "by", PARAM_TEXT, "diff", 0, 0, "with --class, the order: diff, cosine, d or auc" },
    [NEURONS_SEARCH] = { "search", PARAM_TEXT, "", 0, 0, "neurons that have this word among the --k tokens they raise most"
                         },
    [NEURONS_K] = { "k", PARAM_INT, "10", 1, 1e6, "with --search: how many tokens of a neuron are looked at" },
    [NEURONS_RAW] = { "raw", PARAM_FLAG, "", 0, 0, "weights as they are, not with norms folded in and centred" },
    [NEURONS_POSITION] = { "position", PARAM_INT, "-1", -1e9, 1e9, "with a prompt: the position whose neurons are "
                   "shown; -1 is the last" },
    [NEURONS_OFF] = { "off", PARAM_LIST, "", 0, 0, "with a prompt: L.N, this neuron set to 0 (repeats)" },
    [NEURONS_ON] = { "on", PARAM_LIST, "", 0, 0, "with a prompt: L.N, this neuron set to the largest activation of its "
                                                 "layer at the position (repeats)" },
    [NEURONS_WHERE] = { "where", PARAM_TEXT, "last", 0, 0, "where --off and --on hold: last (the position), all, generated"
                        },
    [NEURONS_N] = { "n", PARAM_INT, "0", 0, 1e6, "with a prompt: write so many tokens, before and after the edits" },
    { 0 },
};

static void put_notes(const neuron_weights *w, sonde_result *out) {
    char text[160];
    sonde_result_note(out, w->folded ? "weights with norms folded in and centred, as TransformerLens does (--raw: as they "
                                       "are)"
                                     : "weights as they are: norms are not in them, nothing is centred");
    if (w->n == w->vocab) return;
    snprintf(text, sizeof text, "%" PRId64 " columns of W_U are padding behind the tokenizer's %"
             PRId64 " tokens and left out",
             w->vocab - w->n, w->n);
    sonde_result_note(out, text);
}

typedef sonde_status (*question)(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err);

static question question_of(const sonde_context *cx, const value *args) {
    if (cx->n_prompts) return neurons_prompt;
    if (*args[NEURONS_CLASS].text) return neurons_classes;
    return *args[NEURONS_SEARCH].text ? neurons_search : neurons_table;
}

/* Options of one question beside another are a mistake. */
static sonde_status check(const sonde_context *cx, const value *args, sonde_error *err) {
    static const int with_prompt[] = { NEURONS_POSITION, NEURONS_OFF, NEURONS_ON, NEURONS_WHERE, NEURONS_N };
    static const int without[] = { NEURONS_CLASS, NEURONS_SEARCH };
    for (size_t i = 0; !cx->n_prompts && i < sizeof with_prompt / sizeof *with_prompt; i++)
        SONDE_FAIL_IF(args[with_prompt[i]].given, err, SONDE_USAGE, "%s: without a prompt, expected one",
                      neurons_params[with_prompt[i]].name);
    for (size_t i = 0; cx->n_prompts && i < sizeof without / sizeof *without; i++)
        SONDE_FAIL_IF(args[without[i]].given, err, SONDE_USAGE, "%s: beside a prompt, expected none: it is about weights",
                      neurons_params[without[i]].name);
    static const struct { int option, of; const char *names; } parts[] = {
        { NEURONS_ALL, NEURONS_CLASS, "--class" }, { NEURONS_BY, NEURONS_CLASS, "--class" }, { NEURONS_K, NEURONS_SEARCH, "--search" },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        SONDE_FAIL_IF(args[parts[i].option].given && !args[parts[i].of].given, err, SONDE_USAGE, "%s: it is of %s, expected that beside it",
                      neurons_params[parts[i].option].name, parts[i].names);
    SONDE_FAIL_IF(args[NEURONS_WHERE].given && !args[NEURONS_OFF].n && !args[NEURONS_ON].n, err, SONDE_USAGE,
                  "where: it is of --off and --on, expected one of them beside it");
    SONDE_FAIL_IF(args[NEURONS_CLASS].given && args[NEURONS_SEARCH].given, err, SONDE_USAGE,
                  "class and search, expected one of them");
    SONDE_FAIL_IF(!cx->n_prompts && cx->n_edits, err, SONDE_USAGE, "edit: without a prompt nothing is run, expected a "
                                                                   "prompt");
    return SONDE_OK;
}

extern const method method_neurons;

static sonde_status neurons_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    neuron_weights w = { .cx = cx };
    context_head(cx, &method_neurons, out);
    SONDE_TRY(check(cx, args, err));
    sonde_status status = neurons_open(&w, args, err);
    if (status == SONDE_OK) {
        put_notes(&w, out);
        status = question_of(cx, args)(&w, args, out, err);
    }
    neurons_close(&w);
    return status;
}

const method method_neurons = {
    .name = "neurons",
    .summary = "which tokens each neuron raises and lowers by its weights, and which neurons write in a prompt",
    .reference = "Gurnee et al., Universal Neurons in GPT2 Language Models, 2024; Lad, Lee, Gurnee and Tegmark, The "
                 "Remarkable Robustness of LLMs, 2024; with a prompt: Geva et al., LM-Debugger, 2022",
    .formula = "c_v = cos(w_out, W_U[:,v]) over all tokens v; mean, var, skew, kurtosis: its population moments, "
               "kurtosis not the excess one (normal: 3). prediction: kurtosis > --kurtosis and skew > 0; suppression: "
               "skew < 0; partition: var > --variance, else none. --class: u_v = w_out . W_U[:,v]; true_mean, "
               "false_mean: means of u inside and outside the class, diff: their distance; cosine_..: the same of c_v; "
               "cohens_d: (true - false) / pooled sd; auc: chance that a token of the class has the larger u. "
               "--search: rank and u of the word. With a prompt: activation a: hook_post; norm: |w_out|; score: |a| "
               "norm; tokens: largest (+) and smallest (-) u; lens: the stream before and after the MLP through the "
               "final norm and the unembedding",
    .example = "neurons --layers 3",
    .params = neurons_params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | TAKES_PROMPT | TAKES_EDITS,
    .run = neurons_run,
};
