/* method_tokens_against.h - two tokenizers on the same texts, for the method tokens. */
#ifndef SONDE_METHOD_TOKENS_AGAINST_H
#define SONDE_METHOD_TOKENS_AGAINST_H
#include "method.h"

/* Tables tokenizers, against and side_by_side; `name`: the other model. Errors as sonde_model_open, USAGE for prompts that
 * were given as tokens, UNSUPPORTED where one has no tokenizer. */
sonde_status put_against(const sonde_context *cx, const char *name, sonde_result *out, sonde_error *err);
#endif
