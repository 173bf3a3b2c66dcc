/* sentence.h - modules.json and its files, read when the model is opened; what is wrong with them is told when asked. */
#ifndef SONDE_MODEL_SENTENCE_H
#define SONDE_MODEL_SENTENCE_H
#include "locate.h"
#include "sonde/sentence.h"

typedef struct {
    sonde_sentence recipe;              /* longest 0: nothing says it */
    sonde_error    refused;             /* status OK: it is computed */
} sentence_recipe;

void sentence_read(const located *at, sentence_recipe *out);
#endif
