/* arch_fields.h - what the configs of many families say in the same way. */
#ifndef SONDE_ARCH_FIELDS_H
#define SONDE_ARCH_FIELDS_H
#include "arch.h"

/* Names of the sizes and what they are where they are not given. kv_heads, head_dim, f NULL or null: as many as heads, d /
 * heads, 4 d. */
typedef struct {
    const char *d, *layers, *heads, *kv_heads, *head_dim, *f, *context;
    int64_t     fallback_d, fallback_layers, fallback_heads, fallback_kv, fallback_head_dim, fallback_f, fallback_vocab,
                fallback_context;       /* kv, head_dim, f 0: as above */
} size_names;

/* d, layers, heads, kv_heads, e, f, vocab, context; score_scale 1/sqrt(e). */
sonde_status arch_sizes(const json *file, const size_names *n, arch_config *c, sonde_error *err);
/* A size that null means to leave out. */
sonde_status arch_size_or(const json *file, config_range f, int64_t *out, sonde_error *err);
/* UNSUPPORTED for each of these fields (NULL-terminated) that is there and is not null, false, zero or empty. */
sonde_status arch_refuse(const json *file, const char *const *names, sonde_error *err);
/* bos_token_id and eos_token_id; -1: the family has none. */
sonde_status arch_tokens(const json *file, int64_t bos, int64_t eos, arch_config *c, sonde_error *err);
/* A number that may be null or missing: then 0. */
sonde_status arch_number(const json *file, const char *name, double most, double *out, sonde_error *err);

/* An encoder-decoder's encoder gets what its decoder says, but for its own layers, block and heads. */
void arch_share(const arch_config *c);

/* sliding_window and which layers have it: layer_types ("sliding_attention", "full_attention") if there, else those whose
 * number modulo `pattern` is not pattern - 1 (pattern 1: all; 0: none). */
sonde_status arch_windows(const json *file, int64_t fallback, int64_t pattern, arch_config *c, sonde_error *err);
#endif
