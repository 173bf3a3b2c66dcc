#include "scratch.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct { float *data[SCRATCH_SLOTS]; size_t cap[SCRATCH_SLOTS]; } scratch;

static pthread_key_t  key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void drop(void *p) {
    scratch *s = p;
    for (int i = 0; i < SCRATCH_SLOTS; i++) free(s->data[i]);
    free(s);
}

static void make_key(void) {
    if (pthread_key_create(&key, drop)) abort();
}

float *scratch_floats(scratch_slot slot, size_t n) {
    pthread_once(&once, make_key);
    scratch *s = pthread_getspecific(key);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s || pthread_setspecific(key, s)) abort();
    }
    if (n > s->cap[slot]) {
        free(s->data[slot]);
        s->cap[slot] = (n + 1023) / 1024 * 1024;
        s->data[slot] = aligned_alloc(64, s->cap[slot] * sizeof(float));
        if (!s->data[slot]) abort();
    }
    return s->data[slot];
}
