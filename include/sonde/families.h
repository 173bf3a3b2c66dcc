/* families.h - the families of models that run, row by row from their descriptions (docs/families.md). */
#ifndef SONDE_FAMILIES_H
#define SONDE_FAMILIES_H
#include "sonde/error.h"
#include "sonde/model.h"
#include <stddef.h>

typedef struct {                        /* lent for the call */
    const char *name;                   /* what info calls it */
    const char *type, *classes;         /* model_type; architectures, separated by commas */
    const char *block;                  /* "layer norm, attention, MLP; beside each other" */
    const char *options;                /* fields that are read and change numbers, separated by commas */
    const char *refused;                /* fields that are read and refused when they are on; "" for none */
    const char *containers;             /* "Hugging Face, GGUF (\"bloom\")" */
} sonde_family;
typedef sonde_status (*sonde_family_fn)(const sonde_family *f, void *user, sonde_error *err);
/* In the order of the table. Stops at the first status that is not OK. */
SONDE_API sonde_status sonde_families_list(sonde_family_fn fn, void *user, sonde_error *err);
/* What its description says of an opened model's blocks, as sonde_family.block, with its own sizes; "" for a tokenizer. As
 * snprintf. */
SONDE_API size_t sonde_model_block(const sonde_model *m, char *out, size_t n);
#endif
