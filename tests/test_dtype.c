#include "test.h"
#include "base/dtype.h"

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
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
        const bool is_float = strchr(t->name, 'F') != NULL || t->items > 1;
        CHECK_EQ(t->integer, !is_float);
        CHECK_EQ(t->to_int != NULL, !is_float);
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
    CHECK(!dtype_find("F8_E4M3", &id));
    CHECK(!dtype_find("", &id));
}

#define TESTS(X) \
    X(every_f16_widens_exactly) \
    X(every_bf16_is_the_upper_half_of_a_float) \
    X(plain_types_widen_as_c_does_at_any_address) \
    X(booleans_are_zero_or_one) \
    X(floats_have_no_integer_reading) \
    X(every_name_finds_its_row_and_no_other_does)
TEST_MAIN(TESTS)
