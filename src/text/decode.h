/* decode.h - from the texts of tokens to a text: the steps of the decoder.
 *
 * Bytes that are no UTF-8 together stay what they are, where the library puts U+FFFD. */
#ifndef SONDE_DECODE_H
#define SONDE_DECODE_H
#include "split.h"

typedef enum {
    DECODE_SUFFIX,                  /* BPEDecoder: `text` ends a word */
    DECODE_BYTES,                   /* out of the byte alphabet, all as one */
    DECODE_WORDPIECE,               /* `text` continues a word, other tokens have a space in front */
    DECODE_METASPACE,               /* the mark is a space; none at the begin where `flag` */
    DECODE_CTC,                     /* `text` is padding, `delimiter` a space */
    DECODE_REPLACE,                 /* the pattern becomes `text` */
    DECODE_FUSE,                    /* all as one */
    DECODE_STRIP,                   /* at most `left` and `right` characters `text` at the ends of each */
    DECODE_BYTE_PIECES,             /* <0xNN> is a byte */
    DECODE_JOIN,                    /* spaces between */
} decode_kind;

typedef struct {
    decode_kind     kind;
    text_part       text, delimiter;
    const splitter *pattern;        /* lent */
    bool            flag, cleanup;
    size_t          left, right;
} decode_step;

typedef struct {
    arena      *memory;
    text_part  *parts;              /* [n] */
    size_t      n;
} decode_work;

sonde_status decode_run(const decode_step *k, decode_work *w, sonde_error *err);
#endif
