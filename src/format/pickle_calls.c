/* Calls a pickle of tensors makes, each read as data: what torch's functions of these names would build. */
#include "pickle_machine.h"
#include "base/text.h"
#include <inttypes.h>

static sonde_status want(machine *m, const pickle_value *v, pickle_kind kind, const char *what) {
    REFUSE_IF(v->kind != kind, m, "%s", what);
    return SONDE_OK;
}

/* A tuple of integers of 0 and more. */
static sonde_status read_numbers(machine *m, const pickle_value *v, const char *what, int64_t *out, int *n) {
    REFUSE_IF(v->kind != PICKLE_TUPLE, m, "a tensor's %s is no tuple", what);
    if (v->items->n > WEIGHT_MAX_RANK)
        return pickle_fail(m, SONDE_UNSUPPORTED, "a tensor has %zu dimensions, at most %d are read", v->items->n,
                           WEIGHT_MAX_RANK);
    for (size_t i = 0; i < v->items->n; i++) {
        const pickle_value *x = &v->items->at[i];
        REFUSE_IF(x->kind != PICKLE_INT || x->integer < 0, m,
                  "a tensor's %s holds something else than whole numbers from 0 to 2^63 - 1", what);
        out[i] = x->integer;
    }
    *n = (int)v->items->n;
    return SONDE_OK;
}

/* (storage, offset, size, stride, ...) */
static sonde_status rebuild_tensor(machine *m, const pickle_value *a, const pickle_name *type, pickle_value *out) {
    SONDE_TRY(want(m, &a[0], PICKLE_STORAGE, "a tensor is rebuilt from something that is no storage"));
    REFUSE_IF(a[1].kind != PICKLE_INT || a[1].integer < 0, m, "a tensor's offset is no number from 0 to 2^63 - 1");
    pickle_tensor *t = arena_alloc(m->memory, sizeof *t);
    int strides;
    SONDE_TRY(read_numbers(m, &a[2], "size", t->dim, &t->rank));
    SONDE_TRY(read_numbers(m, &a[3], "stride", t->stride, &strides));
    REFUSE_IF(strides != t->rank, m, "a tensor has %d dimensions and %d strides", t->rank, strides);
    t->storage = a[0].storage;
    t->offset = a[1].integer;
    t->type = type ? type : t->storage->type;
    *out = (pickle_value){ .kind = PICKLE_TENSOR, .tensor = t };
    return SONDE_OK;
}

/* A last argument says that the stored items are not the tensor's: its signs are turned. */
static sonde_status check_metadata(machine *m, const pickle_value *v) {
    const bool none = v->kind == PICKLE_NONE || (v->kind == PICKLE_DICT && v->items->n == 0);
    if (none) return SONDE_OK;
    return pickle_fail(m, SONDE_UNSUPPORTED, "a tensor is a negated or conjugated view; save .resolve_neg() of it");
}

static sonde_status rebuild_tensor_v2(machine *m, const pickle_value *a, size_t n, pickle_value *out) {
    if (n == 7) SONDE_TRY(check_metadata(m, &a[6]));
    return rebuild_tensor(m, a, NULL, out);
}

static sonde_status rebuild_tensor_v3(machine *m, const pickle_value *a, size_t n, pickle_value *out) {
    if (n == 8) SONDE_TRY(check_metadata(m, &a[7]));
    REFUSE_IF(a[6].kind != PICKLE_GLOBAL || a[6].global->role != ROLE_DTYPE, m, "a tensor's dtype is none");
    return rebuild_tensor(m, a, a[6].global, out);
}

static sonde_status rebuild_parameter(machine *m, const pickle_value *a, pickle_value *out) {
    SONDE_TRY(want(m, &a[0], PICKLE_TENSOR, "a parameter is rebuilt from something that is no tensor"));
    *out = a[0];
    return SONDE_OK;
}

static sonde_status call_size(machine *m, const pickle_value *a, pickle_value *out) {
    SONDE_TRY(want(m, &a[0], PICKLE_TUPLE, "torch.Size is called with something that is no tuple"));
    *out = a[0];
    return SONDE_OK;
}

/* Fewest and most arguments by role; those of 0 and 0 but ROLE_DICT are not called. */
static const struct { size_t least, most; } arguments[] = {
    [ROLE_TENSOR] = { 4, 4 }, [ROLE_TENSOR_V2] = { 6, 7 }, [ROLE_TENSOR_V3] = { 7, 8 }, [ROLE_PARAMETER] = { 3, 3 },
    [ROLE_PARAMETER_STATE] = { 4, 4 }, [ROLE_SIZE] = { 1, 1 }, [ROLE_DEVICE] = { 1, 2 }, [ROLE_NAME] = { 0, 0 },
};

sonde_status pickle_call(machine *m, const pickle_value *callee, const pickle_value *args, pickle_value *out) {
    REFUSE_IF(callee->kind != PICKLE_GLOBAL, m, "calls something that is no name");
    REFUSE_IF(args->kind != PICKLE_TUPLE, m, "calls %s.%s without a tuple of arguments", callee->global->module,
              callee->global->name);
    const pickle_role role = callee->global->role;
    const pickle_value *a = args->items->at;
    const size_t n = args->items->n;
    REFUSE_IF(!arguments[role].most && role != ROLE_DICT, m, "calls %s.%s, which names a type", callee->global->module,
              callee->global->name);
    REFUSE_IF(n < arguments[role].least || n > arguments[role].most, m, "calls %s.%s with %zu arguments",
              callee->global->module, callee->global->name, n);
    switch (role) {
    case ROLE_TENSOR: return rebuild_tensor(m, a, NULL, out);
    case ROLE_TENSOR_V2: return rebuild_tensor_v2(m, a, n, out);
    case ROLE_TENSOR_V3: return rebuild_tensor_v3(m, a, n, out);
    case ROLE_PARAMETER:
    case ROLE_PARAMETER_STATE: return rebuild_parameter(m, a, out);
    case ROLE_SIZE: return call_size(m, a, out);
    case ROLE_DICT:
        *out = (pickle_value){ .kind = PICKLE_DICT, .items = pickle_items_new(m) };
        out->items->ordered = true;
        return SONDE_OK;
    default:
        *out = (pickle_value){ .kind = PICKLE_OTHER };
        return SONDE_OK;
    }
}

static bool is_text(const pickle_value *v, const char *text) {
    return v->kind == PICKLE_TEXT && v->text.len == strlen(text) && memcmp(v->text.at, text, v->text.len) == 0;
}

/* ("storage", type, key, location, count), and in files before the zip ones a sixth, None. */
sonde_status pickle_persistent(machine *m, const pickle_value *id, pickle_value *out) {
    REFUSE_IF(id->kind != PICKLE_TUPLE || id->items->n < 1, m, "a persistent id is no tuple");
    const pickle_value *a = id->items->at;
    const size_t n = id->items->n;
    REFUSE_IF(!is_text(&a[0], "storage"), m, "a persistent id names %s, expected storage",
              a[0].kind == PICKLE_TEXT ? text_shown(a[0].text.at, a[0].text.len).text : "something that is no text");
    REFUSE_IF(n != 5 && n != 6, m, "a storage's id has %zu parts, expected 5 or 6", n);
    REFUSE_IF(a[1].kind != PICKLE_GLOBAL || a[1].global->role != ROLE_STORAGE, m, "a storage's type names no storage");
    REFUSE_IF(a[2].kind != PICKLE_TEXT || a[2].text.len == 0 || a[2].text.len > 64, m,
              "a storage's key is no text of 1 to 64 bytes");
    REFUSE_IF(a[4].kind != PICKLE_INT || a[4].integer < 0, m, "a storage's length is no number from 0 to 2^63 - 1");
    if (n == 6 && a[5].kind != PICKLE_NONE)
        return pickle_fail(m, SONDE_UNSUPPORTED, "a storage is a view of another; save it again with a later torch");
    pickle_storage *s = arena_alloc(m->memory, sizeof *s);
    *s = (pickle_storage){ .type = a[1].global, .key = a[2].text.at, .key_len = a[2].text.len, .count = a[4].integer,
                           .offset = (size_t)(m->op - m->from->from), .next = m->from->storages };
    m->from->storages = s;
    *out = (pickle_value){ .kind = PICKLE_STORAGE, .storage = s };
    return SONDE_OK;
}
