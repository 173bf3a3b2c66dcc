/* bytes.h - the printable alphabet in which byte-level vocabularies are written.
 *
 * Each byte is one code point below U+0144: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and
 * up, in their order (Radford et al. 2019, GPT-2's encoder). */
#ifndef SONDE_BYTES_H
#define SONDE_BYTES_H
#include <stdbool.h>
#include <stddef.h>

/* `out` has room for 2 n; returns the bytes written. */
size_t bytes_spell(const char *bytes, size_t n, char *out);
/* `out` has room for n. False where a code point stands for no byte; then `out` holds rubbish. */
bool   bytes_unspell(const char *text, size_t n, char *out, size_t *len);
#endif
