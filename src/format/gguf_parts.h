/* gguf_parts.h - what the files of the GGUF reader share. */
#ifndef SONDE_GGUF_PARTS_H
#define SONDE_GGUF_PARTS_H
#include "container.h"
#include "cursor.h"
#include "gguf_types.h"

/* The n pairs of key and value at the cursor, into w; nothing of them but the keys is copied. */
sonde_status gguf_read_meta(weights *w, cursor *c, uint64_t n, sonde_error *err);

/* A text's length and its bytes. */
sonde_status gguf_read_text(cursor *c, meta_text *out, sonde_error *err);
uint32_t     gguf_read_u32(cursor *c);
/* A copy with a NUL behind it, or NULL where it holds a NUL or is no UTF-8. */
const char  *gguf_name(arena *a, meta_text text);

/* One file; its path stands in front of what goes wrong. */
sonde_status gguf_open_part(const char *path, weights **out, sonde_error *err);
/* `one` is the file at path, and is taken over: itself, or the set that it is a part of. */
sonde_status gguf_open_set(const char *path, weights *one, weights **out, sonde_error *err);
#endif
