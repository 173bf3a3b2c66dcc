/* A tokenizer.json up to the first byte 0, then the text to encode. A byte 0 at the begin: the older layout, that is
 * vocab.json, merges.txt, tokenizer_config.json and the text, each ended by a byte 0. */
#include "use_tokenizer.h"

/* What lies before the next byte 0. */
static text_file next(const uint8_t **at, const uint8_t *end) {
    const uint8_t *begin = *at, *stop = begin == end ? NULL : memchr(begin, 0, (size_t)(end - begin));
    *at = stop ? stop + 1 : end;
    return (text_file){ (const char *)begin, (size_t)((stop ? stop : end) - begin), NULL };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *at = data, *end = data + size;
    tokenizer_files files = { .json = next(&at, end) };
    if (!files.json.size) {
        files.vocab = next(&at, end);
        files.merges = next(&at, end);
        files.merges.name = "merges.txt";
        files.config = next(&at, end);
    }
    tokenizer *t;
    sonde_error err = { 0 };
    const sonde_status s = tokenizer_new(&t, &files, &err);
    use_or_refuse(s, t, &err, (text_bytes){ (const char *)at, (size_t)(end - at) });
    return 0;
}
