/* one_file.h - how a tokenizer's file, tokenizer_config.json and a text lie in one input: one behind another, then two
 * bytes, how long the configuration is (in units of 4 bytes) and how long the text is. */
#ifndef SONDE_FUZZ_ONE_FILE_H
#define SONDE_FUZZ_ONE_FILE_H
#include "use_tokenizer.h"

typedef struct { text_file file, config; text_bytes text; } one_file;

static inline one_file one_file_of(const uint8_t *data, size_t size) {
    const char *at = (const char *)data;
    size_t config = 0, text = 0;
    if (size >= 2) {
        size -= 2;
        config = 4 * (size_t)data[size];
        text = data[size + 1];
    }
    if (text > size) text = size;
    if (config > size - text) config = size - text;
    const size_t n = size - text - config;
    return (one_file){ { at, n, NULL }, { at + n, config, NULL }, { at + n + config, text } };
}
#endif
