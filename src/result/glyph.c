#include "glyph.h"
#include "base/text.h"
#include <string.h>
#include <utf8proc.h>

size_t glyph_next(const char *s, size_t len, uint32_t *code) {
    return utf8_next(s, len, code);
}

bool glyph_mark(uint32_t code) {
    if (code < 0x300) return false;
    const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME;
}

/* Where utf8proc and the C library differ the wider one is taken: spacing marks (Mc), and two blocks that are
 * ambiguous or wide by the year of Unicode. */
int glyph_columns(uint32_t code) {
    if (code < 0x300) return 1;
    if (glyph_mark(code)) return 0;
    if ((code >= 0x3248 && code <= 0x324f) || (code >= 0x4dc0 && code <= 0x4dff)) return 2;
    const int w = utf8proc_charwidth((utf8proc_int32_t)code);
    return w > 1 ? w : 1;
}

bool glyph_hidden(uint32_t code) {
    if (code < 0x7f) return code < 0x20;
    if (code == 0x2800) return true;                /* braille without dots */
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        break;
    }
    if (utf8proc_get_property((utf8proc_int32_t)code)->ignorable) return true;
    return code >= 0x300 && !glyph_mark(code) && utf8proc_charwidth((utf8proc_int32_t)code) == 0
        && utf8proc_category((utf8proc_int32_t)code) != UTF8PROC_CATEGORY_MC;
}

int glyph_text_columns(const char *text) {
    int columns = 0;
    for (size_t left = strlen(text); left;) {
        uint32_t code;
        size_t n = glyph_next(text, left, &code);
        if (!n) n = 1;                              /* not from show_text: count it as one */
        columns += glyph_columns(code);
        text += n;
        left -= n;
    }
    return columns;
}
