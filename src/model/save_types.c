/* Which type every tensor of a written GGUF file gets: as it is stored, or as the mix asked for chooses. */
#include "save_parts.h"
#include "base/text.h"
#include "format/pack_mix.h"
#include <string.h>

/* GGUF's word for a file whose tensors were not quantised here: that of most of its numbers. */
static int stored_file_type(const save_list *list) {
    int64_t count[DTYPE_COUNT] = { 0 };
    int     most = DTYPE_F32;
    for (size_t i = 0; i < list->n; i++) count[list->at[i].to] += save_count(&list->at[i]);
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (count[t] > count[most]) most = t;
    for (int k = 0; k < PACK_MIX_COUNT; k++)
        if ((int)pack_mixes[k].type == most) return pack_mixes[k].file_type;
    return pack_mixes[PACK_F32].file_type;
}

static sonde_status fail_type(const char *type, arena *into, sonde_error *err) {
    const char *known = "";
    for (int k = 0; k < PACK_MIX_COUNT; k++) known = arena_printf(into, "%s%s%s", known, k ? ", " : "", pack_mixes[k].name);
    return sonde_fail(err, SONDE_USAGE, "type %s: expected one of %s", name_shown(type).text, known);
}

static sonde_status apply(save_tensor *t, const pack_tensor *chosen, bool requantize, sonde_error *err) {
    SONDE_FAIL_IF(chosen->type != t->from && dtype_table[t->from].items > 1 && !requantize, err, SONDE_USAGE,
                  "tensor %s: is %s already, and packing it again loses more; expected F32, F16 or BF16, or --requantize",
                  name_shown(t->name).text, dtype_table[t->from].name);
    t->to = chosen->type;
    if (chosen->type != chosen->wanted) t->wanted = dtype_table[chosen->wanted].name;
    return SONDE_OK;
}

sonde_status save_choose(const sonde_model *m, save_list *list, const sonde_save_options *o, int *file_type, arena *into,
                         sonde_error *err) {
    *file_type = stored_file_type(list);
    if (!o->type) return SONDE_OK;
    pack_mix_id mix;
    if (!pack_mix_find(o->type, &mix)) return fail_type(o->type, into, err);
    const arch_config *c = &m->config;
    const pack_model about = { .n_layer = (int)c->layers, .n_head = (int)c->heads, .n_head_kv = (int)c->kv_heads,
                               .is_70b = c->layers == 80 && c->kv_heads < c->heads };
    pack_tensor *chosen = arena_new_array(into, pack_tensor, list->n + 1);
    for (size_t i = 0; i < list->n; i++) {
        const save_tensor *t = &list->at[i];
        const int64_t cols = t->dim[t->rank - 1];
        chosen[i] = (pack_tensor){ .name = t->name, .cols = cols, .rows = save_count(t) / cols, .stored = t->to };
    }
    pack_choose(mix, &about, chosen, list->n);
    for (size_t i = 0; i < list->n; i++) SONDE_TRY(apply(&list->at[i], &chosen[i], o->requantize, err));
    *file_type = pack_mixes[mix].file_type;
    return SONDE_OK;
}
