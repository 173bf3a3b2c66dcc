#include "embedded.h"
#include "sonde/model.h"
#include <stdint.h>
#include <string.h>

/*  FILE(label in embedded_data.S, name) */
#define EMBEDDED_MAP(FILE)                              \
    FILE(config,           "config.json")               \
    FILE(tokenizer,        "tokenizer.json")            \
    FILE(tokenizer_config, "tokenizer_config.json")     \
    FILE(model,            "model.safetensors")         \
    FILE(cases,            "cases.json")                \
    FILE(text,             "held-out.txt")              \
    FILE(pairs,            "wic.jsonl")

#define FILE(label, name) extern const char embedded_##label[], embedded_##label##_end[];
EMBEDDED_MAP(FILE)
#undef FILE

static const struct { const char *name, *begin, *end; } files[] = {
#define FILE(label, name) { name, embedded_##label, embedded_##label##_end },
    EMBEDDED_MAP(FILE)
#undef FILE
};

const char *embedded_file(const char *name, size_t *size) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0) {
            *size = (size_t)((uintptr_t)files[i].end - (uintptr_t)files[i].begin);
            return files[i].begin;
        }
    *size = 0;
    return NULL;
}

const char *sonde_demo_cases(size_t *size) { return embedded_file("cases.json", size); }

const char *sonde_demo_text(size_t *size) { return embedded_file("held-out.txt", size); }

const char *sonde_demo_pairs(size_t *size) { return embedded_file("wic.jsonl", size); }
