/* Every row of ops.def: forward against the formula in double, backward against finite differences of that formula, any
 * cut into units the same bits, every instruction set the bits of scalar C, on numbers of every kind. A new operation
 * gives its shapes in `cases` and its formula in tests/ref/ref_op.c; nothing else is written for it. */
#include "test.h"
#include "stored_rows.h"
#include "ref/ref_op.h"
#include "tensor/op.h"
#include <stdlib.h>

enum { T = 5, H = 4, G = 2, E = 3, D = 12, N = 8, S = 7, FIRST = 2, VOCAB = 9, TURN = 6, CHOSEN = 3, MOST = T * H * D };

typedef struct {                    /* shapes of an operation's inputs and output, and what it reads beside them */
    const char *op;
    int64_t     out[4], in[3][4];
    int64_t     n, k;               /* its weight */
    bool        columns, by_inputs, no_bias, pairs;
    sight       sight;              /* of attention; `extra`: with biases of the scores, a sink */
    bool        extra, capped;      /* capped: with a soft cap of scores */
    act_kind    act;
    const char *act_name;
} op_case;

static const op_case cases[] = {
    { .op = "lookup", .out = { 1, 1, T, D }, .in = { { 0 } }, .n = VOCAB, .k = D },
    { .op = "add", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, 1, T, D } } },
    { .op = "copy", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "layer_scale", .out = { 1, 1, T, 1 }, .in = { { 1, 1, T, D } } },
    { .op = "layer_normalize", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, 1, T, 1 } } },
    { .op = "rms_scale", .out = { 1, 1, T, 1 }, .in = { { 1, 1, T, D } } },
    { .op = "rms_normalize", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, 1, T, 1 } } },
    { .op = "rms_normalize", .out = { 1, T, G, D }, .in = { { 1, T, G, D }, { 1, T, G, 1 } } },
    { .op = "affine", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "affine", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .no_bias = true },
    { .op = "linear", .out = { 1, T, 1, N }, .in = { { 1, T, 1, D } }, .n = N, .k = D },
    { .op = "linear", .out = { 1, T, H, 2 }, .in = { { 1, T, H, E } }, .n = N, .k = D, .columns = true },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_GELU_TANH, .act_name = "gelu_tanh" },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_GELU, .act_name = "gelu" },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_SILU, .act_name = "silu" },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_RELU, .act_name = "relu" },
    { .op = "multiply", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, 1, T, D } } },
    { .op = "clamped_glu", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, 1, T, D } } },
    { .op = "largest", .out = { 1, T, 1, CHOSEN }, .in = { { 1, T, 1, D } } },
    { .op = "rotate", .out = { 1, T, H, TURN }, .in = { { 1, T, H, TURN } } },
    { .op = "rotate", .out = { 1, T, H, TURN }, .in = { { 1, T, H, TURN } }, .pairs = true },
    { .op = "rotate", .out = { 1, T, G, TURN + 3 }, .in = { { 1, T, G, TURN + 3 } } },
    { .op = "rotate", .out = { 1, T, G, TURN + 3 }, .in = { { 1, T, G, TURN + 3 } }, .pairs = true },
    { .op = "reorder", .out = { 1, T, H, TURN }, .in = { { 1, T, H, TURN } } },
    { .op = "reorder", .out = { 1, T, G, TURN + 3 }, .in = { { 1, T, G, TURN + 3 } } },
#define SEEN(...) .sight = { .first = FIRST, __VA_ARGS__ }
    { .op = "scores", .out = { 1, H, T, S }, .in = { { 1, T, H, E }, { 1, S, G, E } }, SEEN(0) },
    { .op = "scores", .out = { 1, H, T, S }, .in = { { 1, T, H, E }, { 1, S, G, E } }, SEEN(.window = 3), .extra = true },
    { .op = "scores", .out = { 1, H, T, S }, .in = { { 1, T, H, E }, { 1, S, G, E } }, SEEN(.every = true), .extra = true },
    { .op = "softmax", .out = { 1, H, T, S }, .in = { { 1, H, T, S } }, SEEN(0) },
    { .op = "softmax", .out = { 1, H, T, S }, .in = { { 1, H, T, S } }, SEEN(.window = 2), .extra = true },
    { .op = "softmax", .out = { 1, H, T, S }, .in = { { 1, H, T, S } }, SEEN(.every = true) },
    { .op = "mix", .out = { 1, T, H, E }, .in = { { 1, H, T, S }, { 1, S, G, E } }, SEEN(0) },
    { .op = "mix", .out = { 1, T, H, E }, .in = { { 1, H, T, S }, { 1, S, G, E } }, SEEN(.window = 1) },
    { .op = "mix", .out = { 1, T, H, E }, .in = { { 1, H, T, S }, { 1, S, G, E } }, SEEN(.every = true) },
#define ATTEND .op = "attend", .out = { 1, T, H, E }, .in = { { 1, T, H, E }, { 1, S, G, E }, { 1, S, G, E } }
    { ATTEND, SEEN(0) },
    { ATTEND, SEEN(.window = 3), .extra = true },
    { ATTEND, SEEN(.every = true), .extra = true },
    { ATTEND, SEEN(0), .capped = true },
    { .op = "reshape", .out = { 1, T, 1, D }, .in = { { 1, T, H, E } } },
    { .op = "times", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "shift", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "clamp", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "soft_cap", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } } },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_TANH, .act_name = "tanh" },
    { .op = "activation", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D } }, .act = ACT_QUICK_GELU, .act_name = "quick_gelu" },
    { .op = "spread", .out = { 1, T, H, D }, .in = { { 1, 1, T, D } } },
    { .op = "edited_copy", .out = { 1, T, H, D }, .in = { { 1, T, H, D } } },
    { .op = "head_linear", .out = { 1, T, H, 2 }, .in = { { 1, T, H, D } }, .n = N, .k = D },
    { .op = "head_linear", .out = { 1, T, H, N }, .in = { { 1, T, H, E } }, .n = N, .k = D, .columns = true, .by_inputs = true, .no_bias = true },
    { .op = "choose", .out = { 1, T, H, E }, .in = { { 1, T, H, E }, { 1, T, H, E } } },
    { .op = "head_delta", .out = { 1, 1, T, D }, .in = { { 1, 1, T, D }, { 1, T, H, D }, { 1, T, H, D } } },
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct {
    op_call     call;
    tensor      out, in[MAX_IN];
    float       data[MAX_IN + 1][MOST], grad[MOST], part[MAX_IN][MOST];
    float       w[N * D + VOCAB * D], gain[D], bias[D], turn[T * TURN];
    kern_weight weight;
    float       more[H * T * S], kept[3 * H * T];
    double      ref_more[H * T * S];
    int32_t     ids[T];
    uint8_t     mask[T * H];
    ref_call    ref;
    double      ref_data[MAX_IN + 1][MOST], ref_w[N * D + VOCAB * D], ref_gain[D], ref_bias[D], ref_angle[T * TURN / 2];
} fixture;

static const float LIMIT = 0.75f;

static uint32_t seed;
static float uniform(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1u << 23) - 1.0f;
}

static const op *find_op(const char *name) {
    for (int i = 0; i < OP_COUNT; i++)
        if (!strcmp(op_table[i]->name, name)) return op_table[i];
    return NULL;
}

static void fill_weights(fixture *f, const op_case *c) {
    for (int64_t j = 0; j < c->n; j++)
        for (int64_t i = 0; i < c->k; i++) {
            const float v = uniform();
            f->w[c->columns ? i * c->n + j : j * c->k + i] = v;
            f->ref_w[j * c->k + i] = (double)v;
        }
    f->weight = (kern_weight){ .data = f->w, .type = KERN_F32, .columns = c->columns, .n = (size_t)c->n, .k = (size_t)c->k,
                               .stride = (size_t)(c->columns ? c->n : c->k) * sizeof(float) };
    for (int i = 0; i < D; i++) {
        f->ref_gain[i] = (double)(f->gain[i] = 1 + 0.5f * uniform());
        f->ref_bias[i] = (double)(f->bias[i] = uniform());
    }
    for (int i = 0; i < T * TURN / 2; i++) {
        f->ref_angle[i] = 3 * (double)uniform();
        f->turn[i / (TURN / 2) * TURN + i % (TURN / 2)] = (float)cos(f->ref_angle[i]);
        f->turn[i / (TURN / 2) * TURN + TURN / 2 + i % (TURN / 2)] = (float)sin(f->ref_angle[i]);
    }
    for (int i = 0; i < H * T * S; i++) f->ref_more[i] = (double)(f->more[i] = uniform());
    for (int i = 0; i < T; i++) f->ids[i] = i * 5 % VOCAB;
    for (int i = 0; i < T * H; i++) f->mask[i] = 1;
}

static op_attr attr_of(fixture *f, const op_case *c, const op *o) {
    const float *bias = c->no_bias ? NULL : f->bias;
    if (o == op_table[OP_lookup]) return (op_attr){ .lookup = { &f->weight, f->ids } };
    if (o == op_table[OP_rotate]) return (op_attr){ .rotate = { f->turn, TURN, c->pairs } };
    if (o == op_table[OP_reorder]) return (op_attr){ .reorder = { TURN } };
    if (o == op_table[OP_layer_scale] || o == op_table[OP_rms_scale]) return (op_attr){ .norm = { 1e-5f } };
    if (o == op_table[OP_affine]) return (op_attr){ .affine = { f->gain, bias } };
    if (o == op_table[OP_linear]) return (op_attr){ .linear = { &f->weight, bias } };
    if (o == op_table[OP_clamped_glu]) return (op_attr){ .clamp = { LIMIT } };
    if (o == op_table[OP_largest]) return (op_attr){ .largest = { CHOSEN } };
    if (o == op_table[OP_activation]) return (op_attr){ .activation = { c->act } };
    if (o == op_table[OP_head_linear])
        return (op_attr){ .head_linear = { &f->weight, bias, c->by_inputs ? HEAD_INPUTS : HEAD_OUTPUTS } };
    if (o == op_table[OP_scores] || o == op_table[OP_softmax] || o == op_table[OP_mix])
        return (op_attr){ .attention = { c->sight, 0.5f, c->extra ? f->more : NULL, c->extra ? f->more : NULL,
                                         c->extra ? f->more : NULL } };
    if (o == op_table[OP_attend])
        return (op_attr){ .attention = { c->sight, 0.5f, c->extra ? f->more : NULL, c->extra ? f->more : NULL,
                                         c->extra ? f->more : NULL, .limit = c->capped ? LIMIT : 0, .kept = f->kept } };
    if (o == op_table[OP_times]) return (op_attr){ .times = { LIMIT } };
    if (o == op_table[OP_clamp] || o == op_table[OP_soft_cap]) return (op_attr){ .clamp = { LIMIT } };
    if (o == op_table[OP_shift]) return (op_attr){ .affine = { NULL, f->bias } };
    return (op_attr){ .pick = { f->mask } };
}

static void make(fixture *f, const op_case *c) {
    const op *o = find_op(c->op);
    memset(f, 0, sizeof *f);
    seed = 7;
    fill_weights(f, c);
    f->ref = (ref_call){ .op = c->op, .w = f->ref_w, .n = c->n, .k = c->k, .heads = H, .by_inputs = c->by_inputs,
                         .gain = f->ref_gain, .bias = c->no_bias ? NULL : f->ref_bias, .eps = (double)1e-5f, .scale = 0.5,
                         .first = c->sight.first, .window = c->sight.window, .every = c->sight.every,
                         .key_bias = c->extra ? f->ref_more : NULL, .row_bias = c->extra ? f->ref_more : NULL,
                         .sink = c->extra ? f->ref_more : NULL, .limit = (double)LIMIT, .capped = c->capped, .factor = (double)LIMIT, .act = c->act_name, .ids = f->ids, .mask = f->mask,
                         .angle = f->ref_angle, .dims = TURN, .pairs = c->pairs };
    f->call = (op_call){ .op = o, .out = &f->out, .attr = attr_of(f, c, o) };
    f->out = (tensor){ .name = "out", .data = f->data[MAX_IN], .grad = f->grad };
    memcpy(f->out.dim, c->out, sizeof c->out);
    memcpy(f->ref.out.dim, c->out, sizeof c->out);
    f->ref.out.data = f->ref_data[MAX_IN];
    for (int i = 0; i < o->n_in; i++) {
        f->in[i] = (tensor){ .name = "in", .data = f->data[i] };
        memcpy(f->in[i].dim, c->in[i], sizeof c->in[i]);
        memcpy(f->ref.in[i].dim, c->in[i], sizeof c->in[i]);
        f->ref.in[i].data = f->ref_data[i];
        f->call.in[i] = &f->in[i];
        f->call.part[i] = f->part[i];
        const bool scale = (o == op_table[OP_layer_normalize] || o == op_table[OP_rms_normalize]) && i == 1;
        for (int64_t k = 0; k < tensor_count(&f->in[i]); k++) {
            f->data[i][k] = scale ? 1.5f + 0.5f * uniform() : uniform();
            f->ref_data[i][k] = (double)f->data[i][k];
        }
    }
    for (int64_t k = 0; k < MOST; k++) f->grad[k] = uniform();
}

static span all(const op_call *c, int which) { return (span){ 0, c->op->units(c, which) }; }

static bool same(float a, double b, double tolerance) {
    if (isinf(b)) return (double)a == b;
    return fabs((double)a - b) <= tolerance * fmax(1, fabs(b));
}

static void every_operation_has_a_case(void) {
    for (int i = 0; i < OP_COUNT; i++) {
        bool found = false;
        for (int j = 0; j < CASES; j++) found |= !strcmp(cases[j].op, op_table[i]->name);
        if (!found) FAIL_("%s has no case here", op_table[i]->name);
        CHECK(op_table[i]->doc && op_table[i]->shape && op_table[i]->units && op_table[i]->fwd && op_table[i]->cost);
        CHECK((op_table[i]->bwd != NULL) == (op_table[i]->n_in > 0));
    }
}

static void forward_is_the_formula(void) {
    static fixture f;
    for (int j = 0; j < CASES; j++) {
        make(&f, &cases[j]);
        CHECK_EQ(f.call.op->shape(&f.call, NULL), SONDE_OK);
        for (int i = 0; i < MAX_DIM; i++) CHECK_EQ(f.out.dim[i], cases[j].out[i]);
        f.call.op->fwd(&f.call, all(&f.call, FORWARD));
        CHECK(ref_op(&f.ref));
        for (int64_t k = 0; k < tensor_count(&f.out); k++)
            if (!same(f.out.data[k], f.ref.out.data[k], 1e-5))
                FAIL_("%s (case %d): element %lld is %g, expected %g", cases[j].op, j, (long long)k, (double)f.out.data[k],
                      f.ref.out.data[k]);
    }
}

/* d <out, probe> / d in[i][k] by central differences of the formula */
static double difference(fixture *f, int i, int64_t k) {
    const double was = f->ref_data[i][k], h = 1e-5;
    double       value[2];
    for (int side = 0; side < 2; side++) {
        f->ref_data[i][k] = side ? was + h : was - h;
        ref_op(&f->ref);
        value[side] = 0;
        for (int64_t e = 0; e < tensor_count(&f->out); e++)
            if (isfinite(f->ref.out.data[e])) value[side] += f->ref.out.data[e] * (double)f->grad[e];
    }
    f->ref_data[i][k] = was;
    return (value[1] - value[0]) / (2 * h);
}

static void backward_is_the_slope_of_the_formula(void) {
    static fixture f;
    for (int j = 0; j < CASES; j++) {
        make(&f, &cases[j]);
        for (int i = 0; i < f.call.op->n_in; i++) {
            for (int k = 0; k < MOST; k++) f.part[i][k] = NAN;         /* bwd writes, it does not add */
            f.call.op->bwd(&f.call, i, all(&f.call, i));
            for (int64_t k = 0; k < tensor_count(&f.in[i]); k++) {
                const double want = difference(&f, i, k);
                if (!(fabs((double)f.part[i][k] - want) <= 2e-5 * fmax(1, fabs(want))))
                    FAIL_("%s (case %d): d/d in[%d][%lld] is %g, expected %g", cases[j].op, j, i, (long long)k,
                          (double)f.part[i][k], want);
            }
        }
    }
}

/* Numbers of every kind: zeros of both signs, subnormals, infinities, NaN, large and small. */
static void spoil(fixture *f) {
    static const float odd[] = { 0.0f, -0.0f, 1e-42f, -1e-42f, INFINITY, -INFINITY, NAN, 3e38f, -1e-30f, 1e19f };
    for (int i = 0; i < f->call.op->n_in; i++)
        for (int64_t k = i; k < tensor_count(&f->in[i]); k += 11) f->data[i][k] = odd[(k / 11) % 10];
    for (int64_t k = 3; k < MOST; k += 17) f->grad[k] = odd[(k / 17) % 10];
}

static bool same_bits(const float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void by_units(fixture *f, int which) {
    const int64_t n = f->call.op->units(&f->call, which);
    for (int64_t u = n - 1; u >= 0; u--) {
        if (which == FORWARD) f->call.op->fwd(&f->call, (span){ u, u + 1 });
        else f->call.op->bwd(&f->call, which, (span){ u, u + 1 });
    }
}

static void any_cut_into_units_gives_the_same_bits(void) {
    static fixture f;
    float whole[MOST];
    for (int odd = 0; odd < 2; odd++)
        for (int j = 0; j < CASES; j++) {
            make(&f, &cases[j]);
            if (odd) spoil(&f);
            for (int which = FORWARD; which < f.call.op->n_in; which++) {
                const int64_t n = tensor_count(which == FORWARD ? &f.out : &f.in[which]);
                float *got = which == FORWARD ? f.out.data : f.part[which];
                if (which == FORWARD) f.call.op->fwd(&f.call, all(&f.call, which));
                else f.call.op->bwd(&f.call, which, all(&f.call, which));
                memcpy(whole, got, (size_t)n * sizeof *got);
                memset(got, 0x55, (size_t)n * sizeof *got);
                by_units(&f, which);
                if (!same_bits(whole, got, n)) FAIL_("%s (case %d, %d)", cases[j].op, j, which);
                memset(got, 0x55, (size_t)n * sizeof *got);
                if (which == FORWARD) op_forward(&f.call, 3);
                else op_backward(&f.call, which, 3);
                if (!same_bits(whole, got, n)) FAIL_("%s (case %d, %d) on threads", cases[j].op, j, which);
            }
        }
}

static void every_instruction_set_gives_the_bits_of_scalar(void) {
    static fixture f;
    static float scalar[CASES][2][MAX_IN + 1][MOST];
    const kern_table *was = kern;
    const kern_table *const *t = kern_tables;
    while (*t) t++;
    for (bool first = true; t != kern_tables; first = false) {      /* scalar is last in the table */
        if (!kern_init((*--t)->isa)) continue;
        for (int odd = 0; odd < 2; odd++)
            for (int j = 0; j < CASES; j++) {
                make(&f, &cases[j]);
                if (odd) spoil(&f);
                f.call.op->fwd(&f.call, all(&f.call, FORWARD));
                for (int i = 0; i < f.call.op->n_in; i++) f.call.op->bwd(&f.call, i, all(&f.call, i));
                for (int i = 0; i <= f.call.op->n_in; i++) {
                    const float  *got = i ? f.part[i - 1] : f.out.data;
                    const int64_t n = tensor_count(i ? &f.in[i - 1] : &f.out);
                    if (first) memcpy(scalar[j][odd][i], got, (size_t)n * sizeof *got);
                    else if (!same_bits(scalar[j][odd][i], got, n)) FAIL_("%s on %s (%d)", cases[j].op, (*t)->isa, i - 1);
                }
            }
    }
    kern = was;
}

/* What was not edited passes its gradient on by the common way only (op_choose.c, op_head_delta.c). */
static void heads_that_were_not_edited_count_once(void) {
    static fixture f;
    for (int j = 0; j < CASES; j++) {
        make(&f, &cases[j]);
        if (!f.call.op->masked) continue;
        memset(f.mask, 0, sizeof f.mask);
        const bool chooses = !strcmp(cases[j].op, "choose");
        const int  passes = !strcmp(cases[j].op, "head_delta") ? 2 : 0;
        f.call.op->bwd(&f.call, passes, all(&f.call, passes));
        for (int64_t k = 0; k < tensor_count(&f.in[passes]); k++)
            CHECK_NEAR((double)f.part[passes][k], chooses ? (double)f.grad[k] : 0, 0);
    }
}

static uint32_t below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

/* Stored in any type and any pieces: the bits of a weight of the floats that this stands for, both ways. */
static void any_stored_weight_gives_the_bits_of_its_floats(void) {
    static fixture f;
    static float   want[MAX_IN + 1][MOST];
    stored_rows    rows = { .below = below, .most = 2 };
    for (int i = 0; i < CASES * DTYPE_COUNT; i++) {
        const op_case *c = &cases[i % CASES];
        if (!c->n) continue;
        make(&f, c);
        seed = (uint32_t)i;
        const bool        columns = strcmp(c->op, "lookup") && below(2);
        const kern_weight stored = stored_rows_make(&rows, (dtype_id)(i / CASES), (kern_weight){
            .columns = columns, .n = (size_t)c->n, .k = (size_t)c->k }, f.w);
        f.weight = (kern_weight){ .data = f.w, .type = KERN_F32, .n = (size_t)c->n, .k = (size_t)c->k,
                                  .stride = (size_t)c->k * sizeof(float) };
        for (int which = 0; which < 2; which++) {
            f.call.op->fwd(&f.call, all(&f.call, FORWARD));
            for (int in = 0; in < f.call.op->n_in; in++) f.call.op->bwd(&f.call, in, all(&f.call, in));
            for (int of = 0; of <= f.call.op->n_in; of++) {
                const float  *got = of ? f.part[of - 1] : f.out.data;
                const int64_t n = tensor_count(of ? &f.in[of - 1] : &f.out);
                if (!which) memcpy(want[of], got, (size_t)n * sizeof *got);
                else if (!same_bits(want[of], got, n)) FAIL_("%s of %s (%d)", c->op, dtype_table[i / CASES].name, of);
            }
            if (!which) f.weight = stored;
            CHECK_NEAR(f.call.op->cost(&f.call).flops > 0, strcmp(c->op, "lookup") != 0, 0);
        }
        stored_rows_free(&rows);
    }
}

static const op_case *case_of(const char *name) {
    int j = 0;
    while (strcmp(cases[j].op, name) != 0) j++;
    return &cases[j];
}

/* Of equal numbers the first is taken; NaN comes behind all others. */
static void the_first_of_equal_numbers_is_the_largest(void) {
    static fixture f;
    static const float row[D] = { 1, 5, 5, NAN, 5, 5, -1, 0, 0, -0.0f, INFINITY, 2 };
    make(&f, case_of("largest"));
    memcpy(f.data[0], row, sizeof row);
    for (int i = D; i < 2 * D; i++) f.data[0][i] = i == 2 * D - 1 ? -INFINITY : NAN;
    f.call.op->fwd(&f.call, all(&f.call, FORWARD));
    static const float want[] = { 1, 2, 10, 0, 1, D - 1 };
    for (int i = 0; i < 2 * CHOSEN; i++) CHECK_NEAR((double)f.out.data[i], (double)want[i], 0);
}

static void wrong_shapes_are_named(void) {
    static fixture f;
    sonde_error err = { 0 };
    make(&f, case_of("linear"));
    f.in[0].dim[3] = D - 1;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "linear: x[.., 11] by w[.., 12]");
    make(&f, case_of("layer_scale"));
    f.call.attr.norm.eps = 0;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "layer_scale: eps is 0, expected above zero");
    make(&f, case_of("rms_scale"));
    f.call.attr.norm.eps = -1;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "rms_scale: eps is -1, expected zero or above");
    make(&f, case_of("rotate"));
    f.call.attr.rotate.dims = TURN + 2;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "rotate: 8 numbers of a head of 6, expected an even number of them");
    make(&f, case_of("reorder"));
    f.call.attr.reorder.dims = TURN - 1;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "reorder: 5 numbers of a head of 6, expected an even number of them");
    make(&f, case_of("clamped_glu"));
    f.call.attr.clamp.limit = 0;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "clamped_glu: limit is 0, expected above zero");
    make(&f, case_of("largest"));
    f.call.attr.largest.k = D + 1;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "largest: 13 numbers of 12");
    make(&f, case_of("multiply"));
    f.in[1].dim[2] = T - 1;
    CHECK_EQ(f.call.op->shape(&f.call, &err), SONDE_USAGE);
    CHECK_STR(err.message, "multiply: axis 2 is 5 and 4");
}

#define TESTS(X) \
    X(every_operation_has_a_case) \
    X(forward_is_the_formula) \
    X(backward_is_the_slope_of_the_formula) \
    X(any_cut_into_units_gives_the_same_bits) \
    X(every_instruction_set_gives_the_bits_of_scalar) \
    X(heads_that_were_not_edited_count_once) \
    X(any_stored_weight_gives_the_bits_of_its_floats) \
    X(the_first_of_equal_numbers_is_the_largest) \
    X(wrong_shapes_are_named)
TEST_MAIN(TESTS)
