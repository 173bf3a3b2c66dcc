#define _GNU_SOURCE
#include "json.h"
#include "map.h"
#include "text.h"
#include <assert.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* Memory: a decoded text with its NUL is no longer than its token with the quote or separator behind it, so all texts
 * fit a buffer of n + 1 bytes; a node takes sizeof(json) and there are at most MOST_NODES. */
enum { DEEPEST = 64, FEW = 16, MOST_NODES = 1 << 23, LEAST_POOL = 32, LARGEST_POOL = 1 << 14 };

typedef struct {
    json  *node, *last;
    arena *memory;              /* of `keys`; kept for the next object as deep */
    map   *keys;                /* once there are more than FEW */
} frame;

typedef struct {
    yajl_handle  yajl;
    const char  *begin;
    size_t       size;
    arena       *into;
    char        *text;          /* decoded texts */
    size_t       used;
    json        *pool;
    size_t       pool_left, nodes;
    frame        stack[DEEPEST];
    int          depth;
    json        *root;
    const char  *key;           /* of the member whose value comes next */
    size_t       key_len;
    json        *over;          /* the member that the value comes in place of, or NULL */
    const char **twice;         /* NULL: a key that stands twice is refused */
    size_t       end;           /* behind the root, once it is complete */
    sonde_error *err;
    bool         at_end, failed;
} reader;

/* yajl stops parsing when a callback returns 0. */
static int refuse(reader *r, size_t offset, const char *what) {
    r->failed = true;
    sonde_fail(r->err, SONDE_FORMAT, "offset %zu: %s", offset, what);
    return 0;
}

static json *new_node(reader *r, json_kind kind) {
    if (r->pool_left == 0) {
        const size_t want = r->nodes < LEAST_POOL ? LEAST_POOL : r->nodes;
        r->pool_left = want < LARGEST_POOL ? want : LARGEST_POOL;
        r->pool = arena_new_array(r->into, json, r->pool_left);
    }
    r->pool_left--;
    r->nodes++;
    json *j = r->pool++;
    j->kind = kind;
    return j;
}

/* The root is complete. At the end of the text yajl counts the bytes of a space of its own. */
static void close_root(reader *r) { r->end = r->at_end ? r->size : yajl_get_bytes_consumed(r->yajl); }

/* The value of a key that stood before: its node stays where it is. Counted, so that the bound holds for what is read. */
static json *put_over(reader *r, json_kind kind) {
    json *j = r->over;
    *j = (json){ .kind = kind, .key = j->key, .key_len = j->key_len, .next = j->next };
    r->nodes++;
    r->over = NULL;
    r->key = NULL;
    r->key_len = 0;
    return j;
}

/* A node in its place below the innermost open array or object; NULL if there are too many. */
static json *add(reader *r, json_kind kind) {
    if (r->nodes == MOST_NODES) {
        refuse(r, yajl_get_bytes_consumed(r->yajl), "more than 8388608 values");
        return NULL;
    }
    if (r->over) return put_over(r, kind);
    json *j = new_node(r, kind);
    if (r->depth == 0) {
        r->root = j;
        close_root(r);                          /* on_end moves it for an array or object */
        return j;
    }
    frame *f = &r->stack[r->depth - 1];
    if (f->last) f->last->next = j; else f->node->child = j;
    f->last = j;
    f->node->len++;
    j->key = r->key;
    j->key_len = r->key_len;
    if (f->keys && j->key) map_put(f->keys, j->key, j->key_len, (int64_t)(intptr_t)j);
    r->key = NULL;
    r->key_len = 0;
    return j;
}

static const char *keep_text(reader *r, const void *bytes, size_t len) {
    assert(r->used + len + 1 <= r->size + 1);
    char *text = r->text + r->used;
    if (len) memcpy(text, bytes, len);
    r->used += len + 1;                         /* the arena gave zeros */
    return text;
}

static int on_null(void *ctx) { return add(ctx, JSON_NULL) != NULL; }

static int on_bool(void *ctx, int value) {
    json *j = add(ctx, JSON_BOOL);
    if (j) j->boolean = value != 0;
    return j != NULL;
}

static int add_text(reader *r, json_kind kind, const void *bytes, size_t len) {
    json *j = add(r, kind);
    if (!j) return 0;
    j->text = keep_text(r, bytes, len);
    j->len = len;
    return 1;
}

static int on_number(void *ctx, const char *text, size_t len) { return add_text(ctx, JSON_NUMBER, text, len); }

static int on_string(void *ctx, const unsigned char *text, size_t len) { return add_text(ctx, JSON_STRING, text, len); }

static int open_frame(reader *r, json_kind kind) {
    if (r->depth == DEEPEST) return refuse(r, yajl_get_bytes_consumed(r->yajl) - 1, "more than 64 levels deep");
    json *j = add(r, kind);
    if (!j) return 0;
    frame *f = &r->stack[r->depth++];
    f->node = j;
    f->last = NULL;
    f->keys = NULL;
    return 1;
}

static int on_array(void *ctx) { return open_frame(ctx, JSON_ARRAY); }

static int on_object(void *ctx) { return open_frame(ctx, JSON_OBJECT); }

static int on_end(void *ctx) {
    reader *r = ctx;
    frame *f = &r->stack[--r->depth];
    if (f->keys) arena_reset(f->memory);
    if (r->depth == 0) close_root(r);
    return 1;
}

/* The member of the innermost object that has the key; its members so far have all been seen. */
static json *member(reader *r) {
    frame *f = &r->stack[r->depth - 1];
    int64_t place;
    if (!f->keys && f->node->len >= FEW) {
        if (!f->memory) f->memory = arena_new();
        f->keys = map_new(f->memory, (size_t)2 * FEW);
        for (const json *c = f->node->child; c; c = c->next) map_put(f->keys, c->key, c->key_len, (int64_t)(intptr_t)c);
    }
    if (f->keys) return map_get(f->keys, r->key, r->key_len, &place) ? (json *)(intptr_t)place : NULL;
    for (const json *c = f->node->child; c; c = c->next)
        if (c->key_len == r->key_len && memcmp(c->key, r->key, r->key_len) == 0) return (json *)(uintptr_t)c;
    return NULL;
}

static int on_key(void *ctx, const unsigned char *bytes, size_t len) {
    reader *r = ctx;
    r->key = keep_text(r, bytes, len);
    r->key_len = len;
    r->over = member(r);
    if (!r->over) return 1;
    const shown key = text_shown(r->key, len);
    if (r->twice) {
        if (!*r->twice) *r->twice = arena_printf(r->into, "%s", key.text);
        return 1;
    }
    const char *raw = (const char *)bytes;      /* yajl points into the text unless the key has escapes */
    const bool inside = raw > r->begin && raw < r->begin + r->size;
    const size_t offset = inside ? (size_t)(raw - r->begin) - 1 : yajl_get_bytes_consumed(r->yajl);
    return refuse(r, offset, arena_printf(r->into, "key \"%s\" stands twice", key.text));
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number, .yajl_string = on_string,
    .yajl_start_map = on_object, .yajl_map_key = on_key, .yajl_end_map = on_end,
    .yajl_start_array = on_array, .yajl_end_array = on_end,
};

/* yajl's own words, "parse error: ..", without the line end. */
static void refuse_as_yajl(reader *r) {
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    const size_t offset = r->at_end ? r->size : yajl_get_bytes_consumed(r->yajl);
    if (text) text[strcspn((char *)text, "\n")] = 0;
    refuse(r, offset, text ? (const char *)text : "no JSON");
    if (text) yajl_free_error(r->yajl, text);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* yajl itself overlooks a string behind the root that does not end. */
static void refuse_what_follows(reader *r) {
    size_t i = r->end;
    while (i < r->size && is_space(r->begin[i])) i++;
    if (i < r->size) refuse(r, i, "text behind the value");
}

static void parse(reader *r) {
    yajl_status s = yajl_parse(r->yajl, (const unsigned char *)r->begin, r->size);
    if (s == yajl_status_ok) {
        r->at_end = true;
        s = yajl_complete_parse(r->yajl);
    }
    if (r->failed) return;
    if (s != yajl_status_ok) refuse_as_yajl(r);
    else if (!r->root) refuse(r, r->size, "no value");
    else refuse_what_follows(r);
}

/* yajl takes these two for spaces. In a string it refuses them, so any that are left stand outside. */
static void refuse_odd_spaces(reader *r) {
    for (size_t i = 0; i < 2 && !r->failed; i++) {
        const char *p = memchr(r->begin, "\v\f"[i], r->size);
        if (p) refuse(r, (size_t)(p - r->begin), "a control character");
    }
}

static unsigned hex4(const char *p) {
    unsigned v = 0;
    for (int i = 0; i < 4; i++) v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

/* yajl writes '?' for half a surrogate pair. The text is known to be good JSON by now, so a backslash always stands in
 * a string and \u is followed by four hex digits. */
static void refuse_lone_surrogates(reader *r) {
    const char *p = r->begin, *end = p + r->size;
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        if (p[1] != 'u') { p += 2; continue; }
        const unsigned unit = hex4(p + 2);
        if (unit < 0xd800 || unit > 0xdfff) { p += 6; continue; }
        const bool paired = unit < 0xdc00 && p[6] == '\\' && p[7] == 'u' && (hex4(p + 8) & 0xfc00) == 0xdc00;
        if (!paired) {
            refuse(r, (size_t)(p - r->begin), "half of a surrogate pair");
            return;
        }
        p += 12;
    }
}

static sonde_status parse_text(reader *r, const json **out) {
    size_t bad;
    *out = NULL;
    SONDE_FAIL_IF(!utf8_valid(r->begin, r->size, &bad), r->err, SONDE_FORMAT, "offset %zu: not UTF-8", bad);
    r->text = arena_alloc(r->into, r->size + 1);
    r->yajl = yajl_alloc(&callbacks, NULL, r);
    if (!r->yajl) abort();
    yajl_config(r->yajl, yajl_dont_validate_strings, 1);
    parse(r);
    if (!r->failed) refuse_odd_spaces(r);
    if (!r->failed) refuse_lone_surrogates(r);
    yajl_free(r->yajl);
    for (int i = 0; i < DEEPEST; i++) arena_free(r->stack[i].memory);
    if (r->failed) return SONDE_FORMAT;
    *out = r->root;
    return SONDE_OK;
}

sonde_status json_parse(const char *text, size_t n, arena *into, const json **out, sonde_error *err) {
    reader r = { .begin = text, .size = n, .into = into, .err = err };
    return parse_text(&r, out);
}

sonde_status json_parse_last(const char *text, size_t n, arena *into, const json **out, const char **twice, sonde_error *err) {
    reader r = { .begin = text, .size = n, .into = into, .twice = twice, .err = err };
    *twice = NULL;
    return parse_text(&r, out);
}

const json *json_get(const json *j, const char *key) {
    if (!j || j->kind != JSON_OBJECT) return NULL;
    const size_t len = strlen(key);
    for (const json *c = j->child; c; c = c->next)
        if (c->key_len == len && memcmp(c->key, key, len) == 0) return c;
    return NULL;
}

bool json_int(const json *j, int64_t *out) {
    if (!j || j->kind != JSON_NUMBER) return false;
    const bool negative = j->text[0] == '-';
    int64_t v = 0;
    for (size_t i = negative; i < j->len; i++) {
        const int digit = j->text[i] - '0';
        if (digit < 0 || digit > 9) return false;
        if (__builtin_mul_overflow(v, 10, &v)) return false;
        if (__builtin_add_overflow(v, negative ? -digit : digit, &v)) return false;
    }
    *out = v;
    return true;
}

bool json_double(const json *j, double *out) {
    if (!j || j->kind != JSON_NUMBER) return false;
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);     /* the host program may have set another */
    if (!c) return false;
    const double v = strtod_l(j->text, NULL, c);
    freelocale(c);
    if (v > 1.7976931348623157e308 || v < -1.7976931348623157e308) return false;
    *out = v;
    return true;
}

bool json_string(const json *j, const char **text, size_t *len) {
    if (!j || j->kind != JSON_STRING) return false;
    *text = j->text;
    *len = j->len;
    return true;
}

bool json_bool(const json *j, bool *out) {
    if (!j || j->kind != JSON_BOOL) return false;
    *out = j->boolean;
    return true;
}

/* How one character is written: itself (NULL), or the escape in buf. DEL and U+0080..9F are escaped for terminals. */
static const char *escape(uint32_t code, char buf[8]) {
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    if (code >= 0xa0 || (code >= 0x20 && code < 0x7f && code != '"' && code != '\\')) return NULL;
    for (size_t i = 0; i + 1 < sizeof named; i += 2)
        if ((uint32_t)named[i] == code) {
            snprintf(buf, 8, "\\%c", named[i + 1]);
            return buf;
        }
    snprintf(buf, 8, "\\u%04x", (unsigned)(code & 0xffff));
    return buf;
}

const char *json_quote(arena *into, const char *text, size_t len) {
    char *out = arena_alloc(into, 6 * len + 3), *at = out;
    *at++ = '"';
    for (size_t i = 0; i < len; ) {
        uint32_t code = 0xfffd;
        const size_t whole = utf8_next(text + i, len - i, &code);
        char buf[8];
        const char *piece = whole ? escape(code, buf) : "\xef\xbf\xbd";
        const char *from = piece ? piece : text + i;
        const size_t size = piece ? strlen(piece) : whole;
        for (size_t k = 0; k < size; k++) *at++ = from[k];
        i += whole ? whole : 1;
    }
    *at = '"';
    return out;
}
