/* gguf_bytes.h - GGUF files put together byte by byte, sound or not; stops where memory ends. */
#ifndef SONDE_GGUF_BYTES_H
#define SONDE_GGUF_BYTES_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { uint8_t *at; size_t n; } gguf_bytes;

static inline void gguf_put(gguf_bytes *b, const void *bytes, size_t n) {
    b->at = realloc(b->at, b->n + n + 1);
    if (!b->at) abort();
    if (n) memcpy(b->at + b->n, bytes, n);
    b->n += n;
}

static inline void gguf_u8(gguf_bytes *b, uint8_t v) { gguf_put(b, &v, sizeof v); }
static inline void gguf_u32(gguf_bytes *b, uint32_t v) { gguf_put(b, &v, sizeof v); }
static inline void gguf_u64(gguf_bytes *b, uint64_t v) { gguf_put(b, &v, sizeof v); }

static inline void gguf_text(gguf_bytes *b, const char *text) {
    gguf_u64(b, strlen(text));
    gguf_put(b, text, strlen(text));
}

static inline void gguf_begin(gguf_bytes *b, uint64_t tensors, uint64_t pairs) {
    gguf_put(b, "GGUF\3\0\0\0", 8);
    gguf_u64(b, tensors);
    gguf_u64(b, pairs);
}

/* A key and its type; the value is the caller's. */
static inline void gguf_key(gguf_bytes *b, const char *key, uint32_t type) {
    gguf_text(b, key);
    gguf_u32(b, type);
}

static inline void gguf_pair_u32(gguf_bytes *b, const char *key, uint32_t value) {
    gguf_key(b, key, 4);
    gguf_u32(b, value);
}

typedef struct { const char *name; uint32_t rank; uint64_t dim[4]; uint32_t type; uint64_t offset; } gguf_line;

/* dim innermost first, as they stand in the file; a rank above 4 repeats the last. */
static inline void gguf_tensor(gguf_bytes *b, gguf_line t) {
    gguf_text(b, t.name);
    gguf_u32(b, t.rank);
    for (uint32_t i = 0; i < t.rank; i++) gguf_u64(b, t.dim[i < 4 ? i : 3]);
    gguf_u32(b, t.type);
    gguf_u64(b, t.offset);
}

static inline void gguf_pad(gguf_bytes *b, size_t to) {
    while (b->n % to) gguf_u8(b, 0);
}
#endif
