/* config.h - fields of a config.json, each checked for kind and range.
 *
 * A field that is missing takes its fallback; null counts as missing only where
 * that is said. Messages name the field, what stands there and what was expected. */
#ifndef SONDE_CONFIG_H
#define SONDE_CONFIG_H
#include "base/json.h"
#include "base/text.h"
#include "sonde/error.h"
#include "tensor/act.h"

/* Largest sizes of any model: its number of parameters, in bytes too, fits 63 bits. */
enum {
    MOST_LAYERS  = 4096,
    MOST_WIDTH   = 1 << 20,
    MOST_INNER   = 1 << 22,
    MOST_VOCAB   = 4000000,
    MOST_CONTEXT = 1 << 21,
};

typedef struct { const char *name, *alias; int64_t fallback, least, most; } config_range;

sonde_status config_int(const json *file, config_range f, int64_t *out, sonde_error *err);
sonde_status config_bool(const json *file, const char *name, bool fallback, bool *out, sonde_error *err);
sonde_status config_double(const json *file, const char *name, double fallback, double most, double *out,
                           sonde_error *err);          /* 0 .. most */
/* A text field; `*out` is NULL if it is missing and lives as long as `file`. */
sonde_status config_text(const json *file, const char *name, const char **out, sonde_error *err);
/* The id of a token, or the first of a list; -1 for null and for one that the vocabulary does not have: files that
 * were saved with their library's defaults name ids of other vocabularies, and nothing depends on them. */
sonde_status config_token(const json *file, const char *name, int64_t fallback, int64_t vocab, int32_t *out,
                          sonde_error *err);
/* decoder_start_token_id: the same, but one that is given must be a token. */
sonde_status config_start(const json *file, int64_t fallback, int64_t vocab, int32_t *out, sonde_error *err);
/* An activation function by transformers' names (ACT2FN). UNSUPPORTED for one that is not computed. */
sonde_status config_activation(const json *file, const char *name, const char *fallback, act_kind *out, sonde_error *err);
/* The same for a name that was found in a field. */
sonde_status config_activation_named(const char *field, const char *name, act_kind *out, sonde_error *err);
/* UNSUPPORTED for weights that another library packed (GPTQ, AWQ, bitsandbytes, ..): they are no plain numbers. */
sonde_status quantization_refuse(const json *file, sonde_error *err);
/* Row i of the methods that are refused by name; false past the last. */
bool         quantization_at(size_t i, const char **method, const char **what);
/* A value as a message shows it; .text lives until the end of the expression. */
shown json_shown(const json *j);
#endif
