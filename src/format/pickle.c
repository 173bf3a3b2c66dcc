/* The opcodes of pickle that torch.save writes, protocols 2 to 5. docs.python.org/3/library/pickletools.html */
#include "pickle_machine.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_GLOBAL = 256, LOWEST_PROTOCOL = 2, HIGHEST_PROTOCOL = 5 };

sonde_status pickle_fail(machine *m, sonde_status status, const char *fmt, ...) {
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return sonde_fail(m->err, status, "offset %td: %s", m->op - m->from->from, text);
}

#define CUT "the pickle ends inside an opcode"

pickle_items *pickle_items_new(machine *m) { return arena_alloc(m->memory, sizeof(pickle_items)); }

/* Room for n items, at least doubled. */
static void reserve(machine *m, pickle_items *items, size_t n) {
    if (n <= items->cap) return;
    size_t cap = items->cap ? items->cap * 2 : 4;
    if (cap < n) cap = n;
    pickle_value *at = arena_new_array(m->memory, pickle_value, cap);
    if (items->n) memcpy(at, items->at, items->n * sizeof *at);
    items->at = at;
    items->cap = cap;
}

static sonde_status push(machine *m, pickle_value v) {
    REFUSE_IF(++m->pushes > PICKLE_MOST_PUSHES, m, "more than %d values are pushed", PICKLE_MOST_PUSHES);
    reserve(m, &m->stack, m->stack.n + 1);
    m->stack.at[m->stack.n++] = v;
    return SONDE_OK;
}

static size_t bottom(const machine *m) { return m->marks ? m->mark[m->marks - 1] : 0; }

#define TOO_FEW "the stack holds too few values"

/* The value on top, NULL if there is none above the topmost mark. A popped one lies there until the next push. */
static pickle_value *top(machine *m) { return m->stack.n > bottom(m) ? &m->stack.at[m->stack.n - 1] : NULL; }

static pickle_value *pop(machine *m) {
    pickle_value *v = top(m);
    if (v) m->stack.n--;
    return v;
}

/* Takes off the topmost mark: the values above it are at[0] to at[n - 1], and no longer on the stack. */
static sonde_status pop_mark(machine *m, pickle_value **at, size_t *n) {
    REFUSE_IF(!m->marks, m, "no mark is on the stack");
    const size_t base = m->mark[--m->marks];
    *at = m->stack.at + base;
    *n = m->stack.n - base;
    m->stack.n = base;
    return SONDE_OK;
}

static sonde_status op_mark(machine *m) {
    REFUSE_IF(++m->pushes > PICKLE_MOST_PUSHES, m, "more than %d values are pushed", PICKLE_MOST_PUSHES);
    if (m->marks == m->mark_cap) {
        const size_t cap = m->mark_cap ? m->mark_cap * 2 : 16;
        size_t *mark = arena_new_array(m->memory, size_t, cap);
        if (m->marks) memcpy(mark, m->mark, m->marks * sizeof *mark);
        m->mark = mark;
        m->mark_cap = cap;
    }
    m->mark[m->marks++] = m->stack.n;
    return SONDE_OK;
}

/* A little-endian number of up to 8 bytes. */
static sonde_status take(machine *m, size_t bytes, uint64_t *out) {
    const uint8_t *p = cursor_take(&m->c, bytes);
    REFUSE_IF(!p, m, CUT);
    *out = 0;
    memcpy(out, p, bytes);
    return SONDE_OK;
}

static sonde_status push_bytes(machine *m, pickle_kind kind, size_t length_bytes) {
    uint64_t n;
    SONDE_TRY(take(m, length_bytes, &n));
    const char *at = (const char *)cursor_take(&m->c, n);
    REFUSE_IF(!at, m, CUT);
    REFUSE_IF(kind == PICKLE_TEXT && !utf8_valid(at, (size_t)n, NULL), m, "a text is not UTF-8");
    return push(m, (pickle_value){ .kind = kind, .hashable = true, .text = { at, (size_t)n } });
}

static sonde_status push_int(machine *m, size_t bytes) {
    uint64_t n;
    SONDE_TRY(take(m, bytes, &n));
    const int64_t value = bytes == 4 ? (int32_t)(uint32_t)n : (int64_t)n;       /* only BININT has a sign */
    return push(m, (pickle_value){ .kind = PICKLE_INT, .hashable = true, .integer = value });
}

static sonde_status push_bool(machine *m, bool value) {
    return push(m, (pickle_value){ .kind = PICKLE_BOOL, .hashable = true, .integer = value });
}

static sonde_status op_none(machine *m) { return push(m, (pickle_value){ .kind = PICKLE_NONE, .hashable = true }); }
static sonde_status op_true(machine *m) { return push_bool(m, true); }
static sonde_status op_false(machine *m) { return push_bool(m, false); }
static sonde_status op_binint(machine *m) { return push_int(m, 4); }
static sonde_status op_binint1(machine *m) { return push_int(m, 1); }
static sonde_status op_binint2(machine *m) { return push_int(m, 2); }
static sonde_status op_short_binunicode(machine *m) { return push_bytes(m, PICKLE_TEXT, 1); }
static sonde_status op_binunicode(machine *m) { return push_bytes(m, PICKLE_TEXT, 4); }
static sonde_status op_binunicode8(machine *m) { return push_bytes(m, PICKLE_TEXT, 8); }
static sonde_status op_short_binbytes(machine *m) { return push_bytes(m, PICKLE_BYTES, 1); }
static sonde_status op_binbytes(machine *m) { return push_bytes(m, PICKLE_BYTES, 4); }

/* Two's complement; what does not fit into 64 bits is kept as its bytes. */
static sonde_status op_long1(machine *m) {
    uint64_t n;
    SONDE_TRY(take(m, 1, &n));
    const uint8_t *p = cursor_take(&m->c, n);
    REFUSE_IF(!p, m, CUT);
    if (n > 8) return push(m, (pickle_value){ .kind = PICKLE_BIG, .hashable = true, .text = { (const char *)p, n } });
    int64_t value = n && p[n - 1] & 0x80 ? -1 : 0;
    if (n) memcpy(&value, p, n);
    return push(m, (pickle_value){ .kind = PICKLE_INT, .hashable = true, .integer = value });
}

static sonde_status op_binfloat(machine *m) {
    uint64_t bits;
    SONDE_TRY(take(m, 8, &bits));
    bits = __builtin_bswap64(bits);             /* the one big-endian number */
    double real;
    memcpy(&real, &bits, sizeof real);
    return push(m, (pickle_value){ .kind = PICKLE_REAL, .hashable = true, .real = real });
}

/* A tuple of these values, which are copied. */
static sonde_status push_tuple(machine *m, const pickle_value *at, size_t n) {
    pickle_items *items = pickle_items_new(m);
    bool hashable = true;
    reserve(m, items, n);
    for (size_t i = 0; i < n; i++) {
        items->at[i] = at[i];
        hashable = hashable && at[i].hashable;
    }
    items->n = n;
    return push(m, (pickle_value){ .kind = PICKLE_TUPLE, .hashable = hashable, .items = items });
}

static sonde_status op_tuple(machine *m) {
    pickle_value *at;
    size_t n;
    SONDE_TRY(pop_mark(m, &at, &n));
    return push_tuple(m, at, n);
}

static sonde_status tuple_of(machine *m, size_t n) {
    REFUSE_IF(m->stack.n - bottom(m) < n, m, TOO_FEW);
    m->stack.n -= n;
    return push_tuple(m, m->stack.at + m->stack.n, n);
}

static sonde_status op_empty_tuple(machine *m) { return tuple_of(m, 0); }
static sonde_status op_tuple1(machine *m) { return tuple_of(m, 1); }
static sonde_status op_tuple2(machine *m) { return tuple_of(m, 2); }
static sonde_status op_tuple3(machine *m) { return tuple_of(m, 3); }

static sonde_status op_empty_list(machine *m) {
    return push(m, (pickle_value){ .kind = PICKLE_LIST, .items = pickle_items_new(m) });
}

static sonde_status op_empty_dict(machine *m) {
    return push(m, (pickle_value){ .kind = PICKLE_DICT, .items = pickle_items_new(m) });
}

/* Appends values to the list or dictionary on top of the stack. The values lie above it, taken off already. */
static sonde_status extend(machine *m, pickle_kind kind, const pickle_value *at, size_t n) {
    pickle_value *into = top(m);
    REFUSE_IF(!into, m, TOO_FEW);
    REFUSE_IF(into->kind != kind, m, kind == PICKLE_LIST ? "appends to something that is no list"
                                                         : "sets items of something that is no dictionary");
    REFUSE_IF(kind == PICKLE_DICT && n % 2, m, "sets a key without a value");
    for (size_t i = 0; kind == PICKLE_DICT && i < n; i += 2)
        REFUSE_IF(!at[i].hashable, m, "a dictionary's key is something that can be none");
    pickle_items *items = into->items;
    reserve(m, items, items->n + n);
    if (n) memcpy(items->at + items->n, at, n * sizeof *at);
    items->n += n;
    return SONDE_OK;
}

static sonde_status extend_by(machine *m, pickle_kind kind, size_t n) {
    REFUSE_IF(m->stack.n - bottom(m) < n, m, TOO_FEW);
    m->stack.n -= n;
    return extend(m, kind, m->stack.at + m->stack.n, n);
}

static sonde_status extend_marked(machine *m, pickle_kind kind) {
    pickle_value *at;
    size_t n;
    SONDE_TRY(pop_mark(m, &at, &n));
    return extend(m, kind, at, n);
}

static sonde_status op_append(machine *m) { return extend_by(m, PICKLE_LIST, 1); }
static sonde_status op_appends(machine *m) { return extend_marked(m, PICKLE_LIST); }
static sonde_status op_setitem(machine *m) { return extend_by(m, PICKLE_DICT, 2); }
static sonde_status op_setitems(machine *m) { return extend_marked(m, PICKLE_DICT); }

/* Memo slots are numbered in the order they are put, so a slot's number is less than the bytes before it. */
static sonde_status put(machine *m, uint64_t slot) {
    const pickle_value *v = top(m);
    REFUSE_IF(!v, m, TOO_FEW);
    REFUSE_IF(slot >= (uint64_t)(m->op - m->begin) || slot >= PICKLE_MOST_PUSHES, m,
              "puts into memo slot %" PRIu64 ", more than there can be", slot);
    reserve(m, &m->memo, (size_t)slot + 1);
    if (slot >= m->memo.n) m->memo.n = (size_t)slot + 1;        /* slots between are zeroed: unset */
    m->memoized += m->memo.at[slot].kind == PICKLE_UNSET;
    m->memo.at[slot] = *v;
    return SONDE_OK;
}

static sonde_status put_sized(machine *m, size_t bytes) {
    uint64_t slot;
    SONDE_TRY(take(m, bytes, &slot));
    return put(m, slot);
}

static sonde_status get_sized(machine *m, size_t bytes) {
    uint64_t slot;
    SONDE_TRY(take(m, bytes, &slot));
    REFUSE_IF(slot >= m->memo.n || m->memo.at[slot].kind == PICKLE_UNSET, m, "gets memo slot %" PRIu64 ", which is empty",
              slot);
    return push(m, m->memo.at[slot]);
}

static sonde_status op_binput(machine *m) { return put_sized(m, 1); }
static sonde_status op_long_binput(machine *m) { return put_sized(m, 4); }
static sonde_status op_binget(machine *m) { return get_sized(m, 1); }
static sonde_status op_long_binget(machine *m) { return get_sized(m, 4); }
static sonde_status op_memoize(machine *m) { return put(m, m->memoized); }

static sonde_status push_name(machine *m, const char *module, size_t module_len, const char *name, size_t name_len) {
    const pickle_name *found = pickle_name_find(module, module_len, name, name_len);
    REFUSE_IF(!found, m, "names %s.%s, which is code to run", text_shown(module, module_len).text,
              text_shown(name, name_len).text);
    return push(m, (pickle_value){ .kind = PICKLE_GLOBAL, .hashable = true, .global = found });
}

/* Up to the end of the line, which is taken too. */
static sonde_status take_line(machine *m, const char **text, size_t *len) {
    const size_t left = (size_t)(m->c.end - m->c.at), n = left < LONGEST_GLOBAL ? left : LONGEST_GLOBAL;
    const uint8_t *at = m->c.at, *end = n ? memchr(at, '\n', n) : NULL;
    REFUSE_IF(!end, m, "a name does not end within %d bytes", LONGEST_GLOBAL);
    *text = (const char *)at;
    *len = (size_t)(end - at);
    m->c.at = end + 1;
    return SONDE_OK;
}

static sonde_status op_global(machine *m) {
    const char *module, *name;
    size_t module_len, name_len;
    SONDE_TRY(take_line(m, &module, &module_len));
    SONDE_TRY(take_line(m, &name, &name_len));
    return push_name(m, module, module_len, name, name_len);
}

static sonde_status op_stack_global(machine *m) {
    const pickle_value *name = pop(m), *module = pop(m);
    REFUSE_IF(!name || !module, m, TOO_FEW);
    REFUSE_IF(name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT, m, "names something by what is no text");
    return push_name(m, module->text.at, module->text.len, name->text.at, name->text.len);
}

static sonde_status op_reduce(machine *m) {
    const pickle_value *args = pop(m), *callee = pop(m);
    pickle_value out;
    REFUSE_IF(!args || !callee, m, TOO_FEW);
    SONDE_TRY(pickle_call(m, callee, args, &out));
    return push(m, out);
}

static sonde_status op_binpersid(machine *m) {
    const pickle_value *id = pop(m);
    pickle_value out;
    REFUSE_IF(!id, m, TOO_FEW);
    SONDE_TRY(pickle_persistent(m, id, &out));
    return push(m, out);
}

/* The attributes of a state_dict (_metadata) say nothing about its tensors. */
static sonde_status op_build(machine *m) {
    const pickle_value *state = pop(m), *object = top(m);
    REFUSE_IF(!state || !object, m, TOO_FEW);
    REFUSE_IF(object->kind != PICKLE_DICT || !object->items->ordered || state->kind != PICKLE_DICT, m,
              "sets attributes of something that is no OrderedDict");
    return SONDE_OK;
}

static sonde_status op_proto(machine *m) {
    uint64_t protocol;
    SONDE_TRY(take(m, 1, &protocol));
    REFUSE_IF(m->op != m->begin, m, "opcode 0x80 stands in the middle of the pickle");
    REFUSE_IF(protocol < LOWEST_PROTOCOL || protocol > HIGHEST_PROTOCOL, m,
              "pickle protocol %" PRIu64 " is not read, expected %d to %d", protocol, LOWEST_PROTOCOL, HIGHEST_PROTOCOL);
    return SONDE_OK;
}

static sonde_status op_frame(machine *m) {
    uint64_t n;
    SONDE_TRY(take(m, 8, &n));
    REFUSE_IF(n > (uint64_t)(m->c.end - m->c.at), m, "a frame of %" PRIu64 " bytes runs past the end", n);
    return SONDE_OK;
}

static sonde_status op_stop(machine *m) {
    REFUSE_IF(m->marks || m->stack.n != 1, m, "stops with %zu values and %zu marks on the stack, expected one value",
              m->stack.n, m->marks);
    m->stopped = true;
    return SONDE_OK;
}

typedef sonde_status opcode(machine *m);

static opcode *const opcodes[256] = {
    [0x80] = op_proto, [0x95] = op_frame, ['.'] = op_stop,
    ['N'] = op_none, [0x88] = op_true, [0x89] = op_false,
    ['J'] = op_binint, ['K'] = op_binint1, ['M'] = op_binint2, [0x8a] = op_long1, ['G'] = op_binfloat,
    [0x8c] = op_short_binunicode, ['X'] = op_binunicode, [0x8d] = op_binunicode8, ['C'] = op_short_binbytes,
    ['B'] = op_binbytes,
    ['('] = op_mark, [')'] = op_empty_tuple, ['t'] = op_tuple, [0x85] = op_tuple1, [0x86] = op_tuple2,
    [0x87] = op_tuple3,
    [']'] = op_empty_list, ['a'] = op_append, ['e'] = op_appends, ['}'] = op_empty_dict, ['s'] = op_setitem,
    ['u'] = op_setitems,
    ['q'] = op_binput, ['r'] = op_long_binput, ['h'] = op_binget, ['j'] = op_long_binget, [0x94] = op_memoize,
    ['c'] = op_global, [0x93] = op_stack_global, ['R'] = op_reduce, ['b'] = op_build, ['Q'] = op_binpersid,
};

sonde_status pickle_read(cursor *c, pickle_source *from, arena *memory, pickle_value *out, sonde_error *err) {
    machine m = { .c = *c, .begin = c->at, .op = c->at, .from = from, .memory = memory, .err = err };
    if (m.c.end - m.c.at > PICKLE_LONGEST) m.c.end = m.c.at + PICKLE_LONGEST;
    REFUSE_IF(m.c.at == m.c.end, &m, "nothing is left where a pickle should begin");
    REFUSE_IF(*m.c.at != 0x80, &m, "a pickle of protocol %d to %d begins with byte 0x80",
              LOWEST_PROTOCOL, HIGHEST_PROTOCOL);
    reserve(&m, &m.stack, 16);
    while (!m.stopped) {
        m.op = m.c.at;
        const uint8_t *code = cursor_take(&m.c, 1);
        REFUSE_IF(!code && m.c.end != c->end, &m, "the pickle is longer than %d bytes", PICKLE_LONGEST);
        REFUSE_IF(!code, &m, "the pickle ends without a stop");
        REFUSE_IF(!opcodes[*code], &m, "opcode 0x%02x is not read: files of tensors have no use for it", *code);
        SONDE_TRY(opcodes[*code](&m));
    }
    *out = m.stack.at[0];
    c->at = m.c.at;
    return SONDE_OK;
}

bool pickle_get(const pickle_value *dict, const char *key, pickle_value *out) {
    const size_t len = strlen(key);
    int found = 0;
    for (size_t i = 0; i < dict->items->n; i += 2) {
        const pickle_value *k = &dict->items->at[i];
        if (k->kind != PICKLE_TEXT || k->text.len != len || memcmp(k->text.at, key, len) != 0) continue;
        *out = k[1];
        found++;
    }
    return found == 1;
}
