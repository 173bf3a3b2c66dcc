#define _GNU_SOURCE
#include "kernel/kern.h"
#include "base/pool.h"
#include "run.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t isa_once = PTHREAD_ONCE_INIT;
static const char    *isa_wanted;
static bool           isa_there = true;

static void choose_isa(void) { isa_there = kern_init(isa_wanted); }

sonde_status sonde_isa_choose(const char *isa, sonde_error *err) {
    static const char *const words[] = { "scalar", "avx2", "avx512", "neon" };
    const kern_table *t = isa ? kern_find(isa) : NULL;
    bool known = !isa;
    for (size_t i = 0; isa && i < sizeof words / sizeof *words; i++) known |= strcmp(isa, words[i]) == 0;
    SONDE_FAIL_IF(!known, err, SONDE_USAGE, "no instruction set is called \"%.40s\", expected scalar, avx2, avx512 or neon", isa);
    SONDE_FAIL_IF(isa && (!t || !t->supported()), err, SONDE_UNSUPPORTED, "this machine has no %s", isa);
    isa_wanted = isa;
    pthread_once(&isa_once, choose_isa);
    SONDE_FAIL_IF(isa && strcmp(kern->isa, isa) != 0, err, SONDE_USAGE, "kernels were chosen before: %s", kern->isa);
    return SONDE_OK;
}

const char *sonde_isa_name(void) {
    pthread_once(&isa_once, choose_isa);
    return kern->isa;
}

const char *sonde_isa_at(size_t i, bool *usable) {
    for (size_t j = 0; j <= i; j++)
        if (!kern_tables[j]) return NULL;
    *usable = kern_tables[i]->supported();
    return kern_tables[i]->isa;
}

static int64_t default_budget(void) {
    const long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    const int64_t free_bytes = pages > 0 && size > 0 ? (int64_t)pages * size : (int64_t)1 << 30;
    return free_bytes / 10 * 8;
}

sonde_status sonde_session_new(sonde_session **out, const sonde_model *m, sonde_session_options o, sonde_error *err) {
    SONDE_FAIL_IF(o.threads < 0 || o.threads > 1024, err, SONDE_USAGE, "threads: %d is outside 0..1024", o.threads);
    SONDE_FAIL_IF(o.memory < 0, err, SONDE_USAGE, "memory: %lld bytes", (long long)o.memory);
    SONDE_FAIL_IF(m->config.layers == 0, err, SONDE_USAGE, "%s: its tokenizer alone was opened, expected a model that runs",
                  m->info.name);
    pthread_once(&isa_once, choose_isa);
    sonde_session *s = calloc(1, sizeof *s);
    if (!s) abort();
    s->model = m;
    s->threads = o.threads ? o.threads : pool_cores();
    s->budget = o.memory ? o.memory : default_budget();
    s->memory = workspace_new(s->budget);
    *out = s;
    return SONDE_OK;
}

void sonde_session_free(sonde_session *s) {
    if (!s) return;
    for (int i = 0; i < s->n_programs; i++) free(s->program[i]);
    workspace_free(s->memory);
    free(s);
}

const sonde_model *sonde_session_model(const sonde_session *s) { return s->model; }

void sonde_session_stop_when(sonde_session *s, bool (*stop)(void *user), void *user) {
    s->stop = stop;
    s->stop_user = user;
}

bool sonde_session_stopped(const sonde_session *s) { return s && s->stop && s->stop(s->stop_user); }
