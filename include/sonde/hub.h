/* hub.h - models from a Hugging Face Hub into the local cache, laid out as huggingface_hub lays it out.
 *
 * Nothing is read from the environment: who calls says where the Hub and the cache are. What lands in the cache was
 * checked against the hash that the Hub names it by. A call that ends early keeps what it has; the next one goes on
 * there. Calls on any threads and in any processes may fetch the same model at once: one fetches, the others wait. */
#ifndef SONDE_HUB_H
#define SONDE_HUB_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char        *base;            /* http or https, perhaps with a path; NULL: https://huggingface.co */
    const char        *token;           /* sent to the scheme, host and port of `base` alone; NULL: none */
    const char        *cache;           /* the folder, .../huggingface/hub; made where it is not there */
    const char *const *include; size_t n_include;   /* globs over whole paths (* is also /); none: what opening needs */
    bool               offline;         /* NOT_FOUND, nothing is asked */
    bool               dry_run;         /* lists, fetches nothing, writes nothing */
    int                stall_seconds;   /* below 1 kB/s for so long is tried again; 0: 60 */
    int                tries;           /* of one request, without a byte of progress; 0: 5 */
    int                wait_ms;         /* before the second try, doubled before each other; 0: 1000 */
    /* Bytes, at every piece that comes; `all` 0: `what` is a line for the person. NULL: nobody looks. */
    void             (*progress)(void *user, const char *what, int64_t done, int64_t all);
    bool             (*stop)(void *user);           /* asked at least once a second; true: CANCELLED. NULL: never */
    void              *user;                        /* of both */
} sonde_pull_options;

typedef struct {
    const char *name;           /* path in the model, as the Hub has it: untrusted text */
    int64_t     bytes;
    const char *etag;           /* SHA-256, or SHA-1 of the git blob; the name of its blob in the cache */
    const char *state;          /* "fetched", "resumed" (part of it was there), "cached" (all of it was); dry: "absent" */
} sonde_pulled_file;

typedef struct {
    const char *model, *revision, *commit;
    const char *folder;         /* the snapshot; with dry_run it may not be there */
    const sonde_pulled_file *file; size_t n;
} sonde_pulled;

/* NAME: [ORG/]NAME[@REV][:TAG]; REV is a branch, tag or commit (main), TAG picks one GGUF with its splits.
 * USAGE: no such name, or several GGUF files and no TAG; FORMAT: an answer or a name of a file that cannot be right;
 * UNSUPPORTED: built without libcurl; NOT_FOUND: missing, private or gated, offline; IO: network, disk, a wrong hash;
 * CANCELLED. */
SONDE_API sonde_status sonde_pull(sonde_pulled **out, const char *name, const sonde_pull_options *o, sonde_error *err);
SONDE_API void         sonde_pulled_free(sonde_pulled *p);      /* accepts NULL */
/* Is it a name that a Hub could have? */
SONDE_API bool         sonde_pull_name(const char *name);
#endif
