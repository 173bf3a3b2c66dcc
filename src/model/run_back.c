/* Back through a lane: only each slot's input was kept; its program runs forward again (same bits), then back. */
#include "run_parts.h"
#include <string.h>

typedef struct { seed_fn fn; void *user; } seeding;

static bool asked(const lane *l, int at) {
    for (int i = 0; i < SITE_COUNT; i++)
        if (lane_flags(l, at)[i] & FLAG_GRAD) return true;
    return false;
}

/* The first slot that the way back must reach; FRONT if the tables' sites are asked for. */
static int lowest(const lane *l) {
    if (asked(l, FRONT)) return FRONT;
    for (int at = 0; at < l->plan.run.n; at++)
        if (asked(l, at)) return at;
    return l->plan.run.n;
}

/* dx [length, d] = the gradient of the stream behind the last slot. */
static sonde_status back_of_logits(sonde_session *s, lane *l, seed_fn seed, void *user, float *dx, sonde_error *err) {
    const int64_t v = arch_answers(&s->model->config), d = s->model->config.d;
    segment       g[ROWS_OF_LOGITS];
    memset(dx, 0, (size_t)(l->length * d) * sizeof *dx);
    if (!run_has_back(&s->model->config)) return SONDE_OK;
    for (int64_t position = 0;;) {
        const int n = run_wanted_rows(l, &position, g);
        if (!n) return SONDE_OK;
        const workspace_mark here = workspace_here(s->memory);
        exec   x;
        float *dlogits, *back;
        SONDE_TRY(run_back_rows(s, g, n, &x, err));
        x.quiet = true;
        SONDE_TRY(exec_forward(&x, err));
        SONDE_TRY(workspace_take(s->memory, x.rows * v, &dlogits, err));
        memset(dlogits, 0, (size_t)(x.rows * v) * sizeof *dlogits);
        for (int i = 0; i < n; i++)
            for (int64_t t = 0; t < g[i].n; t++)
                seed(user, g[i].first + t, x.value[x.program->out] + (g[i].row + t) * v, dlogits + (g[i].row + t) * v);
        SONDE_TRY(exec_backward(&x, dlogits, &back, err));
        for (int i = 0; i < n; i++)
            memcpy(dx + g[i].first * d, back + g[i].row * d, (size_t)(g[i].n * d) * sizeof *dx);
        workspace_release(s->memory, here);
    }
}

/* dx's row 0 gets what comes through the heads that read it alone. */
static sonde_status back_of_pool(sonde_session *s, lane *l, seeding by, float *dx, sonde_error *err) {
    const arch_config   *c = &s->model->config;
    const workspace_mark here = workspace_here(s->memory);
    segment              g = { .l = l, .slot = BACK, .first = 0, .n = 1 };
    exec                 x;
    float               *dout, *back;
    if (!run_wants_pool(l, c)) return SONDE_OK;
    SONDE_TRY(run_pool_row(s, &g, &x, err));
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    const value_shape out = x.program->value[x.program->out];
    SONDE_TRY(workspace_take(s->memory, out.heads * out.cols, &dout, err));
    memset(dout, 0, (size_t)(out.heads * out.cols) * sizeof *dout);
    if (!run_has_back(c)) by.fn(by.user, 0, x.value[x.program->out], dout);
    SONDE_TRY(exec_backward(&x, dout, &back, err));
    kern->add(dx, dx, back, (size_t)c->d);
    workspace_release(s->memory, here);
    return SONDE_OK;
}

static sonde_status back_of_slot(sonde_session *s, lane *l, int at, float *dx, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const size_t bytes = (size_t)(l->length * s->model->config.d) * sizeof *dx;
    segment      g = { .l = l, .slot = at, .first = 0, .n = l->length };
    exec   x = run_exec(s, lane_key(l, at, true), l->plan.run.at[at].block, &g, 1);
    float *back;
    x.quiet = true;
    SONDE_TRY(workspace_take(s->memory, x.rows * s->model->config.d, &x.value[x.program->in], err));
    memcpy(x.value[x.program->in], l->inputs[at], bytes);
    SONDE_TRY(exec_forward(&x, err));
    SONDE_TRY(exec_backward(&x, dx, &back, err));
    if (back != dx) memcpy(dx, back, bytes);
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* The tables have no inputs: what reaches their sum reaches their sites. */
static sonde_status back_of_front(sonde_session *s, lane *l, float *dx, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    segment g = { .l = l, .slot = FRONT, .first = 0, .n = l->length };
    exec    x = run_exec(s, lane_key(l, FRONT, true), -1, &g, 1);
    float  *none, *room;
    SONDE_TRY(workspace_take(s->memory, 2 * x.rows, &room, err));
    int32_t *position = (int32_t *)(void *)room, *type = position + x.rows;
    for (int64_t t = 0; t < x.rows; t++) {
        position[t] = (int32_t)(t + s->model->config.pos_offset);
        type[t] = l->types ? l->types[t] : 0;
    }
    x.tokens = l->tokens;
    x.positions = position;
    x.types = type;
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    SONDE_TRY(exec_backward(&x, dx, &none, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}

sonde_status lane_run_back(sonde_session *s, lane *l, seed_fn seed, void *user, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const int until = lowest(l);
    float    *dx;
    SONDE_TRY(workspace_take(s->memory, l->length * s->model->config.d, &dx, err));
    SONDE_TRY(back_of_logits(s, l, seed, user, dx, err));
    SONDE_TRY(back_of_pool(s, l, (seeding){ seed, user }, dx, err));
    for (int at = l->plan.run.n - 1; at >= 0 && at >= until; at--) {
        if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
        SONDE_TRY(back_of_slot(s, l, at, dx, err));
    }
    if (until == FRONT) SONDE_TRY(back_of_front(s, l, dx, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}
