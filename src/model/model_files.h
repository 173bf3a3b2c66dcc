/* model_files.h - what owns a model's bytes, and the steps of opening one; for model*.c only. */
#ifndef SONDE_MODEL_FILES_H
#define SONDE_MODEL_FILES_H
#include "base/file.h"
#include "format/weights.h"
#include "locate.h"
#include "model_data.h"
#include "sentence.h"
#include "settings.h"
#include <pthread.h>
#include <stdatomic.h>

typedef enum {
    FILE_CONFIG, FILE_TOKENIZER, FILE_VOCAB, FILE_MERGES, FILE_TOKENIZER_CONFIG, FILE_PARAMS, FILE_SPM, FILE_SPIECE,
    FILE_VOCAB_TXT, FILE_BIN, FILE_SPECIAL_MAP, FILE_ADDED, FILE_GENERATION, FILE_GIVEN, FILE_COUNT
} model_file;

typedef struct {                /* a row of sonde_model_weight */
    const char *name;           /* "blocks.3.mlp.W_out" */
    weight_id   id;
    stack_id    stack;
    int64_t     layer;          /* -1: not in a block */
} weight_entry;

struct model_files {
    atomic_int      owners;
    file_map        file[FILE_COUNT];           /* size 0: not there, or not used */
    const char     *warning[3];                 /* of the settings, the tokenizer, the arrays; NULL: none */
    settings_text   settings;                   /* config.json, or what stands for it; in the model's memory */
    weights        *weights;
    const char     *prefix;                     /* of its names, where they are Hugging Face's; else NULL */
    float          *vectors;                    /* all of them, each at a multiple of 64 bytes; folded: all weights */
    sonde_model    *folded;                     /* the model that this one is folded from, which lends it its tokenizer */
    sentence_recipe sentence;
    const char    **label;                      /* [config.labels], NULL: a model without a classifier */
    const char     *problem;                    /* of config.json's problem_type, NULL: none */
    weight_entry   *list;
    size_t          listed;
    const char     *tokenizer_from;             /* the file that the tokenizer was read from */
    bool            run;                        /* as in sonde_model_search */
    pthread_mutex_t lock;                       /* guards those below */
    bool            hashed, hashing;            /* hashing: by `hasher`, which nobody has joined */
    pthread_t       hasher;
    char            hash[17];
};

const char *model_file_name(model_file f);      /* "config.json" */
/* Maps it, or the embedded one. NOT_FOUND: it is not there; *found, where it is not NULL, says so and makes that OK. */
sonde_status model_open_file(sonde_model *m, const located *at, model_file f, bool *found, sonde_error *err);
/* The model's own, from files beside the weights or out of their container, or the one that was named; none is no error.
 * In model_tokenizer.c, as the one below. */
sonde_status model_read_tokenizer(sonde_model *m, const located *at, sonde_error *err);
/* Of a file or a folder of a tokenizer, or of a GGUF file's vocabulary. */
sonde_status model_tokenizer_of_path(sonde_model *m, const char *path, sonde_error *err);
/* Row i of the files that a folder's tokenizer is read from; false past the last. */
bool         model_tokenizer_file(size_t i, const char **name, const char **doc);
sonde_model *model_new(void);                   /* with one owner, its files and its memory */
void         model_free(sonde_model *m);
/* All steps of opening; what was read before one of them failed stays in `m`. */
sonde_status model_read_all(sonde_model *m, const located *at, sonde_error *err);
/* sonde_head flags of a description; names of a classifier's labels, and what its logits are. In labels.c. */
unsigned     model_heads(const arch_config *c);
sonde_status model_read_labels(sonde_model *m, const json *config, sonde_error *err);
/* Finds every weight that the description names in the opened files, checks it, and widens the vectors. */
sonde_status model_bind(sonde_model *m, sonde_error *err);
/* Fills m->info, all but the hash, and the list of weights; everything else is there. */
void         model_summarise(sonde_model *m, const char *name);
/* A weight that the model has, as sonde_model_weight_read gives it. */
sonde_status model_weight_floats(const sonde_model *m, const weight_entry *e, float *out, sonde_error *err);
/* Computes the hash on a thread of its own, beside what else opening does, unless the model is to be run: all files are
 * there and stay. At most once. The end: waits for that thread, if there is one. */
void         model_hash_begin(sonde_model *m);
void         model_hash_end(struct model_files *f);

/* Fills info.bos, info.adds_bos and what the post-processor adds; info.eos is there. In tokens.c. */
void         model_find_bos(sonde_model *m);
#endif
