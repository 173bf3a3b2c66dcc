/* Any bytes as text, for each kind of tokenizer that the first byte picks: small vocabularies of the project's own. */
#define _GNU_SOURCE
#include "use_tokenizer.h"
#include "base/file.h"
#include <stdio.h>

static const char *const names[] = {
    "tokenizer/kinds/spm_bpe.model", "tokenizer/kinds/unigram.model", "tokenizer/kinds/wordpiece.txt",
    "tokenizer/kinds/ranks.tiktoken", "tokenizer/tokenizer.json",
};
/* The vocabulary is too small for one to know whose it is. */
static const char config[] = "{\"tokenizer_class\": \"QWenTokenizer\"}";
enum { KINDS = sizeof names / sizeof *names };

static tokenizer *kind[KINDS];

static void open_all(void) {
    for (size_t i = 0; i < KINDS; i++) {
        char *path;
        file_map f;
        PROMISE(asprintf(&path, "%s/tests/golden/%s", SONDE_SOURCE_DIR, names[i]) > 0);
        PROMISE(file_map_open(&f, path, NULL) == SONDE_OK);
        const text_file file = { (const char *)f.data, f.size, names[i] };
        const tokenizer_files ranks = { .model = file, .config = { config, sizeof config - 1, "config" } };
        PROMISE((strstr(names[i], "tiktoken") ? tokenizer_new(&kind[i], &ranks, NULL)
                                              : tokenizer_of_file(&kind[i], &file, NULL)) == SONDE_OK);
        file_map_close(&f);
        free(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!kind[0]) open_all();
    if (size) use_tokenizer(kind[data[0] % KINDS], data + 1, size - 1);
    return 0;
}
