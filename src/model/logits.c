/* Rows of logits in double, summed in the order of the vocabulary, with the project's own exp and log. */
#include "sonde/logits.h"
#include "logit_sums.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include <math.h>
#include <stdbool.h>

static kern_log_sum for_kernels(logit_sum s) { return (kern_log_sum){ s.most, s.rest }; }
static kern_log_sum known(double log_sum) { return (kern_log_sum){ log_sum, 0 }; }

/* NaN where any is: then every sum is NaN too. */
static logit_sum sum_below(const float *logits, double most, int64_t v, double *entropy) {
    const kern_exp_sums e = kern->exp_sums(logits, most, (size_t)v);
    const logit_sum     s = { most, exact_log(e.sum) };
    if (entropy) *entropy = s.rest - e.weighted / e.sum;
    return s;
}

logit_sum logits_sum(const float *logits, int64_t v) { return sum_below(logits, kern->max(logits, (size_t)v), v, NULL); }

/* H = log sum e^d - sum d e^d / sum e^d, d = logit - greatest; 0 log 0 = 0. */
logit_sum logits_sum_entropy(const float *logits, int64_t v, double *entropy) {
    return sum_below(logits, kern->max(logits, (size_t)v), v, entropy);
}

double logits_kl(const float *p, logit_sum p_sum, const float *q, logit_sum q_sum, int64_t v) {
    return kern->kl(p, for_kernels(p_sum), q, for_kernels(q_sum), (size_t)v);
}

sonde_logit_stats sonde_logits_stats(const float *logits, int64_t v) {
    sonde_logit_stats s = { .argmax = 0 };
    double entropy;
    sonde_logits_top(logits, v, 1, &s.argmax);
    const logit_sum sum = logits_sum_entropy(logits, v, &entropy);
    s.log_sum = sum.most + sum.rest;
    s.greatest = sum.most;
    s.rest = sum.rest;
    s.entropy_bits = entropy / LN_2;
    return s;
}

double sonde_logit_prob(float logit, const sonde_logit_stats *s) {
    return exact_exp(log_prob(logit, (logit_sum){ s->greatest, s->rest }));
}

double sonde_logits_prob(const float *logits, int64_t v, int32_t id) {
    return exact_exp(log_prob(logits[id], logits_sum(logits, v)));
}

int64_t sonde_logits_rank(const float *logits, int64_t v, int32_t id) {
    return 1 + (int64_t)kern->count_above(logits, logits[id], (size_t)v);
}

double sonde_logits_kl(const float *p, const float *q, int64_t v) {
    return logits_kl(p, logits_sum(p, v), q, logits_sum(q, v), v);
}

double sonde_logits_kl_known(const float *p, double p_log_sum, const float *q, double q_log_sum, int64_t v) {
    return kern->kl(p, known(p_log_sum), q, known(q_log_sum), (size_t)v);
}

void sonde_logits_probs(const float *logits, int64_t v, double log_sum, double *out) {
    kern->probs(out, logits, known(log_sum), (size_t)v);
}

double sonde_logits_kl_probs(const sonde_known_logits *p, const float *q, double q_log_sum, int64_t v) {
    return kern->kl_known(p->prob, p->logits, known(p->log_sum), q, known(q_log_sum), (size_t)v);
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

/* The first id from `from` on that the one behind all others, a lower id, stands behind; v: none. */
static int32_t next_before(const float *x, int64_t v, int32_t last, int32_t from) {
    if (!isnan(x[last])) return (int32_t)kern->next_above(x, x[last], (size_t)from, (size_t)v);
    while (from < v && isnan(x[from])) from++;
    return from;
}

size_t sonde_logits_top(const float *logits, int64_t v, size_t k, int32_t *out) {
    const size_t n = k < (size_t)v ? k : (size_t)v;
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)i;
    for (size_t i = n / 2; i-- > 0;) sift(logits, out, n, i);
    for (int32_t id = (int32_t)n; (id = next_before(logits, v, out[0], id)) < v; id++) {
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
