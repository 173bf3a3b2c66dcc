/* What a capture holds, for whoever writes it down. */
#include "capture_data.h"

const float *sonde_capture_value(const sonde_capture *c, const char *site, sonde_array_spec *shape) {
    const kept *k = capture_find((sonde_capture *)(uintptr_t)c, site);      /* it locks itself when it reads its file */
    if (!k) return NULL;
    *shape = (sonde_array_spec){ .name = k->site, .dtype = "F32", .rank = k->rank };
    for (int i = 0; i < k->rank; i++) shape->dim[i] = k->dim[i];
    return k->data;
}
