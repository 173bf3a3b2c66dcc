/* edit_text.h - the small tokens that edits and metrics share, read and written back.
 *
 * Reading: every function moves `at` behind what it took, or fails with one line that says what was found there.
 * Writing: as snprintf, counting on where the buffer ends. Blanks are skipped where the callers say so. */
#ifndef SONDE_EDIT_TEXT_H
#define SONDE_EDIT_TEXT_H
#include "base/arena.h"
#include "sonde/error.h"
#include "sonde/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LONGEST_EDIT = 1 << 20 };        /* characters of one edit or metric */

typedef struct {
    const char        *at;
    arena             *a;
    const sonde_model *model;
    sonde_error       *err;
} reader;

bool   reader_take(reader *r, char c);
void   reader_blanks(reader *r);
bool   reader_is_name(char c, bool first);              /* of runs and functions: letters, digits, _ */
const char *reader_name(reader *r);                     /* in the arena; NULL: none stands there */
size_t reader_number_length(const char *at);            /* [+-] digits [. digits] [e [+-] digits], 0: there is none */
/* USAGE: "expected WHAT, found ..". */
sonde_status reader_expected(const reader *r, const char *what);
sonde_status reader_integer(reader *r, int64_t *out);
sonde_status reader_number(reader *r, double *out);     /* finite */
/* A JSON string, \xNN allowed too; its bytes are NUL-terminated besides having a length. */
sonde_status reader_quoted(reader *r, const char **bytes, size_t *len);
/* A text of exactly one token or `#` ID; *text: how it is printed back, in the arena. */
sonde_status reader_token(reader *r, int32_t *id, const char **text);

typedef struct { char *buf; size_t size, used; } text_out;
__attribute__((format(printf, 2, 3))) void text_put(text_out *o, const char *fmt, ...);
void text_put_number(text_out *o, double x);            /* the fewest digits that give it back */
void text_put_quoted(text_out *o, const char *bytes, size_t len);
const char *text_quoted(arena *a, const char *bytes, size_t len);
#endif
