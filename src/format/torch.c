#include "torch.h"
#include "base/text.h"
#include <inttypes.h>

/* Gathered views together may take so many times the file's bytes. */
enum { MOST_GATHERED = 2 };

bool torch_storage_bytes(const pickle_storage *s, uint64_t *bytes) {
    return !__builtin_mul_overflow((uint64_t)s->count, (uint64_t)dtype_table[s->type->type].bytes, bytes);
}

/* The last item's place is offset + sum of (dim - 1) * stride. */
static bool inside(const pickle_tensor *t, int64_t items) {
    int64_t last = t->offset;
    for (int i = 0; i < t->rank; i++) {
        int64_t step;
        if (__builtin_mul_overflow(t->dim[i] - 1, t->stride[i], &step) || __builtin_add_overflow(last, step, &last))
            return false;
    }
    return last < items;
}

/* Row-major without gaps: strides of dimensions of one item say nothing. */
static bool contiguous(const pickle_tensor *t) {
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->dim[i] != 1 && t->stride[i] != step) return false;
        step *= t->dim[i];              /* the product of all was checked */
    }
    return true;
}

/* Copies the items of a view, checked to lie inside the storage, in row-major order. */
static void gather(const pickle_tensor *t, const uint8_t *from, size_t size, uint8_t *out, uint64_t bytes) {
    int64_t index[WEIGHT_MAX_RANK] = { 0 }, at = t->offset;
    for (uint64_t done = 0; done < bytes; done += size) {
        memcpy(out + done, from + (uint64_t)at * size, size);
        for (int i = t->rank - 1; i >= 0; i--) {
            at += t->stride[i];
            if (++index[i] < t->dim[i]) break;
            at -= t->stride[i] * t->dim[i];
            index[i] = 0;
        }
    }
}

static sonde_status place_view(weights *w, const pickle_tensor *t, torch_bytes in, stored_tensor *out,
                               sonde_error *err) {
    const size_t size = (size_t)dtype_table[out->type].bytes;
    const int64_t items = (int64_t)(in.bytes / size);
    SONDE_FAIL_IF(!inside(t, items), err, SONDE_FORMAT,
                  "reaches past the %" PRId64 " items of its storage", items);
    if (contiguous(t)) {
        out->data = in.data + (uint64_t)t->offset * size;
        return SONDE_OK;
    }
    SONDE_FAIL_IF(out->bytes > in.bytes, err, SONDE_UNSUPPORTED,
                  "repeats the %" PRId64 " items of its storage; save .contiguous() of it", items);
    SONDE_FAIL_IF(out->bytes > MOST_GATHERED * w->file.size - w->copied, err, SONDE_UNSUPPORTED,
                  "strided tensors need more than %d times the file's bytes; save .contiguous() of each", MOST_GATHERED);
    uint8_t *copy = arena_alloc(w->memory, out->bytes);
    gather(t, in.data, size, copy, out->bytes);
    out->data = copy;
    w->copied += out->bytes;
    return SONDE_OK;
}

static sonde_status read_tensor(weights *w, const torch_saved *saved, const pickle_tensor *t, stored_tensor *out,
                                sonde_error *err) {
    SONDE_FAIL_IF(!t->type->read, err, SONDE_UNSUPPORTED,
                  "dtype %s.%s is not read; convert it to float32, float16 or bfloat16", t->type->module, t->type->name);
    SONDE_FAIL_IF(!t->storage->type->read, err, SONDE_UNSUPPORTED, "storage %s is not read", t->storage->type->name);
    out->type = t->type->type;
    out->rank = t->rank;
    memcpy(out->dim, t->dim, sizeof out->dim);
    SONDE_FAIL_IF(!shape_bytes(out->dim, out->rank, out->type, &out->bytes), err, SONDE_FORMAT,
                  "its shape needs 2^63 bytes or more");
    torch_bytes in;
    SONDE_TRY(saved->locate(saved->container, t->storage, &in, err));
    if (out->bytes) return place_view(w, t, in, out, err);
    out->data = in.data;
    return SONDE_OK;
}

static size_t count_tensors(const pickle_value *dict) {
    size_t n = 0;
    for (size_t i = 0; i < dict->items->n; i += 2)
        n += dict->items->at[i].kind == PICKLE_TEXT && dict->items->at[i + 1].kind == PICKLE_TENSOR;
    return n;
}

/* The dictionary that holds the tensors: the saved one, or what it has under a usual name. */
static sonde_status find_dictionary(const torch_saved *saved, pickle_value *dict, sonde_error *err) {
    static const char *const wrappers[] = { "state_dict", "model_state_dict", "model", "module" };
    const char *found = NULL;
    SONDE_FAIL_IF(saved->top.kind != PICKLE_DICT, err, SONDE_FORMAT,
                  "holds no dictionary, expected one of names and tensors, as torch.save(model.state_dict()) writes");
    *dict = saved->top;
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        pickle_value inner;
        if (!pickle_get(&saved->top, wrappers[i], &inner) || inner.kind != PICKLE_DICT || !count_tensors(&inner)) continue;
        SONDE_FAIL_IF(found, err, SONDE_UNSUPPORTED,
                      "holds tensors under \"%s\" and under \"%s\", expected one; save one of them alone", found,
                      wrappers[i]);
        found = wrappers[i];
        *dict = inner;
    }
    SONDE_FAIL_IF(!count_tensors(dict), err, SONDE_FORMAT,
                  "holds no tensors, expected a dictionary of names and tensors");
    return SONDE_OK;
}

/* A NUL-terminated copy of the key. */
static sonde_status read_name(weights *w, const pickle_value *key, stored_tensor *t, sonde_error *err) {
    SONDE_FAIL_IF(key->text.len > WEIGHT_MAX_NAME, err, SONDE_FORMAT,
                  "a tensor's name is %zu bytes long, at most %d are allowed", key->text.len, WEIGHT_MAX_NAME);
    SONDE_FAIL_IF(memchr(key->text.at, 0, key->text.len), err, SONDE_FORMAT, "tensor %s: its name holds a NUL",
                  text_shown(key->text.at, key->text.len).text);
    char *name = arena_alloc(w->memory, key->text.len + 1);
    memcpy(name, key->text.at, key->text.len);
    t->name = name;
    return SONDE_OK;
}

static sonde_status collect_one(weights *w, const torch_saved *saved, sonde_error *err) {
    w->tensor = arena_new_array(w->memory, stored_tensor, 1);
    w->tensor->name = "";
    SONDE_TRY(read_tensor(w, saved, saved->top.tensor, w->tensor, err));
    w->n = 1;
    return SONDE_OK;
}

sonde_status torch_collect(weights *w, const torch_saved *saved, sonde_error *err) {
    if (saved->top.kind == PICKLE_TENSOR) return collect_one(w, saved, err);
    pickle_value dict;
    SONDE_TRY(find_dictionary(saved, &dict, err));
    const size_t n = count_tensors(&dict);
    SONDE_FAIL_IF(n > WEIGHT_MAX_TENSORS, err, SONDE_FORMAT, "holds %zu tensors, at most %d are allowed", n,
                  WEIGHT_MAX_TENSORS);
    w->tensor = arena_new_array(w->memory, stored_tensor, n);
    for (size_t i = 0; i < dict.items->n; i += 2) {
        const pickle_value *key = &dict.items->at[i], *value = key + 1;
        if (key->kind != PICKLE_TEXT || value->kind != PICKLE_TENSOR) continue;
        stored_tensor *t = &w->tensor[w->n];
        SONDE_TRY(read_name(w, key, t, err));
        const sonde_status s = read_tensor(w, saved, value->tensor, t, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "tensor %s", name_shown(t->name).text);
        w->n++;
    }
    weights_sort(w);
    for (size_t i = 1; i < w->n; i++)
        SONDE_FAIL_IF(strcmp(w->tensor[i - 1].name, w->tensor[i].name) == 0, err, SONDE_FORMAT,
                      "tensor %s stands twice", name_shown(w->tensor[i].name).text);
    return SONDE_OK;
}
