/* tokens TOKENIZER_JSON TEXT RUNS - seconds to encode the text, with the bytes of each token and word, one line a run.
 * tokens TOKENIZER_JSON TEXT - its tokens, "ID START END" a line; texts are cut at NUL bytes and encoded one by one.
 * bench/tokens.py reads both. One thread. */
#include "base/file.h"
#include "text/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static sonde_status time_one(const tokenizer *t, text_bytes text, sonde_error *err) {
    token_list list;
    arena *memory = arena_new();
    const double start = now();
    const sonde_status s = tokenizer_encode(t, text, (tokenizer_options){ .plain = true }, memory, &list, err);
    if (s == SONDE_OK) printf("%.6f\n", now() - start);
    fflush(stdout);
    arena_free(memory);
    return s;
}

static sonde_status print_all(const tokenizer *t, text_bytes text, sonde_error *err) {
    arena *memory = arena_new();
    sonde_status s = SONDE_OK;
    for (const char *at = text.at, *end = text.at + text.len; at < end && s == SONDE_OK; ) {
        const char *stop = memchr(at, 0, (size_t)(end - at));
        if (!stop) stop = end;
        token_list list = { 0 };
        s = tokenizer_encode(t, (text_bytes){ at, (size_t)(stop - at) }, (tokenizer_options){ .plain = true }, memory, &list,
                             err);
        for (size_t i = 0; i < list.n; i++)
            printf("%d %lld %lld\n", list.at[i].id, (long long)list.at[i].start, (long long)list.at[i].end);
        puts("-");
        arena_reset(memory);
        at = stop + 1;
    }
    arena_free(memory);
    return s;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "tokens TOKENIZER_JSON TEXT [RUNS]\n");
        return 2;
    }
    sonde_error err = { 0 };
    file_map json = { 0 }, text = { 0 };
    tokenizer *t = NULL;
    sonde_status s = file_map_open(&json, argv[1], &err);
    if (s == SONDE_OK) s = file_map_open(&text, argv[2], &err);
    const tokenizer_files files = { .json = { (const char *)json.data, json.size, argv[1] } };
    const text_bytes all = { (const char *)text.data, text.size };
    if (s == SONDE_OK) s = tokenizer_new(&t, &files, &err);
    if (s == SONDE_OK && argc == 3) s = print_all(t, all, &err);
    const long runs = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    for (long i = 0; i < runs && s == SONDE_OK; i++) s = time_one(t, all, &err);
    if (s != SONDE_OK) fprintf(stderr, "tokens: %s\n", err.message);
    tokenizer_free(t);
    file_map_close(&text);
    file_map_close(&json);
    return sonde_status_exit_code(s);
}
