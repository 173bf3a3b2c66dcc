#include "packs.h"
#include "room.h"

enum { PACK = 4000 };           /* a pattern may have 4096 characters */

void packs_add(packs *p, const char *name) {
    const size_t len = strlen(name);
    if (!p->n || p->used + len + 2 > PACK) {
        p->text = room_grow(p->text, p->n, 1, sizeof *p->text);
        p->text[p->n++] = ROOM(char, (len > PACK ? len : PACK) + 2);
        p->used = 0;
    }
    char *pack = p->text[p->n - 1];
    if (p->used) pack[p->used++] = ',';
    memcpy(pack + p->used, name, len + 1);
    p->used += len;
}

void packs_free(packs *p) {
    for (size_t i = 0; i < p->n; i++) free(p->text[i]);
    free(p->text);
    *p = (packs){ 0 };
}
