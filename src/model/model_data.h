/* model_data.h - an opened model, as the engine sees it. Read-only after it is made. */
#ifndef SONDE_MODEL_DATA_H
#define SONDE_MODEL_DATA_H
#include "arch.h"
#include "base/arena.h"
#include "base/dtype.h"
#include "kernel/kern.h"
#include "sonde/model.h"
#include "text/tokenizer.h"

typedef struct {                /* one weight: matrices are views of the mapped file, vectors are float32 */
    kern_weight  matrix;        /* y = x W: n outputs, k inputs; for tables (embeddings) n rows of k values */
    const kern_weight *expert;  /* [experts]: each expert's own part of such a matrix; NULL: not of experts */
    const float *vector;        /* norms and biases, widened and aligned; NULL: the model has none */
    const char  *stored_as;     /* name in the file; of several, the first */
    const weight_row *row;      /* by which it was found there */
    dtype_id     type;
    int64_t      bytes;
} weight;

struct sonde_model {
    arch_config      config;
    arch_config      encoder;                   /* config.encoder points here, where there is one */
    sonde_model_info info;
    weight           front[WEIGHT_COUNT];       /* W_EMBED, W_POS, W_LNF, W_UNEMBED, .. */
    weight         (*block)[WEIGHT_COUNT];      /* [layers] */
    weight           encoder_front[WEIGHT_COUNT];
    weight         (*encoder_block)[WEIGHT_COUNT];      /* [encoder.layers] */
    tokenizer       *tokenizer;                 /* NULL: none */
    /* what owns the bytes: private to model.c */
    struct model_files *files;
    arena           *memory;
};
#endif
