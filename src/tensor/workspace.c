#define _GNU_SOURCE
#include "workspace.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { MOST_CHUNKS = 64, PAGE = 1 << 12, HUGE_FROM = 1 << 22 };
static const size_t SMALLEST = (size_t)1 << 18;         /* floats */

typedef struct { float *data; size_t cap; } chunk;

struct workspace {
    chunk          chunk[MOST_CHUNKS];
    size_t         n_chunks;
    workspace_mark top;
    size_t         budget, held;                        /* floats */
};

workspace *workspace_new(int64_t budget) {
    workspace *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->budget = (size_t)budget / sizeof(float);
    return w;
}

void workspace_free(workspace *w) {
    if (!w) return;
    for (size_t i = 0; i < w->n_chunks; i++) free(w->chunk[i].data);
    free(w);
}

/* Fewer faults and fewer misses of the address cache; where there are no huge pages nothing happens. */
static void ask_for_huge_pages(float *data, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t first = (uintptr_t)data, from = (first + PAGE - 1) / PAGE * PAGE, to = (first + bytes) / PAGE * PAGE;
    if (bytes >= HUGE_FROM) (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

static sonde_status grow(workspace *w, size_t n, sonde_error *err) {
    size_t cap = w->held > SMALLEST ? w->held : SMALLEST;       /* doubles, so that few chunks are enough */
    if (w->held + cap > w->budget) cap = w->budget > w->held ? w->budget - w->held : 0;     /* all that is left, in one piece */
    cap = cap / 16 * 16;
    if (cap < n) cap = n;
    float *data = w->held + cap > w->budget || w->n_chunks == MOST_CHUNKS
                      ? NULL : aligned_alloc(64, cap * sizeof *data);
    SONDE_FAIL_IF(!data, err, SONDE_NOMEM, "the run needs %zu MB and more, the budget is %zu MB (--memory)",
                  ((w->held + cap) * sizeof *data >> 20) + 1, w->budget * sizeof *data >> 20);
    ask_for_huge_pages(data, cap * sizeof *data);
    w->chunk[w->n_chunks++] = (chunk){ data, cap };
    w->held += cap;
    return SONDE_OK;
}

sonde_status workspace_take(workspace *w, int64_t n, float **out, sonde_error *err) {
    const size_t want = ((size_t)n + 15) / 16 * 16;
    while (w->top.chunk < w->n_chunks && w->chunk[w->top.chunk].cap - w->top.used < want)
        w->top = (workspace_mark){ w->top.chunk + 1, 0 };
    if (w->top.chunk == w->n_chunks) SONDE_TRY(grow(w, want, err));
    *out = w->chunk[w->top.chunk].data + w->top.used;
    w->top.used += want;
    return SONDE_OK;
}

int64_t workspace_left(const workspace *w) {
    size_t held = 0;
    for (size_t i = w->top.chunk; i < w->n_chunks; i++) held += w->chunk[i].cap;
    return (int64_t)(w->budget - w->held + held - w->top.used);
}

workspace_mark workspace_here(const workspace *w) { return w->top; }
void workspace_release(workspace *w, workspace_mark m) { w->top = m; }

void workspace_trim(workspace *w) {
    const size_t keep = w->top.used ? w->top.chunk + 1 : w->top.chunk;
    while (w->n_chunks > keep) {
        chunk *last = &w->chunk[--w->n_chunks];
        w->held -= last->cap;
        free(last->data);
    }
}
