/* load_pre.h - GGUF's words for pre-tokenizers (tokenizer.ggml.pre), each with its patterns and what else it says. */
#ifndef SONDE_LOAD_PRE_H
#define SONDE_LOAD_PRE_H
#include "load.h"

enum { PRE_PATTERNS = 6 };

typedef struct {
    const char *name;
    const char *pattern[PRE_PATTERNS];  /* one after the other; NULL ends them */
    bool        nfc;                    /* the text is put into normal form C first */
    bool        ignore_merges;
    bool        add_bos;                /* where the file does not say */
} pre_row;

/* NULL: not known. `name` NULL: not said, and the row is that of the family of the model. */
const pre_row *pre_find(const char *name, const char *family);
size_t         pre_rows(void);
const pre_row *pre_at(size_t i);
/* Its normaliser and pre-tokenizer. */
sonde_status   load_pre(loader *l, const pre_row *pre);
/* The names, in a row. */
const char    *pre_known(void);
#endif
