#include "subjoiner.h"
#include "room.h"
#include <math.h>

/* ---- words ---- */

static bool letters(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'))) return false;
    return n > 0;
}

typedef enum { NO_WORD, GOES_ON, BEGINS } part_of_word;

static part_of_word part_at(const sonde_context *cx, sonde_prompt p, int64_t i) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    size_t      n;
    const char *text = sonde_token_bytes(cx->model, p.tokens[i], &n);
    if (n > 1 && text[0] == ' ' && letters(text + 1, n - 1)) return BEGINS;
    if (!letters(text, n)) return NO_WORD;
    const bool first = i == 0 || p.tokens[i - 1] == info->bos || p.tokens[i - 1] == info->eos;
    return first ? BEGINS : GOES_ON;
}

static void keep_word(joiner_text *t, int64_t end, int64_t pieces) {
    const int64_t most = t->limits.pieces - 1, before = end - t->limits.from;
    if (pieces > t->limits.pieces || before < pieces - 1) return;
    t->word = room_grow(t->word, t->n, 1, sizeof *t->word);
    t->word[t->n++] = (joiner_word){ pieces, end, before < most ? before : most };
}

static void find_words(joiner_text *t, const sonde_context *cx, sonde_prompt p) {
    for (int64_t i = 0; i < p.n;) {
        const int64_t first = i++;
        if (part_at(cx, p, first) != BEGINS) continue;
        while (i < p.n && part_at(cx, p, i) == GOES_ON) i++;
        keep_word(t, i - 1, i - first);
    }
}

/* Words of one token, evenly spread; all others stay. */
static void thin_singles(joiner_text *t) {
    int64_t singles = 0, at = 0;
    size_t  n = 0;
    for (size_t i = 0; i < t->n; i++) singles += t->word[i].pieces == 1;       /* NOLINT: all n words are filled in */
    const int64_t most = t->limits.singles;
    for (size_t i = 0; i < t->n; i++) {
        const bool single = t->word[i].pieces == 1;
        const bool kept = !single || singles <= most || (at + 1) * most / singles > at * most / singles;
        at += single;
        if (kept) t->word[n++] = t->word[i];
    }
    t->n = n;
}

void joiner_text_open(joiner_text *t, const sonde_context *cx, sonde_prompt p, joiner_limits limits, size_t n_heads) {
    *t = (joiner_text){ .limits = limits, .n_heads = n_heads, .ends = ROOM(int64_t, p.n) };
    find_words(t, cx, p);
    thin_singles(t);
    for (int64_t i = 0; i < p.n; i++) t->ends[i] = -1;
    for (size_t i = 0; i < t->n; i++) t->ends[t->word[i].end] = (int64_t)i;
    t->value = ROOM(double, t->n * n_heads * (size_t)(limits.pieces - 1));
    t->decreasing = ROOM(double, n_heads);
    t->mass = ROOM(double, n_heads);
}

void joiner_text_close(joiner_text *t) {
    free(t->word);
    free(t->ends);
    free(t->value);
    free(t->decreasing);
    free(t->mass);
}

void joiner_text_row(joiner_text *t, size_t head, const head_row *r) {
    const int64_t at = t->ends[r->i], places = t->limits.pieces - 1;
    if (at < 0) return;
    const double all = head_row_mass(r);
    const joiner_word *w = &t->word[at];
    double *near = t->value + ((size_t)at * t->n_heads + head) * (size_t)places;
    for (int64_t k = 1; k <= w->reach && all > 0; k++) near[k - 1] = (double)r->row[r->i - k] / all;
    if (w->pieces < 2) return;
    bool falls = true;
    for (int64_t k = w->pieces - 1; k > 0; k--) {
        falls = falls && r->row[r->i - k] > r->row[r->i - k + 1];
        t->mass[head] += near[k - 1];
    }
    t->decreasing[head] += falls;
}

void joiner_text_numbers(const joiner_text *t, numbers *out) {
    const size_t values = t->n_heads * (size_t)(t->limits.pieces - 1);
    for (size_t h = 0; h < t->n_heads; h++) {
        numbers_add(out, t->decreasing[h]);
        numbers_add(out, t->mass[h]);
    }
    for (size_t i = 0; i < t->n; i++) {
        numbers_add(out, (double)t->word[i].pieces);
        numbers_add(out, (double)t->word[i].reach);
        for (size_t k = 0; k < values; k++) numbers_add(out, t->value[i * values + k]);
    }
}

/* ---- all documents ---- */

void joiner_all_open(joiner_all *a, joiner_limits limits, size_t n_heads) {
    *a = (joiner_all){ .limits = limits, .n_heads = n_heads };
    a->decreasing = ROOM(double, n_heads);
    a->mass = ROOM(double, n_heads);
}

void joiner_all_close(joiner_all *a) {
    free(a->word);
    free(a->value);
    free(a->decreasing);
    free(a->mass);
}

sonde_status joiner_all_add(joiner_all *a, const double *x, size_t n, sonde_error *err) {
    const size_t values = a->n_heads * (size_t)(a->limits.pieces - 1), heads = 2 * a->n_heads;
    SONDE_FAIL_IF(n < heads || (n - heads) % (values + 2) != 0, err, SONDE_FORMAT,
                  "the results file has %zu numbers of words, expected %zu and %zu a word", n, heads, values + 2);
    for (size_t h = 0; h < a->n_heads; h++) {
        a->decreasing[h] += x[2 * h];
        a->mass[h] += x[2 * h + 1];
    }
    const double most = (double)a->limits.pieces;
    for (const double *w = x + heads; w < x + n; w += values + 2) {
        SONDE_FAIL_IF(!(w[0] >= 1 && w[0] <= most && w[1] >= 0 && w[1] <= most - 1), err, SONDE_FORMAT,
                      "the results file has a word of %g tokens that is seen %g tokens back, expected at most %g and %g", w[0], w[1],
                      most, most - 1);
        a->word = room_grow(a->word, a->n, 1, sizeof *a->word);
        a->value = room_grow(a->value, a->n * values, values, sizeof *a->value);
        a->word[a->n] = (joiner_word){ .pieces = (int64_t)w[0], .reach = (int64_t)w[1] };
        a->n_multi += w[0] > 1;
        for (size_t k = 0; k < values; k++) a->value[a->n * values + k] = (float)w[2 + k];
        a->n++;
    }
    return SONDE_OK;
}

/* Words in a dealt order: the first n_multi of them take the lengths of the words of several tokens. */
typedef struct {
    const joiner_all *a;
    int64_t *word;              /* [n]: those of several tokens first */
    int64_t *order;             /* [n] */
    double  *all, *dealt, *own; /* [places, heads]: sums over all words, those dealt a length, these at its own distance */
    double  *n_all, *n_dealt, *n_own;   /* [places] */
} dealing;

static void dealing_open(dealing *d, const joiner_all *a) {
    const size_t places = (size_t)(a->limits.pieces - 1), sums = places * a->n_heads;
    *d = (dealing){ a, ROOM(int64_t, a->n), ROOM(int64_t, a->n), ROOM(double, sums), ROOM(double, sums), ROOM(double, sums),
                    ROOM(double, places), ROOM(double, places), ROOM(double, places) };
    size_t n = 0;
    for (int multi = 1; multi >= 0; multi--)
        for (size_t i = 0; i < a->n; i++)
            if ((a->word[i].pieces > 1) == multi) d->word[n++] = (int64_t)i;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < (size_t)a->word[i].reach; k++) {
            d->n_all[k]++;
            for (size_t h = 0; h < a->n_heads; h++)
                d->all[k * a->n_heads + h] += (double)a->value[(i * a->n_heads + h) * places + k];
        }
}

static void dealing_close(dealing *d) {
    free(d->word);
    free(d->order);
    free(d->all);
    free(d->dealt);
    free(d->own);
    free(d->n_all);
    free(d->n_dealt);
    free(d->n_own);
}

static void add_dealt(dealing *d, size_t slot) {
    const joiner_all *a = d->a;
    const size_t places = (size_t)(a->limits.pieces - 1), heads = a->n_heads, i = (size_t)d->word[d->order[slot]];
    const size_t own = (size_t)a->word[d->word[slot]].pieces - 2;
    for (size_t k = 0; k < (size_t)a->word[i].reach; k++) {
        d->n_dealt[k]++;
        if (k == own) d->n_own[k]++;
        for (size_t h = 0; h < heads; h++) {
            const double v = (double)a->value[(i * heads + h) * places + k];
            d->dealt[k * heads + h] += v;
            if (k == own) d->own[k * heads + h] += v;
        }
    }
}

/* Mean over the words that are dealt a length, at that length's distance, and of the others at the same distances. */
static void dealt_scores(dealing *d, joiner_score *out) {
    const joiner_all *a = d->a;
    const size_t places = (size_t)(a->limits.pieces - 1), heads = a->n_heads;
    memset(d->dealt, 0, places * heads * sizeof *d->dealt);
    memset(d->own, 0, places * heads * sizeof *d->own);
    memset(d->n_dealt, 0, places * sizeof *d->n_dealt);
    memset(d->n_own, 0, places * sizeof *d->n_own);
    for (size_t s = 0; s < a->n_multi; s++) add_dealt(d, s);
    double words = 0;
    for (size_t k = 0; k < places; k++) words += d->n_all[k] > d->n_dealt[k] ? d->n_own[k] : 0;
    for (size_t h = 0; h < heads; h++) {
        double own = 0, others = 0;
        for (size_t k = 0; k < places; k++) {
            const double left = d->n_all[k] - d->n_dealt[k];
            if (!(left > 0)) continue;
            own += d->own[k * heads + h];
            others += d->n_own[k] * (d->all[k * heads + h] - d->dealt[k * heads + h]) / left;
        }
        const bool some = words > 0;
        out[h] = (joiner_score){ .attention = some ? own / words : NAN, .single = some ? others / words : NAN };
        out[h].score = out[h].attention - out[h].single;
    }
}

sonde_status joiner_all_scores(const joiner_all *a, const sonde_context *cx, int64_t times, joiner_score *out, sonde_error *err) {
    dealing d;
    dealing_open(&d, a);
    for (size_t i = 0; i < a->n; i++) d.order[i] = (int64_t)i;
    dealt_scores(&d, out);
    joiner_score *dealt = ROOM(joiner_score, a->n_heads);
    double *sum = ROOM(double, a->n_heads), *squares = ROOM(double, a->n_heads), *least = ROOM(double, a->n_heads), n = 0;
    sonde_status s = SONDE_OK;
    for (int64_t t = 0; t < times && s == SONDE_OK; t++) {
        if (sonde_session_stopped(cx->session)) s = sonde_fail(err, SONDE_CANCELLED, "interrupted");
        sonde_random_order(cx->seed, (uint64_t)t, d.order, (int64_t)a->n);
        dealt_scores(&d, dealt);
        n += !isnan(dealt[0].score);
        for (size_t h = 0; h < a->n_heads && !isnan(dealt[0].score); h++) {
            const double off = dealt[h].score - out[h].score;
            least[h] += off > -1e-12;           /* the same sums in another order may differ in the last bits */
            sum[h] += off;
            squares[h] += off * off;
        }
        cx->progress(cx->progress_user, "permutations", t + 1, times);
    }
    for (size_t h = 0; h < a->n_heads; h++) {
        const double mean = sum[h] / n, sd = sqrt(fmax(squares[h] / n - mean * mean, 0));
        out[h].p = (1 + least[h]) / (1 + n);
        out[h].z = sd > 1e-12 ? -mean / sd : NAN;
        if (isnan(out[h].score)) out[h].p = out[h].z = NAN;
    }
    free(dealt);
    free(sum);
    free(squares);
    free(least);
    dealing_close(&d);
    return s;
}
