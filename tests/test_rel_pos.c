/* Buckets of relative positions beside transformers', where rounding decides too (tools/truth/buckets.py). */
#include "test.h"
#include "model/rel_pos.h"
#include "truth_buckets.h"

static void agree(const bucket_truth *t, bool behind) {
    const int (*step)[2] = behind ? t->behind : t->before;
    arena      *a = arena_new();
    arch_config c = { .bidirectional = t->both, .buckets = t->buckets, .max_distance = t->most };
    int32_t    *row = arena_new_array(a, int32_t, BUCKET_DISTANCES + 1);
    rel_prepare(&c, a);
    rel_rows(&c, behind, BUCKET_DISTANCES + 1, row);
    int bucket = -1;
    for (int d = behind && t->both; d <= BUCKET_DISTANCES; d++) {
        if ((*step)[0] == d) bucket = (*step++)[1];
        if (row[d] != bucket)
            FAIL_("%d of %d buckets up to %d, %s: %d, expected %d", d, t->buckets, t->most, behind ? "behind" : "before", row[d], bucket);
    }
    CHECK_EQ((*step)[0], -1);
    arena_free(a);
}

static void every_distance_is_in_its_bucket(void) {
    for (size_t i = 0; i < sizeof bucket_truths / sizeof *bucket_truths; i++) {
        agree(&bucket_truths[i], false);
        agree(&bucket_truths[i], true);
    }
}

#define TESTS(X) X(every_distance_is_in_its_bucket)
TEST_MAIN(TESTS)
