#include "rel_pos.h"
#include "kernel/exact.h"

int64_t rel_buckets(const arch_config *c) { return c->bidirectional ? c->buckets / 2 : c->buckets; }

/* log in float32 of the float32 quotient, its quotient by a constant and the product, each rounded. */
static int64_t bucket_of(const arch_config *c, int64_t distance) {
    const int64_t n = rel_buckets(c), each = n / 2;
    if (distance < each) return distance;
    const float span = (float)exact_log((double)c->max_distance / (double)each);
    const float log = (float)exact_log((double)((float)distance / (float)each));
    const int64_t at = each + (int64_t)(log / span * (float)(n - each));
    return at < n ? at : n - 1;
}

void rel_prepare(arch_config *c, arena *a) {
    const int64_t n = rel_buckets(c);
    if (!c->buckets) return;
    int64_t *from = arena_new_array(a, int64_t, (size_t)n);
    for (int64_t b = 1; b < n; b++) {
        int64_t lo = from[b - 1], hi = c->max_distance;         /* bucket_of(hi) >= b: it is the last one */
        while (lo < hi) {
            const int64_t mid = lo + (hi - lo) / 2;
            if (bucket_of(c, mid) < b) lo = mid + 1;
            else hi = mid;
        }
        from[b] = lo;
    }
    c->bucket_from = from;
}

void rel_rows(const arch_config *c, bool behind, int64_t n, int32_t *out) {
    const int64_t most = rel_buckets(c);
    const int32_t base = behind && c->bidirectional ? (int32_t)most : 0;
    int64_t b = 0;
    for (int64_t d = 0; d < n; d++) {
        while (b + 1 < most && c->bucket_from[b + 1] <= d) b++;
        out[d] = base + (int32_t)(behind && !c->bidirectional ? 0 : b);
    }
}
