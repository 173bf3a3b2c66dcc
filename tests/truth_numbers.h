/* truth_numbers.h - what other programs computed (tools/truth), as lines of "name number number .." in tests/truth. */
#ifndef TRUTH_NUMBERS_H
#define TRUTH_NUMBERS_H
#include "test.h"
#include <stdlib.h>

typedef struct { double *at; size_t n; } truth_numbers;

/* The numbers of the line `name`; caller frees `at`. */
static inline truth_numbers truth_read(const char *file, const char *name) {
    truth_numbers t = { 0 };
    char path[512];
    snprintf(path, sizeof path, "%s/tests/truth/%s", SONDE_SOURCE_DIR, file);
    FILE *f = fopen(path, "r");
    if (!f) FAIL_("no %s", path);
    static char line[1 << 20];
    const size_t len = strlen(name);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, name, len) != 0 || line[len] != ' ') continue;
        t.at = malloc(strlen(line) * sizeof *t.at);
        char *at = line + len, *end;
        for (double x = strtod(at, &end); end != at; at = end, x = strtod(at, &end)) t.at[t.n++] = x;
        break;
    }
    fclose(f);
    if (!t.n) FAIL_("no %s in %s", name, path);
    return t;
}
#endif
