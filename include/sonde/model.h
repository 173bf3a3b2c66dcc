/* model.h - a model file: its weights (mapped, read-only), its architecture, its tokenizer.
 *
 * A model is immutable after it is opened and may be used by any number of
 * threads at once; sessions that run it belong to one thread each. It is
 * reference-counted: sonde_model_share gives a second owner. */
#ifndef SONDE_MODEL_H
#define SONDE_MODEL_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sonde_model sonde_model;

/* Where names of models are looked for. Zeroed: paths and the embedded model only. */
typedef struct {
    const char *shipped;        /* folders of shipped models, separated by ':'; NAME/config.json inside */
    const char *hub;            /* the local Hugging Face cache (.../huggingface/hub) */
    const char *tokenizer;      /* file or folder of a tokenizer, in place of the model's own; NULL: its own */
    bool        run;            /* the model will be run next: its weights are mapped beside the rest of opening, and not its
                                   hash computed, which then waits until somebody asks for it */
} sonde_model_search;

/* NAME: a folder or file, else a shipped model ("demo" needs no file), else a name in the local cache ("gpt2",
 * "org/name", "org/name@rev", either with ":TAG" for one of several GGUF files). NULL means "demo". NOT_FOUND names the nearest shipped ones. FORMAT: broken files;
 * UNSUPPORTED: well formed, but not something this version opens. */
SONDE_API sonde_status sonde_model_open(sonde_model **out, const char *name, const sonde_model_search *search,
                                        sonde_error *err);
/* The same for questions about tokens and files alone: a file or folder of a tokenizer opens too (tokenizer.json,
 * tokenizer.model, vocab.txt, ..), a GGUF file with a vocabulary and no weights, and a model of a family that this version
 * does not run. Then info.layers is 0, and calls that run the model are USAGE. */
SONDE_API sonde_status sonde_tokenizer_open(sonde_model **out, const char *name, const sonde_model_search *search,
                                            sonde_error *err);
SONDE_API sonde_model *sonde_model_share(sonde_model *m);                       /* another owner of the same model */
SONDE_API void         sonde_model_close(sonde_model *m);                       /* accepts NULL */
/* The same model with its norms folded into the matrices behind them, as TransformerLens folds it: norm weights and biases
 * go into W_Q, W_K, W_V, W_in, W_gate (of experts too), W_router and W_U, whatever writes to the stream (behind layer norms;
 * an RMS norm sees its mean) and W_U are centred, value biases go into b_O. Its log-probabilities are equal within rounding; its weights are float32
 * and its own. UNSUPPORTED: not for this family. */
SONDE_API sonde_status sonde_model_fold(const sonde_model *m, sonde_model **out, sonde_error *err);
/* Names of the shipped models, sorted, each once, the embedded one among them. */
typedef sonde_status (*sonde_name_fn)(const char *name, void *user, sonde_error *err);
SONDE_API sonde_status sonde_models_shipped(const sonde_model_search *search, sonde_name_fn fn, void *user, sonde_error *err);
/* The embedded model's held-out cases: JSON text, lent for ever, with a NUL behind it. */
SONDE_API const char  *sonde_demo_cases(size_t *size);
/* And 1,000 documents that it has not seen, one a line. */
SONDE_API const char  *sonde_demo_text(size_t *size);
/* And 600 pairs of texts with a word in common, for sonde_pairs_read. */
SONDE_API const char  *sonde_demo_pairs(size_t *size);

/* What a model ends in. */
typedef enum {
    SONDE_HEAD_LM = 1,          /* the next token */
    SONDE_HEAD_MLM = 2,         /* the token of a mask, at every position */
    SONDE_HEAD_POOLER = 4,      /* one vector of the text */
    SONDE_HEAD_NSP = 8,         /* does the second text follow the first: yes, no */
    SONDE_HEAD_CLASS = 16,      /* labels of the text */
    SONDE_HEAD_QA = 32,         /* start and end of a span, at every position */
} sonde_head;
/* "lm", "mlm", "pooler", "nsp", "classifier", "qa"; NULL: no such head. */
SONDE_API const char *sonde_head_name(sonde_head h);

typedef struct {
    const char *name;           /* what sonde_model_open would take */
    const char *family;         /* "gpt2", "llama" */
    int64_t     layers, heads, kv_heads, d, e, f, vocab, context;      /* an encoder-decoder's: its decoder's */
    int64_t     encoder_layers; /* of an encoder in front of a decoder; 0: the model is one stack */
    int32_t     start;          /* what a decoder's target begins with; -1: none */
    int64_t     experts, chosen, expert_f;      /* of a layer with a mixture, how many count, an expert's MLP width; or 0 */
    int64_t     parameters;     /* tied ones once */
    int64_t     active;         /* without the experts that a position does not choose */
    int64_t     bytes;          /* of all stored tensors that are used */
    int64_t     copied;         /* bytes that had to be copied out of the file */
    const char *container;      /* "safetensors", "gguf", ..; NULL: a tokenizer alone */
    int64_t     files;          /* that hold the weights */
    const char *tokenizer_kind, *tokenizer_from;        /* "WordPiece", "vocab.txt"; NULL: none */
    bool        tied;           /* the unembedding is the embedding */
    bool        adds_bos;       /* what --bos auto does */
    bool        takes_pairs;    /* the tokenizer has a template for pairs of texts */
    int32_t     bos, eos;       /* -1: none; bos falls back to the end-of-text token for --bos yes */
    int32_t     mask;           /* what stands for a word that a masked LM fills in; -1: none */
    unsigned    head;           /* sonde_head, or'ed */
    const char *answers;        /* the site whose rows metrics call logits; NULL: the model has no head */
    int64_t     n_answers;      /* numbers of such a row: tokens, labels, 2 for spans; 0: none */
    bool        bidirectional;  /* every position sees every other one */
    int64_t     types;          /* token types; 0: none */
    int64_t     labels;         /* of SONDE_HEAD_CLASS; 0: none */
    const char *problem;        /* config.json's problem_type: "regression", "multi_label_classification", ..; NULL: none */
    const char *refused;        /* NULL; of sonde_tokenizer_open: why the rest of it was not opened */
    bool        has_tokenizer;
    int64_t     tokens;         /* 1 + the tokenizer's largest id; rows from there on are padding. 0: none */
    int32_t     pad;            /* what fills texts up to one length; -1: none */
} sonde_model_info;
SONDE_API const sonde_model_info *sonde_model_describe(const sonde_model *m);   /* lent, as long as the model */
/* 16 hex digits; tells files apart, proves nothing. Reads at most 256 KB a tensor, once. */
SONDE_API const char *sonde_model_hash(const sonde_model *m);

/* Name of label i as config.json has it, else LABEL_i; NULL past the last. Fit to be shown. */
SONDE_API const char *sonde_model_label(const sonde_model *m, int64_t i);
/* One line each about what was odd in the files and read all the same (a key that stands twice); NULL past the last. */
SONDE_API const char *sonde_model_warning(const sonde_model *m, size_t i);
/* What the files hold, by their own names, sorted; 0 for a tokenizer alone. Of a model that does not run too. */
typedef struct { const char *name, *dtype; int rank; int64_t dim[8]; int64_t bytes; } sonde_stored_info;
SONDE_API size_t sonde_model_stored_count(const sonde_model *m);
SONDE_API void   sonde_model_stored(const sonde_model *m, size_t i, sonde_stored_info *out);

/* Weights as they are stored, TransformerLens's names ("blocks.3.mlp.W_out"), for info and export. */
typedef struct {
    const char *name, *stored_as, *dtype;
    int         rank;
    int64_t     dim[4];
    char        axes[8];        /* what the dims count, "h d e": v tokens, c positions, d width, h heads, g key/value heads, */
    int64_t     bytes;          /* e of a head, f neurons, r rotations */
} sonde_weight_info;
SONDE_API size_t sonde_model_weights(const sonde_model *m);
SONDE_API void   sonde_model_weight(const sonde_model *m, size_t i, sonde_weight_info *out);
/* The whole of it as float32, row-major in its TransformerLens shape (inputs first: y = x W). Sizes as in `dim`. */
SONDE_API sonde_status sonde_model_weight_read(const sonde_model *m, size_t i, float *out, sonde_error *err);
/* Part of a matrix of rank 2: indices [first, first + n) of `axis` (0 or 1), for each the vector along the other axis, one
 * behind another. USAGE: a weight that is no such matrix, or an index outside. */
typedef struct { size_t weight; int axis; int64_t first, n; } sonde_weight_part;
SONDE_API sonde_status sonde_model_weight_vectors(const sonde_model *m, sonde_weight_part p, float *out, sonde_error *err);

/* Tokens of a text. */
typedef enum { SONDE_BOS_AUTO, SONDE_BOS_YES, SONDE_BOS_NO } sonde_bos;
typedef struct {
    sonde_bos bos;
    bool      plain;            /* texts of special tokens are ordinary text */
    const char *pair;  size_t pair_len;         /* a second text beside the first, by the tokenizer's template for pairs; NULL: none */
} sonde_token_options;
typedef struct {
    int64_t  n;
    int32_t *id;                /* [n] */
    int64_t *start, *end;       /* [n] bytes of its text; -1 for a token that the text does not have (BOS) */
    int32_t *text;              /* [n] 0: of the text, 1: of its pair, -1: of neither; NULL: not known */
    int32_t *type;              /* [n] token types by the template; NULL: all 0, or the model does not tell types apart */
} sonde_tokens;
/* USAGE for an empty result and for bytes that the tokenizer cannot take; UNSUPPORTED for a pair where the tokenizer has no
 * template; FORMAT without a tokenizer. */
SONDE_API sonde_status sonde_tokenize(const sonde_model *m, const char *text, size_t len, sonde_token_options o,
                                      sonde_tokens *out, sonde_error *err);
SONDE_API void         sonde_tokens_free(sonde_tokens *t);                      /* accepts a zeroed one */
/* How a text falls into tokens: the words that the tokenizer cuts first, an added token being one, and what is merged in
 * them step by step. Nothing is put around the text, and an empty one has no words. Errors as sonde_tokenize. */
typedef struct { int64_t start, end, first, n; bool added; } sonde_word;        /* bytes; tokens [first, first + n) */
typedef struct { int64_t word; int32_t left, right, made; int64_t rank; } sonde_merge;  /* rank: from 0 */
typedef struct {
    int32_t     *id;    int64_t n;
    sonde_word  *word;  int64_t n_words;
    sonde_merge *merge; int64_t n_merges;           /* word by word, in the order made; 0 where there are none */
} sonde_split;
SONDE_API sonde_status sonde_split_text(const sonde_model *m, const char *text, size_t len, sonde_token_options o,
                                        sonde_split *out, sonde_error *err);
SONDE_API void         sonde_split_free(sonde_split *s);                        /* accepts a zeroed one */
/* Step i of cutting text into words: a regular expression as the file has it, "" for a space that is put in front; NULL
 * past the last, and without a tokenizer. */
SONDE_API const char  *sonde_split_pattern(const sonde_model *m, size_t i);
SONDE_API bool         sonde_token_special(const sonde_model *m, int32_t id);   /* an added token marked special */
/* Raw bytes of one token, lent as long as the model; len 0 where there is no tokenizer. */
SONDE_API const char  *sonde_token_bytes(const sonde_model *m, int32_t id, size_t *len);
/* The id of the one token that `text` is; USAGE shows how it splits otherwise. */
SONDE_API sonde_status sonde_token_single(const sonde_model *m, const char *text, size_t len, int32_t *out,
                                          sonde_error *err);
/* The token at the start of `text` as edits spell it, a JSON string of exactly one token or #ID; *end: behind it. */
SONDE_API sonde_status sonde_token_read(const sonde_model *m, const char *text, const char **end, int32_t *out,
                                        sonde_error *err);
/* Text of ids by the tokenizer's decoder; caller frees with sonde_text_free. */
SONDE_API sonde_status sonde_detokenize(const sonde_model *m, const int32_t *ids, int64_t n, char **out, size_t *len,
                                        sonde_error *err);
SONDE_API void         sonde_text_free(char *text);
#endif
