/* A model computes the same bits whatever its weights are stored as: those of the model whose F32 weights are the floats
 * that the stored ones stand for. Values, gradients, and edits that take heads apart. */
#define _GNU_SOURCE
#include "tiny_model.h"
#include "shot.h"
#include "stored_rows.h"
#include "base/float_bits.h"
#include "format/container.h"
#include "model/model_files.h"
#include "model/weight_table.h"
#include "model/weight_view.h"

static uint32_t seed;

static uint32_t below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static const char *const edits[] = {
    "", "scale:blocks.0.attn.hook_z[:,0]=2", "zero:blocks.1.attn.hook_result[:,1];add:blocks.0.hook_q_input[:,1]=0.1",
};
enum { EDITS = sizeof edits / sizeof *edits };

static void same_run(const setting *a, const setting *b, asked what, const char *told) {
    sonde_session *one = session(a, 1), *two = session(b, 2);
    shot x, y;
    shoot(a, one, what, NULL, &x);
    shoot(b, two, what, NULL, &y);
    CHECK_EQ((long long)x.n, (long long)y.n);
    int64_t other_than_0 = 0;
    for (size_t i = 0; i < x.n; i++)
        for (int64_t j = 0; j < x.site[i].n; j++) {
            if (!same(x.site[i].value[j], y.site[i].value[j]))
                FAIL_("%s: %s[%lld] is %a, expected %a", told, x.site[i].name, (long long)j, (double)y.site[i].value[j],
                      (double)x.site[i].value[j]);
            other_than_0 += x.site[i].value[j] != 0 && isfinite(x.site[i].value[j]);
        }
    if (other_than_0 <= 200) FAIL_("%s: %lld numbers are finite and not 0", told, (long long)other_than_0);
    CHECK(memcmp(&x.metric, &y.metric, sizeof x.metric) == 0);
    drop(&x);
    drop(&y);
    sonde_session_free(one);
    sonde_session_free(two);
}

/* 24 positions are many rows for the products, 3 are few. */
static void same_runs(setting *a, setting *b, const char *told) {
    for (int few = 0; few < 2; few++) {
        a->n = b->n = few ? 3 : 24;
        same_run(a, b, VALUES, told);
        same_run(a, b, GRADIENTS, told);
    }
}

/* ---- files ---- */

/* The largest code whose number is not above |v|, with v's sign: codes of these types ascend. */
static uint32_t code_of(const dtype *t, float v) {
    const uint32_t sign = 1u << (8 * t->bytes - 1);
    uint32_t code = 0;
    for (uint32_t bit = sign >> 1; bit; bit >>= 1) {
        float y;
        t->to_f32(&y, &(uint32_t){ code | bit }, 1);
        if (y <= fabsf(v)) code |= bit;
    }
    return signbit(v) ? code | sign : code;
}

/* v as it is stored, and what that stands for. Integers take v 20 times as large. */
static float store(dtype_id type, float v, uint8_t *to) {
    const dtype *t = &dtype_table[type];
    const double exact = (double)v * (1 + 1e-9);        /* float64 says more than float32 can */
    const int8_t whole = (int8_t)lrintf(fmaxf(-127, fminf(127, 20 * v)));
    const uint32_t code = t->bytes <= 2 && type != DTYPE_I8 ? code_of(t, v) : 0;
    if (type == DTYPE_F64) memcpy(to, &exact, sizeof exact);
    else if (type == DTYPE_I8) memcpy(to, &whole, sizeof whole);
    else if (type == DTYPE_F32) memcpy(to, &v, sizeof v);
    else memcpy(to, &code, (size_t)t->bytes);
    t->to_f32(&v, to, 1);
    return v;
}

typedef struct { sonde_array_spec spec[64]; sonde_array_writer *to; } copy;

static void begin(copy *c, const sonde_array_file *from, const char *folder, bool widened, const dtype_id *types, size_t n) {
    char path[64];
    sonde_error err = { 0 };
    const size_t count = sonde_array_file_count(from);
    CHECK(count <= 64);
    for (size_t i = 0; i < count; i++) {
        c->spec[i] = *sonde_array_file_spec(from, i);
        c->spec[i].dtype = dtype_table[widened ? DTYPE_F32 : types[i % n]].name;
    }
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (sonde_array_writer_open(&c->to, path, (sonde_array_list){ c->spec, count, NULL, 0 }, &err)) FAIL_("%s", err.message);
}

/* A golden model twice: tensor i as types[i mod n] in "stored", what that stands for as F32 in "floats". */
static void write_both(const char *name, const dtype_id *types, size_t n) {
    char path[600], config[4096];
    sonde_error err = { 0 };
    sonde_array_file *from;
    snprintf(path, sizeof path, "%s/model.safetensors", golden(name));
    if (sonde_array_file_open(&from, path, &err)) FAIL_("%s", err.message);
    copy stored, floats;
    begin(&stored, from, "stored", false, types, n);
    begin(&floats, from, "floats", true, types, n);
    for (size_t i = 0; i < sonde_array_file_count(from); i++) {
        const sonde_array_spec *s = sonde_array_file_spec(from, i);
        int64_t items = 1;
        for (int k = 0; k < s->rank; k++) items *= s->dim[k];
        for (int64_t at = 0; at < items; at++) {
            float   v;
            uint8_t bytes[8];
            CHECK_EQ(sonde_array_read(from, i, at, 1, &v, &err), SONDE_OK);
            v = store(types[i % n], v, bytes);
            CHECK_EQ(sonde_array_write(stored.to, i, at, bytes, 1, &err), SONDE_OK);
            CHECK_EQ(sonde_array_write(floats.to, i, at, &v, 1, &err), SONDE_OK);
        }
    }
    CHECK_EQ(sonde_array_writer_close(stored.to, &err), SONDE_OK);
    CHECK_EQ(sonde_array_writer_close(floats.to, &err), SONDE_OK);
    sonde_array_file_close(from);
    snprintf(path, sizeof path, "%s/config.json", golden(name));
    FILE *f = fopen(path, "rb");
    CHECK(f);
    const size_t len = fread(config, 1, sizeof config, f);
    fclose(f);
    tiny_write("stored", "config.json", config, len);
    tiny_write("floats", "config.json", config, len);
}

static void check_file(const char *name, const dtype_id *types, size_t n) {
    write_both(name, types, n);
    for (int e = 0; e < EDITS; e++) {
        setting a, b;
        open_setting(&a, "floats", 3, edits[e]);
        open_setting(&b, "stored", 3, edits[e]);
        same_runs(&a, &b, dtype_table[types[0]].name);
        close_setting(&a);
        close_setting(&b);
    }
}

static void a_file_of_any_type_gives_the_bits_of_its_floats(void) {
    static const dtype_id types[] = { DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_I8 };
    const size_t n = sizeof types / sizeof *types;
    for (size_t i = 0; i < n; i++) check_file("inner", &types[i], 1);
    check_file("three", types, n);
}

static void weights_are_read_and_folded_as_their_floats(void) {
    static const dtype_id types[] = { DTYPE_F64, DTYPE_F8_E4M3, DTYPE_I8, DTYPE_F16 };
    write_both("inner", types, sizeof types / sizeof *types);
    sonde_error err = { 0 };
    setting a, b;
    open_setting(&a, "floats", 24, "");
    open_setting(&b, "stored", 24, "");
    static float x[65536], y[65536];
    for (size_t i = 0; i < sonde_model_weights(a.model); i++) {
        sonde_weight_info w;
        sonde_model_weight(a.model, i, &w);
        size_t n = 1;
        for (int k = 0; k < w.rank; k++) n *= (size_t)w.dim[k];
        CHECK(n <= sizeof x / sizeof *x);
        CHECK_EQ(sonde_model_weight_read(a.model, i, x, &err), SONDE_OK);
        CHECK_EQ(sonde_model_weight_read(b.model, i, y, &err), SONDE_OK);
        CHECK(memcmp(x, y, n * sizeof *x) == 0);
        for (int axis = 0; axis < 2 && w.rank == 2 && !strstr(w.name, ".b_"); axis++) {
            const sonde_weight_part p = { .weight = i, .axis = axis, .first = 1, .n = 5 };
            CHECK_EQ(sonde_model_weight_vectors(a.model, p, x, &err), SONDE_OK);
            CHECK_EQ(sonde_model_weight_vectors(b.model, p, y, &err), SONDE_OK);
            CHECK(memcmp(x, y, 5 * (size_t)w.dim[1 - axis] * sizeof *x) == 0);
        }
    }
    sonde_model *plain[2] = { a.model, b.model };
    CHECK_EQ(sonde_model_fold(plain[0], &a.model, &err), SONDE_OK);
    CHECK_EQ(sonde_model_fold(plain[1], &b.model, &err), SONDE_OK);
    same_run(&a, &b, VALUES, "folded");
    for (int i = 0; i < 2; i++) sonde_model_close(plain[i]);
    close_setting(&a);
    close_setting(&b);
}

/* ---- views of any kind ---- */

enum { MOST_WEIGHTS = 64 };
static stored_rows rows[MOST_WEIGHTS];
static float      *floats[MOST_WEIGHTS];

/* Matrix number i of both models becomes random numbers: in pieces of this type, and as floats. */
static void replace_one(weight *stored, weight *plain, dtype_id type, size_t i) {
    const size_t n = plain->matrix.n, k = plain->matrix.k;
    CHECK(i < MOST_WEIGHTS);
    rows[i].below = below;
    rows[i].most = 0.4f;
    floats[i] = malloc(n * k * sizeof *floats[i]);
    stored->type = type;
    plain->type = DTYPE_F32;
    const bool columns = stored->matrix.columns && below(2);
    stored->matrix = stored_rows_make(&rows[i], type, (kern_weight){ .columns = columns, .n = n, .k = k }, floats[i]);
    plain->matrix = (kern_weight){ .data = floats[i], .type = KERN_F32, .n = n, .k = k, .stride = k * sizeof(float) };
}

static size_t replace_all(sonde_model *stored, sonde_model *plain, dtype_id type) {
    size_t replaced = 0;
    for (int id = 0; id < WEIGHT_COUNT; id++) {
        if (!weight_table[id].name || weight_table[id].kind == WEIGHT_VECTOR) continue;
        const int64_t copies = weight_table[id].block ? plain->config.layers : 1;
        for (int64_t l = 0; l < copies; l++) {
            weight *s = weight_table[id].block ? &stored->block[l][id] : &stored->front[id];
            weight *p = weight_table[id].block ? &plain->block[l][id] : &plain->front[id];
            if (p->stored_as) replace_one(s, p, type, replaced++);
        }
    }
    return replaced;
}

static void pieces_of_any_type_give_the_bits_of_their_floats(void) {
    seed = 3;
    for (int type = 0; type < DTYPE_COUNT; type++) {
        setting a, b;
        open_setting(&a, golden("inner"), 3, edits[type % EDITS]);
        open_setting(&b, golden("inner"), 3, edits[type % EDITS]);
        const size_t n = replace_all(b.model, a.model, (dtype_id)type);
        CHECK(n == 2 + 1 + 2 * 6);
        same_runs(&a, &b, dtype_table[type].name);
        for (size_t i = 0; i < n; i++) {
            stored_rows_free(&rows[i]);
            free(floats[i]);
        }
        close_setting(&a);
        close_setting(&b);
    }
}

/* ---- weight_view ---- */

enum { MOST_ITEM = 4 };

/* Three matrices of 3 outputs, fused, of 4 inputs: element (j, k) of part p stands for the code 40 p + 10 j + k. */
static void put_code(dtype_id type, size_t code, uint8_t *to) {
    const uint32_t bits = bits_of((float)code) >> (type == DTYPE_BF16 ? 16 : 0);
    if (type == DTYPE_F32 || type == DTYPE_BF16) memcpy(to, &bits, (size_t)dtype_table[type].bytes);
    else *to = (uint8_t)code;
}

static void check_parts(dtype_id type, weight_place place) {
    arena *memory = arena_new();
    for (size_t part = 0; part < 3; part++) {
        place.first = 3 * part;
        const kern_weight v = weight_view(memory, &place);
        for (size_t j = 0; j < 3; j++)
            for (size_t k = 0; k < 4; k++) {
                float   got, want;
                uint8_t item[MOST_ITEM];
                put_code(type, part * 40 + j * 10 + k, item);
                dtype_table[type].to_f32(&want, item, 1);
                kern->widen(&got, &v, v.columns ? k : j, v.columns ? j : k, 1);
                CHECK(same(got, want));
            }
    }
    arena_free(memory);
}

static void check_view(dtype_id type, bool columns) {
    const size_t item = (size_t)dtype_table[type].bytes, height = columns ? 4 : 9, width = columns ? 9 : 4;
    const size_t above = height / 2, left = width / 2;
    uint8_t stored[9 * 4 * MOST_ITEM], lefts[9 * 4 * MOST_ITEM], rights[9 * 4 * MOST_ITEM];
    for (size_t r = 0; r < height; r++) {
        for (size_t i = 0; i < width; i++) {
            const size_t out = columns ? i : r, in = columns ? r : i;
            put_code(type, out / 3 * 40 + out % 3 * 10 + in, stored + (r * width + i) * item);
        }
        memcpy(lefts + r * left * item, stored + r * width * item, left * item);
        memcpy(rights + r * (width - left) * item, stored + (r * width + left) * item, (width - left) * item);
    }
    const weight_segment one = { stored, height, 0 };
    const weight_segment below_it[] = { { stored, above, 0 }, { stored + above * width * item, height - above, 0 } };
    const weight_segment beside[] = { { lefts, left, 0 }, { rights, width - left, 0 } };
    weight_place p = { .n = 3, .k = 4, .columns = columns, .all = 9, .type = type, .segment = &one, .segments = 1 };
    check_parts(type, p);
    p.segments = 2;
    p.segment = below_it;
    check_parts(type, p);
    p.segment = beside;
    p.side_by_side = true;
    check_parts(type, p);
}

static void a_view_finds_its_part_in_any_segments(void) {
    static const dtype_id types[] = { DTYPE_F32, DTYPE_BF16, DTYPE_I8, DTYPE_F8_E4M3 };
    for (int i = 0; i < 8; i++) check_view(types[i / 2], i % 2);
}

static void a_view_of_what_products_read_in_place_is_plain(void) {
    static const uint16_t data[6] = { 0 };
    const weight_segment  all = { data, 2, 0 };
    arena *memory = arena_new();
    const kern_weight v = weight_view(memory, &(weight_place){ .n = 2, .k = 3, .type = DTYPE_BF16, .segment = &all,
                                                               .segments = 1 });
    CHECK(v.type == KERN_BF16 && v.data == data && v.stride == 6 && !v.rows);
    arena_free(memory);
}

static void blocks_along_outputs_are_refused(void) {
    sonde_error err = { 0 };
    sonde_model *m = open_or_say(golden("inner"), NULL);
    weights *w = m->files->weights;
    for (size_t i = 0; i < w->n; i++)
        if (strstr(w->tensor[i].name, "h.1.mlp.c_proj.weight")) w->tensor[i].type = DTYPE_Q8_0;
    CHECK_EQ(model_bind(m, &err), SONDE_UNSUPPORTED);
    CHECK_HAS(err.message, "h.1.mlp.c_proj.weight: type is Q8_0, which is of blocks of inputs, and this matrix is stored "
                           "[in, out]; expected it [out, in] or in a type without blocks");
    sonde_model_close(m);
}

#define TESTS(X) \
    X(a_file_of_any_type_gives_the_bits_of_its_floats) \
    X(weights_are_read_and_folded_as_their_floats) \
    X(pieces_of_any_type_give_the_bits_of_their_floats) \
    X(a_view_finds_its_part_in_any_segments) \
    X(a_view_of_what_products_read_in_place_is_plain) \
    X(blocks_along_outputs_are_refused)
TEST_MAIN(TESTS)
