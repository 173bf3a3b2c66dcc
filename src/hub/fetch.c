#include "fetch.h"
#include "base/text.h"
#include "sonde/version.h"

#ifndef SONDE_CURL

sonde_status fetch_new(fetch **out, fetch_options o, sonde_error *err) {
    (void)o;
    *out = NULL;
    return sonde_fail(err, SONDE_UNSUPPORTED, "this build has no network (libcurl was not there when it was built); fetch the "
                      "model with \"hf download NAME\", then -m NAME opens it");
}

void fetch_free(fetch *f) { (void)f; }

sonde_status fetch_do(fetch *f, const fetch_request *r, arena *into, fetch_answer *a, sonde_error *err) {
    (void)f;
    (void)r;
    (void)into;
    *a = (fetch_answer){ 0 };
    return sonde_fail(err, SONDE_UNSUPPORTED, "this build has no network");
}

bool fetch_same_place(const char *a, const char *b) {
    (void)a;
    (void)b;
    return false;
}

const char *fetch_join(arena *into, const char *base, const char *relative) {
    (void)into;
    (void)base;
    (void)relative;
    return NULL;
}

#else
#define CURL_DISABLE_TYPECHECK                  /* it would name the functions themselves */
#include "base/library.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CONNECT_SECONDS = 10, SLOWEST = 1000, MOST_HOPS = 5, MOST_HEADERS = 1 << 18, MOST_IGNORED = 1 << 20 };

struct fetch {
    CURL         *curl;
    fetch_options o;
    bool          reached;              /* something answered once: what fails to connect now may come back */
    char          why[CURL_ERROR_SIZE];
};

/* One transfer under way. */
typedef struct {
    fetch               *f;
    const fetch_request *r;
    arena               *into;
    fetch_answer        *a;
    size_t               header_bytes, ignored;
    bool                 stopped, refused, headers_bad;
} transfer;

static const char *const header_name[] = {
#define HEADER(id, name) name,
#include "headers.def"
#undef HEADER
};

/* What is used of it. */
#define CURL_FUNCTIONS(X)                                                                                                \
    X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_perform) X(curl_easy_reset)                    \
    X(curl_easy_setopt) X(curl_easy_strerror) X(curl_free) X(curl_global_init) X(curl_slist_append)                        \
    X(curl_slist_free_all) X(curl_url) X(curl_url_cleanup) X(curl_url_get) X(curl_url_set)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    CURL_FUNCTIONS(MEMBER)
#undef MEMBER
} lib;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sonde_error    unready;

static void start_curl(void) {
#define NAME(name) #name,
    static const char *const names[] = { CURL_FUNCTIONS(NAME) };
#undef NAME
    library_fn fn[sizeof names / sizeof *names];
    if (library_load("libcurl.so.4", names, (int)(sizeof names / sizeof *names), fn, &unready) != SONDE_OK) return;
    size_t i = 0;
#define TAKE(name) lib.name = (__typeof__(name) *)fn[i++];
    CURL_FUNCTIONS(TAKE)
#undef TAKE
    const CURLcode code = lib.curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) sonde_fail(&unready, SONDE_UNSUPPORTED, "libcurl does not start: %s", lib.curl_easy_strerror(code));
}

/* An address without what is behind its ?: that may be signed for whoever has it. */
static shown place_shown(const char *url) { return text_shown(url, strcspn(url, "?")); }

static bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

const char *fetch_join(arena *into, const char *base, const char *relative) {
    CURLU *u = lib.curl_url();
    char *text = NULL, *scheme = NULL;
    const char *out = NULL;
    if (u && lib.curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        lib.curl_url_set(u, CURLUPART_URL, relative, CURLU_DISALLOW_USER) == CURLUE_OK &&
        lib.curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && (!strcmp(scheme, "http") || !strcmp(scheme, "https")) &&
        lib.curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK && lib.curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
        out = arena_printf(into, "%s", text);
    lib.curl_free(text);
    lib.curl_free(scheme);
    lib.curl_url_cleanup(u);
    return out;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
    char *x = NULL, *y = NULL;
    const bool same = lib.curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                      lib.curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK && !strcasecmp(x, y);
    lib.curl_free(x);
    lib.curl_free(y);
    return same;
}

bool fetch_same_place(const char *a, const char *b) {
    CURLU *x = lib.curl_url(), *y = lib.curl_url();
    const bool same = x && y && lib.curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                      lib.curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK && same_part(x, y, CURLUPART_SCHEME) &&
                      same_part(x, y, CURLUPART_HOST) && same_part(x, y, CURLUPART_PORT);
    lib.curl_url_cleanup(x);
    lib.curl_url_cleanup(y);
    return same;
}

static size_t on_header(char *at, size_t one, size_t n, void *user) {
    (void)one;
    transfer *t = user;
    t->header_bytes += n;
    t->headers_bad = t->headers_bad || t->header_bytes > MOST_HEADERS || memchr(at, 0, n);
    if (t->headers_bad) return 0;
    if (n > 5 && !memcmp(at, "HTTP/", 5)) {                 /* another answer: what came before it was interim */
        memset(t->a->header, 0, sizeof t->a->header);
        return n;
    }
    const char *colon = memchr(at, ':', n);
    const size_t len = colon ? (size_t)(colon - at) : 0;
    for (size_t i = 0; i < FETCH_HEADERS; i++) {
        if (!len || strlen(header_name[i]) != len || strncasecmp(header_name[i], at, len) != 0) continue;
        const char *value = colon + 1, *end = at + n;
        while (value < end && (*value == ' ' || *value == '\t')) value++;
        while (end > value && strchr(" \t\r\n", end[-1])) end--;
        t->a->header[i] = arena_printf(t->into, "%.*s", (int)(end - value), value);
    }
    return n;
}

static size_t on_body(char *at, size_t one, size_t n, void *user) {
    (void)one;
    transfer *t = user;
    long status = 0;
    lib.curl_easy_getinfo(t->f->curl, CURLINFO_RESPONSE_CODE, &status);
    t->a->status = (int)status;
    if (t->a->status / 100 != 2 || !t->r->sink) {           /* the text of a refusal: nobody reads it */
        t->ignored += n;
        return t->ignored > MOST_IGNORED ? 0 : n;
    }
    t->refused = !t->r->sink(t->r->user, t->a, at, n);
    return t->refused ? 0 : n;
}

static int on_progress(void *user, curl_off_t all, curl_off_t now, curl_off_t up_all, curl_off_t up) {
    (void)all;
    (void)now;
    (void)up_all;
    (void)up;
    transfer *t = user;
    t->stopped = t->f->o.stop && t->f->o.stop(t->f->o.user);
    return t->stopped;
}

static bool good_token(const char *token) {
    for (; *token; token++)
        if (*token < '!' || *token > '~') return false;
    return true;
}

sonde_status fetch_new(fetch **out, fetch_options o, sonde_error *err) {
    *out = NULL;
    pthread_once(&once, start_curl);
    SONDE_FAIL_IF(unready.status != SONDE_OK, err, unready.status, "%s", unready.message);
    arena *a = arena_new();
    const bool good = fetch_join(a, o.base, o.base) != NULL;
    arena_free(a);
    SONDE_FAIL_IF(!good, err, SONDE_USAGE, "\"%s\" is no address of a Hub, expected one as https://huggingface.co",
                  name_shown(o.base).text);
    SONDE_FAIL_IF(o.token && !good_token(o.token), err, SONDE_USAGE, "the token holds characters that no token has");
    fetch *f = calloc(1, sizeof *f);
    if (!f) abort();
    f->curl = lib.curl_easy_init();
    if (!f->curl) abort();
    f->o = o;
    *out = f;
    return SONDE_OK;
}

void fetch_free(fetch *f) {
    if (!f) return;
    lib.curl_easy_cleanup(f->curl);
    free(f);
}

static struct curl_slist *headers_of(const fetch *f, const fetch_request *r, arena *into, const char *url) {
    struct curl_slist *list = lib.curl_slist_append(NULL, "Accept-Encoding: identity");
    if (f->o.token && fetch_same_place(url, f->o.base))
        list = lib.curl_slist_append(list, arena_printf(into, "Authorization: Bearer %s", f->o.token));
    if (r->from > 0) list = lib.curl_slist_append(list, arena_printf(into, "Range: bytes=%lld-", (long long)r->from));
    if (r->from > 0 && r->if_range) list = lib.curl_slist_append(list, arena_printf(into, "If-Range: %s", r->if_range));
    return list;
}

static void set_up(transfer *t, const char *url, struct curl_slist *headers) {
    CURL *c = t->f->curl;
    lib.curl_easy_reset(c);
    lib.curl_easy_setopt(c, CURLOPT_URL, url);
    lib.curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    lib.curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    lib.curl_easy_setopt(c, CURLOPT_USERAGENT, "sonde/" SONDE_VERSION);
    lib.curl_easy_setopt(c, CURLOPT_NOBODY, t->r->head ? 1L : 0L);
    lib.curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    lib.curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    lib.curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
    lib.curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->f->o.stall_seconds);
    lib.curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 1L << 18);
    lib.curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->f->why);
    lib.curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    lib.curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    lib.curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    lib.curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    lib.curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    lib.curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    lib.curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

/* Failures that another try may not meet. Where nothing ever answered, nothing will. */
static bool may_pass(const fetch *f, CURLcode code) {
    double connected = 0;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_RESOLVE_PROXY: case CURLE_COULDNT_CONNECT: case CURLE_SSL_CONNECT_ERROR:
        return f->reached;
    case CURLE_OPERATION_TIMEDOUT:
        lib.curl_easy_getinfo(f->curl, CURLINFO_CONNECT_TIME, &connected);
        return f->reached || connected > 0;
    case CURLE_PARTIAL_FILE: case CURLE_GOT_NOTHING: case CURLE_RECV_ERROR: case CURLE_SEND_ERROR: case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: case CURLE_AGAIN:
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY:     /* no HTTP: what was left of the answer before */
        return true;
    default:
        return false;
    }
}

static sonde_status fail_transfer(const transfer *t, CURLcode code, const char *url, sonde_error *err) {
    SONDE_FAIL_IF(t->stopped, err, SONDE_CANCELLED, "interrupted");
    SONDE_FAIL_IF(t->headers_bad, err, SONDE_IO, "%s: headers of more than %d bytes, or a NUL in them", place_shown(url).text,
                  MOST_HEADERS);
    SONDE_FAIL_IF(t->ignored > MOST_IGNORED, err, SONDE_IO, "%s: the answer is %d and does not end", place_shown(url).text, t->a->status);
    t->a->again = may_pass(t->f, code);
    const char *why = *t->f->why ? t->f->why : lib.curl_easy_strerror(code);
    return sonde_fail(err, SONDE_IO, "%s: %s", place_shown(url).text, name_shown(why).text);
}

static sonde_status ask_once(transfer *t, const char *url, sonde_error *err) {
    struct curl_slist *headers = headers_of(t->f, t->r, t->into, url);
    set_up(t, url, headers);
    *t->f->why = 0;
    const CURLcode code = lib.curl_easy_perform(t->f->curl);
    lib.curl_slist_free_all(headers);
    long status = 0;
    curl_off_t wait = 0;
    lib.curl_easy_getinfo(t->f->curl, CURLINFO_RESPONSE_CODE, &status);
    lib.curl_easy_getinfo(t->f->curl, CURLINFO_RETRY_AFTER, &wait);
    t->a->status = (int)status;
    t->a->retry_after = wait > 0 ? (int64_t)wait : 0;
    t->a->url = url;
    t->f->reached = t->f->reached || status > 0;
    lib.curl_easy_setopt(t->f->curl, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK) return fail_transfer(t, code, url, err);
    return SONDE_OK;
}

/* Hubs that pass a request on within themselves say once, on the way, what it is about. */
static void keep_told(fetch_answer *a, const char *const *earlier) {
    static const fetch_header told[] = { FETCH_LINKED_ETAG, FETCH_LINKED_SIZE, FETCH_COMMIT };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!a->header[told[i]]) a->header[told[i]] = earlier[told[i]];
}

sonde_status fetch_do(fetch *f, const fetch_request *r, arena *into, fetch_answer *a, sonde_error *err) {
    const char *earlier[FETCH_HEADERS] = { 0 };
    const char *url = r->url;
    for (int hops = 0;; hops++) {
        SONDE_FAIL_IF(hops > MOST_HOPS, err, SONDE_IO, "%s: more than %d redirects", place_shown(r->url).text, MOST_HOPS);
        *a = (fetch_answer){ 0 };
        transfer t = { .f = f, .r = r, .into = into, .a = a };
        SONDE_TRY(ask_once(&t, url, err));
        keep_told(a, earlier);
        if (!is_redirect(a->status)) return SONDE_OK;
        const char *place = a->header[FETCH_LOCATION];
        a->next = place ? fetch_join(into, url, place) : NULL;
        SONDE_FAIL_IF(!a->next, err, SONDE_IO, "%s: redirects to \"%s\", expected an address", place_shown(url).text,
                      name_shown(place ? place : "").text);
        SONDE_FAIL_IF(!strncmp(url, "https:", 6) && strncmp(a->next, "https:", 6) != 0, err, SONDE_IO,
                      "%s: redirects from https to http", place_shown(url).text);
        if (!r->leave && !fetch_same_place(url, a->next)) return SONDE_OK;
        memcpy(earlier, a->header, sizeof earlier);
        url = a->next;
    }
}
#endif
