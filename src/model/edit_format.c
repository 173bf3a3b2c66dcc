/* An edit as text that reads back as the same edit, and what it refers to. */
#include "edit_parts.h"
#include <string.h>

static void put_blocks(text_out *o, const sonde_edit *e) {
    text_put(o, "%s.%d", e->word, e->block[0]);
    if (e->block[1] != e->block[0]) text_put(o, "-%d", e->block[1]);
}

/* Runs of three and more as ranges: 0,2,1,3-11. */
static void put_order(text_out *o, const sonde_edit *e) {
    if (strcmp(e->word, "blocks") != 0) text_put(o, "%s.", e->word);
    for (int i = 0; i < e->n_order;) {
        int n = 1;
        while (i + n < e->n_order && e->order[i + n] == e->order[i] + n) n++;
        if (n < 3) n = 1;
        text_put(o, "%s%d", i ? "," : "", e->order[i]);
        if (n > 1) text_put(o, "-%d", e->order[i] + n - 1);
        i += n;
    }
}

static void put_plan(text_out *o, const sonde_edit *e) {
    switch (e->op) {
    case EDIT_ORDER:  put_order(o, e); return;
    case EDIT_SWAP:   text_put(o, "%s.%d,%s.%d", e->word, e->block[0], e->word, e->block[1]); return;
    case EDIT_REPEAT:
        put_blocks(o, e);
        text_put(o, "=%d", e->times);
        return;
    default:
        put_blocks(o, e);
        if (e->part) text_put(o, ".%s", e->part);
    }
}

static void put_edit(text_out *o, const sonde_edit *e, const char *vector_name) {
    static const char *const when[] = { [WHEN_ALL] = "all", [WHEN_PROMPT] = "prompt", [WHEN_GENERATED] = "generated" };
    text_put(o, "%s", e->site);
    put_index(o, &e->index);
    if (e->value.kind != VALUE_NONE) {
        text_put(o, "=");
        put_value(o, &e->value, vector_name);
    }
    if (e->when_written) text_put(o, "@%s", when[e->when]);
}

size_t sonde_edit_format_as(const sonde_edit *e, const char *vector_name, char *buf, size_t n) {
    text_out o = { .buf = buf, .size = n };
    text_put(&o, "%s:", edit_op_names[e->op]);
    if (sonde_edit_is_plan(e)) put_plan(&o, e);
    else put_edit(&o, e, vector_name);
    return o.used;
}

size_t sonde_edit_format(const sonde_edit *e, char *buf, size_t n) { return sonde_edit_format_as(e, NULL, buf, n); }

bool sonde_edit_is_plan(const sonde_edit *e) { return e->op >= EDIT_SKIP; }

const char *sonde_edit_run(const sonde_edit *e, size_t i) {
    const char *all[5] = { e->op == EDIT_FREEZE || e->op == EDIT_MEAN ? "A" : NULL, e->value.run.name[0],
                           e->value.run.name[1], e->value.other.name[0], e->value.other.name[1] };
    const char *each[5];
    size_t n = 0;
    for (size_t k = 0; k < 5; k++) {
        bool first = all[k] != NULL;
        for (size_t j = 0; first && j < n; j++) first = strcmp(each[j], all[k]) != 0;
        if (first) each[n++] = all[k];
    }
    return i < n ? each[i] : NULL;
}

const float *sonde_edit_vector(const sonde_edit *e, sonde_array_spec *shape) {
    const edit_value *v = &e->value;
    if (v->kind != VALUE_VECTOR) return NULL;
    *shape = (sonde_array_spec){ .name = v->array ? v->array : v->file, .dtype = "F32", .rank = v->rank };
    for (int i = 0; i < v->rank; i++) shape->dim[i] = v->dim[i];
    return v->vector;
}
