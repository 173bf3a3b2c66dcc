#include "config.h"
#include <string.h>

/* quant_method of config.json's quantization_config, as transformers names them, and what people call it. */
static const struct { const char *method, *what; } methods[] = {
    { "gptq", "GPTQ" },
    { "awq", "AWQ" },
    { "bitsandbytes", "bitsandbytes" },
    { "fp8", "FP8 with scales" },
    { "fbgemm_fp8", "FP8 with scales" },
    { "compressed-tensors", "compressed-tensors" },
    { "mxfp4", "MXFP4" },
};

bool quantization_at(size_t i, const char **method, const char **what) {
    if (i >= sizeof methods / sizeof *methods) return false;
    *method = methods[i].method;
    *what = methods[i].what;
    return true;
}

static const char *name_of(const char *method) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].method, method) == 0) return methods[i].what;
    return method;
}

/* The first versions of bitsandbytes wrote no method. */
static bool is_old_bitsandbytes(const json *q) {
    bool eight = false, four = false;
    json_bool(json_get(q, "load_in_8bit"), &eight);
    json_bool(json_get(q, "load_in_4bit"), &four);
    return eight || four;
}

sonde_status quantization_refuse(const json *file, sonde_error *err) {
    const json *q = json_get(file, "quantization_config");
    if (!q) q = json_get(json_get(file, "text_config"), "quantization_config");
    if (!q || q->kind == JSON_NULL) return SONDE_OK;
    const char *method;
    const sonde_status s = config_text(q, "quant_method", &method, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "quantization_config");
    if (!method) method = is_old_bitsandbytes(q) ? "bitsandbytes" : "a method that is not named";
    return sonde_fail(err, SONDE_UNSUPPORTED,
                      "quantization_config: the weights are quantized by %s, expected plain F32, F16 or BF16; use the "
                      "model that it was made from", name_shown(name_of(method)).text);
}
