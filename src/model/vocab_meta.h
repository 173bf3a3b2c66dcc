/* vocab_meta.h - the vocabulary that a container of weights holds: GGUF's tokenizer.ggml.* keys. */
#ifndef SONDE_VOCAB_META_H
#define SONDE_VOCAB_META_H
#include "format/weights.h"
#include "text/pieces.h"

bool         vocab_in_meta(const weights *w);
/* `name`: of the file, for messages; lent for the call. FORMAT: lists that do not fit together. */
sonde_status tokenizer_of_meta(tokenizer **out, const weights *w, const char *name, sonde_error *err);
#endif
