/* term.h - a terminal of a known width, and the pictures that are drawn on it.
 *
 * Whatever text comes from outside passes show_text before it gets here. No line
 * is ever wider than `width` columns; what does not fit is cut with an ellipsis,
 * split, or pooled, and then a dim line in brackets says so. */
#ifndef SONDE_TERM_H
#define SONDE_TERM_H
#include "pen.h"
#include "pivot.h"
#include "shade.h"

typedef struct {
    pen   *p;
    arena *scratch;             /* emptied between views */
    int    width;
    bool   light, palette;
} term;

typedef enum { TERM_LEFT, TERM_RIGHT } term_side;

void term_dim(term *t);
void term_bold(term *t);
void term_plain(term *t);
void term_line(term *t);                                        /* ends the line */
void term_spaces(term *t, int columns);
/* Exactly `columns` columns: padded, or cut with an ellipsis. */
void term_fit(term *t, const char *shown, int columns, term_side side);
/* A text of one or several lines, wrapped; as it is otherwise. */
void term_wrap(term *t, const char *shown);
void term_title(term *t, const char *text);                     /* bold; nothing for NULL or "" */
__attribute__((format(printf, 2, 3)))
void term_note(term *t, const char *fmt, ...);                  /* dim, in brackets */
/* The domain of all values of n pictures; `picture`: no text will stand on the colours. */
shade_scale term_scale(const term *t, const pivot *list, size_t n, bool picture);
/* "-0.51 ▒▒▒▒▒ 0.51  name", and the signs of what is not a number. */
void term_legend(term *t, const shade_scale *s, const pivot *v);
/* Ground and ink for a number (a sign's colour for what is none). False: the page's own. */
bool term_ground(term *t, const shade_scale *s, double value);
/* How many of n rows are shown; term_rest says how many are not, after them. */
size_t term_rows(size_t n);
void   term_rest(term *t, size_t n);
/* Widest of n texts, at most `most`. */
int term_widest(const char *const *text, size_t n, int most);

void term_table(term *t, const sonde_table *table, size_t bars);        /* bars: column that gets bars, or SIZE_MAX */
void term_heatmap(term *t, const pivot *v);
void term_tiles(term *t, const pivot *list, size_t n);
void term_token_grid(term *t, const pivot *v);
void term_token_strip(term *t, const pivot *v);
void term_lines(term *t, const pivot *v);
void term_bars(term *t, const pivot *v);
void term_histogram(term *t, const pivot *v);
void term_boxes(term *t, const samples *s);
bool term_scatter(term *t, const table_part *part, const sonde_drawing *view);     /* false: x or y is no number */
/* `columns` columns of a bar for a place in the scale; from the middle if it is signed. */
void term_bar(term *t, const shade_scale *s, double value, int columns);
#endif
