/* vocab.h - ids, the texts that spell them and the bytes they stand for.
 *
 * Filled by one thread, then read by any. The model's tokens come first; an added token takes the id of the model's
 * token of the same text or a new one, and its text stands for itself. */
#ifndef SONDE_VOCAB_H
#define SONDE_VOCAB_H
#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include <stdbool.h>
#include <stdint.h>

enum { VOCAB_LONGEST = 1 << 16, VOCAB_MOST = 4000000 };

typedef struct {
    int32_t     id;
    bool        added, special;
    const char *text, *bytes;       /* as the vocabulary spells it; what it stands for */
    size_t      text_len, bytes_len;
} token;

/* How the texts of the model's tokens spell bytes. */
typedef enum {
    SPELL_BYTES,                    /* in the byte alphabet (bytes.h) */
    SPELL_SPACES,                   /* a space is U+2581 */
    SPELL_PLAIN,
} spelling;

typedef struct {
    arena   *memory;
    spelling spelling;              /* set before the first token */
    bool     byte_pieces;           /* so is this: a text <0xNN> is that byte */
    bool     twice;                 /* two of the model's tokens have one text */
    char    *pool;                  /* room for texts that are still to come */
    token   *at;                    /* ascending by id once vocab_close was called */
    size_t   n, cap, n_model;
    int32_t  largest, largest_added;/* -1: none */
    map     *by_text;               /* the model's */
    map     *by_added_text;         /* places in `at` until vocab_close, then ids */
    int32_t  byte_id[256];          /* the model's token for each byte, or -1 */
} vocab;

void         vocab_init(vocab *v, arena *memory);
/* The model's tokens, one by one: how many there will be and how many bytes of text; each (`raw`: its text stands for
 * itself; copied; false: one with this text is there); the end of them. FORMAT: two with one id. Of two with one text the
 * first is found. */
void         vocab_begin(vocab *v, size_t n, size_t bytes);
bool         vocab_put(vocab *v, int32_t id, const char *text, size_t len, bool raw);
sonde_status vocab_end(vocab *v, const char *where, sonde_error *err);
/* All of them: {"text": id, ...}. */
sonde_status vocab_read(vocab *v, const json *object, const char *where, sonde_error *err);
/* The byte that a text <0xNN> is, two hexadecimal digits exactly; -1: it is none. */
int          vocab_byte_piece(const char *text, size_t len);
/* The id it gets: the one of the same text, else the next one (as `tokenizers` counts: not the one in the file). The
 * text is lent. */
int32_t      vocab_add(vocab *v, const char *text, size_t len, bool special);
/* After the last vocab_add. */
void         vocab_close(vocab *v);

const token *vocab_token(const vocab *v, int32_t id);                           /* NULL: no such token */
int32_t      vocab_model_id(const vocab *v, const char *text, size_t len);      /* -1: no such text */
/* n <= MAP_AT_ONCE of them. */
void         vocab_model_ids(const vocab *v, const map_key *text, size_t n, int32_t *id);
int32_t      vocab_id(const vocab *v, const char *text, size_t len);            /* added tokens first; once closed */
#endif
