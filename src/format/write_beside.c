#include "write_beside.h"
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 64 };

typedef struct { uint64_t offset; size_t n; const void *bytes; } piece;

struct write_beside {
    file_out       *out;
    pthread_t       thread;
    pthread_mutex_t lock;               /* guards everything below */
    pthread_cond_t  more, less;
    piece           slot[SLOTS];
    uint64_t        put, written;       /* pieces so far */
    bool            end;
    sonde_status    status;             /* of the first write that failed */
    sonde_error     err;
};

static void *write_pieces(void *arg) {
    write_beside *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->put == w->written && !w->end) pthread_cond_wait(&w->more, &w->lock);
        if (w->put == w->written) break;
        const piece p = w->slot[w->written % SLOTS];
        if (w->status == SONDE_OK) {
            sonde_error err = { 0 };
            pthread_mutex_unlock(&w->lock);
            const sonde_status s = file_out_write_at(w->out, p.offset, p.bytes, p.n, &err);
            pthread_mutex_lock(&w->lock);
            w->status = s;
            w->err = err;
        }
        w->written++;
        if (w->put == w->written || w->put - w->written == SLOTS - 1) pthread_cond_signal(&w->less);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void forget(write_beside *w) {
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
    pthread_cond_destroy(&w->less);
    free(w);
}

write_beside *write_beside_new(file_out *out) {
    write_beside *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->out = out;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    pthread_cond_init(&w->less, NULL);
    if (pthread_create(&w->thread, NULL, write_pieces, w) == 0) return w;
    forget(w);
    return NULL;
}

void write_beside_put(write_beside *w, uint64_t offset, const void *bytes, size_t n) {
    pthread_mutex_lock(&w->lock);
    while (w->put - w->written == SLOTS) pthread_cond_wait(&w->less, &w->lock);
    w->slot[w->put++ % SLOTS] = (piece){ offset, n, bytes };
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

sonde_status write_beside_wait(write_beside *w, sonde_error *err) {
    pthread_mutex_lock(&w->lock);
    while (w->put != w->written) pthread_cond_wait(&w->less, &w->lock);
    const sonde_status s = w->status;
    if (s != SONDE_OK && err) *err = w->err;
    pthread_mutex_unlock(&w->lock);
    return s;
}

void write_beside_end(write_beside *w) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->end = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    forget(w);
}
