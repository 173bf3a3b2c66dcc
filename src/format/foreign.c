/* Model files that this version does not read, known by their first bytes or by the end of their name. */
#include "container.h"
#include "base/text.h"
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

static const char from_torch[] = "save it again with safe_serialization=True, which writes model.safetensors";
static const char from_other[] = "use the model's model.safetensors instead";

/* Numbers in magics are bytes in octal. Names first: a zip may be anything. */
static const foreign others[] = {
    { NONE, ".onnx",       "an ONNX graph", from_other },
    { NONE, ".tflite",     "a TensorFlow Lite model", from_other },
    { NONE, ".msgpack",    "Flax weights", from_other },
    { NONE, ".ot",         "rust-bert weights", from_other },
    { NONE, ".npz",        "a numpy archive", "save the arrays as one .safetensors file" },
    { NONE, ".ckpt",       "a checkpoint that may hold code (pickle)", from_torch },
    { NONE, ".pkl",        "a pickle, which may hold code", from_torch },
    { MAGIC(0, "lmgg"),    NULL, "a GGML file", from_other },
    { MAGIC(0, "tjgg"),    NULL, "a GGML file", from_other },
    { MAGIC(0, "fmgg"),    NULL, "a GGML file", from_other },
    { MAGIC(0, "\211HDF\r\n\032\n"), ".h5", "an HDF5 file", from_other },
    { MAGIC(4, "TFL3"),    NULL, "a TensorFlow Lite model", from_other },
    { MAGIC(0, "PK\003\004"), NULL, "a zip file, as torch writes (pickle)", from_torch },
    { MAGIC(0, "\200\002"), NULL, "a pickle, which may hold code", from_torch },
    { MAGIC(0, "\200\004"), NULL, "a pickle, which may hold code", from_torch },
    { MAGIC(0, "\200\005"), NULL, "a pickle, which may hold code", from_torch },
    { NONE, ".bin",        "named like torch weights (pickle)", from_torch },
    { NONE, ".pth",        "named like torch weights (pickle)", from_torch },
    { NONE, ".pt",         "named like torch weights (pickle)", from_torch },
};

static bool ends_with(const char *name, const char *ending) {
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcasecmp(name + n - m, ending) == 0;
}

static bool matches(const foreign *f, const char *name, const uint8_t *head, size_t n) {
    if (f->ending && ends_with(name, f->ending)) return true;
    return f->magic && head && n >= f->at + f->len && memcmp(head + f->at, f->magic, f->len) == 0;
}

sonde_status foreign_refuse(const char *name, const uint8_t *head, size_t n, sonde_error *err) {
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1";
    SONDE_FAIL_IF(head && n >= sizeof lfs - 1 && memcmp(head, lfs, sizeof lfs - 1) == 0, err, SONDE_UNSUPPORTED,
                  "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        SONDE_FAIL_IF(matches(&others[i], name, head, n), err, SONDE_UNSUPPORTED,
                      "is %s, this version reads safetensors; %s", others[i].what, others[i].instead);
    return SONDE_OK;
}
