#include "answer_spans.h"
#include "sonde/sonde.h"
#include "room.h"
#include <math.h>
#include <stdbool.h>

void span_probs(const float *logits, int column, const uint8_t *counts, int64_t n, double *out) {
    float  *row = ROOM(float, n);
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++)
        if (counts[i]) row[used++] = logits[2 * i + column];
    double *prob = ROOM(double, used);
    if (used) sonde_logits_probs(row, used, sonde_logits_stats(row, used).log_sum, prob);
    used = 0;
    for (int64_t i = 0; i < n; i++) out[i] = counts[i] ? prob[used++] : 0;
    free(prob);
    free(row);
}

size_t spans_best(const span_query *q, size_t most, answer_span *out) {
    size_t found = 0;
    for (int64_t i = 0; i < q->n; i++) {
        for (int64_t k = i; k < q->n && k < i + q->longest && q->inside[i]; k++) {
            const answer_span x = { i, k, q->start[i] * q->end[k] };
            size_t at = found;
            if (!q->inside[k]) continue;
            while (at > 0 && x.score > out[at - 1].score) at--;
            if (at >= most) continue;
            if (found < most) found++;
            memmove(out + at + 1, out + at, (found - at - 1) * sizeof *out);
            out[at] = x;
        }
    }
    return found;
}

static char small(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

static bool same(const char *text, const answer *a, const answer *b) {
    const int64_t n = a->end - a->start;
    if (n != b->end - b->start) return false;
    for (int64_t i = 0; i < n; i++)
        if (small(text[a->start + i]) != small(text[b->start + i])) return false;
    return true;
}

size_t answers_add(answer *list, size_t n, const char *text, answer a) {
    for (size_t i = 0; i < n; i++) {
        if (!same(text, &list[i], &a)) continue;
        list[i].score += a.score;
        return n;
    }
    list[n] = a;
    return n + 1;
}

void answers_sort(answer *list, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const answer x = list[i];
        size_t at = i;
        for (; at > 0 && x.score > list[at - 1].score; at--) list[at] = list[at - 1];
        list[at] = x;
    }
}
