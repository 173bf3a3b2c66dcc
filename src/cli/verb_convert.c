/* sonde convert: any container into a Hugging Face folder or a GGUF file. */
#include "saving.h"

enum { CONVERT_IN, CONVERT_OUT, CONVERT_TOKENIZER };

static const param params[] = {
    [CONVERT_IN] = { "in", PARAM_TEXT, NULL, 0, 0, "the model: folder, file, shipped model or name in the Hugging Face cache" },
    [CONVERT_OUT] = { "out-model", PARAM_TEXT, NULL, 0, 0, "what is written: a name that ends in .gguf, or a new folder" },
    [CONVERT_TOKENIZER] = { "tokenizer", PARAM_TEXT, "", 0, 0, "file or folder of a tokenizer, in place of the model's own" },
    { 0 },
};

static sonde_status run(command *c, sonde_error *err) {
    return saving_run(c, (saving){ .in = c->args[CONVERT_IN].text, .out = c->args[CONVERT_OUT].text,
                                   .tokenizer = c->args[CONVERT_TOKENIZER].text }, err);
}

extern const verb verb_convert;
const verb verb_convert = {
    .about = { .name = "convert", .summary = "write a model of any container as a Hugging Face folder or a GGUF file",
               .formula = "F32, F16 and BF16 stay what they are (in GGUF norms and biases become F32); blocks become float32, "
                          "exactly, but from GGUF to GGUF, where all tensors stay. Names, layouts and the order of query and key "
                          "rows are the target's own. tensors: shape outermost first, type before and after",
               .example = "convert demo demo.gguf --quiet", .params = params, .takes = MAKES_RESULT },
    .words = 2, .run = run,
};
