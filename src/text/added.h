/* added.h - tokens that are found in the text before anything else looks at it.
 *
 * Leftmost, among those the longest, never overlapping. A set is filled, closed, and then read by any thread. */
#ifndef SONDE_ADDED_H
#define SONDE_ADDED_H
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDED_LONGEST = 1024 };      /* bytes of a text: what bounds the work at each place */

typedef struct {
    const char *text;               /* not empty */
    size_t      len;
    int32_t     id;
    bool        special;            /* its text is ordinary where the caller asks for plain text */
    bool        lstrip, rstrip;     /* takes in the white space on that side */
    bool        single_word;        /* not beside a letter, digit or mark */
    size_t      order;              /* set by added_add */
} added_token;

typedef struct {
    arena       *memory;
    added_token *at;                /* ascending by text once closed */
    size_t       n, cap;
    size_t       first[257];        /* of the tokens that begin with a byte, and the end of the last */
    bool         one_first;         /* all begin with the same byte */
} added_set;

void added_add(added_set *s, added_token t);        /* the text is lent */
void added_close(added_set *s);                     /* of two with one text the first stays */

/* A walk through a text: zeroed but for text, len and plain. */
typedef struct {
    const char *text;
    size_t      len;
    bool        plain;
    size_t      scanned, covered;   /* looked at; handed out by the last match */
    size_t      space, space_end;   /* the last run of white space behind a token, so that none is measured twice */
} added_walk;

typedef struct { int32_t id; size_t gap, start, end; } added_match;     /* [gap, start): text before it, not matched */

/* False at the end; then [walk->covered, len) is left. */
bool added_next(const added_set *s, added_walk *w, added_match *out);
#endif
