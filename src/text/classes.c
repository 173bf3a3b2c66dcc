#include "classes.h"
#include "base/text.h"
#include "classes.inc"

uint8_t class_of(uint32_t c) {
    if (c < PLAIN) return flags_of[(uint8_t)pages[page_of[c / PAGE]][c % PAGE]];
    size_t i = 0;
    while (i + 1 < sizeof above / sizeof *above && above[i + 1].first <= c) i++;
    return above[i].flags;
}

uint8_t class_wide(const uint8_t *p, size_t *size) {
    if (*p < 0xe0) {
        *size = 2;
        return class_of((p[0] & 0x1fu) << 6 | (p[1] & 0x3fu));
    }
    if (*p < 0xf0) {
        *size = 3;
        return class_of((p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu));
    }
    *size = 4;
    return class_of((p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu));
}

bool class_composed(const char *text, size_t len) {
    for (size_t i = 0; i < len; ) {
        if ((uint8_t)text[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t c;
        const size_t size = utf8_next(text + i, len - i, &c);
        if (size == 0 || !(class_of(c) & CLASS_COMPOSED)) return false;
        i += size;
    }
    return true;
}
