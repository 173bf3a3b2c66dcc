/* files.h - which files this version opens and which it refuses, row by row from the tables that the readers use. */
#ifndef SONDE_FILES_H
#define SONDE_FILES_H
#include "sonde/error.h"

typedef enum {
    SONDE_FILES_CONTAINERS,             /* formats of weights */
    SONDE_FILES_FOLDER,                 /* which file of a model's folder is read, the preferred one first */
    SONDE_FILES_FAMILIES,               /* models that run, and in which containers */
    SONDE_FILES_TYPES,                  /* of stored numbers */
    SONDE_FILES_TOKENIZERS,             /* a folder's files of a tokenizer, the preferred one first */
    SONDE_FILES_TOKENIZER_KINDS,
    SONDE_FILES_PRE,                    /* GGUF's words for pre-tokenizers */
    SONDE_FILES_REFUSED,                /* known by their names or first bytes; UNSUPPORTED */
    SONDE_FILES_QUANTIZED,              /* quant_method of config.json that is UNSUPPORTED */
    SONDE_FILES_KINDS
} sonde_files_kind;

typedef struct { const char *name, *doc; } sonde_files_row;             /* lent for the call */
typedef sonde_status (*sonde_files_fn)(const sonde_files_row *row, void *user, sonde_error *err);
/* In the order in which the readers look. Stops at the first status that is not OK. */
SONDE_API sonde_status sonde_files_list(sonde_files_kind kind, sonde_files_fn fn, void *user, sonde_error *err);
#endif
