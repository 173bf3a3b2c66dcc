/* The public list of files that open, made of the tables of the readers. */
#include "sonde/files.h"
#include "config.h"
#include "model_files.h"
#include "text/pieces.h"
#include <stdio.h>
#include <string.h>

enum { ROOM = 400 };

typedef struct { const char *name, *doc; char told[64], made[ROOM]; } listed;      /* what doc and name may point to */
typedef bool (*row_fn)(size_t i, listed *out);                                      /* false past the last row */

static bool container_row(size_t i, listed *out) {
    const format *f = format_table[i];
    if (!f) return false;
    out->name = f->name;
    out->doc = f->doc;
    return true;
}

static bool folder_row(size_t i, listed *out) {
    out->name = weights_folder_file(i);
    if (!out->name) return false;
    out->doc = i ? "where none of those above is there" : "first";
    return true;
}

static bool family_row(size_t i, listed *out) {
    const arch *a = arch_table[i];
    size_t used = 0;
    if (!a) return false;
    out->name = a->name;
    out->doc = out->made;
    used = (size_t)snprintf(out->made, ROOM, "Hugging Face's names (model_type \"%s\"; ", a->hf_type);
    for (const char *const *c = a->hf_classes; *c && used < ROOM; c++)
        used += (size_t)snprintf(out->made + used, ROOM - used, "%s%s", c == a->hf_classes ? "" : ", ", *c);
    if (used < ROOM) used += (size_t)snprintf(out->made + used, ROOM - used, ")");
    if (a->gguf && used < ROOM) used += (size_t)snprintf(out->made + used, ROOM - used, "; GGUF (\"%s\")", a->gguf);
    if (a->meta_more && used < ROOM)
        snprintf(out->made + used, ROOM - used, "; Meta's checkpoints with params.json, and llama2.c's files");
    return true;
}

static bool type_row(size_t i, listed *out) {
    if (i >= DTYPE_COUNT) return false;
    const dtype *t = &dtype_table[i];
    char number[32] = "";
    if (t->gguf >= 0) snprintf(number, sizeof number, "; GGUF's type %d", t->gguf);
    out->name = t->name;
    out->doc = out->made;
    if (t->items == 1) snprintf(out->made, ROOM, "%d byte%s%s", t->bytes, t->bytes == 1 ? "" : "s", number);
    else snprintf(out->made, ROOM, "%d items in %d bytes, %.4g bits an item%s", t->items, t->bytes,
                  8.0 * t->bytes / t->items, number);
    return true;
}

static bool tokenizer_row(size_t i, listed *out) { return model_tokenizer_file(i, &out->name, &out->doc); }

static bool kind_row(size_t i, listed *out) {
    if (i >= TOKENIZER_KINDS) return false;
    out->name = tokenizer_kind_table[i].name;
    out->doc = tokenizer_kind_table[i].doc;
    return true;
}

static bool pre_row_of(size_t i, listed *out) {
    pre_shown p;
    if (!tokenizer_pre_at(i, &p)) return false;
    out->name = p.name;
    out->doc = out->made;
    snprintf(out->made, ROOM, "%d pattern%s%s%s%s", p.patterns, p.patterns == 1 ? "" : "s", p.nfc ? ", normal form C" : "",
             p.whole_words ? ", words that are tokens stay whole" : "", p.adds_bos ? ", adds BOS" : "");
    return true;
}

static bool refused_row_of(size_t i, listed *out) {
    refused_row r;
    if (!weights_refused(i, &r)) return false;
    memcpy(out->told, r.told, sizeof out->told);
    out->name = out->told;
    out->doc = out->made;
    snprintf(out->made, ROOM, "%s; %s", r.what, r.instead);
    return true;
}

static bool quantized_row(size_t i, listed *out) { return quantization_at(i, &out->name, &out->doc); }

static const row_fn kinds[SONDE_FILES_KINDS] = {
    [SONDE_FILES_CONTAINERS] = container_row,      [SONDE_FILES_FOLDER] = folder_row, [SONDE_FILES_FAMILIES] = family_row,
    [SONDE_FILES_TYPES] = type_row,                [SONDE_FILES_TOKENIZERS] = tokenizer_row,
    [SONDE_FILES_TOKENIZER_KINDS] = kind_row,      [SONDE_FILES_PRE] = pre_row_of,
    [SONDE_FILES_REFUSED] = refused_row_of,        [SONDE_FILES_QUANTIZED] = quantized_row,
};

sonde_status sonde_files_list(sonde_files_kind kind, sonde_files_fn fn, void *user, sonde_error *err) {
    listed row;
    SONDE_FAIL_IF((unsigned)kind >= SONDE_FILES_KINDS, err, SONDE_USAGE, "files: no such list");
    for (size_t i = 0; kinds[kind](i, &row); i++) {
        const sonde_files_row told = { row.name, row.doc };
        SONDE_TRY(fn(&told, user, err));
    }
    return SONDE_OK;
}
