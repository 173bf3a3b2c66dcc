/* Measures as models/README.md defines them; models/measure.py has the same ones. */
#include "selftest_task.h"
#include "room.h"
#include <math.h>

typedef struct {
    const sonde_task *task;
    const sonde_case *c;
    int64_t           vocab;
    size_t            next;             /* judged position whose logits come next */
    size_t            right;            /* positions where the best id is the next token */
    bool              differs;
    task_count       *count;
} judging;

static bool holds(const sonde_id_list *list, int32_t id) {
    for (size_t i = 0; i < list->n; i++)
        if (list->id[i] == id) return true;
    return false;
}

/* P(set) - P(rest of the universe) */
static double mass_of(const judging *j, const float *logits) {
    const sonde_id_list *set = &j->task->set[j->c->set], *all = &j->task->universe;
    const sonde_logit_stats s = sonde_logits_stats(logits, j->vocab);
    double sum = 0;
    for (size_t i = 0; i < set->n; i++) sum += sonde_logit_prob(logits[set->id[i]], &s);
    for (size_t i = 0; i < all->n; i++)
        if (!holds(set, all->id[i])) sum -= sonde_logit_prob(logits[all->id[i]], &s);
    return sum;
}

/* What counts at the first judged position of a case. */
static void judge_first(judging *j, const float *logits, int32_t best, int32_t next) {
    const sonde_case *c = j->c;
    const bool in_set = c->set >= 0;
    j->count->right += in_set ? holds(&j->task->set[c->set], best) : best == next;
    if (in_set && j->task->universe.n) j->count->mass += mass_of(j, logits);
    if (c->wrong >= 0) j->count->logit_diff += (double)(logits[next] - logits[c->wrong]);
}

static sonde_status judge(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    judging *j = user;
    const sonde_case *c = j->c;
    const int32_t next = c->t[a->first + 1], best = sonde_logits_stats(a->value.data, j->vocab).argmax;
    if (best != c->p[j->next]) {
        j->count->differ++;
        j->differs = true;
    }
    if (j->next == 0) judge_first(j, a->value.data, best, next);
    j->right += best == next;
    j->next++;
    return SONDE_OK;
}

static sonde_status run_case(sonde_session *s, judging *j, sonde_error *err) {
    const sonde_case *c = j->c;
    for (size_t i = 0; i < c->n; i++)
        SONDE_FAIL_IF(c->t[i] >= j->vocab || (c->wrong >= 0 && c->wrong >= j->vocab), err, SONDE_FORMAT,
                      "cases: task %s: an id is not in the vocabulary", j->task->name);
    int64_t *at = ROOM(int64_t, c->n_at);
    for (size_t i = 0; i < c->n_at; i++) at[i] = c->at[i];
    const sonde_prompt  p = { .tokens = c->t, .n = (int64_t)c->n };
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_want    w = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = c->n_at };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1 };
    const sonde_status status = sonde_variants_run(s, &b, judge, j, err);
    free(at);
    return status;
}

sonde_status task_run(sonde_session *s, const sonde_task *t, size_t step, task_count *out, sonde_error *err) {
    *out = (task_count){ 0 };
    for (size_t i = 0; i < t->n; i += step) {
        judging j = { .task = t, .c = &t->cases[i], .vocab = sonde_model_describe(sonde_session_model(s))->vocab, .count = out };
        const size_t before = out->differ;
        SONDE_TRY(run_case(s, &j, err));
        if (j.differs && before == 0) out->first = i;
        out->cases++;
        out->positions += j.c->n_at;
        out->tokens_right += j.right;
        out->whole += j.right == j.c->n_at;
    }
    return SONDE_OK;
}

double task_measure(const task_count *c, const char *name) {
    const double n = (double)c->cases;
    if (!strcmp(name, "argmax") || !strcmp(name, "above")) return (double)c->right / n;
    if (!strcmp(name, "token")) return (double)c->tokens_right / (double)c->positions;
    if (!strcmp(name, "whole")) return (double)c->whole / n;
    if (!strcmp(name, "mass")) return c->mass / n;
    if (!strcmp(name, "logit_diff")) return c->logit_diff / n;
    return (double)NAN;
}
