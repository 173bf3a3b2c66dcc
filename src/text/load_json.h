/* load_json.h - the parts of tokenizer.json. For load_json*.c alone. */
#ifndef SONDE_LOAD_JSON_H
#define SONDE_LOAD_JSON_H
#include "load.h"

typedef struct { const char *type; sonde_status (*read)(loader *l, const json *j, const char *where); } part_row;

/* Reads the part by the row of its type; NULL ends the rows. */
sonde_status load_part(loader *l, const part_row *rows, const json *j, const char *where);
/* Each child of array `key` by the rows. */
sonde_status load_each(loader *l, const part_row *rows, const json *j, const char *key, const char *where);

extern const part_row load_json_normalizers[], load_json_pre_tokenizers[], load_json_decoders[];
sonde_status load_json_model(loader *l, const json *model);
#endif
