/* Behind the blocks: rows of the stream to logits, several lanes' at once; row 0 to the heads that read it alone. */
#include "run_parts.h"
#include <string.h>

enum { MOST_FLOATS = 1 << 24, MOST_ANSWERS = 512 };

int64_t run_rows_of_logits(const sonde_session *s) {
    const int64_t v = arch_answers(&s->model->config);
    int64_t rows = MOST_ANSWERS;
    while (rows > ROWS_OF_LOGITS && (rows * v > MOST_FLOATS || rows * v > workspace_left(s->memory) / 2)) rows /= 2;
    return rows;
}

bool run_wants_row(const lane *l, int64_t position, size_t *next) {
    if (l->every_row) return true;
    while (*next < l->n_rows && l->row[*next] < position) ++*next;
    return *next < l->n_rows && l->row[*next] == position;
}

/* Are logits wanted of a row that goes through the final norm? */
static bool answered(const lane *l, int64_t position) {
    if (l->every_answer || !l->every_row) return true;
    size_t lo = 0, hi = l->n_rows;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (l->row[mid] < position) lo = mid + 1;
        else hi = mid;
    }
    return lo < l->n_rows && l->row[lo] == position;
}

static bool joins(const segment *g, int64_t position) {
    return g->first + g->n == position && position != g->l->lent && answered(g->l, position) == answered(g->l, g->first);
}

int run_wanted_rows(lane *l, int64_t *position, int64_t most, segment *g) {
    int     m = 0;
    size_t  next = 0;
    for (; *position < l->first + l->n && most; ++*position) {
        if (!run_wants_row(l, *position, &next)) continue;
        if (m && joins(&g[m - 1], *position)) g[m - 1].n++;
        else g[m++] = (segment){ .l = l, .slot = BACK, .first = *position, .n = 1 };
        most--;
    }
    return m;
}

/* Behind the last slot: the lane's own stream, or that of the run that it borrows from. */
static const float *stream_behind(const segment *g, int64_t d) {
    const lane *l = g->l;
    return g->first < l->lent ? l->lender->behind + g->first * d : l->x + (g->first - l->first) * d;
}

sonde_status run_back_rows(sonde_session *s, segment *g, int n, bool whole, exec *x, sonde_error *err) {
    const int64_t d = s->model->config.d;
    *x = run_exec(s, (program_key){ .stage = STAGE_BACK, .no_answer = !whole }, -1, g, n);
    SONDE_TRY(workspace_take(s->memory, x->rows * d, &x->value[x->program->in], err));
    for (int i = 0; i < n; i++)
        memcpy(x->value[x->program->in] + g[i].row * d, stream_behind(&g[i], d), (size_t)(g[i].n * d) * sizeof(float));
    return SONDE_OK;
}

bool run_has_back(const arch_config *c) { return c->final_norm || (c->head & (HEAD_LM | HEAD_MLM | HEAD_QA)); }
bool run_has_pool(const arch_config *c) { return c->head & (HEAD_POOLER | HEAD_NSP | HEAD_CLASS); }

/* A classifier's logits, or what the pooler answers, are those of row 0. */
bool run_wants_pool(const lane *l, const arch_config *c) {
    if (!run_has_pool(c)) return false;
    return l->pooled || (!run_has_back(c) && (l->every_row || l->n_rows));
}

sonde_status run_pool_row(sonde_session *s, segment *g, exec *x, sonde_error *err) {
    const int64_t d = s->model->config.d;
    *x = run_exec(s, (program_key){ .stage = STAGE_POOL }, -1, g, 1);
    SONDE_TRY(workspace_take(s->memory, d, &x->value[x->program->in], err));
    memcpy(x->value[x->program->in], g->l->x, (size_t)d * sizeof(float));
    return SONDE_OK;
}

static sonde_status run_pool_stage(sonde_session *s, lane *l, sonde_error *err) {
    const arch_config   *c = &s->model->config;
    const workspace_mark here = workspace_here(s->memory);
    segment              g = { .l = l, .slot = BACK, .first = 0, .n = 1 };
    exec                 x;
    if (l->first > 0 || l->until != l->plan.run.n || !run_wants_pool(l, c)) return SONDE_OK;
    SONDE_TRY(run_pool_row(s, &g, &x, err));
    SONDE_TRY(exec_forward(&x, err));
    if (!run_has_back(c) && l->on_row)
        SONDE_TRY(l->on_row(l->row_user, 0, x.value[x.program->out], err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* Wanted rows that come next, of lane after lane. */
typedef struct { lane *const *lanes; int n, at; int64_t position; bool start; int64_t at_once; } rows_ahead;

static int next_rows(rows_ahead *a, segment *g) {
    int     m = 0;
    int64_t room = a->at_once;
    while (a->at < a->n && room) {
        lane *l = a->lanes[a->at];
        if (a->position < 0) a->position = a->start ? l->first - l->lent : l->first;
        const int more = l->until == l->plan.run.n ? run_wanted_rows(l, &a->position, room, g + m) : 0;
        for (int i = m; i < m + more; i++) room -= g[i].n;
        m += more;
        if (!room) break;
        a->at++;
        a->position = -1;
    }
    return m;
}

static sonde_status give_rows(const segment *g, int n, const float *logits, int64_t v, sonde_error *err) {
    for (int i = 0; i < n && v; i++)
        for (int64_t t = 0; t < g[i].n && g[i].l->on_row; t++)
            SONDE_TRY(g[i].l->on_row(g[i].l->row_user, g[i].first + t, logits + (g[i].row + t) * v, err));
    return SONDE_OK;
}

/* The same where the logits of a few tokens are read: the others are never made. */
static sonde_status give_columns(sonde_session *s, exec *x, const few_tokens *few, sonde_error *err) {
    float *column, *row;
    SONDE_TRY(run_columns(s, x, few, &column, err));
    SONDE_TRY(workspace_take(s->memory, arch_answers(&s->model->config), &row, err));
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++)
        for (int64_t t = 0; t < g->n; t++) {
            for (int i = 0; i < few->n; i++) row[few->token[i]] = column[i * x->rows + g->row + t];
            SONDE_TRY(g->l->on_row(g->l->row_user, g->first + t, row, err));
        }
    return SONDE_OK;
}

/* Segments of which all, or none, have logits that are wanted. */
static sonde_status run_alike(sonde_session *s, segment *g, int n, sonde_error *err) {
    const arch_config *c = &s->model->config;
    few_tokens few;
    exec       x;
    const bool wanted = answered(g->l, g->first), whole = wanted && !run_few_tokens(c, g, n, &few);
    SONDE_TRY(run_back_rows(s, g, n, whole, &x, err));
    SONDE_TRY(exec_forward(&x, err));
    if (!wanted) return SONDE_OK;
    return whole ? give_rows(g, n, x.value[x.program->out], arch_answers(c), err) : give_columns(s, &x, &few, err);
}

static sonde_status run_back_stage(sonde_session *s, rows_ahead ahead, sonde_error *err) {
    segment g[MOST_ANSWERS];
    for (int m; (m = next_rows(&ahead, g)) > 0;)
        for (int at = 0, n; at < m; at += n) {
            const workspace_mark here = workspace_here(s->memory);
            const bool wanted = answered(g[at].l, g[at].first);
            for (n = 1; at + n < m && answered(g[at + n].l, g[at + n].first) == wanted;) n++;
            SONDE_TRY(run_alike(s, g + at, n, err));
            workspace_release(s->memory, here);
        }
    return SONDE_OK;
}

sonde_status run_answers(sonde_session *s, lane *const *lanes, int n, bool start, sonde_error *err) {
    if (run_has_back(&s->model->config)) SONDE_TRY(run_back_stage(s, (rows_ahead){ lanes, n, 0, -1, start, run_rows_of_logits(s) }, err));
    for (int i = 0; i < n; i++) SONDE_TRY(run_pool_stage(s, lanes[i], err));
    return SONDE_OK;
}
