/* fetch.h - one HTTP request and its answer. libcurl does it; fetch.c is the only file that knows.
 *
 * Redirects are followed here, by hand, five at most and never from https to http. The token goes to the scheme, host
 * and port of the base and to nobody else. Answers are asked for without compression and given as they come. */
#ifndef SONDE_FETCH_H
#define SONDE_FETCH_H
#include "base/arena.h"
#include "sonde/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fetch fetch;

typedef struct {
    const char *base, *token;           /* token: NULL: none */
    int         stall_seconds;
    bool      (*stop)(void *user);      /* NULL: nobody asks */
    void       *user;
} fetch_options;

typedef enum {
#define HEADER(id, name) FETCH_##id,
#include "headers.def"
#undef HEADER
    FETCH_HEADERS
} fetch_header;

typedef struct {
    int         status;
    const char *url;                    /* of the last request */
    const char *next;                   /* where a redirect that was not followed leads; NULL: there is none */
    const char *header[FETCH_HEADERS];  /* NULL: not there; in the arena */
    int64_t     retry_after;            /* seconds; 0: not said */
    bool        again;                  /* the failure may pass: worth another try */
} fetch_answer;

/* A piece of the body of a success (2xx); the headers of `a` are complete. False ends the transfer. */
typedef bool (*fetch_sink)(void *user, const fetch_answer *a, const void *bytes, size_t n);

typedef struct {
    const char *url;
    bool        head;
    bool        leave;                  /* redirects to other hosts are followed too */
    int64_t     from;                   /* > 0: bytes from there on are asked for .. */
    const char *if_range;               /* .. if this is still their ETag; NULL: in any case */
    fetch_sink  sink; void *user;       /* NULL: the body is passed over */
} fetch_request;

/* USAGE: a base or token that cannot be used. UNSUPPORTED: built without libcurl. */
sonde_status fetch_new(fetch **out, fetch_options o, sonde_error *err);
void         fetch_free(fetch *f);      /* accepts NULL */
/* OK: an answer came whole, whatever its status. CANCELLED; IO: a->again says whether it may pass. Also IO if the sink
 * ended it. */
sonde_status fetch_do(fetch *f, const fetch_request *r, arena *into, fetch_answer *a, sonde_error *err);
/* Do both lie at one scheme, host and port? */
bool         fetch_same_place(const char *a, const char *b);
/* `relative` as seen from `base`; NULL if it is no http(s) address. */
const char  *fetch_join(arena *into, const char *base, const char *relative);
#endif
