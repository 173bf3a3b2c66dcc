/* The blob: u32 bytes of the trie, the trie, then texts that end in NUL. The trie is a double array of u32 units as
 * Darts-clone writes them: bits 0..7 and 31 the label, bit 8 a value follows, bits 10.. (shifted by 8 where bit 9 is
 * set) the offset; in a unit that is a value, bits 0..30. */
#include "charsmap.h"
#include "base/text.h"
#include <string.h>

struct charsmap {
    uint8_t    *blob;
    size_t      blob_len;
    const char *texts;
    size_t      texts_len, units;
};

static uint32_t unit_at(const charsmap *m, size_t i) {
    uint32_t u;
    memcpy(&u, m->blob + 4 + 4 * i, sizeof u);
    return u;
}

static size_t offset_of(uint32_t u) { return (size_t)(u >> 10) << ((u & 0x200) >> 6); }

sonde_status charsmap_new(charsmap **out, arena *into, const uint8_t *bytes, size_t n, sonde_error *err) {
    uint32_t trie = 0;
    SONDE_FAIL_IF(n < 8, err, SONDE_FORMAT, "precompiled_charsmap has %zu bytes, expected at least 8", n);
    memcpy(&trie, bytes, sizeof trie);
    SONDE_FAIL_IF(trie < 4 || trie % 4 || trie > n - 4, err, SONDE_FORMAT,
                  "precompiled_charsmap: a trie of %u bytes in %zu, expected a multiple of 4 that fits", trie, n);
    charsmap *m = arena_alloc(into, sizeof *m);
    m->blob = memcpy(arena_alloc(into, n), bytes, n);
    m->blob_len = n;
    m->texts = (const char *)m->blob + 4 + trie;
    m->texts_len = n - 4 - trie;
    m->units = trie / 4;
    SONDE_FAIL_IF(m->texts_len && m->texts[m->texts_len - 1] != '\0', err, SONDE_FORMAT,
                  "precompiled_charsmap: its last text has no end");
    size_t bad;
    SONDE_FAIL_IF(!utf8_valid(m->texts, m->texts_len, &bad), err, SONDE_FORMAT,
                  "precompiled_charsmap: byte %zu of its texts is not UTF-8", bad);
    for (size_t i = 0; i < m->units; i++) {                 /* values are met where a unit says that one follows */
        const uint32_t u = unit_at(m, i);
        if (!(u & 0x100) || u >> 31) continue;
        const size_t at = i ^ offset_of(u);
        SONDE_FAIL_IF(at < m->units && (unit_at(m, at) & 0x7fffffff) >= m->texts_len, err, SONDE_FORMAT,
                      "precompiled_charsmap: unit %zu points behind its %zu bytes of text", at, m->texts_len);
    }
    *out = m;
    return SONDE_OK;
}

size_t charsmap_find(const charsmap *m, const char *text, size_t n, bool shortest, const char **with, size_t *with_len) {
    size_t at = offset_of(unit_at(m, 0)), found = 0;
    for (size_t i = 0; i < n && text[i]; i++) {
        at ^= (uint8_t)text[i];
        if (at >= m->units) break;
        const uint32_t u = unit_at(m, at);
        if ((u & 0x800000ff) != (uint8_t)text[i]) break;
        at ^= offset_of(u);
        if (at >= m->units) break;
        const size_t place = unit_at(m, at) & 0x7fffffff;
        if (!(u & 0x100) || place >= m->texts_len) continue;
        found = i + 1;
        *with = m->texts + place;
        if (shortest) break;
    }
    if (found) *with_len = strlen(*with);
    return found;
}

const uint8_t *charsmap_blob(const charsmap *m, size_t *n) {
    *n = m->blob_len;
    return m->blob;
}
