#include "arch_fields.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

sonde_status arch_size_or(const json *file, config_range f, int64_t *out, sonde_error *err) {
    const json *j = f.name ? json_get(file, f.name) : NULL;
    *out = f.fallback;
    return j && j->kind != JSON_NULL ? config_int(file, f, out, err) : SONDE_OK;
}

void arch_share(const arch_config *c) {
    const arch_config own = *c->encoder;
    arch_config      *e = c->encoder;
    *e = *c;
    e->stack = own.stack;
    e->encoder = NULL;
    e->block = own.block;
    e->layers = own.layers;
    e->head = own.head;
    e->bidirectional = own.bidirectional;
}

sonde_status arch_sizes(const json *file, const size_names *n, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ n->d, NULL, n->fallback_d, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ n->layers, NULL, n->fallback_layers, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(config_int(file, (config_range){ n->heads, NULL, n->fallback_heads, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, n->fallback_vocab, 1, MOST_VOCAB }, &c->vocab, err));
    SONDE_TRY(config_int(file, (config_range){ n->context, NULL, n->fallback_context, 1, MOST_CONTEXT }, &c->context, err));
    SONDE_TRY(arch_size_or(file, (config_range){ n->f, NULL, n->fallback_f ? n->fallback_f : 4 * c->d, 1, MOST_INNER }, &c->f,
                           err));
    const int64_t kv = n->fallback_kv && !json_get(file, n->kv_heads) ? n->fallback_kv : c->heads;
    SONDE_TRY(arch_size_or(file, (config_range){ n->kv_heads, NULL, kv, 1, MOST_WIDTH }, &c->kv_heads, err));
    SONDE_FAIL_IF(c->heads % c->kv_heads, err, SONDE_FORMAT, "%s is %" PRId64 ", expected a divisor of %s %" PRId64,
                  n->kv_heads, c->kv_heads, n->heads, c->heads);
    const int64_t own = n->fallback_head_dim && !json_get(file, n->head_dim) ? n->fallback_head_dim : 0;
    SONDE_TRY(arch_size_or(file, (config_range){ n->head_dim, NULL, own, 1, MOST_WIDTH }, &c->e, err));
    SONDE_FAIL_IF(!c->e && c->d % c->heads, err, SONDE_FORMAT, "%s is %" PRId64 ", expected a divisor of %s %" PRId64,
                  n->heads, c->heads, n->d, c->d);
    if (!c->e) c->e = c->d / c->heads;
    SONDE_FAIL_IF(c->e > MOST_WIDTH / c->heads, err, SONDE_FORMAT,
                  "head_dim is %" PRId64 " in %" PRId64 " heads, expected at most %d numbers in all", c->e, c->heads,
                  (int)MOST_WIDTH);
    c->score_scale = 1 / sqrt((double)c->e);
    return SONDE_OK;
}

sonde_status arch_refuse(const json *file, const char *const *names, sonde_error *err) {
    for (; *names; names++) {
        const json *j = json_get(file, *names);
        double zero;
        bool   on;
        if (!j || j->kind == JSON_NULL || ((j->kind == JSON_ARRAY || j->kind == JSON_OBJECT) && !j->len)) continue;
        if ((json_bool(j, &on) && !on) || (json_double(j, &zero) && zero == 0)) continue;
        return sonde_fail(err, SONDE_UNSUPPORTED, "%s is %s, expected a model without it", *names, json_shown(j).text);
    }
    return SONDE_OK;
}

sonde_status arch_tokens(const json *file, int64_t bos, int64_t eos, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_token(file, "bos_token_id", bos, c->vocab, &c->bos, err));
    return config_token(file, "eos_token_id", eos, c->vocab, &c->eos, err);
}

sonde_status arch_number(const json *file, const char *name, double most, double *out, sonde_error *err) {
    const json *j = json_get(file, name);
    *out = 0;
    return j && j->kind != JSON_NULL ? config_double(file, name, 0, most, out, err) : SONDE_OK;
}

static bool is_text(const json *j, const char *text) {
    return j->kind == JSON_STRING && j->len == strlen(text) && memcmp(j->text, text, j->len) == 0;
}

static sonde_status read_types(const json *types, arch_config *c, sonde_error *err) {
    int64_t l = 0;
    SONDE_FAIL_IF(types->kind != JSON_ARRAY || (int64_t)types->len != c->layers, err, SONDE_FORMAT,
                  "layer_types is %s, expected one kind for each of %" PRId64 " layers", json_shown(types).text, c->layers);
    for (const json *j = types->child; j; j = j->next, l++) {
        const bool local = is_text(j, "sliding_attention");
        SONDE_FAIL_IF(!local && !is_text(j, "full_attention"), err, SONDE_UNSUPPORTED,
                      "layer_types has %s, expected sliding_attention or full_attention", json_shown(j).text);
        if (local) layer_add(c->local, l);
    }
    return SONDE_OK;
}

sonde_status arch_windows(const json *file, int64_t fallback, int64_t pattern, arch_config *c, sonde_error *err) {
    const json *window = json_get(file, "sliding_window"), *types = json_get(file, "layer_types");
    int64_t width = 1;
    if (window && window->kind == JSON_NULL) fallback = 0;
    SONDE_FAIL_IF(window && json_int(window, &width) && width == 0, err, SONDE_FORMAT,
                  "sliding_window is 0, expected null or at least 1: a window has the position itself");
    SONDE_TRY(arch_size_or(file, (config_range){ "sliding_window", NULL, fallback, 0, INT32_MAX }, &c->window, err));
    if (types && types->kind != JSON_NULL) SONDE_TRY(read_types(types, c, err));
    else for (int64_t l = 0; pattern && l < c->layers; l++)
        if (pattern == 1 || l % pattern != pattern - 1) layer_add(c->local, l);
    if (!c->window) memset(c->local, 0, sizeof c->local);
    return SONDE_OK;
}
