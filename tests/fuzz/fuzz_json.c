/* Any bytes: a tree, or FORMAT with an offset inside them. What was read can be written and read again, the same. */
#include "target.h"
#include "base/json.h"
#include "base/text.h"
#include <string.h>

typedef struct { char *text; size_t len; } growing;

static void put(growing *g, const char *text, size_t n) {
    if (n) memcpy(g->text + g->len, text, n);
    g->len += n;
}

static void put_quoted(growing *g, arena *a, const char *text, size_t len) {
    const char *quoted = json_quote(a, text, len);
    put(g, quoted, strlen(quoted));
}

static void write_tree(growing *g, arena *a, const json *j) {
    static const char *const open = "[{", *const close = "]}";
    const int object = j->kind == JSON_OBJECT;
    size_t n = 0;
    switch (j->kind) {
    case JSON_NULL: put(g, "null", 4); break;
    case JSON_BOOL: put(g, j->boolean ? "true" : "false", j->boolean ? 4 : 5); break;
    case JSON_NUMBER: put(g, j->text, j->len); break;
    case JSON_STRING: put_quoted(g, a, j->text, j->len); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        put(g, open + object, 1);
        for (const json *c = j->child; c; c = c->next, n++) {
            if (n) put(g, ",", 1);
            if (object) { put_quoted(g, a, c->key, c->key_len); put(g, ":", 1); }
            write_tree(g, a, c);
        }
        put(g, close + object, 1);
        PROMISE(n == j->len);
    }
}

static void check_same(const json *a, const json *b) {
    PROMISE(a->kind == b->kind && a->len == b->len && a->boolean == b->boolean && a->key_len == b->key_len);
    PROMISE(!a->key == !b->key && (!a->key || memcmp(a->key, b->key, a->key_len + 1) == 0));
    PROMISE(!a->text == !b->text && (!a->text || memcmp(a->text, b->text, a->len + 1) == 0));
    int64_t whole;
    double real;
    if (json_int(a, &whole) && json_double(a, &real)) PROMISE((double)whole == real);
    const json *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        check_same(x, y);
        if (a->kind == JSON_OBJECT && strlen(x->key) == x->key_len) PROMISE(json_get(a, x->key) == x);
    }
    PROMISE(!x && !y);
}

/* Read with the last of equal keys: what is left has each once, and is all there is where none stood twice. */
static void check_last(const uint8_t *data, size_t size, const json *strict, arena *a) {
    const json *tree, *again;
    const char *twice;
    if (json_parse_last((const char *)data, size, a, &tree, &twice, NULL) != SONDE_OK) {
        PROMISE(!tree && !strict);
        return;
    }
    PROMISE(!strict == (twice != NULL));
    if (strict) check_same(strict, tree);
    growing g = { .text = malloc(6 * size + 8) };
    PROMISE(g.text);
    write_tree(&g, a, tree);
    PROMISE(json_parse(g.text, g.len, a, &again, NULL) == SONDE_OK);
    check_same(tree, again);
    free(g.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    const json *tree, *again;
    sonde_error err = { 0 };
    const sonde_status s = json_parse((const char *)data, size, a, &tree, &err);
    if (s == SONDE_OK) {
        PROMISE(tree && utf8_valid((const char *)data, size, NULL));
        growing g = { .text = malloc(6 * size + 8) };
        PROMISE(g.text);
        write_tree(&g, a, tree);
        PROMISE(json_parse(g.text, g.len, a, &again, &err) == SONDE_OK);
        check_same(tree, again);
        free(g.text);
    } else {
        size_t offset = 0;
        PROMISE(s == SONDE_FORMAT && !tree && strncmp(err.message, "offset ", 7) == 0);
        offset = strtoul(err.message + 7, NULL, 10);
        PROMISE(offset <= size && utf8_valid(err.message, strlen(err.message), NULL));
    }
    check_last(data, size, tree, a);
    const char *quoted = json_quote(a, (const char *)data, size);     /* any bytes can be quoted */
    PROMISE(json_parse(quoted, strlen(quoted), a, &again, &err) == SONDE_OK && again->kind == JSON_STRING);
    arena_free(a);
    return 0;
}
