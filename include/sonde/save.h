/* save.h - a model written as files that other programs open: a Hugging Face folder, or GGUF.
 *
 * One tensor is in memory at a time. Files are written beside their names and renamed when they are whole; a folder that
 * is not finished has no config.json. One thread of the caller's; packing uses the process's pool. */
#ifndef SONDE_SAVE_H
#define SONDE_SAVE_H
#include "sonde/model.h"

typedef struct {                /* one tensor that was written; lent for the call */
    const char *name;           /* in the file */
    const char *from, *to;      /* storage types */
    const char *wanted;         /* the type that was asked for, where its rows did not fit it; else NULL */
    bool        widened;        /* it was stored in blocks and is plain numbers now */
    int         rank;
    int64_t     dim[4];         /* outermost first */
    int64_t     bytes;
    double      rmse;           /* of what was quantised, against the values before; else 0 */
} sonde_saved;

typedef struct {
    const char *type;           /* GGUF: what matrices become, a type or a mix ("Q4_K_M"); NULL: they stay as they are */
    bool        requantize;     /* a source that is quantised already may be packed again */
    bool        measure;        /* fill rmse */
    bool        dry_run;        /* tell what would be written; nothing is */
    int         threads;        /* 0: all cores */
    void      (*saved)(const sonde_saved *t, void *user);                       /* after each tensor; may be NULL */
    void      (*note)(void *user, const char *text);    /* GGUF: what llama.cpp computes otherwise, a sentence each; may be NULL */
    void      (*progress)(void *user, const char *what, int64_t done, int64_t all);    /* may be NULL */
    bool      (*stop)(void *user);                                              /* asked between tensors; may be NULL */
    void       *user;
} sonde_save_options;

/* `path` ends in .gguf: a GGUF file; else a folder, made if it is not there: model.safetensors, config.json and the
 * tokenizer. F32, F16 and BF16 stay what they are (GGUF: norms and biases become F32), other types become F32; from GGUF to
 * GGUF all tensors stay. USAGE: a type that nothing is packed into, a quantised source without requantize, a folder that
 * holds a model already, a type without GGUF; UNSUPPORTED: GGUF knows no such family, or FORMAT: NaN in what is quantised;
 * CANCELLED; IO. */
SONDE_API sonde_status sonde_model_save(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err);
#endif
