/* gguf_types.h - the types of GGUF's metadata, by the format's own numbers; for what reads it, writes it and lends it. */
#ifndef SONDE_GGUF_TYPES_H
#define SONDE_GGUF_TYPES_H
#include "meta.h"

/*  GGUF_TYPE(id, number, bytes of one (0: as long as it says), kind, signed) */
#define GGUF_TYPE_MAP(T)                   \
    T(U8,    0, 1, META_INT,    false)     \
    T(I8,    1, 1, META_INT,    true)      \
    T(U16,   2, 2, META_INT,    false)     \
    T(I16,   3, 2, META_INT,    true)      \
    T(U32,   4, 4, META_INT,    false)     \
    T(I32,   5, 4, META_INT,    true)      \
    T(F32,   6, 4, META_NUMBER, true)      \
    T(BOOL,  7, 1, META_BOOL,   false)     \
    T(TEXT,  8, 0, META_TEXT,   false)     \
    T(LIST,  9, 0, META_LIST,   false)     \
    T(U64,  10, 8, META_INT,    false)     \
    T(I64,  11, 8, META_INT,    true)      \
    T(F64,  12, 8, META_NUMBER, true)

enum {
#define T(id, number, size, type, sign) GGUF_##id = (number),
    GGUF_TYPE_MAP(T)
#undef T
    GGUF_TYPES = 13,
    GGUF_ALIGNMENT = 32, GGUF_MAX_RANK = 4, GGUF_MAX_NAME = 63, GGUF_MAX_KEY = 65535
};

#define GGUF_ALIGNMENT_KEY "general.alignment"

typedef struct { size_t bytes; meta_kind kind; bool negative; } gguf_type;      /* negative: it can be */
extern const gguf_type gguf_type_table[GGUF_TYPES];

/* One number of a type with bytes, at any address. */
int64_t gguf_integer(const uint8_t *at, uint32_t type);        /* META_INT, META_BOOL */
double  gguf_number(const uint8_t *at, uint32_t type);         /* META_NUMBER */
/* A power of two from 8 to 65536. */
bool    gguf_alignment_valid(int64_t alignment);
/* Up to the next multiple; false where that is above 2^64 - 1. */
bool    gguf_align(uint64_t *at, uint64_t alignment);
#endif
