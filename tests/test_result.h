/* test_result.h - what the tests of the writers share: a sink that keeps everything, and small makers. */
#ifndef TEST_RESULT_H
#define TEST_RESULT_H
#include "test.h"
#include "sonde/result.h"
#include <stdlib.h>

typedef struct { char *text; size_t n, cap; size_t most; } kept;       /* most: fails past that many bytes; 0: never */

static sonde_status keep(void *user, const char *bytes, size_t n, sonde_error *err) {
    kept *k = user;
    SONDE_FAIL_IF(k->most && k->n + n > k->most, err, SONDE_IO, "the sink is full");
    if (k->n + n + 1 > k->cap) {
        k->cap = 2 * (k->n + n + 1);
        k->text = realloc(k->text, k->cap);
        if (!k->text) abort();
    }
    memcpy(k->text + k->n, bytes, n);
    k->n += n;
    k->text[k->n] = '\0';
    return SONDE_OK;
}

static sonde_token token(int32_t id, const char *text) { return (sonde_token){ id, text, strlen(text) }; }
#endif
