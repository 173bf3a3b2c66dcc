/* unicode.h - what a code point is, and normal forms. utf8proc is behind this file alone. */
#ifndef SONDE_UNICODE_H
#define SONDE_UNICODE_H
#include "stretch.h"
#include <stdint.h>

bool unicode_space(uint32_t c);                 /* White_Space: \s of Rust's regex */
/* As the parts of `tokenizers` say (unicode_tables.inc). */
bool unicode_word(uint32_t c);                  /* \w of Rust's regex */
bool unicode_mark(uint32_t c);
bool unicode_nonspacing(uint32_t c);
bool unicode_control(uint32_t c);               /* what BERT drops */
bool unicode_punctuation(uint32_t c);
bool unicode_number(uint32_t c);
size_t unicode_put(uint32_t c, char out[4]);     /* its UTF-8; how many bytes */
/* The end of the extended grapheme cluster (UAX 29) that begins at text[at]. */
size_t unicode_cluster(const char *text, size_t n, size_t at);
/* Length of the character that ends at text[end], 0 if none does. */
size_t unicode_before(const char *text, size_t end, uint32_t *c);

typedef enum { FORM_C, FORM_D, FORM_KC, FORM_KD } unicode_form;

/* The normal form. Bytes that are not UTF-8 stay as they are. Memory from the arena where something changes. */
stretch unicode_normal(const stretch *s, unicode_form form, arena *into);
#endif
