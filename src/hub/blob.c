/* One file: described by HEAD, fetched into ETAG.incomplete, checked against the hash that its ETag is, renamed. */
#define _GNU_SOURCE
#include "hub_parts.h"
#include "base/hasher.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHA1_HEX = 40, SHA256_HEX = 64, READ_ROOM = 1 << 18, WORTH_A_TRY = 1 << 16 };

/* What HEAD said. */
typedef struct { const char *etag, *url; const char *validator; int64_t size; } description;

typedef struct {
    hub         *h;
    hub_file    *x;
    arena       *brief;
    description  d;
    const char  *path;              /* of the partial file */
    int          fd;
    hasher      *hash;              /* of the bytes [0, done) */
    int64_t      done;
    bool         joined;            /* not all of it came in one answer */
    const char  *validator;         /* strong ETag of the answer that the partial file is of; NULL: not known */
    bool         answered;          /* the body of an answer with bytes began */
    bool         restart;           /* the answer did not go on where the file ends */
    sonde_status status;            /* what ends it for good */
    sonde_error  error;
} job;

static bool read_number(const char *text, int64_t *out) {
    int64_t n = 0;
    if (!text || !*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n)) return false;
    }
    *out = n;
    return true;
}

static bool is_hash(const char *etag) {
    const size_t n = strlen(etag);
    return (n == SHA1_HEX || n == SHA256_HEX) && strspn(etag, "0123456789abcdefABCDEF") == n;
}

static const char *bare_etag(arena *into, const char *etag) {
    if (!strncmp(etag, "W/", 2)) etag += 2;
    size_t n = strlen(etag);
    if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
        etag++;
        n -= 2;
    }
    return arena_printf(into, "%.*s", (int)n, etag);
}

static bool is_strong(const char *etag) { return etag && etag[0] == '"'; }

static sonde_status read_description(job *j, const fetch_answer *a, description *out, sonde_error *err) {
    const hub_file *x = j->x;
    const char *commit = a->header[FETCH_COMMIT];
    const char *linked = a->header[FETCH_LINKED_ETAG], *etag = linked ? linked : a->header[FETCH_ETAG];
    const char *size = a->header[FETCH_LINKED_SIZE];
    SONDE_FAIL_IF(commit && strcasecmp(commit, j->h->commit) != 0, err, SONDE_FORMAT, "the Hub answers for commit %s, expected %s",
                  name_shown(commit).text, j->h->commit);
    SONDE_FAIL_IF(!etag, err, SONDE_FORMAT, "the answer has no ETag (is %s a Hub?)", name_shown(j->h->base).text);
    *out = (description){ .etag = bare_etag(j->h->memory, etag), .url = a->next ? a->next : a->url, .size = x->size };
    SONDE_FAIL_IF(!is_hash(out->etag), err, SONDE_FORMAT, "its ETag is \"%s\", expected a SHA-256 or the SHA-1 of a git blob",
                  name_shown(out->etag).text);
    if (!size && !a->next) size = a->header[FETCH_LENGTH];
    SONDE_FAIL_IF(size && !read_number(size, &out->size), err, SONDE_FORMAT, "its size is \"%s\", expected a number of bytes",
                  name_shown(size).text);
    if (!a->next && is_strong(a->header[FETCH_ETAG])) out->validator = a->header[FETCH_ETAG];
    return SONDE_OK;
}

static sonde_status describe(job *j, description *out, sonde_error *err) {
    hub *h = j->h;
    fetch_answer a;
    *out = (description){ .etag = "", .url = "" };
    const fetch_request r = { .head = true, .url = arena_printf(j->brief, "%s/%s/resolve/%s/%s", h->base, h->name.id, h->commit,
                                                              hub_escape(j->brief, j->x->path, "-._~/")) };
    SONDE_TRY(hub_ask(h, &r, j->brief, &a, err));
    if (a.status != 200 && !a.next) return hub_refuse(h, &a, true, err);
    return read_description(j, &a, out, err);
}

/* git hashes a file behind its length. */
static void begin_hash(job *j) {
    const bool git = strlen(j->d.etag) == SHA1_HEX;
    char head[40];
    hasher_free(j->hash);
    j->hash = hasher_new(git ? HASHER_SHA1 : HASHER_SHA256);
    if (git) hasher_add(j->hash, head, (size_t)snprintf(head, sizeof head, "blob %lld", (long long)j->d.size) + 1);
}

static void tell(const job *j) {
    const hub *h = j->h;
    if (h->o->progress && h->all > 0) h->o->progress(h->o->user, h->name.id, h->done + j->done, h->all);
}

static bool empty(job *j) {
    if (ftruncate(j->fd, 0) || lseek(j->fd, 0, SEEK_SET) < 0) {
        j->status = cache_fail(j->path, &j->error);
        return false;
    }
    j->done = 0;
    j->joined = false;
    j->validator = NULL;
    begin_hash(j);
    return true;
}

static bool write_all(job *j, const void *bytes, size_t n) {
    for (const char *p = bytes; n > 0; ) {
        const ssize_t k = write(j->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            j->status = cache_fail(j->path, &j->error);
            sonde_fail_at(&j->error, j->status, "what came is kept, the next pull goes on there");
            return false;
        }
        hasher_add(j->hash, p, (size_t)k);
        j->done += k;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Where the bytes of a 206 begin: "bytes 10-99/100". */
static int64_t range_begins(const char *range) {
    char digits[24];
    int64_t from;
    if (!range || strncasecmp(range, "bytes ", 6) != 0) return -1;
    const size_t n = strspn(range + 6, "0123456789");
    if (n == 0 || n >= sizeof digits || range[6 + n] != '-') return -1;
    memcpy(digits, range + 6, n);
    digits[n] = 0;
    return read_number(digits, &from) ? from : -1;
}

/* The first piece of an answer says whether it is the file, and from where on. */
static bool begin_body(job *j, const fetch_answer *a) {
    const char *encoding = a->header[FETCH_ENCODING];
    j->answered = true;
    if (encoding && strcasecmp(encoding, "identity") != 0) {
        j->status = sonde_fail(&j->error, SONDE_IO, "it comes compressed (%s), expected it as it is", name_shown(encoding).text);
        return false;
    }
    if (a->status == 206) {
        j->restart = range_begins(a->header[FETCH_RANGE]) != j->done;
        j->joined = true;
        return !j->restart;
    }
    if (j->done > 0 && !empty(j)) return false;                 /* the whole of it comes */
    j->x->state = "fetched";
    j->validator = is_strong(a->header[FETCH_ETAG]) ? arena_printf(j->brief, "%s", a->header[FETCH_ETAG]) : NULL;
    return true;
}

static bool take_body(void *user, const fetch_answer *a, const void *bytes, size_t n) {
    job *j = user;
    if (a->status != 200 && a->status != 206) return true;      /* the text of a refusal */
    if (!j->answered && !begin_body(j, a)) return false;
    if ((int64_t)n > j->d.size - j->done) {
        j->status = sonde_fail(&j->error, SONDE_IO, "more bytes come than the %lld it has", (long long)j->d.size);
        return false;
    }
    if (!write_all(j, bytes, n)) return false;
    tell(j);
    return true;
}

/* One answer's worth of bytes. OK: all are there, or `again`. */
static sonde_status get_once(job *j, fetch_answer *a, bool *again, sonde_error *err) {
    const char *validator = j->validator ? j->validator : j->d.validator;
    const fetch_request r = { .url = j->d.url, .leave = true, .from = j->done, .if_range = validator, .sink = take_body, .user = j };
    j->answered = j->restart = *again = false;
    const sonde_status s = fetch_do(j->h->f, &r, j->brief, a, err);
    if (j->status != SONDE_OK) {
        if (err) *err = j->error;
        return j->status;
    }
    *again = true;
    if (j->restart || a->status == 416) {
        if (!empty(j)) {
            if (err) *err = j->error;
            return j->status;
        }
        sonde_fail(err, SONDE_IO, "the server does not go on where the file ends");
        return SONDE_OK;
    }
    if (s != SONDE_OK) {
        *again = a->again;
        return a->again ? SONDE_OK : s;
    }
    if (a->status != 200 && a->status != 206) {
        const sonde_status why = hub_refuse(j->h, a, true, err);
        *again = hub_may_pass(a->status) || a->status == 403;          /* a signed address ends after a while */
        return *again ? SONDE_OK : why;
    }
    *again = j->done < j->d.size;
    if (*again) sonde_fail(err, SONDE_IO, "%lld bytes came, expected %lld", (long long)j->done, (long long)j->d.size);
    return SONDE_OK;
}

/* The tries begin anew whenever one brought something. */
static sonde_status get_all(job *j, sonde_error *err) {
    hub_retry retry = { 0 };
    while (j->done < j->d.size) {
        fetch_answer a;
        description d;
        bool again;
        const int64_t before = j->done;
        SONDE_TRY(get_once(j, &a, &again, err));
        if (!again) break;
        if (j->done - before >= WORTH_A_TRY) retry.tries = 0;
        SONDE_TRY(hub_wait(j->h, &retry, &a, err));
        SONDE_TRY(describe(j, &d, err));
        SONDE_FAIL_IF(strcmp(d.etag, j->d.etag) != 0 || d.size != j->d.size, err, SONDE_FORMAT,
                      "its ETag and size changed within one commit");
        j->d.url = d.url;
        j->joined = j->joined || j->done > 0;
    }
    return SONDE_OK;
}

static sonde_status check_hash(job *j, bool *good, char got[HASHER_HEX], sonde_error *err) {
    uint8_t bytes[HASHER_MOST];
    size_t n;
    hasher *d = j->hash;
    j->hash = NULL;
    SONDE_TRY(hasher_end(d, bytes, &n, err));
    hasher_hex(bytes, n, got);
    *good = strcasecmp(got, j->d.etag) == 0;
    return SONDE_OK;
}

/* A file put together from several answers may be wrong where they meet: then it is fetched once more, in one. */
static sonde_status get_right(job *j, sonde_error *err) {
    char got[HASHER_HEX];
    for (int turn = 0;; turn++) {
        bool good = false;
        SONDE_TRY(get_all(j, err));
        const bool joined = j->joined;
        SONDE_TRY(check_hash(j, &good, got, err));
        if (good) return SONDE_OK;
        if (!empty(j)) {
            if (err) *err = j->error;
            return j->status;
        }
        if (!joined || turn > 0) break;
        j->x->state = "fetched";
    }
    unlink(j->path);
    return sonde_fail(err, SONDE_IO, "the bytes that came have the hash %s, expected %s", got, j->d.etag);
}

/* What an earlier pull left behind counts as fetched. */
static sonde_status take_partial(job *j, sonde_error *err) {
    struct stat st;
    j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (j->fd < 0 || fstat(j->fd, &st)) return cache_fail(j->path, err);
    SONDE_FAIL_IF(!S_ISREG(st.st_mode), err, SONDE_IO, "%s: is no file", name_shown(j->path).text);
    begin_hash(j);
    if (st.st_size > j->d.size && ftruncate(j->fd, 0)) return cache_fail(j->path, err);
    if (st.st_size > j->d.size) return SONDE_OK;
    char *room = malloc(READ_ROOM);
    if (!room) abort();
    ssize_t n;
    while ((n = read(j->fd, room, READ_ROOM)) > 0) {
        hasher_add(j->hash, room, (size_t)n);
        j->done += n;
    }
    free(room);
    if (n < 0) return cache_fail(j->path, err);
    j->joined = j->done > 0;
    if (j->joined) j->x->state = "resumed";
    return SONDE_OK;
}

static sonde_status finish(job *j, const char *blob, sonde_error *err) {
    if (fsync(j->fd) || rename(j->path, blob)) return cache_fail(blob, err);
    const int folder = open(arena_printf(j->brief, "%s/blobs", j->h->folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return SONDE_OK;
    fsync(folder);                              /* the name too; what cannot be synced is there all the same */
    close(folder);
    return SONDE_OK;
}

static sonde_status download(job *j, sonde_error *err) {
    const char *blob = arena_printf(j->brief, "%s/blobs/%s", j->h->folder, j->d.etag);
    j->path = arena_printf(j->brief, "%s.incomplete", blob);
    SONDE_TRY(cache_make_folder(arena_printf(j->brief, "%s/blobs", j->h->folder), err));
    j->x->state = "fetched";
    j->fd = -1;
    sonde_status s = take_partial(j, err);
    if (s == SONDE_OK) tell(j);
    if (s == SONDE_OK) s = get_right(j, err);
    if (s == SONDE_OK) s = finish(j, blob, err);
    if (j->fd >= 0) close(j->fd);
    hasher_free(j->hash);
    return s;
}

static sonde_status fetch_described(job *j, sonde_error *err) {
    hub_file *x = j->x;
    int lock;
    SONDE_TRY(describe(j, &j->d, err));
    x->etag = j->d.etag;
    x->size = j->d.size;
    x->state = "cached";
    if (cache_has_blob(j->h, x->etag, x->size)) return SONDE_OK;
    SONDE_TRY(cache_lock(j->h, x->etag, &lock, err));
    const sonde_status s = cache_has_blob(j->h, x->etag, x->size) ? SONDE_OK : download(j, err);
    cache_unlock(lock);
    return s;
}

sonde_status hub_fetch_blob(hub *h, hub_file *x, sonde_error *err) {
    job j = { .h = h, .x = x, .brief = arena_new(), .fd = -1 };
    const int64_t listed = x->size;
    const sonde_status s = fetch_described(&j, err);
    arena_free(j.brief);
    h->done += listed;
    if (s == SONDE_OK) return SONDE_OK;
    SONDE_FAIL_IF(s == SONDE_CANCELLED, err, s, "%s: interrupted; what came is kept, the next pull goes on there",
                  name_shown(x->path).text);
    return sonde_fail_at(err, s, "%s", name_shown(x->path).text);
}
