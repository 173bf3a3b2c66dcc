/* A GGUF file with a vocabulary: a tokenizer that takes the file's last bytes as text, or a refusal. */
#include "use_tokenizer.h"
#include "format/container.h"
#include "model/vocab_meta.h"

enum { TEXT = 160 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weights *w;
    if (gguf_read((file_map){ .data = data, .size = size }, &w, NULL) != SONDE_OK) return 0;
    if (vocab_in_meta(w)) {
        tokenizer *t;
        sonde_error err = { 0 };
        const size_t n = size < TEXT ? size : TEXT;
        const sonde_status s = tokenizer_of_meta(&t, w, "a", &err);
        use_or_refuse(s, t, &err, (text_bytes){ (const char *)data + size - n, n });
    }
    weights_close(w);
    return 0;
}
