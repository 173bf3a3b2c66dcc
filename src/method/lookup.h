/* lookup.h - weights and sites by their names. */
#ifndef SONDE_LOOKUP_H
#define SONDE_LOOKUP_H
#include "sonde/model.h"
#include <string.h>

/* Index of a weight, SIZE_MAX where the model has none of this name. */
static inline size_t weight_find(const sonde_model *m, const char *name, sonde_weight_info *out) {
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_model_weight(m, i, out);
        if (!strcmp(out->name, name)) return i;
    }
    return SIZE_MAX;
}

static inline bool name_ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}
#endif
