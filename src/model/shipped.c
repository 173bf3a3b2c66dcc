#include "locate.h"

sonde_status sonde_models_shipped(const sonde_model_search *search, sonde_name_fn fn, void *user, sonde_error *err) {
    arena *a = arena_new();
    const char *const *name;
    const size_t n = model_shipped(search, a, &name);
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) s = fn(name[i], user, err);
    arena_free(a);
    return s;
}
