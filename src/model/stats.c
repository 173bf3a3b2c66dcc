#include "sonde/stats.h"
#include "kernel/kern.h"
#include <math.h>

void sonde_stats_add(sonde_stats *s, const float *x, int64_t n) {
    for (int64_t i = 0; i < n && !s->n; i++)
        if (isfinite(x[i])) {
            *s = (sonde_stats){ .shift = (double)x[i], .least = (double)x[i], .most = (double)x[i] };
            break;
        }
    const kern_moments m = kern->moments(x, (float)s->shift, (size_t)n);
    if (m.count == 0) return;
    s->n += (int64_t)m.count;
    s->sum += m.sum;
    s->square += m.square;
    s->least = (double)m.least < s->least ? (double)m.least : s->least;
    s->most = (double)m.most > s->most ? (double)m.most : s->most;
}

double sonde_stats_mean(const sonde_stats *s) { return s->n ? s->shift + s->sum / (double)s->n : (double)NAN; }

double sonde_stats_sd(const sonde_stats *s) {
    if (!s->n) return (double)NAN;
    const double mean = s->sum / (double)s->n;
    return sqrt(fmax(0, s->square / (double)s->n - mean * mean));
}
