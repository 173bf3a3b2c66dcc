/* show_token.h - bytes that nobody vouches for, made fit for a person's eyes.
 *
 * What comes out is valid UTF-8 without anything that is invisible or that a
 * terminal acts on; it has the widths that glyph.h says. */
#ifndef SONDE_SHOW_TOKEN_H
#define SONDE_SHOW_TOKEN_H
#include "base/arena.h"
#include <stddef.h>

typedef enum {
    SHOW_TOKEN,         /* space, newline and tab as signs */
    SHOW_LINE,          /* spaces stay */
    SHOW_PAGE           /* spaces, newlines and tabs stay */
} show_mode;

/* Like snprintf; see sonde_token_show. */
size_t      show_text(const char *bytes, size_t len, show_mode mode, char *out, size_t n);
const char *show_copy(arena *into, const char *bytes, size_t len, show_mode mode);
#endif
