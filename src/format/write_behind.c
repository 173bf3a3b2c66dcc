#include "write_behind.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 16, SLOT_BYTES = 1 << 20 };

typedef struct { uint64_t offset; size_t n; uint8_t *bytes; } piece;

struct write_behind {
    file_out       *out;
    pthread_t       thread;
    pthread_mutex_t lock;               /* guards everything below but the bytes of pieces between `written` and `put` */
    pthread_cond_t  moved;
    piece           slot[SLOTS];
    uint64_t        put, written;       /* pieces so far */
    bool            end;
    sonde_status    status;             /* of the first write that failed */
    sonde_error     err;
};

static void *write_pieces(void *arg) {
    write_behind *w = arg;
    pthread_mutex_lock(&w->lock);
    while (w->put != w->written || !w->end) {
        if (w->put == w->written) {
            pthread_cond_wait(&w->moved, &w->lock);
            continue;
        }
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
        pthread_cond_signal(&w->moved);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void forget(write_behind *w) {
    for (int i = 0; i < SLOTS; i++) free(w->slot[i].bytes);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->moved);
    free(w);
}

write_behind *write_behind_new(file_out *out) {
    write_behind *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->out = out;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    bool ok = true;
    for (int i = 0; i < SLOTS; i++) ok &= (w->slot[i].bytes = malloc(SLOT_BYTES)) != NULL;
    if (ok && pthread_create(&w->thread, NULL, write_pieces, w) == 0) return w;
    forget(w);
    return NULL;
}

static sonde_status status_of(const write_behind *w, sonde_error *err) {
    if (w->status != SONDE_OK && err) *err = w->err;
    return w->status;
}

static sonde_status put_one(write_behind *w, uint64_t offset, const uint8_t *bytes, size_t n, sonde_error *err) {
    pthread_mutex_lock(&w->lock);
    while (w->put - w->written == SLOTS && w->status == SONDE_OK) pthread_cond_wait(&w->moved, &w->lock);
    const sonde_status s = status_of(w, err);
    piece             *p = &w->slot[w->put % SLOTS];
    pthread_mutex_unlock(&w->lock);
    if (s != SONDE_OK) return s;
    p->offset = offset;
    p->n = n;
    memcpy(p->bytes, bytes, n);
    pthread_mutex_lock(&w->lock);
    w->put++;
    pthread_cond_signal(&w->moved);
    pthread_mutex_unlock(&w->lock);
    return SONDE_OK;
}

sonde_status write_behind_put(write_behind *w, uint64_t offset, const void *bytes, size_t n, sonde_error *err) {
    const uint8_t *from = bytes;
    for (size_t at = 0; at < n; at += SLOT_BYTES)
        SONDE_TRY(put_one(w, offset + at, from + at, n - at < SLOT_BYTES ? n - at : SLOT_BYTES, err));
    return SONDE_OK;
}

sonde_status write_behind_end(write_behind *w, sonde_error *err) {
    if (!w) return SONDE_OK;
    pthread_mutex_lock(&w->lock);
    w->end = true;
    pthread_cond_signal(&w->moved);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    const sonde_status s = status_of(w, err);
    forget(w);
    return s;
}
