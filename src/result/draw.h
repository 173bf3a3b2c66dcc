/* draw.h - a picture as a list of marks, the same for every back end.
 *
 * Lengths are CSS pixels; y grows downwards. A colour is a pair, for a light and
 * a dark page. Text in marks passed show_text; a back end escapes it once more
 * for its format. `tip` is what a page shows when a mark is pointed at: exact
 * numbers, lines with \n between. All memory is in the picture's arena. */
#ifndef SONDE_DRAW_H
#define SONDE_DRAW_H
#include "digits.h"
#include "pivot.h"
#include "shade.h"

enum { DRAW_WIDTH = 912, DRAW_MOST_MARKS = 6000 };

typedef struct { rgb light, dark; } paint;
extern const paint paint_page, paint_ink, paint_dim, paint_grid, paint_odd, paint_bar, paint_minus;
enum { PAINT_CATEGORIES = 8, PAINT_DASHES = 4 };
paint paint_category(size_t i);
/* The colour of a finite number; of what is none, paint_odd. */
paint paint_value(const shade_scale *s, double value);
paint paint_on(paint ground);                           /* the ink that can be read on it */

typedef enum { MARK_RECT, MARK_LINE, MARK_POLYLINE, MARK_POLYGON, MARK_CIRCLE, MARK_TEXT, MARK_RASTER } mark_shape;
typedef enum { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } text_anchor;
typedef struct { double x, y, w, h; } frame;

/* Cells in colours. Values lie in rows; states as in pivot. */
typedef struct {
    size_t         nx, ny, fx, fy;      /* pixels, and how many cells of v one pools */
    const double  *value;
    const uint8_t *state;
    shade_scale    scale;
    const pivot   *v;                   /* names and labels */
    const char    *title;               /* of the panel, or NULL */
} raster;

typedef struct {
    mark_shape    shape;
    frame         at;                   /* line: ends at x + w, y + h; circle: middle, radius w; text: y its base line */
    const double *points;               /* x y pairs */
    size_t        n;
    bool          filled, stroked, bold, upright;       /* upright: text reads upwards */
    paint         fill, stroke;
    double        width, opacity, size;
    int           dash;                 /* 0: solid */
    text_anchor   anchor;
    const char   *text, *tip;
    const raster *raster;
} mark;

/* Points or boxes in space, for a page that can turn them. */
typedef struct { double x, y, z, w, h, d; paint fill; size_t group; const char *label, *tip; } body;
typedef struct scene {
    struct scene *before;               /* the panel before it; NULL: the first */
    LIST(body)   bodies;
    const char  *axis[3];
    const char **groups;
    size_t       n_groups, from, to;    /* marks of the picture that stand for it */
    frame        room;
    bool         boxes;
    double       lo[3], hi[3];          /* points: what the cage spans, in all panels alike */
} scene;

typedef struct {
    arena        *into;
    LIST(mark)    marks;
    double        width, height;
    const char   *title;                /* may be NULL */
    const sonde_drawing *view;
    scene        *scene;                /* of the last panel; NULL: flat */
    LIST(const char *) notes;           /* what is left out or pooled; printed below */
} picture;

mark *draw_rect(picture *p, frame at, paint fill);
mark *draw_line(picture *p, frame at, paint stroke);
mark *draw_circle(picture *p, double x, double y, double r, paint fill);
mark *draw_text(picture *p, double x, double y, const char *text, paint ink);
/* Polyline: stroked; polygon: filled. `points` is copied. */
mark *draw_points(picture *p, mark_shape shape, const double *points, size_t n, paint c);
__attribute__((format(printf, 2, 3)))
void  draw_note(picture *p, const char *fmt, ...);      /* once only */

/* About how wide a text is at this size; errs to the wide side. */
double      text_width(const char *text, double size);
/* Cut with an ellipsis; "" where not even that fits. */
const char *text_cut(arena *into, const char *text, double size, double width);

/* An axis of numbers: where a value lies between two pixels, and round ticks. */
typedef struct { double lo, hi, from, to; bool logarithmic, none; const char *name; } axis;
void   axis_add(axis *a, double v);                     /* widens an axis that starts as AXIS_EMPTY */
void   axis_close(axis *a, bool with_zero);             /* never empty after it; none: nothing was added */
#define AXIS_EMPTY { .lo = 1, .hi = -1 }
double axis_at(const axis *a, double v);
size_t axis_ticks(const axis *a, size_t most, double out[32]);
const char *tick_label(arena *into, double tick);
/* Grid lines, ticks, numbers and names of a plot; y may have no `name`. */
void   draw_axis_x(picture *p, const axis *a, frame plot);
void   draw_axis_y(picture *p, const axis *a, frame plot);
/* Labels below n equal columns, as many as fit; says nothing of those left out: the tips have them. */
void   draw_labels_x(picture *p, const char *const *label, size_t n, frame plot);
/* Does a frame meet any of n others? */
bool        frame_meets(frame f, const frame *taken, size_t n);
size_t label_step(double need);                         /* every how many-th is labelled, at least `need` */
double labels_x_height(const char *const *label, size_t n, double width);

/* The colour bar with its domain, and the signs of what is no number. Returns its height. */
double draw_legend(picture *p, const shade_scale *s, const char *name, double y);
typedef struct { bool missing, nan, infinite; } odd_signs;
double draw_odd_legend(picture *p, odd_signs odd, double x, double y);
/* Swatches with names; dashed: lines of paint_category and its dash. */
typedef struct { const char *const *name; size_t n; bool dashed; } categories;
double draw_categories(picture *p, categories c, double y);

/* What colour a row has: by a number, by a category (the 8th stands for all after the 7th), or one for all. */
typedef struct {
    const sonde_table *t;
    size_t             column;          /* SIZE_MAX: one colour */
    const char        *name;
    shade_scale        scale;           /* of numbers */
    size_t            *of, n;           /* [rows] category of each, how many there are; of NULL: numbers */
    const char       **names;           /* of the first 8; the last may be "others" */
} colouring;
colouring colouring_of(const sonde_table *t, const char *column, arena *into);
paint     colouring_paint(const colouring *c, size_t row);
double    draw_colouring(picture *p, const colouring *c, double y);     /* its legend */
/* "column value", a line each. */
const char *row_tip(arena *into, const sonde_table *t, size_t row);

/* A parallel projection: the picture is seen from the front, from the left and from above. */
typedef struct { double lo[3], hi[3], scale, x, y; } space;
typedef struct { double x, y, depth; } seen;
void space_add(space *s, const double at[3]);           /* SPACE_EMPTY first */
#define SPACE_EMPTY { .lo = { 1, 1, 1 }, .hi = { -1, -1, -1 } }
double space_fit(space *s, frame room);                 /* in the middle of it; returns the height used, at most room.h */
seen  space_at(const space *s, const double at[3]);

/* One panel: where it goes, and what all panels share. */
typedef struct {
    picture              *p;
    const sonde_drawing  *view;
    double                x, y, w;
    bool                  small;        /* one of several */
    bool                  pixels;       /* cells are a raster, not a mark each */
    size_t                most_x, most_y;       /* cells of the largest panel: all have cells of one size */
    const shade_scale    *scale;        /* of colours */
    const axis           *value;        /* of heights and lengths */
    const colouring      *colours;      /* of rows */
} panel;
/* Draws and returns the height it took. */
typedef double (*draw_grid)(const panel *b, const pivot *v);
double draw_heatmap(const panel *b, const pivot *v);
double draw_token_grid(const panel *b, const pivot *v);
double draw_token_strip(const panel *b, const pivot *v);
double draw_lines(const panel *b, const pivot *v);
double draw_bars(const panel *b, const pivot *v);
double draw_histogram(const panel *b, const pivot *v);
double draw_boxes(const panel *b, const samples *s);
double draw_cloud(const panel *b, const table_part *part);
double draw_graph(const panel *b, const table_part *part);
double draw_scatter(const panel *b, const table_part *part);
double draw_architecture(const panel *b, const table_part *part);
/* Will numbers stand in the cells? */
bool   heatmap_has_numbers(const panel *b, const pivot *v);

/* "x_name x, y_name y\nvalue_name number", exact. */
const char *cell_tip(arena *into, const pivot *v, size_t y, size_t x);
odd_signs   odd_of(const pivot *v);
/* What stands for a cell that is no finite number: – × ∞ -∞, "" where there is no row. */
const char *odd_sign(pivot_state state, double value);

/* A view as a picture; one that cannot be drawn says why. Free with picture_free. */
picture *picture_of(const sonde_result *r, const sonde_drawing *view, arena *into);
void     picture_free(picture *p);
#endif
