/* tiktoken's ranks, what stands beside it, and a text: a tokenizer that can be used, or a refusal in words fit to be shown. */
#include "one_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const one_file in = one_file_of(data, size);
    const tokenizer_files files = { .model = in.file, .config = in.config };
    tokenizer *t;
    sonde_error err = { 0 };
    const sonde_status s = tokenizer_new(&t, &files, &err);
    use_or_refuse(s, t, &err, in.text);
    return 0;
}
