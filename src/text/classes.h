/* classes.h - what a code point is, for the pre-tokenizers that are cut by hand: Unicode 14, as PCRE2 10.42 has it. */
#ifndef SONDE_CLASSES_H
#define SONDE_CLASSES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLASS_LETTER = 1, CLASS_NUMBER = 2,         /* \p{L}, \p{N} */
    CLASS_SPACE = 4, CLASS_NEWLINE = 8,         /* White_Space; of that CR and LF */
    CLASS_REST = 16,                            /* no letter, number or space */
    CLASS_PUNCTUATION = 32, CLASS_SYMBOL = 64,  /* \p{P}, \p{S} */
    CLASS_COMPOSED = 128,                       /* stays in normal form C as it is, and joins nothing before it */
};

extern const uint8_t class_ascii[128];
uint8_t class_of(uint32_t c);                 /* c <= U+10FFFF */

/* Of the character at text[0], the first byte of valid UTF-8, with its length. */
uint8_t class_wide(const uint8_t *text, size_t *size);        /* not ASCII */
static inline uint8_t class_at(const uint8_t *text, size_t *size) {
    *size = 1;
    return *text < 0x80 ? class_ascii[*text] : class_wide(text, size);
}

/* All characters are CLASS_COMPOSED. False for what is not UTF-8. */
bool class_composed(const char *text, size_t len);
#endif
