#include "test.h"
#include "base/dtype.h"
#include "base/float_bits.h"
#include "base/sha256.h"
#include <stdlib.h>

#define TRUTH SONDE_SOURCE_DIR "/tests/truth/quants"
enum { BLOCK_TYPES = 23 };

static bool same(float a, float b) { return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b)); }

/* A whole small file of `folder`; 0 if it is not there. */
static size_t read_file(void *to, size_t most, const char *folder, const char *name, const char *end) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    const size_t n = fread(to, 1, most, f);
    fclose(f);
    return n;
}

/* IEEE 754 binary16, from its definition. */
static double half(unsigned h) {
    const int exponent = (int)(h >> 10 & 31);
    const double fraction = h & 1023, sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31) return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void every_f16_widens_exactly(void) {
    static uint16_t in[65536];
    static float out[65536];
    for (unsigned i = 0; i < 65536; i++) in[i] = (uint16_t)i;
    dtype_table[DTYPE_F16].to_f32(out, in, 65536);
    for (unsigned i = 0; i < 65536; i++) {
        const double want = half(i);
        if (isnan(want)) CHECK(isnan(out[i]));
        else CHECK_EQ(bits_of(out[i]), bits_of((float)want));
    }
}

static void every_bf16_is_the_upper_half_of_a_float(void) {
    for (unsigned i = 0; i < 65536; i++) {
        const uint16_t in = (uint16_t)i;
        float out;
        dtype_table[DTYPE_BF16].to_f32(&out, &in, 1);
        CHECK_EQ(bits_of(out), i << 16);
    }
}

/* Three items behind one odd byte: the least, 1, the largest. */
#define CHECK_PLAIN(id, ctype, least, most) do {                                        \
        const ctype in_[3] = { (ctype)(least), (ctype)1, (ctype)(most) };               \
        unsigned char odd_[3 * sizeof(ctype) + 1];                                      \
        float out_[3];                                                                  \
        memcpy(odd_ + 1, in_, sizeof in_);                                              \
        CHECK_EQ(dtype_table[id].bytes, sizeof(ctype));                                 \
        dtype_table[id].to_f32(out_, odd_ + 1, 3);                                      \
        for (int i_ = 0; i_ < 3; i_++) CHECK_EQ(bits_of(out_[i_]), bits_of((float)in_[i_])); \
        if (!dtype_table[id].to_int) break;                                             \
        for (int i_ = 0; i_ < 3; i_++)                                                  \
            CHECK_EQ(dtype_table[id].to_int(odd_ + 1 + i_ * (int)sizeof(ctype)), (int64_t)in_[i_]); \
    } while (0)

static void plain_types_widen_as_c_does_at_any_address(void) {
    CHECK_PLAIN(DTYPE_F64, double, -1e300, 0.1);
    CHECK_PLAIN(DTYPE_F32, float, -3.5f, 1e-45f);
    CHECK_PLAIN(DTYPE_I64, int64_t, INT64_MIN, INT64_MAX);
    CHECK_PLAIN(DTYPE_I32, int32_t, INT32_MIN, INT32_MAX);
    CHECK_PLAIN(DTYPE_I16, int16_t, INT16_MIN, INT16_MAX);
    CHECK_PLAIN(DTYPE_I8, int8_t, INT8_MIN, INT8_MAX);
    CHECK_PLAIN(DTYPE_U64, uint64_t, 0, INT64_MAX);
    CHECK_PLAIN(DTYPE_U32, uint32_t, 0, UINT32_MAX);
    CHECK_PLAIN(DTYPE_U16, uint16_t, 0, UINT16_MAX);
    CHECK_PLAIN(DTYPE_U8, uint8_t, 0, UINT8_MAX);
}

static void booleans_are_zero_or_one(void) {
    const unsigned char in[3] = { 0, 1, 7 };
    float out[3];
    dtype_table[DTYPE_BOOL].to_f32(out, in, 3);
    CHECK(out[0] == 0 && out[1] == 1 && out[2] == 1);
    CHECK_EQ(dtype_table[DTYPE_BOOL].to_int(in + 2), 1);
}

static void floats_have_no_integer_reading(void) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const dtype *t = &dtype_table[i];
        const bool is_float = strchr(t->name, 'F') || t->items > 1;
        CHECK_EQ(t->integer, !is_float);
        CHECK_EQ(t->to_int != NULL, !is_float);
    }
}

/* torch's floats of all 256 bytes. */
static void every_8_bit_float_widens_as_torch_says(void) {
    static const dtype_id types[] = { DTYPE_F8_E4M3, DTYPE_F8_E5M2 };
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    for (int t = 0; t < 2; t++) {
        float want[256], got[256];
        CHECK_EQ((long long)read_file(want, sizeof want, TRUTH, dtype_table[types[t]].name, "f32.bin"), sizeof want);
        dtype_table[types[t]].to_f32(got, bytes, 256);
        for (int i = 0; i < 256; i++)
            if (!same(got[i], want[i]))
                FAIL_("%s %d is %a, expected %a", dtype_table[types[t]].name, i, (double)got[i], (double)want[i]);
    }
}

enum { MOST_BYTES = 4096, MOST_FLOATS = 4096 };

/* Blocks at any address, and one by one, give the floats that lie in the folder; how many types it has. */
static int check_folder(const char *folder) {
    static uint8_t blocks[MOST_BYTES + 1];
    static float   want[MOST_FLOATS], got[MOST_FLOATS + 1];
    int types = 0;
    for (int id = 0; id < DTYPE_COUNT; id++) {
        const dtype *t = &dtype_table[id];
        const size_t bytes = read_file(blocks + 1, MOST_BYTES, folder, t->name, "blocks.bin");
        if (!bytes) continue;
        const size_t n = read_file(want, sizeof want, folder, t->name, "f32.bin") / sizeof *want;
        CHECK_EQ((long long)(bytes / (size_t)t->bytes * (size_t)t->items), (long long)n);
        got[n] = 7;
        t->to_f32(got, blocks + 1, n);
        CHECK(got[n] == 7);
        for (size_t i = 0; i < n; i++)
            if (!same(got[i], want[i]))
                FAIL_("%s %zu is %a, expected %a", t->name, i, (double)got[i], (double)want[i]);
        for (size_t b = 0; b < bytes / (size_t)t->bytes; b++) {
            t->to_f32(got, blocks + 1 + b * (size_t)t->bytes, (size_t)t->items);
            CHECK(memcmp(got, want + b * (size_t)t->items, (size_t)t->items * sizeof *got) == 0);
        }
        types++;
    }
    return types;
}

static void blocks_widen_as_ggml_says(void) {
    CHECK_EQ(check_folder(TRUTH), BLOCK_TYPES);
    const int shared = check_folder(SONDE_SOURCE_DIR "/../shared/data/quants");
    if (!shared) puts("blocks_widen_as_ggml_says: no ../shared/data/quants, the repository's own blocks only");
    else CHECK_EQ(shared, 22);
}

/* SHA-256 of the floats of random blocks, scales that are no number among them (tools/truth/quants.py). */
static void check_hash(const dtype *t, uint32_t blocks, const char *want) {
    const size_t bytes = blocks * (size_t)t->bytes, n = blocks * (size_t)t->items;
    uint8_t *in = malloc(bytes), digest[32];
    float   *out = malloc(n * sizeof *out);
    char     hex[65];
    uint32_t state = (uint32_t)t->gguf;
    for (size_t i = 0; i < bytes; i++) in[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    t->to_f32(out, in, n);
    for (size_t i = 0; i < n; i++)
        if (isnan(out[i])) out[i] = float_of(0x7fc00000);
    sha256     *h = sha256_new();
    sonde_error err;
    sha256_add(h, out, n * sizeof *out);
    const bool hashed = sha256_end(h, digest, &err) == SONDE_OK;
    free(in);
    free(out);
    CHECK(hashed);
    sha256_hex(digest, hex);
    if (strcmp(hex, want) != 0) FAIL_("%s: floats of random blocks hash to %s, expected %s", t->name, hex, want);
}

static void any_bytes_widen_as_gguf_py_says(void) {
    FILE *f = fopen(TRUTH "/hashes.txt", "r");
    CHECK(f);
    char     name[16], want[65];
    unsigned number, items, bytes, blocks, types = 0;
    while (fscanf(f, "%15s %u %u %u %u %64s", name, &number, &items, &bytes, &blocks, want) == 6) {
        dtype_id id;
        CHECK(dtype_of_gguf(number, &id));
        const dtype *t = &dtype_table[id];
        CHECK_STR(t->name, name);
        CHECK_EQ(t->items, items);
        CHECK_EQ(t->bytes, bytes);
        check_hash(t, blocks, want);
        types++;
    }
    fclose(f);
    CHECK_EQ(types, BLOCK_TYPES);
}

static void a_gguf_number_finds_its_type_and_every_known_one_has_a_name(void) {
    static const int  not_read[] = { 4, 5, 9, 15, 31, 32, 33, 36, 37, 38, 41 };
    dtype_id id;
    int      read = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        if (dtype_of_gguf(number, &id)) {
            CHECK_EQ(dtype_table[id].gguf, number);
            CHECK_STR(dtype_gguf_name(number), dtype_table[id].name);
            read++;
            continue;
        }
        bool known = false;
        for (size_t i = 0; i < sizeof not_read / sizeof *not_read; i++) known = known || not_read[i] == (int)number;
        CHECK_EQ(dtype_gguf_name(number) != NULL, known);
    }
    CHECK_EQ(read, BLOCK_TYPES + 8);
    CHECK_STR(dtype_gguf_name(9), "Q8_1");
    CHECK_STR(dtype_gguf_name(31), "Q4_0_4_4");
    CHECK(!dtype_of_gguf(UINT32_MAX, &id) && !dtype_gguf_name(UINT32_MAX));
}

static void no_block_is_longer_than_the_most_items(void) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        CHECK(dtype_table[i].items <= DTYPE_MOST_ITEMS && DTYPE_MOST_ITEMS % dtype_table[i].items == 0);
        CHECK(dtype_table[i].to_f32 && dtype_table[i].bytes > 0);
    }
}

static void every_name_finds_its_row_and_no_other_does(void) {
    dtype_id id;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const bool plain = dtype_table[i].items == 1;       /* blocks are not safetensors's */
        CHECK_EQ(dtype_find(dtype_table[i].name, &id), plain);
        if (plain) CHECK_EQ(id, i);
    }
    CHECK(!dtype_find("f32", &id));
    CHECK(!dtype_find("F8_E8M0", &id));
    CHECK(!dtype_find("", &id));
}

#define TESTS(X) \
    X(every_f16_widens_exactly) \
    X(every_bf16_is_the_upper_half_of_a_float) \
    X(plain_types_widen_as_c_does_at_any_address) \
    X(booleans_are_zero_or_one) \
    X(floats_have_no_integer_reading) \
    X(every_8_bit_float_widens_as_torch_says) \
    X(blocks_widen_as_ggml_says) \
    X(any_bytes_widen_as_gguf_py_says) \
    X(a_gguf_number_finds_its_type_and_every_known_one_has_a_name) \
    X(no_block_is_longer_than_the_most_items) \
    X(every_name_finds_its_row_and_no_other_does)
TEST_MAIN(TESTS)
