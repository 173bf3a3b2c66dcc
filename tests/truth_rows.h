/* truth_rows.h - a captured file of tests/truth: lines of texts between tabs, read whole. */
#ifndef TRUTH_ROWS_H
#define TRUTH_ROWS_H
#include "test.h"
#include <stdlib.h>
#include <string.h>

enum { TRUTH_CELLS = 12 };
typedef struct { const char *cell[TRUTH_CELLS]; } truth_row;
typedef struct { char *text; truth_row *row; size_t n; } truth_rows;

static inline truth_rows truth_read(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/truth/%s", SONDE_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    if (!f) FAIL_("%s cannot be read", path);
    truth_rows t = { .text = calloc(1 << 20, 1) };
    const size_t size = fread(t.text, 1, (1 << 20) - 1, f);
    fclose(f);
    if (!size) FAIL_("%s is empty", path);
    for (char *line = strtok(t.text, "\n"); line; line = strtok(NULL, "\n")) {
        t.row = realloc(t.row, (t.n + 1) * sizeof *t.row);
        truth_row *row = &t.row[t.n++];
        *row = (truth_row){ { NULL } };
        for (int i = 0; line && i < TRUTH_CELLS; i++) {
            row->cell[i] = line;
            line = strchr(line, '\t');
            if (line) *line++ = 0;
        }
    }
    return t;
}

static inline void truth_free(truth_rows *t) {
    free(t->text);
    free(t->row);
}
#endif
