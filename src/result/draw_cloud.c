/* Words sized by a value, the largest in the middle; each goes to the first free place of a spiral. */
#include "draw.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_WORDS = 150, HEIGHT = 340, LEAST = 11, LARGEST = 46, TURNS = 2600 };

typedef struct { size_t row; double value; } word;

static int largest_first(const void *a, const void *b) {
    const word *p = a, *q = b;
    if (fabs(p->value) != fabs(q->value)) return fabs(p->value) > fabs(q->value) ? -1 : 1;
    return (p->row > q->row) - (p->row < q->row);
}

/* A free frame of this size inside `room`; false if the spiral finds none. */
static bool find_place(frame room, const frame *taken, size_t n, frame *f) {
    for (int i = 0; i < TURNS; i++) {
        const double angle = 2.399963 * i, r = 4.2 * sqrt(i);       /* the golden angle: even all over the disc */
        f->x = room.x + room.w / 2 + r * cos(angle) * (room.w / room.h) / 1.3 - f->w / 2;
        f->y = room.y + room.h / 2 + r * sin(angle) - f->h / 2;
        const bool inside = f->x >= room.x && f->y >= room.y && f->x + f->w <= room.x + room.w
            && f->y + f->h <= room.y + room.h;
        if (inside && !frame_meets(*f, taken, n)) return true;
    }
    return false;
}

double draw_cloud(const panel *b, const table_part *part) {
    picture *p = b->p;
    const sonde_table *t = part->t;
    const size_t x = table_find(t, b->view->x), value = table_find(t, b->view->value);
    if (x == SIZE_MAX || !column_is_number(t, value)) {
        draw_note(p, "there is no column of words, or none of their sizes");
        return 0;
    }
    word *words = arena_new_array(p->into, word, part->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < part->n; i++) {
        word w = { .row = part_row(part, i) };
        if (cell_number(t, w.row, value, &w.value) && isfinite(w.value) && w.value != 0) words[n++] = w;
    }
    qsort(words, n, sizeof *words, largest_first);
    const frame room = { b->x, b->y, b->w, b->small ? HEIGHT * 0.7 : HEIGHT };
    frame *taken = arena_new_array(p->into, frame, MOST_WORDS);
    size_t put = 0;
    for (size_t i = 0; i < n && i < MOST_WORDS; i++) {
        const double size = fmax(LEAST, LARGEST * (b->small ? 0.7 : 1) * sqrt(fabs(words[i].value / words[0].value)));
        const char *text = text_cut(p->into, cell_said(t, words[i].row, x, p->into), size, room.w * 0.6);
        frame f = { .w = text_width(text, size) + 4, .h = size * 1.12 };
        if (!*text || !find_place(room, taken, put, &f)) continue;
        taken[put++] = f;
        mark *m = draw_text(p, f.x + 2, f.y + size * 0.9, text, words[i].value < 0 ? paint_minus : paint_bar);
        m->size = size;
        m->tip = row_tip(p->into, t, words[i].row);
    }
    char largest[DIGITS_ROOM];
    if (n) draw_note(p, "area of a word: the size of %s, largest %s; orange where it is negative", b->view->value,
                     digits_short(fabs(words[0].value), largest));
    if (put < part->n) draw_note(p, "%zu of %zu words shown", put, part->n);
    return n ? room.h : 0;
}
