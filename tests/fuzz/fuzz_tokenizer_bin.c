/* llama2.c's tokenizer.bin and a text, read for as many tokens as there are, for some, and with the kind guessed: a
 * tokenizer that can be used, or a refusal in words fit to be shown. */
#include "one_file.h"

enum { SOME = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const one_file in = one_file_of(data, size);
    tokenizer *t;
    sonde_error err = { 0 };
    sonde_status s = tokenizer_of_bin(&t, &in.file, -1, &err);
    use_or_refuse(s, t, &err, in.text);
    s = tokenizer_of_bin(&t, &in.file, SOME, &err);
    use_or_refuse(s, t, &err, in.text);
    s = tokenizer_of_file(&t, &in.file, &err);
    use_or_refuse(s, t, &err, in.text);
    return 0;
}
