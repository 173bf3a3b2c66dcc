/* gguf_writer.h - GGUF version 3, written: what it says and which tensors it has first, then their bytes, in that order.
 *
 * The file is written beside its name and takes the name when finish has seen all of it; whatever goes wrong before, what
 * was there stays. Tensors are padded to general.alignment (32 where the metadata do not say it). One thread. */
#ifndef SONDE_GGUF_WRITER_H
#define SONDE_GGUF_WRITER_H
#include "gguf_types.h"

typedef struct { const char *name; dtype_id type; int rank; int64_t dim[GGUF_MAX_RANK]; } gguf_spec;  /* outermost first */

typedef struct {
    const meta_value *meta;     /* [n_meta], as read from a file or made by the functions below */
    size_t            n_meta;
    const gguf_spec  *tensor;   /* [n] */
    size_t            n;
} gguf_contents;

typedef struct gguf_writer gguf_writer;

/* Writes everything but the tensors' bytes; `holds` is not needed behind it. USAGE: a file cannot hold this. IO. */
sonde_status gguf_writer_open(gguf_writer **out, const char *path, const gguf_contents *holds, sonde_error *err);
/* The next n bytes of the tensors, which need not end with one; padding is not the caller's. */
sonde_status gguf_writer_put(gguf_writer *w, const void *bytes, size_t n, sonde_error *err);
/* USAGE: bytes are missing. Once it is OK the file is on the disk. Ends w in any case. */
sonde_status gguf_writer_finish(gguf_writer *w, sonde_error *err);
void         gguf_writer_abort(gguf_writer *w);                /* accepts NULL */

/* Values to write; key, text and data are lent. type: GGUF_U32 and so on. */
meta_value   gguf_make_int(const char *key, uint32_t type, int64_t value);     /* GGUF_BOOL too */
meta_value   gguf_make_number(const char *key, uint32_t type, double value);
meta_value   gguf_make_text(const char *key, const char *text);
meta_value   gguf_make_list(const char *key, uint32_t type, const void *data, size_t n);
meta_value   gguf_make_texts(const char *key, const meta_text *texts, size_t n);
#endif
