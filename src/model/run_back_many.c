/* Several lanes back side by side: rows of all of them in one product, as on the way forward. Each lane's numbers are those
 * that it has alone: sums go over a row's numbers, over outputs, or over the rows of its own attention. */
#include "run_parts.h"
#include <string.h>

bool lanes_alike(const sonde_session *s, lane *const *lanes, int n) {
    const arch_config *c = &s->model->config;
    if (c->encoder || c->buckets || run_has_pool(c) || !run_has_back(c)) return false;
    for (int i = 0; i < n; i++) {
        const slots *run = &lanes[i]->plan.run;
        if (run->n != lanes[0]->plan.run.n || lanes[i]->until != run->n) return false;
        for (int at = 0; at < run->n; at++)
            if (run->at[at].block != lanes[0]->plan.run.at[at].block ||
                !run_same_key(lane_key(lanes[i], at, true), lane_key(lanes[0], at, true)))
                return false;
    }
    return true;
}

sonde_status lanes_keep_blocks(sonde_session *s, lane *const *lanes, int n, sonde_error *err) {
    const size_t bytes = (size_t)lanes[0]->plan.run.n * sizeof *lanes[0]->blocks;
    float       *room;
    (void)n;
    SONDE_TRY(workspace_take(s->memory, (int64_t)(bytes / sizeof *room) + 1, &room, err));
    lanes[0]->blocks = memset(room, 0, bytes);
    return SONDE_OK;
}

typedef struct { sonde_session *s; lane *const *lanes; int n; seed_fn seed; void *const *user; float *dx; } going_back;

/* Whole sequences of all lanes, at a slot. */
static sonde_status whole_lanes(const going_back *b, int at, segment **out, sonde_error *err) {
    SONDE_TRY(run_segments(b->s, b->n, out, err));
    int64_t row = 0;
    for (int i = 0; i < b->n; i++) {
        (*out)[i] = (segment){ .l = b->lanes[i], .slot = at, .first = 0, .n = b->lanes[i]->length, .row = row };
        row += b->lanes[i]->length;
    }
    return SONDE_OK;
}

/* Rows that logits are wanted of, up to ROWS_OF_LOGITS, of lanes from *lane on. */
typedef struct { segment g[ROWS_OF_LOGITS]; row_seed by[ROWS_OF_LOGITS]; int n; } seeded;

static void next_seeded(const going_back *b, int *lane_at, int64_t *position, int64_t *row, seeded *out) {
    const int64_t d = b->s->model->config.d;
    int64_t       room = ROWS_OF_LOGITS;
    out->n = 0;
    while (*lane_at < b->n && room) {
        lane     *l = b->lanes[*lane_at];
        const int more = run_wanted_rows(l, position, room, out->g + out->n);
        for (int i = out->n; i < out->n + more; i++) {
            room -= out->g[i].n;
            out->by[i] = (row_seed){ b->seed, b->user[*lane_at], b->dx + (*row + out->g[i].first) * d };
        }
        out->n += more;
        if (!room) return;
        *row += l->length;
        *position = 0;
        ++*lane_at;
    }
}

static sonde_status back_of_logits(const going_back *b, sonde_error *err) {
    int64_t position = 0, row = 0;
    int     at = 0;
    seeded  rows;
    for (next_seeded(b, &at, &position, &row, &rows); rows.n; next_seeded(b, &at, &position, &row, &rows))
        SONDE_TRY(run_back_of_logits(b->s, rows.g, rows.by, rows.n, err));
    return SONDE_OK;
}

/* The slot's values, as they were kept or made again. */
static sonde_status slot_values(const going_back *b, int at, exec *x, sonde_error *err) {
    const int64_t d = b->s->model->config.d;
    lane *const   first = b->lanes[0];
    segment      *g;
    if (first->blocks && first->blocks[at]) {
        *x = *first->blocks[at];
        x->quiet = true;
        return SONDE_OK;
    }
    SONDE_TRY(whole_lanes(b, at, &g, err));
    *x = run_exec(b->s, lane_key(first, at, true), first->plan.run.at[at].block, g, b->n);
    x->quiet = true;
    SONDE_TRY(workspace_take(b->s->memory, x->rows * d, &x->value[x->program->in], err));
    for (int i = 0; i < b->n; i++)
        memcpy(x->value[x->program->in] + g[i].row * d, g[i].l->inputs[at], (size_t)(g[i].n * d) * sizeof(float));
    return exec_forward(x, err);
}

static sonde_status back_of_slot(const going_back *b, int at, sonde_error *err) {
    const workspace_mark here = workspace_here(b->s->memory);
    exec   x;
    float *back;
    SONDE_TRY(slot_values(b, at, &x, err));
    SONDE_TRY(exec_backward(&x, b->dx, &back, err));
    if (back != b->dx) memcpy(b->dx, back, (size_t)(x.rows * x.config->d) * sizeof *back);
    workspace_release(b->s->memory, here);
    return SONDE_OK;
}

static sonde_status back_of_front(const going_back *b, sonde_error *err) {
    const workspace_mark here = workspace_here(b->s->memory);
    segment *g;
    float   *none;
    SONDE_TRY(whole_lanes(b, FRONT, &g, err));
    exec x = run_exec(b->s, lane_key(b->lanes[0], FRONT, true), -1, g, b->n);
    SONDE_TRY(run_front_rows(b->s, &x, err));
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    SONDE_TRY(exec_backward(&x, b->dx, &none, err));
    workspace_release(b->s->memory, here);
    return SONDE_OK;
}

sonde_status lanes_run_back(sonde_session *s, lane *const *lanes, int n, seed_fn seed, void *const *user, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const int64_t d = s->model->config.d;
    going_back    b = { s, lanes, n, seed, user, NULL };
    int64_t       rows = 0;
    int           until = lanes[0]->plan.run.n;
    for (int i = 0; i < n; i++) {
        const int low = run_lowest(lanes[i]);
        rows += lanes[i]->length;
        if (low < until) until = low;
    }
    SONDE_TRY(workspace_take(s->memory, rows * d, &b.dx, err));
    memset(b.dx, 0, (size_t)(rows * d) * sizeof *b.dx);
    SONDE_TRY(back_of_logits(&b, err));
    for (int at = lanes[0]->plan.run.n - 1; at >= 0 && at >= until; at--) {
        if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
        SONDE_TRY(back_of_slot(&b, at, err));
    }
    if (until == FRONT) SONDE_TRY(back_of_front(&b, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}
