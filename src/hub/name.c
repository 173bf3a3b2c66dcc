#include "hub_parts.h"
#include <string.h>

enum { MOST_NAME = 96, MOST_REVISION = 200 };

static bool plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/* A word that is safe in a path, in an address and on a command line. */
static bool is_word(const char *text, size_t n, const char *others, size_t most) {
    for (size_t i = 0; i < n; i++)
        if (!plain(text[i]) && !strchr(others, text[i])) return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (text[i + 1] == text[i] && (text[i] == '.' || text[i] == '/')) return false;
    return n > 0 && n <= most && !strchr(".-/", text[0]) && !strchr("./", text[n - 1]);
}

/* In the cache -- stands between the two parts, so it stands in neither. */
static bool is_part(const char *text, size_t n) {
    for (size_t i = 0; i + 1 < n; i++)
        if (text[i] == '-' && text[i + 1] == '-') return false;
    return is_word(text, n, "._-", MOST_NAME);
}

static bool is_id(const char *text, size_t n) {
    const char *slash = memchr(text, '/', n);
    const size_t first = slash ? (size_t)(slash - text) : n;
    return is_part(text, first) && (!slash || is_part(slash + 1, n - first - 1));
}

bool hub_name_read(hub_name *out, arena *into, const char *text) {
    size_t n = strcspn(text, "@:");
    if (!is_id(text, n)) return false;
    *out = (hub_name){ .id = arena_printf(into, "%.*s", (int)n, text) };
    for (const char *at = text + n; *at; at += 1 + n) {
        n = strcspn(at + 1, "@:");
        const bool revision = *at == '@';
        const char **to = revision ? &out->revision : &out->tag;
        if (*to || out->tag || !is_word(at + 1, n, revision ? "._-/" : "._-", MOST_REVISION)) return false;
        *to = arena_printf(into, "%.*s", (int)n, at + 1);
    }
    if (!out->revision) out->revision = "main";
    return true;
}

bool sonde_pull_name(const char *name) {
    arena *a = arena_new();
    hub_name unused;
    const bool good = hub_name_read(&unused, a, name);
    arena_free(a);
    return good;
}

const char *hub_escape(arena *into, const char *text, const char *kept) {
    static const char digit[] = "0123456789ABCDEF";
    char *out = arena_alloc(into, 3 * strlen(text) + 1), *to = out;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (plain(*text) || strchr(kept, *text)) {
            *to++ = *text;
            continue;
        }
        *to++ = '%';
        *to++ = digit[c >> 4];
        *to++ = digit[c & 15];
    }
    *to = 0;
    return out;
}
