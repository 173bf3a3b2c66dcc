/* Model files that this version does not read, known by their first bytes or by the end of their name. */
#include "container.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *magic;          /* NULL: told by the name alone */
    size_t      len, at;
    const char *ending;         /* NULL: told by the bytes alone */
    const char *what, *instead;
} foreign;

#define MAGIC(at, text) (text), sizeof(text) - 1, (at)
#define NONE            NULL, 0, 0

static const char from_pickle[] = "save the model's state_dict() by torch.save or safetensors";
static const char from_other[] = "use the model's model.safetensors instead";

/* Numbers in magics are bytes in octal. Names first: a zip may be anything. */
static const foreign others[] = {
    { NONE, ".onnx",       "an ONNX graph", from_other },
    { NONE, ".tflite",     "a TensorFlow Lite model", from_other },
    { MAGIC(4, "TFL3"),    NULL, "a TensorFlow Lite model", from_other },
    { NONE, ".pb",         "a TensorFlow graph", from_other },
    { NONE, ".msgpack",    "Flax weights", from_other },
    { NONE, ".ot",         "rust-bert weights", from_other },
    { NONE, ".keras",      "a Keras model", from_other },
    { MAGIC(0, "\211HDF\r\n\032\n"), ".h5", "an HDF5 file, as Keras and TensorFlow write", from_other },
    { NONE, ".mlmodel",    "a Core ML model", from_other },
    { NONE, ".engine",     "a TensorRT engine", from_other },
    { NONE, ".npz",        "a numpy archive of arrays, not a model",
      "save the arrays under the model's names as safetensors" },
    { NONE, ".npy",        "a numpy array, not a model", "save the arrays under the model's names as safetensors" },
    { NONE, ".joblib",     "a pickle of Python objects (joblib)", from_pickle },
    { NONE, ".pkl",        "a pickle of Python objects, which may hold code", from_pickle },
    { NONE, ".ckpt",       "a checkpoint of another program", from_other },
    { MAGIC(0, "lmgg"),    NULL, "a GGML file", from_other },
    { MAGIC(0, "tjgg"),    NULL, "a GGML file", from_other },
    { MAGIC(0, "fmgg"),    NULL, "a GGML file", from_other },
    { MAGIC(257, "ustar"), NULL, "a tar archive, as torch wrote before version 0.2",
      "load it with that torch and save it again" },
    { MAGIC(0, "\200\002"), NULL, "a pickle of Python objects (joblib, scikit-learn), which may hold code", from_pickle },
    { MAGIC(0, "\200\003"), NULL, "a pickle of Python objects (joblib, scikit-learn), which may hold code", from_pickle },
    { MAGIC(0, "\200\004"), NULL, "a pickle of Python objects (joblib, scikit-learn), which may hold code", from_pickle },
    { MAGIC(0, "\200\005"), NULL, "a pickle of Python objects (joblib, scikit-learn), which may hold code", from_pickle },
};

static bool ends_with(const char *name, const char *ending) {
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcasecmp(name + n - m, ending) == 0;
}

static bool matches(const foreign *f, const char *name, const uint8_t *head, size_t n) {
    if (f->ending && ends_with(name, f->ending)) return true;
    return f->magic && head && n >= f->at + f->len && memcmp(head + f->at, f->magic, f->len) == 0;
}

bool weights_refused(size_t i, refused_row *out) {
    if (i >= sizeof others / sizeof *others) return false;
    const foreign *f = &others[i];
    size_t n = 0;
    *out = (refused_row){ .what = f->what, .instead = f->instead };
    if (f->ending) n = (size_t)snprintf(out->told, sizeof out->told, "%s%s", f->ending, f->magic ? ", " : "");
    if (f->magic) n += (size_t)snprintf(out->told + n, sizeof out->told - n, "bytes at %zu:", f->at);
    for (size_t k = 0; k < f->len; k++)
        n += (size_t)snprintf(out->told + n, sizeof out->told - n, " %02x", (unsigned)(uint8_t)f->magic[k]);
    return true;
}

sonde_status foreign_refuse(const char *name, const uint8_t *head, size_t n, sonde_error *err) {
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1";
    SONDE_FAIL_IF(head && n >= sizeof lfs - 1 && memcmp(head, lfs, sizeof lfs - 1) == 0, err, SONDE_UNSUPPORTED,
                  "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        SONDE_FAIL_IF(matches(&others[i], name, head, n), err, SONDE_UNSUPPORTED, "is %s, this version reads %s; %s",
                      others[i].what, formats_known().text, others[i].instead);
    return SONDE_OK;
}

/* What adapter_config.json says, as a message. */
static sonde_status refuse_adapter(const file_map *f, arena *memory, sonde_error *err) {
    const json *root;
    const char *base;
    size_t len;
    const bool told = json_parse((const char *)f->data, f->size, memory, &root, NULL) == SONDE_OK
                      && json_string(json_get(root, "base_model_name_or_path"), &base, &len);
    return sonde_fail(err, SONDE_UNSUPPORTED, "is a LoRA adapter of %s; merge it into that model (peft's "
                      "merge_and_unload) and save the result, or use that model", told ? text_shown(base, len).text
                                                                                       : "another model");
}

sonde_status adapter_refuse(const char *folder, sonde_error *err) {
    arena *a = arena_new();
    file_map f;
    sonde_status s = file_map_open(&f, arena_printf(a, "%s/adapter_config.json", folder), NULL);
    if (s == SONDE_OK) {
        s = refuse_adapter(&f, a, err);
        file_map_close(&f);
    } else {
        const bool bare = file_exists(arena_printf(a, "%s/adapter_model.safetensors", folder))
                          || file_exists(arena_printf(a, "%s/adapter_model.bin", folder));
        s = bare ? refuse_adapter(&(file_map){ .data = (const uint8_t *)"" }, a, err) : SONDE_OK;
    }
    if (s != SONDE_OK) sonde_fail_at(err, s, "%s", name_shown(folder).text);
    arena_free(a);
    return s;
}
