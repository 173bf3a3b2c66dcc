/* edit_cases.h - rows of edits and what is said of them: printed back, or the error. */
#ifndef SONDE_EDIT_CASES_H
#define SONDE_EDIT_CASES_H
#include "test.h"
#include "small_model.h"
#include "base/text.h"
#include "model/edit_data.h"

static inline sonde_edit *edit_of(const sonde_model *m, const char *text, const sonde_array_file *values) {
    sonde_edit *e;
    sonde_error err = { 0 };
    if (sonde_edit_parse(&e, m, text, values, &err) != SONDE_OK) FAIL_("%s", err.message);
    return e;
}

/* The edit printed back, or its error without `edit "..": `. */
static inline const char *said(const char *text) {
    static char line[4000];
    sonde_model m = small_model();
    sonde_edit *e;
    sonde_error err = { 0 };
    const sonde_status s = sonde_edit_parse(&e, &m, text, NULL, &err);
    if (s == SONDE_OK) {
        sonde_edit_format(e, line, sizeof line);
        sonde_edit_free(e);
    } else {
        CHECK_EQ(err.status, s);
        char where[400];
        const size_t n = (size_t)snprintf(where, sizeof where, "edit \"%s\": ", name_shown(text).text);
        if (strchr(err.message, 10) || strncmp(err.message, where, n) != 0) FAIL_("%s", err.message);
        const char *kind = s == SONDE_USAGE ? "" : s == SONDE_NOT_FOUND ? "not found: " : "other: ";
        snprintf(line, sizeof line, "%s%s", kind, err.message + n);
    }
    small_model_free(&m);
    return line;
}

typedef struct { const char *text, *want; } row;

/* `want` NULL: the text itself. What is printed is read back and printed the same. */
static inline void check_good(const row *rows, size_t n) {
    char first[4000];
    for (size_t i = 0; i < n; i++) {
        const char *want = rows[i].want ? rows[i].want : rows[i].text;
        snprintf(first, sizeof first, "%s", said(rows[i].text));
        if (strcmp(first, want) != 0) FAIL_("%s: \"%s\", expected \"%s\"", rows[i].text, first, want);
        if (strcmp(said(first), first) != 0) FAIL_("%s is read back as %s", first, said(first));
    }
}

static inline void check_bad(const row *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(said(rows[i].text), rows[i].want) != 0)
            FAIL_("%s: \"%s\", expected \"%s\"", rows[i].text, said(rows[i].text), rows[i].want);
}
#define CHECK_GOOD(rows) check_good(rows, sizeof rows / sizeof *rows)
#define CHECK_BAD(rows)  check_bad(rows, sizeof rows / sizeof *rows)
#endif
