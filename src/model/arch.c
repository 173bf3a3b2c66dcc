#include "arch.h"
#include "config.h"
#include "base/text.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ARCH(name) extern const arch arch_##name;
#include "archs.def"
#undef ARCH

const arch *const arch_table[] = {
#define ARCH(name) &arch_##name,
#include "archs.def"
#undef ARCH
    NULL
};

const char *row_spelled(const weight_row *r, spelling s) {
    switch (s) {
        case SPELLED_HF:   return r->hf;
        case SPELLED_GGUF: return r->gguf;
        case SPELLED_META: return r->meta;
    }
    return NULL;
}

bool row_in_out(const weight_row *r, spelling s) { return s == SPELLED_HF && r->layout == LAYOUT_IN_OUT; }

const char *row_item(arena *into, const char *prefix, const char *name, int64_t layer, int64_t item) {
    const char *out = prefix;
    for (const char *mark; (mark = strchr(name, '%')); name = mark + 2)
        out = arena_printf(into, "%s%.*s%" PRId64, out, (int)(mark - name), name, mark[1] == 'd' ? layer : item);
    return arena_printf(into, "%s%s", out, name);
}

const char *row_name(arena *into, const char *prefix, const char *name, int64_t layer) {
    return row_item(into, prefix, name, layer, 0);
}

arch_config arch_defaults(const arch *a, stack_id stack) {
    const bool encoder = stack == STACK_ENCODER;
    return (arch_config){ .arch = a, .stack = stack, .block = encoder ? a->encoder : a->block, .final_norm = true,
                          .norm_weights = true, .embed_scale = 1, .logit_scale = 1, .head = encoder ? 0 : HEAD_LM,
                          .bidirectional = encoder, .bos = -1, .eos = -1, .start = -1, .forced_bos = -1, .forced_eos = -1 };
}

sonde_status arch_read(const arch *a, const json *config, arch_config *out, arch_config *encoder, sonde_error *err) {
    *out = arch_defaults(a, STACK_MAIN);
    if (a->encoder.part[0].kind) {
        *encoder = arch_defaults(a, STACK_ENCODER);
        out->encoder = encoder;
    }
    SONDE_TRY(a->config(config, out, err));
    if (!out->width) out->width = out->d;
    if (out->encoder && !encoder->width) encoder->width = encoder->d;
    return config_refuse_foreign(a, config, err);
}

const part_spec *arch_part(const arch_config *c, part_kind kind) {
    for (int i = 0; i < 3; i++)
        if (c->block.part[i].kind == kind) return &c->block.part[i];
    return NULL;
}

const rope *arch_rope(const arch_config *c, int64_t layer) {
    return c->rope_local.dims && layer_in(c->local, layer) ? &c->rope_local : &c->rope;
}

double arch_score_scale(const arch_config *c, int64_t layer) {
    return c->scale_by_layer ? c->score_scale / (double)(layer + 1) : c->score_scale;
}

bool arch_sparse(const arch_config *c, int64_t layer) { return c->experts > 0 && !layer_in(c->dense, layer); }

bool arch_dense_layers(const arch_config *c) {
    for (int64_t l = 0; l < c->layers; l++)
        if (!arch_sparse(c, l)) return true;
    return false;
}

static bool sparse_layers(const arch_config *c) {
    for (int64_t l = 0; l < c->layers; l++)
        if (arch_sparse(c, l)) return true;
    return false;
}

bool arch_changes_logits(const arch_config *c) { return c->logit_cap > 0 || c->logit_bias; }

int64_t arch_answers(const arch_config *c) {
    if (c->head & (HEAD_LM | HEAD_MLM)) return c->vocab;
    if (c->head & HEAD_CLASS) return c->labels;
    return c->head & (HEAD_QA | HEAD_NSP) ? 2 : c->head & HEAD_POOLER ? c->d : 0;
}

const char *arch_answer_site(const arch_config *c) {
    if (c->head & (HEAD_LM | HEAD_MLM)) return arch_changes_logits(c) ? "logits" : "unembed.hook_out";
    if (c->head & HEAD_CLASS) return "classifier.hook_out";
    if (c->head & HEAD_QA) return "qa.hook_out";
    return c->head & HEAD_NSP ? "nsp_head.hook_nsp_out" : c->head & HEAD_POOLER ? "pooler.hook_pooler_out" : NULL;
}

/* Does the block normalise what its second part reads or leaves behind? */
static bool second_norm(const arch_config *c) {
    for (const part_spec *p = c->block.part; p < c->block.part + 3; p++)
        if (p->before == NORM_2 || p->after_sum == NORM_2) return true;
    return false;
}

bool arch_row_holds(const arch_config *c, const weight_row *r) {
    if (r->stack != c->stack) return false;
    switch (r->when) {
        case WHEN_ATTN_BIAS:    return c->attn_bias;
        case WHEN_OUT_BIAS:     return c->out_bias;
        case WHEN_MLP_BIAS:     return c->mlp_bias;
        case WHEN_QK_NORM:      return c->qk_norm != QK_NONE;
        case WHEN_DENSE:        return arch_dense_layers(c);
        case WHEN_SPARSE:       return sparse_layers(c);
        case WHEN_NORM_2:       return c->norm_weights && second_norm(c);
        case WHEN_PROJECTED:    return c->width != c->d;
        case WHEN_GATED:        return c->gated;
        case WHEN_PLAIN:        return !c->gated;
        case WHEN_FINAL_NORM:   return c->norm_weights && c->final_norm;
        case WHEN_NORM_WEIGHTS: return c->norm_weights;
        case WHEN_PARALLEL:     return c->block.parallel;
        case WHEN_SEQUENTIAL:   return !c->block.parallel;
        case WHEN_MLM:          return c->head & HEAD_MLM;
        case WHEN_POOLER:       return c->head & HEAD_POOLER;
        case WHEN_NSP:          return c->head & HEAD_NSP;
        case WHEN_CLASS:        return c->head & HEAD_CLASS;
        case WHEN_QA:           return c->head & HEAD_QA;
        case WHEN_ALWAYS:       break;
    }
    return true;
}

bool arch_row_in(const arch_config *c, const weight_row *r, int64_t layer) {
    if (!arch_row_holds(c, r)) return false;
    return r->when == WHEN_DENSE ? !arch_sparse(c, layer) : r->when == WHEN_SPARSE ? arch_sparse(c, layer) : true;
}

bool arch_has(const arch_config *c, weight_id id) {
    for (const weight_row *r = c->arch->weights; r->id != W_NONE; r++)
        if (r->id == id && arch_row_holds(c, r)) return true;
    return false;
}

/* What there is, for messages: "a, b". */
static void list_types(char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (const arch *const *a = arch_table; *a && used < size; a++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", (*a)->hf_type);
}

static bool is_text(const json *j, const char *text) {
    return j && j->kind == JSON_STRING && j->len == strlen(text) && memcmp(j->text, text, j->len) == 0;
}

static const arch *by_class(const json *class) {
    for (const arch *const *a = arch_table; *a; a++)
        for (const char *const *c = (*a)->hf_classes; *c; c++)
            if (is_text(class, *c)) return *a;
    return NULL;
}

static const arch *by_type(const json *type) {
    for (const arch *const *a = arch_table; *a; a++)
        if (is_text(type, (*a)->hf_type)) return *a;
    return NULL;
}

/* What changes the meaning of weights whatever the family is. */
static sonde_status refuse_transformed(const json *config, sonde_error *err) {
    SONDE_TRY(quantization_refuse(config, err));
    const json *pruned = json_get(config, "pruned_heads");
    SONDE_FAIL_IF(pruned && pruned->len > 0, err, SONDE_UNSUPPORTED,
                  "pruned_heads: removed heads are not read, expected all heads to be there");
    return SONDE_OK;
}

sonde_status arch_find(const json *config, const arch **out, sonde_error *err) {
    *out = NULL;
    SONDE_FAIL_IF(config->kind != JSON_OBJECT, err, SONDE_FORMAT, "is %s, expected an object",
                  json_shown(config).text);
    const json *type = json_get(config, "model_type"), *classes = json_get(config, "architectures");
    if (type && type->kind == JSON_NULL) type = NULL;
    if (classes && classes->kind == JSON_NULL) classes = NULL;
    SONDE_FAIL_IF(type && type->kind != JSON_STRING, err, SONDE_FORMAT, "model_type is %s, expected a text",
                  json_shown(type).text);
    SONDE_FAIL_IF(classes && classes->kind != JSON_ARRAY, err, SONDE_FORMAT, "architectures is %s, expected an array",
                  json_shown(classes).text);
    const json *class = classes ? classes->child : NULL;
    char known[512];
    list_types(known, sizeof known);
    SONDE_FAIL_IF(!type && !class, err, SONDE_FORMAT, "has neither model_type nor architectures, expected one of: %s",
                  known);
    const arch *found = type ? by_type(type) : by_class(class);
    SONDE_FAIL_IF(!found, err, SONDE_UNSUPPORTED, "%s is %s, expected one of: %s",
                  type ? "model_type" : "architectures", json_shown(type ? type : class).text, known);
    SONDE_FAIL_IF(class && by_class(class) != found, err, SONDE_UNSUPPORTED, "architectures is %s, expected %s",
                  json_shown(class).text, found->hf_classes[0]);
    SONDE_TRY(refuse_transformed(config, err));
    *out = found;
    return SONDE_OK;
}
