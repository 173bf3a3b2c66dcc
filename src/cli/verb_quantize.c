/* sonde quantize: a model's matrices packed into GGML's block types. */
#include "saving.h"
#include <string.h>

enum { QUANTIZE_IN, QUANTIZE_OUT, QUANTIZE_TYPE, QUANTIZE_AGAIN, QUANTIZE_RMSE, QUANTIZE_TOKENIZER };

static const param params[] = {
    [QUANTIZE_IN] = { "in", PARAM_TEXT, NULL, 0, 0, "the model: folder, file, shipped model or name in the Hugging Face cache" },
    [QUANTIZE_OUT] = { "out-model", PARAM_TEXT, NULL, 0, 0, "what is written, a name that ends in .gguf" },
    [QUANTIZE_TYPE] = { "type", PARAM_TEXT, NULL, 0, 0,
                        "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q6_K F16 BF16, or a mix: Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M" },
    [QUANTIZE_AGAIN] = { "requantize", PARAM_FLAG, "", 0, 0, "pack what is quantised already, which loses more" },
    [QUANTIZE_RMSE] = { "rmse", PARAM_FLAG, "", 0, 0, "measure what packing changed, tensor by tensor" },
    [QUANTIZE_TOKENIZER] = { "tokenizer", PARAM_TEXT, "", 0, 0, "file or folder of a tokenizer, in place of the model's own" },
    { 0 },
};

static sonde_status run(command *c, sonde_error *err) {
    const size_t n = strlen(c->args[QUANTIZE_OUT].text);
    SONDE_FAIL_IF(n < 6 || strcmp(c->args[QUANTIZE_OUT].text + n - 5, ".gguf") != 0, err, SONDE_USAGE,
                  "quantize: the second word is what is written, expected a name that ends in .gguf");
    return saving_run(c, (saving){ .in = c->args[QUANTIZE_IN].text, .out = c->args[QUANTIZE_OUT].text,
                                   .tokenizer = c->args[QUANTIZE_TOKENIZER].text,
                                   .how = { .type = c->args[QUANTIZE_TYPE].text, .requantize = c->args[QUANTIZE_AGAIN].i != 0,
                                            .measure = c->args[QUANTIZE_RMSE].i != 0 } }, err);
}

extern const verb verb_quantize;
const verb verb_quantize = {
    .about = { .name = "quantize", .summary = "pack a model's matrices into blocks of few bits (GGUF)",
               .formula = "The type of every tensor is what llama.cpp's own tool chooses; norms, biases and tables of positions stay; "
                          "rows that are no multiple of a block get another type (column wanted says which it would have been). "
                          "rmse: square root of the mean of (packed - stored)^2 over the tensor. Scales are searched for by sonde's own "
                          "rule: the bytes are not llama.cpp's, the error is not above its",
               .example = "quantize demo demo-q8.gguf Q8_0 --quiet", .params = params, .takes = MAKES_RESULT },
    .words = 3, .run = run,
};
