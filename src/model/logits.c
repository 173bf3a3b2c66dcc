/* Rows of logits in double, in vocabulary order, with the project's own exp and log. */
#include "sonde/logits.h"
#include "logit_sums.h"
#include "kernel/exact.h"
#include <math.h>
#include <stdbool.h>

static float greatest(const float *logits, int64_t v) {
    float most = -INFINITY;
    for (int64_t i = 0; i < v; i++) most = logits[i] > most ? logits[i] : most;
    return most;
}

logit_sum logits_sum(const float *logits, int64_t v) {
    const double most = greatest(logits, v);
    double sum = 0;
    for (int64_t i = 0; i < v; i++) sum += exact_exp(logits[i] - most);
    return (logit_sum){ most, exact_log(sum) };
}

/* H = log sum e^d - sum d e^d / sum e^d, d = logit - greatest; 0 log 0 = 0. */
logit_sum logits_sum_entropy(const float *logits, int64_t v, double *entropy) {
    const double most = greatest(logits, v);
    double sum = 0, weighted = 0;
    for (int64_t i = 0; i < v; i++) {
        const double d = logits[i] - most, e = exact_exp(d);
        sum += e;
        if (e != 0) weighted += e * d;
    }
    const logit_sum s = { most, exact_log(sum) };
    *entropy = s.rest - weighted / sum;
    return s;
}

double logits_kl(const float *p, logit_sum p_sum, const float *q, logit_sum q_sum, int64_t v) {
    double sum = 0;
    for (int64_t i = 0; i < v; i++) {
        const double log_p = log_prob(p[i], p_sum), here = exact_exp(log_p);
        if (here != 0) sum += here * (log_p - log_prob(q[i], q_sum));
    }
    return sum;
}

sonde_logit_stats sonde_logits_stats(const float *logits, int64_t v) {
    double entropy;
    const logit_sum sum = logits_sum_entropy(logits, v, &entropy);
    sonde_logit_stats s = { .log_sum = sum.most + sum.rest, .entropy_bits = entropy / LN_2 };
    sonde_logits_top(logits, v, 1, &s.argmax);
    return s;
}

double sonde_logits_prob(const float *logits, int64_t v, int32_t id) {
    return exact_exp(log_prob(logits[id], logits_sum(logits, v)));
}

int64_t sonde_logits_rank(const float *logits, int64_t v, int32_t id) {
    int64_t greater = 0;
    for (int64_t i = 0; i < v; i++) greater += logits[i] > logits[id];
    return 1 + greater;
}

double sonde_logits_kl(const float *p, const float *q, int64_t v) {
    return logits_kl(p, logits_sum(p, v), q, logits_sum(q, v), v);
}

double sonde_logits_kl_known(const float *p, double p_log_sum, const float *q, double q_log_sum, int64_t v) {
    return logits_kl(p, (logit_sum){ p_log_sum, 0 }, q, (logit_sum){ q_log_sum, 0 }, v);
}

void sonde_logits_probs(const float *logits, int64_t v, double log_sum, double *out) {
    for (int64_t i = 0; i < v; i++) out[i] = exact_exp((double)logits[i] - log_sum);
}

double sonde_logits_kl_probs(const sonde_known_logits *p, const float *q, double q_log_sum, int64_t v) {
    double sum = 0;
    for (int64_t i = 0; i < v; i++)
        if (p->prob[i] != 0) sum += p->prob[i] * (((double)p->logits[i] - p->log_sum) - ((double)q[i] - q_log_sum));
    return sum;
}

/* Does id a stand behind id b? NaN behind everything. */
static bool behind(const float *x, int32_t a, int32_t b) {
    const bool nan_a = isnan(x[a]), nan_b = isnan(x[b]);
    if (nan_a != nan_b) return nan_a;
    if (!nan_a && x[a] != x[b]) return x[a] < x[b];
    return a > b;
}

/* heap[0] is the one that stands behind all others. */
static void sift(const float *x, int32_t *heap, size_t n, size_t at) {
    for (;;) {
        size_t last = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            if (behind(x, heap[child], heap[last])) last = child;
        if (last == at) return;
        const int32_t t = heap[at];
        heap[at] = heap[last];
        heap[last] = t;
        at = last;
    }
}

static int32_t first(const float *x, int64_t v) {
    int32_t best = 0;
    for (int32_t id = 1; id < v; id++)
        if (x[id] > x[best] || (isnan(x[best]) && !isnan(x[id]))) best = id;
    return best;
}

size_t sonde_logits_top(const float *logits, int64_t v, size_t k, int32_t *out) {
    const size_t n = k < (size_t)v ? k : (size_t)v;
    if (n == 0) return 0;
    if (n == 1) {
        *out = first(logits, v);
        return n;
    }
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)i;
    for (size_t i = n / 2; i-- > 0;) sift(logits, out, n, i);
    for (int32_t id = (int32_t)n; id < v; id++) {
        if (!behind(logits, out[0], id)) continue;
        out[0] = id;
        sift(logits, out, n, 0);
    }
    for (size_t left = n; left > 1; left--) {
        const int32_t t = out[0];
        out[0] = out[left - 1];
        out[left - 1] = t;
        sift(logits, out, left - 1, 0);
    }
    return n;
}
