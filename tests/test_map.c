#include "test.h"
#include "base/map.h"

static void a_put_key_is_found_with_its_value(void) {
    arena *a = arena_new();
    enum { N = 100000 };
    int32_t *key = arena_alloc(a, N * sizeof *key);
    map *m = map_new(a, 0);
    for (int i = 0; i < N; i++) {
        key[i] = i * 7919;
        CHECK(map_put(m, &key[i], sizeof key[i], -i));
    }
    for (int i = 0; i < N; i++) {
        int64_t value = 1;
        const int32_t copy = key[i];
        CHECK(map_get(m, &copy, sizeof copy, &value));
        CHECK_EQ(value, -i);
    }
    for (int i = 0; i + 31 < N; i += 31) {
        map_key some[MAP_AT_ONCE];
        int64_t values[MAP_AT_ONCE];
        const int32_t other = -5;
        for (int k = 0; k < 31; k++) some[k] = (map_key){ &key[i + k], sizeof *key };
        some[31] = (map_key){ &other, sizeof other };
        values[31] = 5;
        map_get_many(m, some, MAP_AT_ONCE, values);
        for (int k = 0; k < 31; k++) CHECK_EQ(values[k], -(i + k));
        CHECK_EQ(values[31], 5);
    }
    const int32_t absent = 1;
    int64_t value = 5;
    CHECK(!map_get(m, &absent, sizeof absent, &value));
    CHECK_EQ(value, 5);
    arena_free(a);
}

static void a_second_put_is_refused_and_changes_nothing(void) {
    arena *a = arena_new();
    map *m = map_new(a, 4);
    int64_t value;
    CHECK(map_put(m, "key", 3, 1));
    CHECK(!map_put(m, "key", 3, 2));
    CHECK(map_get(m, "key", 3, &value));
    CHECK_EQ(value, 1);
    arena_free(a);
}

/* Lengths around the hash's words of eight bytes; prefixes of each other; NULs. */
static void length_and_every_byte_tell_keys_apart(void) {
    arena *a = arena_new();
    map *m = map_new(a, 1);
    static const char zeros[40] = { 0 };
    static char one[40][40];
    int64_t value;
    for (size_t n = 0; n < 40; n++) CHECK(map_put(m, zeros, n, (int64_t)n));
    for (size_t i = 0; i < 40; i++) {
        one[i][i] = 1;
        CHECK(map_put(m, one[i], 40, 100 + (int64_t)i));
    }
    for (size_t n = 0; n < 40; n++) {
        CHECK(map_get(m, zeros, n, &value));
        CHECK_EQ(value, (long long)n);
        CHECK(map_get(m, one[n], 40, &value));
        CHECK_EQ(value, 100 + (long long)n);
    }
    CHECK(!map_get(m, zeros, 40, &value));
    arena_free(a);
}

#define TESTS(X) \
    X(a_put_key_is_found_with_its_value) \
    X(a_second_put_is_refused_and_changes_nothing) \
    X(length_and_every_byte_tell_keys_apart)
TEST_MAIN(TESTS)
