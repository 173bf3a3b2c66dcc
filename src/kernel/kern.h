/* kern.h - the inner loops, one table per instruction set.
 *
 * Kernels know pointers and lengths, never tensors, threads or memory: what they need beyond their
 * arguments is scratch that the caller passes. kern_init picks one table for the life of the
 * process; kern_tables lists them all so that tests can run every one this machine supports.
 *
 * Every table gives the same bits (NaN counts as NaN, whatever its payload). Every sum has the one
 * order: element k goes to partial sum k mod 16 by fma(x, w, partial), k ascending, partials begin
 * at +0; then lanes 8 apart are added, then 4, 2, 1; then the bias. Subnormals are kept. */
#ifndef SONDE_KERN_H
#define SONDE_KERN_H
#include <stdbool.h>
#include <stddef.h>

/* Types that are read in place, plain and in GGML's blocks. */
#define KERN_PLAIN(X)  X(F32) X(F16) X(BF16)
#define KERN_BLOCKS(X) X(Q8_0) X(Q4_0) X(Q4_K) X(Q5_K) X(Q6_K)

/* How a stored weight becomes a float: exactly. KERN_ROWS: as its kern_rows says. */
#define X(name) KERN_##name,
typedef enum { KERN_PLAIN(X) KERN_BLOCKS(X) KERN_ROWS, KERN_TYPES } kern_type;
#undef X

/* A stretch of memory with stored rows, or with some items of every stored row. */
typedef struct {
    const void *data;
    size_t      stride, count;      /* bytes from one stored row to the next; rows, or items of each */
} kern_piece;

/* Stored rows of any type, in any number of pieces: one below the other (each has `count` rows), or
 * side by side (each has `count` items of every row, whole blocks). They are widened a few at a
 * time into scratch on the stack, and then the products are those of the widened weight. */
typedef struct {
    const kern_piece *piece;
    size_t            pieces;
    bool              side_by_side;
    kern_type         type;         /* KERN_ROWS: by to_f32; another one: as that type */
    void            (*to_f32)(float *out, const void *in, size_t n);    /* n items, whole blocks */
    size_t            items, bytes; /* of a block; items divide KERN_MOST_ITEMS */
} kern_rows;

enum { KERN_MOST_ITEMS = 256 };

/* n outputs, k summed. Element (j, k) of rows lies at data + j*stride + k*size ([out, in], Linear),
 * of columns at data + k*stride + j*size ([in, out], Conv1D). stride is in bytes; data and stride
 * may be any (no alignment). Flipping `columns` and swapping n and k is the transposed weight.
 * Data of a type of blocks begins with one, and every stored row is whole blocks, of which n or k may
 * end inside the last. KERN_ROWS has no data and no stride: stored row i of it is row `row` + i of
 * `rows`, from item `item` on, which may lie inside a block. Blocks may have these three as well. */
typedef struct {
    const void      *data;
    kern_type        type;
    bool             columns;
    size_t           n, k, stride;
    const kern_rows *rows;
    size_t           row, item;
} kern_weight;

/* y[r*ldy + j] = sum_k x[r*ldx + k] w(j, k) + bias[j] for r in [0, rows), j in [lo, hi).
 * The bits of an output depend on its row of x and its row of w, on nothing else here. */
typedef struct {
    float             *y;
    size_t             ldy;       /* floats from one row to the next, as ldx */
    const float       *x;
    size_t             ldx, rows;
    const kern_weight *w;
    const float       *bias;      /* [w->n], or NULL */
    size_t             lo, hi;    /* outputs wanted, lo <= hi <= w->n */
    float             *scratch;   /* kern_product_scratch floats, one thread's own; NULL if 0 */
    const float       *packed;    /* what pack_x made of x, for any lo and hi; NULL: product packs for itself */
} kern_product;

/* sum e^(x - most), sum e^(x - most) (x - most). */
typedef struct { double sum, weighted; } kern_exp_sums;
/* The logarithm of sum e^x: most + rest. */
typedef struct { double most, rest; } kern_log_sum;
/* Of the finite numbers alone: how many, sum (x - shift), sum (x - shift)^2; the least and the greatest of them and shift. */
typedef struct { double sum, square; size_t count; float least, most; } kern_moments;

/* A row of attention, and what it sees of a head of keys and values. Key s lies at k + s*stride of
 * the call if s < split, else at the row's own k + (s - split)*stride; values alike. */
typedef struct {
    const float *q, *k, *v;       /* q [e] */
    const float *key_bias, *bias; /* [s], added to the scaled scores in this order, and read for all
                                   * keys that rows of the call see; NULL: none */
    float       *p, *z;           /* p[s - from]: the score, then the weight of key s; z [e] */
    size_t       lo, hi;          /* keys that it sees */
} kern_row;

/* Keys and values [base, top), base a multiple of 32, as tiles of many rows read them. */
typedef struct { float *keys, *values; size_t base, top; } kern_panels;

/* Rows of one head of keys and values. Those of `panels` are at the same place for all of the rows;
 * the others, all if there are no panels, are read where they lie. */
typedef struct {
    const kern_row *row;
    size_t          rows, e, stride, from;
    const float    *k, *v;
    size_t          split;
    float           scale;
    const kern_panels *panels;
    float          *scratch;      /* kern_attend_scratch floats, one thread's own; NULL without panels */
} kern_attend;

/*  K(result, name, parameters). Arrays may be the same, else they do not overlap. */
#define KERN_MAP(K)                                                                               \
    K(void,  product,        (const kern_product *p))                                             \
    /* fills a->panels (kern_panel_keys, kern_panel_values floats), as row 0 has keys and values */ \
    K(void,  pack_keys,      (const kern_attend *a))                                              \
    K(void,  pack_values,    (const kern_attend *a))                                              \
    /* p[s - from] = scale <q, k_s> + biases for the keys s that a row sees; those around them, in  \
     * [least lo, most hi) of the rows, may be overwritten */                                     \
    K(void,  scores,         (const kern_attend *a))                                              \
    /* z = sum over the keys s that a row sees of p[s - from] v_s: s goes to partial sum s mod 16 */ \
    K(void,  mix,            (const kern_attend *a))                                              \
    /* how many tiles x is packed in where several calls share it; 0: this product packs nothing */ \
    K(size_t, x_tiles,       (const kern_product *p))                                             \
    /* tiles [lo, hi) of x into kern_packed_floats floats, 64-byte aligned */                     \
    K(void,  pack_x,         (const kern_product *p, float *packed, size_t lo, size_t hi))        \
    /* y[i] = the float that element first + i of stored row `row` is */                          \
    K(void,  widen,          (float *y, const kern_weight *w, size_t row, size_t first, size_t n)) \
    /* sum a b; sum (a b) c, a b rounded first; sum x; sum exp(x - shift); sum (x - mean)^2 */    \
    K(float, dot,            (const float *a, const float *b, size_t n))                          \
    K(float, dot3,           (const float *a, const float *b, const float *c, size_t n))          \
    K(float, sum,            (const float *x, size_t n))                                          \
    K(float, sum_exp,        (const float *x, float shift, size_t n))                             \
    K(float, sum_squares,    (const float *x, float mean, size_t n))                              \
    /* NaN if any x is; -inf if n is 0 */                                                         \
    K(float, max,            (const float *x, size_t n))                                          \
    /* y = exp(x - max) / sum; gives max + log(sum), the logarithm of sum exp(x) */               \
    K(float, softmax,        (float *y, const float *x, size_t n))                                \
    /* y = f(x), within 2 ulp */                                                                  \
    K(void,  exp,            (float *y, const float *x, size_t n))                                \
    K(void,  log,            (float *y, const float *x, size_t n))                                \
    K(void,  tanh,           (float *y, const float *x, size_t n))                                \
    K(void,  erf,            (float *y, const float *x, size_t n))                                \
    K(void,  sin,            (float *y, const float *x, size_t n))                                \
    K(void,  cos,            (float *y, const float *x, size_t n))                                \
    /* y = a + b; y = a b; y = fma(a, x, y); y = a x */                                           \
    K(void,  add,            (float *y, const float *a, const float *b, size_t n))                \
    K(void,  mul,            (float *y, const float *a, const float *b, size_t n))                \
    K(void,  axpy,           (float *y, float a, const float *x, size_t n))                       \
    K(void,  scale,          (float *y, float a, const float *x, size_t n))                       \
    /* y = x / s; y = (x - mean) / s; y = x a + b, rounded twice */                               \
    K(void,  divide,         (float *y, const float *x, float s, size_t n))                       \
    K(void,  normalize,      (float *y, const float *x, float mean, float s, size_t n))           \
    K(void,  affine,         (float *y, const float *x, const float *a, const float *b, size_t n)) \
    /* y = f(x); dx = dy f'(x) */                                                                 \
    K(void,  gelu_tanh,      (float *y, const float *x, size_t n))                                \
    K(void,  gelu_erf,       (float *y, const float *x, size_t n))                                \
    K(void,  silu,           (float *y, const float *x, size_t n))                                \
    K(void,  relu,           (float *y, const float *x, size_t n))                                \
    K(void,  gelu_tanh_grad, (float *dx, const float *x, const float *dy, size_t n))              \
    K(void,  gelu_erf_grad,  (float *dx, const float *x, const float *dy, size_t n))              \
    K(void,  silu_grad,      (float *dx, const float *x, const float *dy, size_t n))              \
    K(void,  relu_grad,      (float *dx, const float *x, const float *dy, size_t n))              \
    /* In double, in ascending order without fma; e^x of x <= 0 is exact_exp's, 0 below -700. */   \
    K(kern_exp_sums, exp_sums, (const float *x, double most, size_t n))                           \
    K(void,  probs,          (double *y, const float *x, kern_log_sum s, size_t n))               \
    /* sum p (log p - log q); prob: p's, known */                                                 \
    K(double, kl,            (const float *p, kern_log_sum ps, const float *q, kern_log_sum qs, size_t n)) \
    K(double, kl_known,      (const double *prob, const float *p, kern_log_sum ps, const float *q,  \
                              kern_log_sum qs, size_t n))                                         \
    /* sums by the one order */                                                                   \
    K(kern_moments, moments, (const float *x, float shift, size_t n))                             \
    /* the first i >= from with x[i] > limit, n: none; how many there are */                      \
    K(size_t, next_above,    (const float *x, float limit, size_t from, size_t n))                \
    K(size_t, count_above,   (const float *x, float limit, size_t n))                             \
    /* references of kern_bench: chains of fma (gives operations done), a buffer read in order */ \
    K(double, peak_fma,      (float *out, size_t steps))                                          \
    K(float, peak_read,      (const void *data, size_t floats))

typedef struct {
    const char *isa;
    bool      (*supported)(void);
#define K(result, name, params) result (*name) params;
    KERN_MAP(K)
#undef K
} kern_table;

extern const kern_table *kern;                  /* scalar until kern_init */
extern const kern_table *const kern_tables[];   /* best first, NULL-terminated */

const kern_table *kern_find(const char *isa);   /* NULL: no such word */
bool kern_init(const char *isa);                /* NULL: the best; false: unknown or unsupported */

/* Floats of scratch for any product by this weight of at most this many rows and outputs (hi - lo),
 * on any instruction set; no less for a weight with more to sum. */
size_t kern_product_scratch(const kern_weight *w, size_t rows, size_t n);

/* Of panels of so many keys of e numbers; of scores and mix of so many rows with such panels. */
size_t kern_panel_keys(size_t e, size_t keys);
size_t kern_panel_values(size_t e, size_t keys);
size_t kern_attend_scratch(size_t rows, size_t e, size_t keys);
/* Floats that so many packed rows of x take, and the scratch of a product that has them. */
size_t kern_packed_floats(size_t rows, size_t k);
size_t kern_panel_scratch(const kern_weight *w, size_t n);
/* Rows of x that are best packed at once: the product rereads them for every group of outputs. */
size_t kern_rows_at_once(size_t k);
#endif
