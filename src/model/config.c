#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

shown json_shown(const json *j) {
    switch (j->kind) {
        case JSON_NULL:   return name_shown("null");
        case JSON_BOOL:   return name_shown(j->boolean ? "true" : "false");
        case JSON_NUMBER: return text_shown(j->text, j->len < 32 ? j->len : 32);
        case JSON_ARRAY:  return name_shown("an array");
        case JSON_OBJECT: return name_shown("an object");
        case JSON_STRING: break;
    }
    char quoted[64 + 3];
    const size_t len = j->len < 64 ? j->len : 64;
    quoted[0] = '"';
    memcpy(quoted + 1, j->text, len);
    quoted[len + 1] = '"';
    return text_shown(quoted, len + 2);
}

sonde_status config_int(const json *file, config_range f, int64_t *out, sonde_error *err) {
    const json *j = json_get(file, f.name);
    const char *name = f.name;
    if (!j && f.alias) {
        j = json_get(file, f.alias);
        if (j) name = f.alias;
    }
    int64_t v = f.fallback;
    if (j)
        SONDE_FAIL_IF(!json_int(j, &v) || v < f.least || v > f.most, err, SONDE_FORMAT,
                      "%s is %s, expected an integer from %" PRId64 " to %" PRId64, name, json_shown(j).text, f.least,
                      f.most);
    *out = v;
    return SONDE_OK;
}

sonde_status config_bool(const json *file, const char *name, bool fallback, bool *out, sonde_error *err) {
    const json *j = json_get(file, name);
    *out = fallback;
    if (j) SONDE_FAIL_IF(!json_bool(j, out), err, SONDE_FORMAT, "%s is %s, expected true or false", name,
                         json_shown(j).text);
    return SONDE_OK;
}

sonde_status config_double(const json *file, const char *name, double fallback, double most, double *out,
                           sonde_error *err) {
    const json *j = json_get(file, name);
    double v = fallback;
    if (j) SONDE_FAIL_IF(!json_double(j, &v) || !(v >= 0 && v <= most), err, SONDE_FORMAT,
                         "%s is %s, expected a number from 0 to %g", name, json_shown(j).text, most);
    *out = v;
    return SONDE_OK;
}

sonde_status config_text(const json *file, const char *name, const char **out, sonde_error *err) {
    const json *j = json_get(file, name);
    size_t len;
    *out = NULL;
    if (j) SONDE_FAIL_IF(!json_string(j, out, &len) || strlen(*out) != len, err, SONDE_FORMAT,
                         "%s is %s, expected a text", name, json_shown(j).text);
    return SONDE_OK;
}

sonde_status config_token(const json *file, const char *name, int64_t fallback, int64_t vocab, int32_t *out,
                          sonde_error *err) {
    const json *j = json_get(file, name);
    int64_t id = fallback;
    if (j && j->kind == JSON_ARRAY && j->child) j = j->child;
    if (j && j->kind == JSON_NULL) id = -1;
    else if (j) SONDE_FAIL_IF(!json_int(j, &id), err, SONDE_FORMAT, "%s is %s, expected the id of a token", name,
                              json_shown(j).text);
    *out = id >= 0 && id < vocab ? (int32_t)id : -1;
    return SONDE_OK;
}

sonde_status config_start(const json *file, int64_t fallback, int64_t vocab, int32_t *out, sonde_error *err) {
    static const char name[] = "decoder_start_token_id";
    const json *j = json_get(file, name);
    int64_t     id;
    SONDE_FAIL_IF(j && json_int(j, &id) && (id < 0 || id >= vocab), err, SONDE_FORMAT, "%s is %s, expected a token below %lld", name,
                  json_shown(j).text, (long long)vocab);
    return config_token(file, name, fallback, vocab, out, err);
}

/* transformers' ACT2FN names of functions that we compute; the five spellings of tanh-GELU are one formula. */
static const struct { const char *name; act_kind act; } activations[] = {
    { "gelu_new", ACT_GELU_TANH },    { "gelu_pytorch_tanh", ACT_GELU_TANH }, { "gelu_python_tanh", ACT_GELU_TANH },
    { "gelu_fast", ACT_GELU_TANH },   { "gelu_accurate", ACT_GELU_TANH },     { "gelu", ACT_GELU },
    { "gelu_python", ACT_GELU },      { "relu", ACT_RELU },                   { "silu", ACT_SILU },
    { "swish", ACT_SILU },             { "tanh", ACT_TANH },                  { "quick_gelu", ACT_QUICK_GELU },
};

sonde_status config_activation(const json *file, const char *field, const char *fallback, act_kind *out, sonde_error *err) {
    const char *name;
    SONDE_TRY(config_text(file, field, &name, err));
    return config_activation_named(field, name ? name : fallback, out, err);
}

sonde_status config_activation_named(const char *field, const char *name, act_kind *out, sonde_error *err) {
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, name) == 0) {
            *out = activations[i].act;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_UNSUPPORTED, "%s is \"%s\", expected gelu_new, gelu, quick_gelu, relu, silu or tanh", field,
                      name_shown(name).text);
}
