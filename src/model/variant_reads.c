#include "bound.h"
#include "model_data.h"
#include "sonde/variants.h"
#include <stdlib.h>
#include <string.h>

static sonde_status list(arena *a, const sonde_model *m, const sonde_variant *v, const char *run, const char **out,
                         sonde_error *err) {
    slots      plain;
    place_list read;
    SONDE_TRY(plan_slots(a, &m->config, NULL, 0, &plain, err));
    SONDE_TRY(edits_read(a, &m->config, (edit_list){ v->edits, v->n_edits }, run, &read, err));
    const char *all = "";
    for (size_t i = 0; i < read.n; i++)
        all = arena_printf(a, "%s%s%s", all, i ? "," : "", place_name(a, &plain, read.at[i]));
    *out = all;
    return SONDE_OK;
}

sonde_status sonde_variant_reads(const sonde_model *m, const sonde_variant *v, const char *run, char **out,
                                 sonde_error *err) {
    arena      *a = arena_new();
    const char *all = "";
    const sonde_status s = list(a, m, v, run, &all, err);
    *out = calloc(strlen(all) + 1, 1);
    if (!*out) abort();
    memcpy(*out, all, strlen(all));
    arena_free(a);
    return s;
}
