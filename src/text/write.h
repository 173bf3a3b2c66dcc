/* write.h - putting a tokenizer.json together. For write_*.c alone. */
#ifndef SONDE_WRITE_H
#define SONDE_WRITE_H
#include "load.h"
#include "grow.h"

typedef struct {
    arena  *memory, *scratch;       /* of the text; emptied for each part of it */
    char   *text;
    size_t  len, cap;
    bool    late;                   /* added tokens are looked for in the normalised text: that knows where it begins */
} writer;

void write_bytes(writer *w, const char *text, size_t n);
void write_text(writer *w, const char *text);
void write_format(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));    /* at most 255 bytes */
void write_quoted(writer *w, const char *text, size_t n);
void write_code(writer *w, uint32_t c);

/* write_model.c */
void         write_decoder(writer *w, const tokenizer *t);
sonde_status write_model(writer *w, const tokenizer *t, sonde_error *err);

/* The merges of the model, best first, in the arena: two ids each. UNSUPPORTED: a model that does not merge. */
typedef struct { int32_t left, right, made; uint32_t rank; } model_merge;
sonde_status model_merges(const tokenizer *t, arena *into, model_merge **out, size_t *n, sonde_error *err);
#endif
