/* tokens - ids and spans of many strings, for tools/fuzz_tokenizers.py.
 *
 *     tokens [plain] [bare] [decode] KIND=FILE.. < records > records
 *     tokens json_out KIND=FILE.. > tokenizer.json                      tokenizer_write_json
 *     tokens strings SEED FIRST N > records                             those of text_maker.h
 *
 * KIND: json, config, vocab, merges, model, vocab_txt, bin, special, added, gguf, any (tokenizer_of_file). In: u32 bytes,
 * text; with `decode` u32 ids, ids. Out: i32 tokens (-1: refused), i32 id, start, end of each; with `decode` u32 bytes and
 * text. All little-endian. */
#include "base/file.h"
#include "ref/gguf_vocab.h"
#include "text_maker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tokenizer_files files;
static text_file gguf, any;
static tokenizer_options options;
static bool decode, json_out;
static sonde_error err;

static void stop(const char *what) {
    fprintf(stderr, "tokens: %s\n", what);
    exit(2);
}

static bool read_argument(const char *arg) {
    const struct { const char *kind; text_file *to; } kinds[] = {
        { "json", &files.json }, { "config", &files.config }, { "vocab", &files.vocab }, { "merges", &files.merges },
        { "model", &files.model }, { "vocab_txt", &files.vocab_txt }, { "bin", &files.bin }, { "special", &files.special },
        { "added", &files.added }, { "gguf", &gguf }, { "any", &any },
    };
    static file_map open[16];
    static int n;
    if (strcmp(arg, "plain") == 0) return options.plain = true;
    if (strcmp(arg, "bare") == 0) return options.no_specials = true;
    if (strcmp(arg, "decode") == 0) return decode = true;
    if (strcmp(arg, "json_out") == 0) return json_out = true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t len = strlen(kinds[i].kind);
        if (strncmp(arg, kinds[i].kind, len) != 0 || arg[len] != '=') continue;
        if (n == 16 || file_map_open(&open[n], arg + len + 1, &err) != SONDE_OK) stop(err.message);
        *kinds[i].to = (text_file){ (const char *)open[n].data, open[n].size, arg + len + 1 };
        n++;
        return true;
    }
    return false;
}

static tokenizer *load(void) {
    tokenizer *t = NULL;
    sonde_status s;
    if (gguf.size) {
        arena *a = arena_new();
        vocab_pieces p;
        if (!gguf_vocab(gguf.data, gguf.size, a, &p)) stop("no vocabulary in this GGUF");
        s = tokenizer_of_pieces(&t, &p, &err);
        arena_free(a);
    } else if (any.size) {
        s = tokenizer_of_file(&t, &any, &err);
    } else {
        s = tokenizer_new(&t, &files, &err);
    }
    if (s != SONDE_OK) stop(err.message);
    return t;
}

static void put(int64_t v) {
    const int32_t x = (int32_t)v;
    fwrite(&x, 4, 1, stdout);
}

static void encode_one(const tokenizer *t, const char *text, size_t n, arena *a) {
    token_list list;
    if (tokenizer_encode(t, (text_bytes){ text, n }, options, a, &list, &err) != SONDE_OK) {
        put(-1);
        return;
    }
    put((int64_t)list.n);
    for (size_t i = 0; i < list.n; i++) {
        put(list.at[i].id);
        put(list.at[i].start);
        put(list.at[i].end);
    }
}

static void decode_one(const tokenizer *t, const char *data, size_t n, arena *a) {
    text_bytes text;
    int32_t *ids = arena_new_array(a, int32_t, n + 1);
    if (n) memcpy(ids, data, n * sizeof *ids);
    if (tokenizer_decode(t, (id_list){ ids, n }, options.no_specials, a, &text, &err) != SONDE_OK) stop(err.message);
    put((int64_t)text.len);
    fwrite(text.at, 1, text.len, stdout);
}

static int make_strings(char **argv) {
    text_maker m;
    if (!text_maker_open(&m, strtoull(argv[2], NULL, 10))) stop("no parts.json");
    const uint64_t first = strtoull(argv[3], NULL, 10), n = strtoull(argv[4], NULL, 10);
    for (uint64_t i = 0; i < n; i++) {
        const text_bytes t = text_maker_string(&m, first + i);
        put((int64_t)t.len);
        fwrite(t.at, 1, t.len, stdout);
    }
    arena_free(m.memory);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "strings") == 0) return make_strings(argv);
    for (int i = 1; i < argc; i++)
        if (!read_argument(argv[i])) stop("an argument that is not known");
    tokenizer *t = load();
    arena *a = arena_new();
    char *text = NULL;
    size_t cap = 0;
    if (json_out) {
        text_bytes out;
        if (tokenizer_write_json(t, a, &out, &err) != SONDE_OK) stop(err.message);
        fwrite(out.at, 1, out.len, stdout);
    }
    for (uint32_t n; !json_out && fread(&n, 4, 1, stdin) == 1; arena_reset(a)) {
        const size_t bytes = decode ? 4 * (size_t)n : n;
        if (bytes >= cap) text = realloc(text, cap = 2 * bytes + 16);
        if (!text || fread(text, 1, bytes, stdin) != bytes) stop("a record that is cut");
        if (decode) decode_one(t, text, n, a); else encode_one(t, text, n, a);
    }
    free(text);
    arena_free(a);
    tokenizer_free(t);
    return 0;
}
