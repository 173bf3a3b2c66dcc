/* hub_server FOLDER [LOG] - a Hub on 127.0.0.1 that has FOLDER's files under every name. Prints "PORT OTHER" and serves
 * until it is killed. OTHER is where large files lie, as on another host; a token that arrives there is an error.
 *
 * The last part of the model's name says how it behaves: any word that is not looked at below is a good Hub.
 * LOG gets a line for each request: port (1, 2), method, address, and the headers that matter. */
#define _GNU_SOURCE
#include "base/hasher.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 256, MOST_REQUEST = 16384, MOST_SEEN = 4096, LARGE = 10000 };
static const char commit[] = "0123456789abcdef0123456789abcdef01234567";

typedef struct { char path[256]; unsigned char *data; size_t size; char sha1[41], sha256[65]; bool large; } file;
static file     files[MOST_FILES];
static size_t   n_files;
static int      ports[2], log_fd = -1;
static struct { char key[512]; int n; } seen[MOST_SEEN];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    int  fd, place;                             /* place: 0 the Hub, 1 the other host */
    char method[8], url[2048], how[64];         /* how: the last part of the name */
    char auth[256], range[64], if_range[160], encoding[64];
} request;

static void die(const char *what) {
    perror(what);
    exit(2);
}

/* ---- what it has */

static void hash_into(const file *f, hasher_kind kind, char *out) {
    hasher *h = hasher_new(kind);
    uint8_t bytes[HASHER_MOST];
    size_t n;
    char head[40];
    if (kind == HASHER_SHA1) hasher_add(h, head, (size_t)snprintf(head, sizeof head, "blob %zu", f->size) + 1);
    hasher_add(h, f->data, f->size);
    if (hasher_end(h, bytes, &n, NULL) != SONDE_OK) exit(2);
    hasher_hex(bytes, n, out);
}

static void add_file(const char *folder, const char *path, size_t size) {
    char whole[1024];
    file *f = &files[n_files++];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    snprintf(f->path, sizeof f->path, "%s", path);
    f->size = size;
    f->data = malloc(size + 1);
    FILE *in = fopen(whole, "rb");
    if (!in || !f->data || fread(f->data, 1, size, in) != size) die(whole);
    fclose(in);
    f->large = size > LARGE;
    hash_into(f, HASHER_SHA1, f->sha1);
    hash_into(f, HASHER_SHA256, f->sha256);
}

static void add_folder(const char *folder, const char *under, int depth) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, under);
    DIR *d = opendir(path);
    if (!d) die(path);
    for (struct dirent *e; (e = readdir(d)) != NULL && n_files < MOST_FILES; ) {
        char name[512];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s%s%s", under, *under ? "/" : "", e->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (stat(path, &st)) die(path);
        if (S_ISREG(st.st_mode)) add_file(folder, name, (size_t)st.st_size);
        else if (depth > 0) add_folder(folder, name, depth - 1);
    }
    closedir(d);
}

/* `path` as an address spells it: %20 is a blank, and it ends at a ?. */
static const file *find_file(const char *escaped) {
    char path[256];
    size_t n = 0;
    for (unsigned code; *escaped && *escaped != '?' && n < sizeof path - 1; n++) {
        const bool one = *escaped == '%' && sscanf(escaped + 1, "%2x", &code) == 1;
        path[n] = one ? (char)code : *escaped;
        escaped += one ? 3 : 1;
    }
    path[n] = 0;
    for (size_t i = 0; i < n_files; i++)
        if (!strcmp(files[i].path, path)) return &files[i];
    return NULL;
}

/* ---- saying things */

static bool is(const request *r, const char *word) { return !strcmp(r->how, word); }

static bool put(int fd, const void *bytes, size_t n) {
    for (const char *p = bytes; n > 0; ) {
        const ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool say(const request *r, const char *format, ...) {
    char text[8192];
    va_list ap;
    va_start(ap, format);
    const int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return n > 0 && (size_t)n < sizeof text && put(r->fd, text, (size_t)n);
}

/* How often this was asked before, by method and address. */
static int times_before(const request *r) {
    char key[512];
    int n = 0;
    snprintf(key, sizeof key, "%d %s %.400s", r->place, r->method, r->url);
    pthread_mutex_lock(&guard);
    for (size_t i = 0; i < MOST_SEEN; i++) {
        if (*seen[i].key && strcmp(seen[i].key, key) != 0) continue;
        snprintf(seen[i].key, sizeof seen[i].key, "%s", key);
        n = seen[i].n++;
        break;
    }
    pthread_mutex_unlock(&guard);
    return n;
}

/* An answer without much of a body. More headers in `more`, each with its line end. */
static bool answer(const request *r, const char *status, const char *more, const char *text) {
    return say(r, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(text), more,
               strcmp(r->method, "HEAD") != 0 ? text : "");
}

static bool redirect(const request *r, const char *status, const char *more, const char *format, ...) {
    char place[2048], headers[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(place, sizeof place, format, ap);
    va_end(ap);
    snprintf(headers, sizeof headers, "%sLocation: %s\r\n", more, place);
    return answer(r, status, headers, "elsewhere");
}

/* ---- refusals; true: the answer was given, *open says whether the connection goes on */

static bool refuse(const request *r, bool api, bool *open) {
    const bool known = !strcmp(r->auth, "Bearer good");
    *open = true;
    if (*r->auth && !known)
        *open = answer(r, "401 Unauthorized", "X-Error-Message: Invalid credentials in Authorization header\r\n", "no");
    else if (is(r, "missing") || (is(r, "private") && !known))
        *open = answer(r, known ? "404 Not Found" : "401 Unauthorized", "X-Error-Code: RepoNotFound\r\n", "Repository not found");
    else if (is(r, "norev")) *open = answer(r, "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", "Invalid rev id");
    else if (is(r, "gated") && !api)
        *open = answer(r, known ? "403 Forbidden" : "401 Unauthorized", "X-Error-Code: GatedRepo\r\n", "gated");
    else if (is(r, "forbidden")) *open = answer(r, "403 Forbidden", "", "no");
    else if (is(r, "down")) *open = answer(r, "500 Internal Server Error", "", "oops");
    else if (is(r, "patience")) *open = answer(r, "429 Too Many Requests", "Retry-After: 9999\r\n", "later");
    else if (is(r, "busy") && api && times_before(r) == 0) *open = answer(r, "429 Too Many Requests", "Retry-After: 1\r\n", "later");
    else if (is(r, "flaky") && times_before(r) < 2) *open = answer(r, "503 Service Unavailable", "", "later");
    else if (is(r, "deaf") && times_before(r) == 0) *open = false;
    else return false;
    return true;
}

/* ---- the lists */

static size_t put_entry(char *to, size_t room, const char *path, const file *f) {
    const char *lfs = "";
    char text[256];
    snprintf(text, sizeof text, ",\"lfs\":{\"oid\":\"%s\",\"size\":%zu,\"pointerSize\":134}", f->sha256, f->size);
    if (f->large) lfs = text;
    return (size_t)snprintf(to, room, "%s{\"type\":\"file\",\"oid\":\"%s\",\"size\":%zu,\"path\":\"%s\"%s}", "", f->sha1, f->size, path, lfs);
}

static const char *bad_path(const request *r) {
    if (is(r, "dots")) return "a/../../../../evil.json";
    if (is(r, "slash")) return "/tmp/evil.json";
    if (is(r, "nul")) return "config.json\\u0000.txt";
    if (is(r, "empty")) return "a//b.json";
    if (is(r, "lost")) return "lost.json";
    return NULL;
}

static bool send_tree(const request *r) {
    const size_t room = 600 * (n_files + 4);
    char *text = malloc(room), link[1024] = "";
    size_t n = 0;
    const char *cursor = strstr(r->url, "cursor="), *bad = bad_path(r);
    const size_t first = cursor ? (size_t)atol(cursor + 7) : 0, page = is(r, "pages") ? 2 : n_files;
    if (!text) exit(2);
    n += (size_t)snprintf(text + n, room - n, "[{\"type\":\"directory\",\"oid\":\"\",\"size\":0,\"path\":\"sub\"}");
    for (size_t i = first; i < n_files && i < first + page; i++) {
        text[n++] = ',';
        n += put_entry(text + n, room - n, files[i].path, &files[i]);
    }
    if (bad) {
        text[n++] = ',';
        n += put_entry(text + n, room - n, bad, &files[0]);
    }
    snprintf(text + n, room - n, "]");
    if (is(r, "linkaway")) snprintf(link, sizeof link, "Link: <http://127.0.0.1:%d/list>; rel=\"next\"\r\n", ports[1]);
    else if (first + page < n_files)
        snprintf(link, sizeof link, "Link: <http://127.0.0.1:%d/first>; rel=\"first\", <http://127.0.0.1:%d%.*s?recursive=true&cursor=%zu>; "
                 "rel=\"next\"\r\n", ports[1], ports[0], (int)strcspn(r->url, "?"), r->url, first + page);
    char head[1200];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", strlen(text), link);
    const bool open = put(r->fd, head, strlen(head)) && put(r->fd, text, strlen(text));
    free(text);
    return open;
}

static bool send_endless(const request *r, const char *status) {
    static char spaces[65536];
    memset(spaces, ' ', sizeof spaces);
    bool open = say(r, "HTTP/1.1 %s\r\nConnection: close\r\n\r\n[", status);
    while (open) open = put(r->fd, spaces, sizeof spaces);
    return false;
}

static bool serve_api(const request *r, const char *rest) {
    bool open;
    if (refuse(r, true, &open)) return open;
    if (is(r, "moved")) return redirect(r, "307 Temporary Redirect", "", "/api/models/org/new%s", rest);
    if (is(r, "away")) return redirect(r, "302 Found", "", "http://127.0.0.1:%d/api", ports[1]);
    if (is(r, "huge")) return send_endless(r, "200 OK");
    if (is(r, "babble")) return send_endless(r, "404 Not Found");
    if (is(r, "garbage")) return answer(r, "200 OK", "", "<html>");
    if (is(r, "zipped")) return answer(r, "200 OK", "Content-Encoding: gzip\r\n", "{}");
    if (!strncmp(rest, "/tree/", 6)) return send_tree(r);
    char text[128];
    snprintf(text, sizeof text, "{\"id\":\"x\",\"sha\":\"%s\",\"siblings\":[]}", is(r, "oddsha") ? "../../x" : commit);
    return answer(r, "200 OK", "", text);
}

/* ---- files */

/* From what byte on, by the request's Range; false: it asks for the whole. */
static bool wants_range(const request *r, const char *etag, const file *f, size_t *from) {
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    if (is(r, "norange") || sscanf(r->range, "bytes=%zu-", from) != 1 || *from >= f->size) return false;
    return !*r->if_range || !strcmp(r->if_range, quoted);
}

static bool send_slowly(const request *r, const unsigned char *data, size_t n) {
    enum { PIECE = 16384 };
    for (size_t at = 0; at < n; at += PIECE) {
        if (!put(r->fd, data + at, n - at < PIECE ? n - at : PIECE)) return false;
        usleep(20000);
    }
    return true;
}

static bool send_body(const request *r, const file *f, size_t from, int before) {
    const size_t n = f->size - from;
    if (!strcmp(r->method, "HEAD")) return true;
    if (is(r, "slow")) return send_slowly(r, f->data + from, n);
    if (f->large && is(r, "cut")) return put(r->fd, f->data + from, n < f->size / 3 + 1 ? n : f->size / 3 + 1) && n < f->size / 3 + 1;
    if (f->large && before == 0 && (is(r, "cutonce") || is(r, "norange") || is(r, "badrange")))
        return put(r->fd, f->data + from, n / 2) && false;
    if (f->large && before == 0 && is(r, "stall")) return put(r->fd, f->data + from, n / 2) && sleep(30) != 0;
    if ((f->large && is(r, "wronghash")) || (f->large && before == 0 && is(r, "spoiled"))) {
        unsigned char *copy = malloc(f->size + 1);
        if (!copy) exit(2);
        memcpy(copy, f->data, f->size);
        copy[from + 7] ^= 1;
        const bool whole = is(r, "wronghash"), open = put(r->fd, copy + from, whole ? n : n / 2) && whole;
        free(copy);
        return open;
    }
    return put(r->fd, f->data + from, n);
}

static bool send_file(const request *r, const file *f, const char *etag) {
    size_t from = 0;
    const int before = times_before(r);
    const bool get = strcmp(r->method, "HEAD") != 0, part = wants_range(r, etag, f, &from);
    char range[128] = "";
    if (!part) from = 0;
    if (part) snprintf(range, sizeof range, "Content-Range: bytes %zu-%zu/%zu\r\n", from + is(r, "badrange"), f->size - 1, f->size);
    size_t length = f->size - from;
    if (get && is(r, "longer")) length += 5;
    if (get && f->large && is(r, "shorter")) length -= 5;
    const char *more = is(r, "zippedfile") && get ? "Content-Encoding: gzip\r\n" : "";
    const char *told = is(r, "othercommit") ? "ffffffffffffffffffffffffffffffffffffffff" : commit;
    if (is(r, "noetag")) etag = NULL;
    if (is(r, "oddetag")) etag = "../../../evil";
    if (!say(r, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s%s%s%s%s\r\nX-Repo-Commit: %s\r\n\r\n", part ? "206 Partial Content" : "200 OK",
             length, range, more, !etag ? "X-None: " : is(r, "weak") ? "ETag: W/\"" : "ETag: \"", etag ? etag : "", etag ? "\"" : "", told))
        return false;
    if (!send_body(r, f, from, before)) return false;
    if (is(r, "shorter")) return false;
    return !is(r, "longer") || !get || (put(r->fd, "extra", 5), true);
}

static bool serve_resolve(const request *r, const char *rest) {
    bool open;
    if (refuse(r, false, &open)) return open;
    if (is(r, "moved")) return redirect(r, "307 Temporary Redirect", "", "/org/new%s", rest);
    const char *slash = strchr(rest + 9, '/');                  /* behind /resolve/COMMIT */
    const file *f = slash ? find_file(slash + 1) : NULL;
    if (!f || is(r, "lost")) return answer(r, "404 Not Found", "X-Error-Code: EntryNotFound\r\n", "Entry not found");
    if (is(r, "loop")) return redirect(r, "302 Found", "", "http://127.0.0.1:%d%s", ports[0], r->url);
    if (is(r, "scheme")) return redirect(r, "302 Found", "", "file:///etc/passwd");
    if (is(r, "control")) return redirect(r, "302 Found", "", "http://127.0.0.1:%d/a\tb\x01", ports[1]);
    if (is(r, "user")) return redirect(r, "302 Found", "", "http://a:b@127.0.0.1:%d/x", ports[1]);
    if (!f->large) return send_file(r, f, f->sha1);
    char more[512];
    const char *weak = is(r, "weak") ? "W/" : "";
    snprintf(more, sizeof more, "X-Repo-Commit: %s\r\nX-Linked-Etag: %s\"%s\"\r\nX-Linked-Size: %zu\r\nETag: \"other\"\r\n", commit, weak,
             f->sha256, f->size);
    return redirect(r, "302 Found", more, "http://127.0.0.1:%d/blob/%s/%s?signed=1", ports[1], r->how, f->path);
}

/* The other host: /blob/HOW/PATH. Its ETags are its own, as those of a store are. */
static bool serve_blob(request *r) {
    if (*r->auth) return answer(r, "400 Bad Request", "", "a token came here");
    const char *how = r->url + 6, *slash = strchr(how, '/');
    if (strncmp(r->url, "/blob/", 6) != 0 || !slash) return answer(r, "404 Not Found", "", "nothing");
    snprintf(r->how, sizeof r->how, "%.*s", (int)(slash - how), how);
    const file *f = find_file(slash + 1);
    if (!f) return answer(r, "404 Not Found", "", "nothing");
    if (is(r, "hops") && !strstr(r->url, "hop=3"))
        return redirect(r, "302 Found", "", "/blob/hops/%s?hop=%d", f->path, strstr(r->url, "hop=2") ? 3 : strstr(r->url, "hop=1") ? 2 : 1);
    if (is(r, "home")) return redirect(r, "302 Found", "", "http://127.0.0.1:%d/blob/good/%s", ports[1], f->path);
    char etag[48];
    snprintf(etag, sizeof etag, "store-%.16s", f->sha1);
    return send_file(r, f, etag);
}

/* ---- connections */

static void keep(char *to, size_t room, const char *line, const char *name) {
    const size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0) return;
    line += n + strspn(line + n, " ");
    snprintf(to, room, "%.*s", (int)strcspn(line, "\r\n"), line);
}

static bool read_request(request *r) {
    char text[MOST_REQUEST];
    size_t n = 0;
    for (;;) {
        const ssize_t k = recv(r->fd, text + n, sizeof text - 1 - n, 0);
        if (k <= 0) return false;
        n += (size_t)k;
        text[n] = 0;
        if (strstr(text, "\r\n\r\n")) break;
        if (n == sizeof text - 1) return false;
    }
    *r->auth = *r->range = *r->if_range = *r->encoding = *r->how = 0;
    if (sscanf(text, "%7s %2047s", r->method, r->url) != 2) return false;
    for (char *line = strstr(text, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        keep(r->auth, sizeof r->auth, line + 2, "Authorization:");
        keep(r->range, sizeof r->range, line + 2, "Range:");
        keep(r->if_range, sizeof r->if_range, line + 2, "If-Range:");
        keep(r->encoding, sizeof r->encoding, line + 2, "Accept-Encoding:");
    }
    if (log_fd >= 0)
        dprintf(log_fd, "%d %s %s auth=%s range=%s if-range=%s encoding=%s\n", r->place + 1, r->method, r->url, r->auth, r->range,
                r->if_range, r->encoding);
    return true;
}

static bool serve(request *r) {
    if (r->place == 1) return serve_blob(r);
    const bool api = !strncmp(r->url, "/api/models/", 12);
    const char *id = api ? r->url + 12 : r->url + 1, *rest = NULL;
    static const char *const marks[] = { "/revision/", "/tree/", "/resolve/" };
    for (size_t i = 0; i < 3 && !rest; i++) rest = strstr(id, marks[i]);
    if (!rest) return answer(r, "404 Not Found", "", "nothing");
    const char *last = rest;
    while (last > id && last[-1] != '/') last--;
    snprintf(r->how, sizeof r->how, "%.*s", (int)(rest - last), last);
    return api ? serve_api(r, rest) : serve_resolve(r, rest);
}

static void *connection(void *user) {
    request *r = user;
    while (read_request(r) && serve(r)) {}
    close(r->fd);
    free(r);
    return NULL;
}

static int listen_on(int *port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) || listen(fd, 64) || getsockname(fd, (struct sockaddr *)&at, &n)) die("listen");
    *port = ntohs(at.sin_port);
    return fd;
}

static void accept_one(int listener, int place) {
    request *r = calloc(1, sizeof *r);
    pthread_t thread;
    if (!r) exit(2);
    r->place = place;
    r->fd = accept(listener, NULL, NULL);
    if (r->fd < 0 || pthread_create(&thread, NULL, connection, r)) die("accept");
    pthread_detach(thread);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    add_folder(argv[1], "", 2);
    if (argc > 2) log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct pollfd p[2] = { { listen_on(&ports[0]), POLLIN, 0 }, { listen_on(&ports[1]), POLLIN, 0 } };
    printf("%d %d\n", ports[0], ports[1]);
    fflush(stdout);
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR) die("poll");
        for (int i = 0; i < 2; i++)
            if (p[i].revents & POLLIN) accept_one(p[i].fd, i);
    }
}
