/* hub_parts.h - one pull under way: what its files share, and the doors of the parts. */
#ifndef SONDE_HUB_PARTS_H
#define SONDE_HUB_PARTS_H
#include "sonde/hub.h"
#include "fetch.h"

typedef struct {
    const char *id;             /* org/name or name */
    const char *revision;       /* main where none was given */
    const char *tag;            /* NULL: none */
} hub_name;

typedef struct {
    const char *path;           /* checked: no way out of the folder */
    int64_t     size;           /* as the tree has it */
    const char *oid;            /* as the tree has it; NULL: not said */
    bool        chosen;
    const char *etag, *state;
} hub_file;

typedef struct {
    const sonde_pull_options *o;
    const char *base;
    fetch      *f;
    arena      *memory;         /* lives as long as the answer */
    hub_name    name;
    const char *commit;
    const char *folder, *locks; /* of this model, in the cache */
    hub_file   *file; size_t n;
    int64_t     done, all;      /* bytes of what is fetched */
} hub;

/* name.c */
bool         hub_name_read(hub_name *out, arena *into, const char *text);
/* Every byte that is no letter, digit or one of `kept` as %XX. */
const char  *hub_escape(arena *into, const char *text, const char *kept);

/* listing.c: h->commit, then h->file. */
sonde_status hub_resolve(hub *h, sonde_error *err);
sonde_status hub_list(hub *h, sonde_error *err);

/* choose.c, choose_gguf.c: which files are fetched. */
sonde_status hub_choose(hub *h, sonde_error *err);
/* The one that the tag names, or the only one; USAGE lists them. */
sonde_status hub_choose_gguf(hub *h, sonde_error *err);

/* ask.c: requests, tried again within bounds. */
typedef struct { int tries; } hub_retry;
/* Waits before another try. Fails with what `err` holds when there is none left, and CANCELLED. */
sonde_status hub_wait(hub *h, hub_retry *r, const fetch_answer *a, sonde_error *err);
sonde_status hub_ask(hub *h, const fetch_request *r, arena *into, fetch_answer *a, sonde_error *err);
bool         hub_may_pass(int http_status);
/* What an answer that is no success means, in one line. `file`: one of a model that is there was asked for. */
sonde_status hub_refuse(const hub *h, const fetch_answer *a, bool file, sonde_error *err);

/* cache.c: the folders on the disk. */
sonde_status cache_make_folder(const char *path, sonde_error *err);             /* and those above it */
sonde_status cache_lock(hub *h, const char *etag, int *lock, sonde_error *err);
void         cache_unlock(int lock);
bool         cache_has_blob(const hub *h, const char *etag, int64_t size);
/* The blob's name if the snapshot has this file, whole; NULL. */
const char  *cache_snapshot_has(const hub *h, const hub_file *x);
sonde_status cache_link(const hub *h, const hub_file *x, sonde_error *err);
sonde_status cache_ref(const hub *h, sonde_error *err);
sonde_status cache_fail(const char *path, sonde_error *err);                    /* says errno */

/* blob.c: one file into blobs/. */
sonde_status hub_fetch_blob(hub *h, hub_file *x, sonde_error *err);
#endif
