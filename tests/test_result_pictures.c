#define _GNU_SOURCE
#include "any_result.h"
#include "markup.h"
#include "scratch.h"
#include "base/sha256.h"
#include "result/paint.h"
#include <unistd.h>

static arena *pictures;

static picture *first(const sonde_result *r) {
    if (!pictures) pictures = arena_new();
    return picture_of(r, &r->views.at[0], pictures);
}

static void done(sonde_result *r, picture *p) {
    picture_free(p);
    sonde_result_free(r);
    arena_free(pictures);
    pictures = NULL;
}

static size_t count(const picture *p, mark_shape shape, bool with_tip) {
    size_t n = 0;
    for (size_t i = 0; i < p->marks.n; i++) n += p->marks.at[i].shape == shape && (!with_tip || p->marks.at[i].tip);
    return n;
}

/* Mark i of a shape among those with a tip. */
static const mark *nth(const picture *p, mark_shape shape, size_t i) {
    for (size_t k = 0; k < p->marks.n; k++)
        if (p->marks.at[k].shape == shape && p->marks.at[k].tip && !i--) return &p->marks.at[k];
    return NULL;
}

static bool noted(const picture *p, const char *what) {
    for (size_t i = 0; i < p->notes.n; i++)
        if (strstr(p->notes.at[i], what)) return true;
    return false;
}

static bool says(const picture *p, const char *what) {
    for (size_t i = 0; i < p->marks.n; i++)
        if (p->marks.at[i].text && strstr(p->marks.at[i].text, what)) return true;
    return false;
}

static bool same(paint a, paint b) { return memcmp(&a, &b, sizeof a) == 0; }

static sonde_table *numbers(sonde_result *r, const char *const *names, size_t n) {
    sonde_table *t = sonde_result_table(r, "t");
    for (size_t i = 0; i < n; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    return t;
}

static void put_row(sonde_table *t, const double *v, size_t n) {
    sonde_table_row(t);
    for (size_t i = 0; i < n; i++) sonde_cell_float(t, v[i]);
}

static void bars_are_as_long_as_their_numbers(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = numbers(r, (const char *[]){ "x", "v" }, 2);
    static const double v[] = { 4, -2, 1 };
    for (size_t i = 0; i < 3; i++) put_row(t, (double[]){ (double)i, v[i] }, 2);
    put_row(t, (double[]){ 3, NAN }, 2);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "t", .x = "x", .value = "v" });
    picture *p = first(r);
    const mark *a = nth(p, MARK_RECT, 0), *b = nth(p, MARK_RECT, 1), *c = nth(p, MARK_RECT, 2);
    CHECK(a && b && c && !nth(p, MARK_RECT, 3));
    CHECK_NEAR(a->at.w, 2 * b->at.w, 1e-9);
    CHECK_NEAR(a->at.w, 4 * c->at.w, 1e-9);
    CHECK_NEAR(b->at.x + b->at.w, a->at.x, 1e-9);       /* both end at zero */
    CHECK(same(a->fill, paint_bar) && same(b->fill, paint_minus));
    CHECK_STR(nth(p, MARK_TEXT, 0)->text, "×");
    CHECK(says(p, "× NaN") && strstr(a->tip, "v 4"));
    done(r, p);
}

static void a_heatmap_has_the_colours_of_its_scale(void) {
    sonde_result *r = sonde_result_new();
    sonde_array *a = sonde_result_array(r, "m", "y x", (const int64_t[]){ 2, 3 });
    memcpy(sonde_array_data(a), (const float[]){ 0, 1, 0.123456789f, NAN, 2, INFINITY }, 6 * sizeof(float));
    sonde_array_missing(a, 4);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "m" });
    picture *p = first(r);
    CHECK_EQ((long long)count(p, MARK_RECT, true), 6);
    CHECK(same(nth(p, MARK_RECT, 0)->fill, paint_page));
        /* one-sided, with numbers: from the page's colour */
    const paint dark_teal = { { 8, 66, 92 }, { 120, 214, 226 } };           /* to the end of the hue */
    CHECK(same(nth(p, MARK_RECT, 1)->fill, dark_teal));
    CHECK_STR(nth(p, MARK_RECT, 2)->tip, "y 0, x 2\nm 0.123456791");
    CHECK(same(nth(p, MARK_RECT, 3)->fill, paint_odd) && strstr(nth(p, MARK_RECT, 3)->tip, "NaN"));
    CHECK(same(nth(p, MARK_RECT, 4)->fill, paint_grid) && strstr(nth(p, MARK_RECT, 4)->tip, "missing"));
    CHECK(same(nth(p, MARK_RECT, 5)->fill, paint_odd) && strstr(nth(p, MARK_RECT, 5)->tip, "Infinity"));
    CHECK(says(p, "× NaN") && says(p, "– missing") && says(p, "∞ infinite") && says(p, "1.000"));
    const frame *one = &nth(p, MARK_RECT, 0)->at, *two = &nth(p, MARK_RECT, 1)->at, *below = &nth(p, MARK_RECT, 3)->at;
    CHECK_NEAR(one->y, two->y, 0);
    CHECK_NEAR(one->x, below->x, 0);
    CHECK(two->x >= one->x + one->w && below->y >= one->y + one->h);
    done(r, p);
}

static void signed_numbers_are_blue_and_orange_about_zero(void) {
    sonde_result *r = sonde_result_new();
    memcpy(sonde_array_data(sonde_result_array(r, "m", "x", (const int64_t[]){ 3 })), (const float[]){ -1, 0, 4 },
           3 * sizeof(float));
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "m" });
    picture *p = first(r);
    const rgb minus = nth(p, MARK_RECT, 0)->fill.light, plus = nth(p, MARK_RECT, 2)->fill.light;
    CHECK(minus.b > minus.r && plus.r > plus.b);
    CHECK(same(nth(p, MARK_RECT, 1)->fill, paint_page));
    CHECK(says(p, "-4.000") && says(p, "4.000"));
    done(r, p);
}

static void panels_share_a_scale_unless_they_are_told_not_to(void) {
    for (int own = 0; own < 2; own++) {
        sonde_result *r = sonde_result_new();
        sonde_table *t = numbers(r, (const char *[]){ "x", "panel", "v" }, 3);
        for (int i = 0; i < 4; i++) put_row(t, (double[]){ i % 2, i / 2, i == 1 ? 8 : i == 3 ? 2 : 0 }, 3);
        sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "t", .x = "x", .value = "v",
                                              .panel = "panel", .own_scale = own });
        picture *p = first(r);
        CHECK_EQ((long long)count(p, MARK_RECT, true), 4);
        CHECK(says(p, "panel 0") && says(p, "panel 1"));
        CHECK(same(nth(p, MARK_RECT, 1)->fill, nth(p, MARK_RECT, 3)->fill) == (own == 1));
        done(r, p);
    }
}

static void box_quartiles_are_those_of_numpy(void) {
    static const double v[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 40 };    /* numpy.percentile(v, [25, 50, 75]) */
    const box_five b = box_of(v, 10);
    CHECK_NEAR(b.q1, 3.25, 1e-12);
    CHECK_NEAR(b.median, 5.5, 1e-12);
    CHECK_NEAR(b.q3, 7.75, 1e-12);
    CHECK_NEAR(b.low, 1, 0);
    CHECK_NEAR(b.high, 9, 0);                           /* 40 is beyond 7.75 + 1.5 * 4.5 */
    const box_five one = box_of(v + 2, 1);
    CHECK_NEAR(one.q1 + one.median + one.q3 + one.low + one.high, 15, 0);
    static const double pair[] = { 1, 2 };
    CHECK_NEAR(box_of(pair, 2).q1, 1.25, 1e-12);
}

static void boxes_stand_where_their_quartiles_are(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = numbers(r, (const char *[]){ "x", "v" }, 2);
    for (int i = 0; i < 11; i++) put_row(t, (double[]){ 0, i == 10 ? (double)NAN : i == 9 ? 40 : 9 - i }, 2);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BOXES, .of = "t", .x = "x", .value = "v" });
    picture *p = first(r);
    const mark *box = nth(p, MARK_RECT, 0), *beyond = nth(p, MARK_CIRCLE, 0);
    CHECK(box && beyond && !nth(p, MARK_CIRCLE, 1) && !nth(p, MARK_RECT, 1));
    CHECK(strstr(box->tip, "v 5.5\nquartiles 3.25, 7.75\nwhiskers 1, 9\n10 numbers"));
    const double unit = box->at.h / 4.5;                /* pixels a number */
    CHECK_NEAR(box->at.y - beyond->at.y, (40 - 7.75) * unit, 1e-6);
    CHECK(noted(p, "in no box: 1 missing or not finite"));
    done(r, p);
}

static void boxes_of_an_array_take_all_other_axes_as_the_sample(void) {
    sonde_result *r = sonde_result_new();
    float *v = sonde_array_data(sonde_result_array(r, "a", "n y x", (const int64_t[]){ 5, 1, 2 }));
    for (int i = 0; i < 5; i++) { v[2 * i] = (float)(4 - i); v[2 * i + 1] = 10; }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BOXES, .of = "a" });
    picture *p = first(r);
    CHECK(strstr(nth(p, MARK_RECT, 0)->tip, "a 2\nquartiles 1, 3\nwhiskers 0, 4\n5 numbers"));
    CHECK(strstr(nth(p, MARK_RECT, 1)->tip, "a 10\nquartiles 10, 10"));
    done(r, p);
}

static void lines_break_at_what_is_no_number_and_have_bands(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = numbers(r, (const char *[]){ "x", "v", "lo", "hi" }, 4);
    for (int i = 9; i >= 0; i--) put_row(t, (double[]){ i, i == 4 ? (double)NAN : i, i - 1, i + 1 }, 4);
        /* not in order */
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "t", .x = "x", .value = "v", .low = "lo",
                                          .high = "hi" });
    picture *p = first(r);
    CHECK_EQ((long long)count(p, MARK_POLYLINE, false), 2);
    CHECK_EQ((long long)count(p, MARK_POLYGON, false), 1);
    CHECK_EQ((long long)count(p, MARK_CIRCLE, true), 9);
    CHECK(says(p, "× NaN"));
    for (size_t i = 0; i < p->marks.n; i++)
        for (size_t k = 1; p->marks.at[i].shape == MARK_POLYLINE && k < p->marks.at[i].n; k++) {
            const double *q = p->marks.at[i].points + 2 * k;
            CHECK(q[0] > q[-2] && q[1] < q[-1]);        /* rises to the right */
        }
    done(r, p);
}

static void a_histogram_lies_over_another_on_a_logarithmic_axis(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = numbers(r, (const char *[]){ "lo", "hi", "which", "n" }, 4);
    static const double n[] = { 1, 10, 100, 0 };
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < 4; i++) put_row(t, (double[]){ 2 * i, 2 * i + 2, s, n[s ? 3 - i : i] }, 4);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HISTOGRAM, .of = "t", .x = "lo", .high = "hi", .y = "which",
                                          .value = "n", .logarithmic = true });
    picture *p = first(r);
    const mark *one = nth(p, MARK_RECT, 0), *ten = nth(p, MARK_RECT, 1), *hundred = nth(p, MARK_RECT, 2);
    CHECK_EQ((long long)count(p, MARK_RECT, true), 6);
    CHECK_NEAR(hundred->at.h - ten->at.h, ten->at.h - one->at.h, 1e-6);     /* a decade each */
    CHECK_NEAR(one->at.x + one->at.w, ten->at.x, 1e-6);
    CHECK_NEAR(nth(p, MARK_RECT, 3)->at.x, ten->at.x, 1e-6);                /* the other's first, in the same place */
    CHECK(one->opacity < 1 && !same(one->fill, nth(p, MARK_RECT, 3)->fill));
    done(r, p);
}

static void words_of_a_cloud_do_not_overlap(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "t");
    sonde_table_column(t, "word", SONDE_TEXT, "");
    sonde_table_column(t, "v", SONDE_FLOAT, "");
    for (int i = 0; i < 120; i++) {
        sonde_table_row(t);
        sonde_cell_text(t, (const char *[]){ "alpha", "beta", "gamma delta", "i" }[i % 4]);
        sonde_cell_float(t, i % 3 ? 120 - i : i - 120);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_CLOUD, .of = "t", .x = "word", .value = "v" });
    picture *p = first(r);
    size_t n = 0;
    for (const mark *a; (a = nth(p, MARK_TEXT, n)); n++)
        for (size_t k = 0; k < n; k++) {
            const mark *b = nth(p, MARK_TEXT, k);
            const double aw = text_width(a->text, a->size), bw = text_width(b->text, b->size);
            const bool beside = a->at.x + aw <= b->at.x || b->at.x + bw <= a->at.x;
            CHECK(beside || a->at.y - 0.9 * a->size >= b->at.y + 0.2 * b->size
                  || b->at.y - 0.9 * b->size >= a->at.y + 0.2 * a->size);
        }
    CHECK(n > 60);
    CHECK_NEAR(nth(p, MARK_TEXT, 0)->size, 46, 1e-9);
    CHECK(same(nth(p, MARK_TEXT, 0)->fill, paint_minus));
    done(r, p);
}

static void nodes_of_a_graph_stand_below_what_they_read(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "t");
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "reads", SONDE_TEXT, "");
    static const char *const reads[] = { NULL, "0", "0, 1", "2 9", "5", "4" };
        /* 9 is nobody; 4 and 5 read each other */
    for (int i = 0; i < 6; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i);
        sonde_cell_text(t, reads[i]);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_GRAPH, .of = "t", .x = "id", .y = "reads", .value = "id" });
    picture *p = first(r);
    const double step = nth(p, MARK_RECT, 1)->at.y - nth(p, MARK_RECT, 0)->at.y;
    CHECK(step > 0);
    CHECK_NEAR(nth(p, MARK_RECT, 2)->at.y - nth(p, MARK_RECT, 0)->at.y, 2 * step, 1e-9);
    CHECK_NEAR(nth(p, MARK_RECT, 3)->at.y - nth(p, MARK_RECT, 0)->at.y, 3 * step, 1e-9);
    CHECK_EQ((long long)count(p, MARK_POLYLINE, false), 7);     /* 4 edges, one of them over a knot, and the circle's 2 */
    CHECK(noted(p, "not drawn: 1 edge to ids"));
    done(r, p);
}

static void points_have_places_colours_and_labels(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "t");
    static const char *const names[] = { "x", "y", "z" };
    for (int i = 0; i < 3; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    for (int i = 0; i < 12; i++) {
        char class[8];
        snprintf(class, sizeof class, "c%d", i);
        sonde_table_row(t);
        for (int k = 0; k < 3; k++) sonde_cell_float(t, i == 11 && k == 1 ? (double)NAN : i * (k + 1));
        sonde_cell_text(t, class);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "t", .x = "x", .y = "y", .value = "class",
                                          .label = "class" });
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "t", .x = "x", .y = "y", .z = "z",
                                          .value = "x" });
    picture *p = first(r);
    CHECK_EQ((long long)count(p, MARK_CIRCLE, true), 11);
    const mark *a = nth(p, MARK_CIRCLE, 0), *b = nth(p, MARK_CIRCLE, 1), *c = nth(p, MARK_CIRCLE, 2);
    CHECK_NEAR(b->at.x - a->at.x, c->at.x - b->at.x, 1e-6);
    CHECK(b->at.y < a->at.y && says(p, "c0") && says(p, "5 others"));
    CHECK(same(nth(p, MARK_CIRCLE, 7)->fill, nth(p, MARK_CIRCLE, 10)->fill) && !same(a->fill, b->fill));
    CHECK(noted(p, "1 of 12 points have no finite place"));
    picture *deep = picture_of(r, &r->views.at[1], pictures);
    CHECK(deep->scene && deep->scene->bodies.n == 11 && !deep->scene->boxes);
    CHECK_EQ((long long)count(deep, MARK_CIRCLE, true), 11);
    picture_free(deep);
    done(r, p);
}

static void boxes_in_space_show_three_faces_and_all_columns(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "t");
    static const char *const names[] = { "x", "y", "z", "width", "height", "depth", "flops" };
    for (int i = 0; i < 7; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    sonde_table_column(t, "block", SONDE_TEXT, "");
    for (int i = 0; i < 4; i++) {
        sonde_table_row(t);
        for (int k = 0; k < 7; k++) sonde_cell_float(t, k == 1 ? 2 * i : k == 6 ? 0.1 + i : k > 2 ? 1 : 0);
        sonde_cell_text(t, i / 2 ? "upper" : "lower");
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_ARCHITECTURE, .of = "t", .value = "flops", .label = "block",
                                          .panel = "block" });
    picture *p = first(r);
    CHECK_EQ((long long)count(p, MARK_POLYGON, true), 12);
    CHECK(strstr(nth(p, MARK_POLYGON, 0)->tip, "flops 0.1\nblock lower") || strstr(nth(p, MARK_POLYGON, 0)->tip,
            "flops 3.1\nblock upper"));
    CHECK(p->scene && p->scene->boxes && p->scene->n_groups == 2 && p->scene->bodies.at[3].group == 1);
    CHECK(says(p, "lower") && says(p, "upper"));
    done(r, p);
}

static void what_is_pooled_or_cut_is_said(void) {
    sonde_result *r = sonde_result_new();
    float *v = sonde_array_data(sonde_result_array(r, "m", "y x", (const int64_t[]){ 1000, 1000 }));
    for (int i = 0; i < 1000000; i++) v[i] = (float)(i % 7);
    v[500500] = -90;
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "m" });
    picture *p = first(r);
    CHECK(noted(p, "1000 by 1000 cells; a pixel is the largest magnitude of 2 by 2"));
    CHECK(p->marks.n < DRAW_MOST_MARKS);
    const mark *m = NULL;
    for (size_t i = 0; i < p->marks.n; i++)
        if (p->marks.at[i].shape == MARK_RASTER) m = &p->marks.at[i];
    CHECK(m && m->raster->nx == 500 && m->raster->ny == 500);
    CHECK_NEAR(m->raster->value[250 * 500 + 250], -90, 0);
    done(r, p);
}

/* Every kind over one table or array of a million cells, and over what is empty, single, null or not finite. */
static void fill_hard(sonde_result *r, size_t rows, int what) {
    static const char *const names[] = { "x", "y", "z", "width", "height", "depth", "low", "high", "value" };
    sonde_table *t = sonde_result_table(r, "t");
    for (int i = 0; i < 9; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    sonde_table_column(t, "word", SONDE_TEXT, "");
    for (size_t i = 0; i < rows; i++) {
        sonde_table_row(t);
        if (what == 1) continue;
        const double v = what == 2 ? NAN : what == 3 ? (i % 2 ? INFINITY : -INFINITY) : what == 4 ? (i % 2 ? 1.7e308
                : -1.7e308) : (double)(i % 1000);
        sonde_cell_float(t, what ? v : (double)(i % 1000));
        sonde_cell_float(t, what ? v : (double)(i / 1000));
        for (int k = 2; k < 9; k++) sonde_cell_float(t, v);
        sonde_cell_text(t, "word");
    }
}

static void add_all_views(sonde_result *r, const char *of) {
    for (int kind = SONDE_VIEW_HEATMAP; kind <= SONDE_VIEW_ARCHITECTURE; kind++)
        sonde_result_view(r, (sonde_drawing){ .kind = (sonde_view_kind)kind, .of = of, .title = "T",
                                              .x = kind == SONDE_VIEW_CLOUD ? "word" : "x", .y = "y",
                                              .z = kind == SONDE_VIEW_SCATTER ? "z" : NULL, .value = "value",
                                                  .low = "low", .high = "high" });
}

static void check_writers(const sonde_result *r, const scratch *s, bool all) {
    static kept k;
    for (int i = 0; i < (all ? 4 : 1); i++) {
        const scratch_path path = in_scratch(s, (const char *[]){ "x.html", "x.svg", "x.pdf", "x.png" }[i]);
        sonde_error err = { 0 };
        const sonde_status status = sonde_result_save(r, path.text, &err);
#ifdef SONDE_CAIRO
        if (status != SONDE_OK && !strstr(err.message, "pixels high")) FAIL_("%s", err.message);
#else
        CHECK_EQ(status, i ? SONDE_UNSUPPORTED : SONDE_OK);
#endif
        if (status != SONDE_OK || i > 1) continue;
        k.n = 0;
        FILE *f = fopen(path.text, "rb");
        CHECK(f);
        static char part[1 << 16];
        for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) keep(&k, part, n, NULL);
        fclose(f);
        check_markup(k.text, k.n, i == 0);
    }
}

static void every_kind_bears_every_table(void) {
    const scratch s = scratch_new();
    for (int what = 0; what < 5; what++)
        for (size_t rows = 0; rows < 4; rows++) {
            sonde_result *r = sonde_result_new();
            fill_hard(r, rows, what);
            add_all_views(r, "t");
            add_all_views(r, "absent");
            check_writers(r, &s, rows < 2);
            picture *p = first(r);
            if (!rows) CHECK(noted(p, "t: no rows"));
            done(r, p);
        }
    scratch_end(&s);
}

static void every_kind_bears_a_million_cells(void) {
    sonde_result *r = sonde_result_new();
    fill_hard(r, 1000000, 0);
    sonde_result_array(r, "m", "y x", (const int64_t[]){ 1000, 1000 });
    sonde_result_array(r, "w", "p q r x", (const int64_t[]){ 50, 20, 10, 100 });
    sonde_result_array(r, "v", "x", (const int64_t[]){ 1000000 });
    sonde_result_array(r, "none", "y x", (const int64_t[]){ 0, 3 });
    static const char *const of[] = { "t", "m", "w", "v", "none" };
    for (int i = 0; i < 5; i++) add_all_views(r, of[i]);
    for (size_t i = 0; i < r->views.n; i++) {
        arena *own = arena_new();
        picture *p = picture_of(r, &r->views.at[i], own);
        const bool silent = p->marks.n < 3 && !p->notes.n;          /* never nothing without a word */
        if (p->marks.n > 100000 || p->height > 20000 || silent)
            FAIL_("kind %d of %s: %zu marks, %g high", (int)r->views.at[i].kind, r->views.at[i].of, p->marks.n, p->height);
        picture_free(p);
        arena_free(own);
    }
    sonde_result_free(r);
}

static void random_results_are_well_formed_and_harmless(void) {
    const scratch s = scratch_new();
    for (uint64_t i = 0; i < 24; i++) {
        sonde_result *r = anything(i);
        sonde_result_method(r, "<lens>");
        sonde_result_param(r, "k\"'>", "</dd><script>");
        sonde_result_edit(r, "zero:<b>&\xe2\x80\xae");
        check_writers(r, &s, i % 8 == 0);
        sonde_result_free(r);
    }
    scratch_end(&s);
}

static const char *const hostile[] = {
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "]]>", "&", "\"'", "\xe2\x80\xae" "evil",
        "a\0b", "\xff\xfe", "<!--", "--></td>",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* In every place where a text can stand. */
static void hostile_texts_stay_texts(void) {
    const scratch s = scratch_new();
    for (size_t i = 0; i < HOSTILE; i++) {
        const char *x = hostile[i];
        const sonde_token t = { 1, x, i == 6 ? 3 : strlen(x) };
        sonde_result *r = sonde_result_new();
        sonde_result_method(r, x);
        sonde_result_model(r, x, x, x);
        sonde_result_param(r, x, x);
        sonde_result_edit(r, x);
        sonde_result_note(r, x);
        sonde_result_prompt(r, t.bytes, t.len);
        sonde_result_prompt_token(r, 0, t, 0, 1);
        sonde_result_generated(r, 0, &(sonde_written){ .token = t, .prob = 0.5 });
        sonde_result_generated_text(r, 0, t.bytes, t.len);
        sonde_table *table = sonde_result_table(r, x);
        sonde_table_column(table, x, SONDE_TOKEN, x);
        sonde_table_column(table, "text", SONDE_TEXT, x);
        static const char *const names[] = { "x", "y", "z", "width", "height", "depth" };
        for (int c = 0; c < 6; c++) sonde_table_column(table, names[c], SONDE_FLOAT, x);
        for (int row = 0; row < 3; row++) {
            sonde_table_row(table);
            sonde_cell_token(table, t);
            sonde_cell_text(table, x);
            for (int c = 0; c < 6; c++) sonde_cell_float(table, row + c);
        }
        sonde_array *a = sonde_result_array(r, "a", "y x", (const int64_t[]){ 90, 90 });
        sonde_array_label_token(a, 0, t);
        sonde_array_label_text(a, 1, x);
        for (int kind = SONDE_VIEW_HEATMAP; kind <= SONDE_VIEW_ARCHITECTURE; kind++)
            sonde_result_view(r, (sonde_drawing){ .kind = (sonde_view_kind)kind, .of = x, .title = x,
                                                  .x = kind == SONDE_VIEW_SCATTER || kind == SONDE_VIEW_HISTOGRAM ? "x" : x,
                                                  .y = kind == SONDE_VIEW_SCATTER ? "y" : "text",
                                                      .z = kind == SONDE_VIEW_SCATTER ? "z" : NULL,
                                                  .value = kind == SONDE_VIEW_TOKEN_GRID || kind == SONDE_VIEW_SCATTER ? x
                                                      : "z", .label = "text", .panel = x });
        sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "a", .title = x });
        check_writers(r, &s, true);
        sonde_result_free(r);
    }
    scratch_end(&s);
}

/* A policy that lets our script run must name what lies between its tags. */
static void the_page_allows_its_own_script_alone(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    sonde_table *t = numbers(r, (const char *[]){ "x", "v" }, 2);
    for (int i = 0; i < 2003; i++) put_row(t, (double[]){ i, 0.1 }, 2);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "t", .x = "x", .value = "v", .title = "T" });
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.html").text, NULL), SONDE_OK);
    static char page[1 << 20];
    FILE *f = fopen(in_scratch(&s, "x.html").text, "rb");
    page[fread(page, 1, sizeof page - 1, f)] = '\0';
    fclose(f);
    const char *script = strstr(page, "<script>");
    CHECK(script && strstr(page, "default-src 'none'"));
    script += strlen("<script>");
    uint8_t want[32], got[33] = { 0 };
    sha256 *h = sha256_new();
    sha256_add(h, script, (size_t)(strstr(script, "</script>") - script));
    CHECK_EQ(sha256_end(h, want, NULL), SONDE_OK);
    const char *digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", *said = strstr(page,
            "sha256-") + 7;
    for (int i = 0; i < 44; i += 4) {
        uint32_t v = 0;
        for (int k = 0; k < 4; k++) v = v << 6 | (said[i + k] == '=' ? 0 : (uint32_t)(strchr(digit, said[i + k]) - digit));
        for (int k = 0; k < 3; k++) got[i / 4 * 3 + k] = (uint8_t)(v >> (16 - 8 * k));
    }
    CHECK(memcmp(want, got, 32) == 0);
    CHECK(strstr(page, "2003 rows; the first 2000 are shown and sorted, the CSV has them all"));
    CHECK(strstr(page, "<td class=\"n\">1999</td>") && !strstr(page, "<td class=\"n\">2000</td>"));
    CHECK(strstr(page, "\\n2002,0.1\\n\"</script>"));
    sonde_result_free(r);
    scratch_end(&s);
}

static void a_result_without_views_has_nothing_to_draw(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    numbers(r, (const char *[]){ "x" }, 1);
    sonde_error err = { 0 };
#ifdef SONDE_CAIRO
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.png").text, &err), SONDE_USAGE);
    CHECK(strstr(err.message, "this result has nothing to draw, expected one with views"));
#endif
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.html").text, &err), SONDE_OK);
    CHECK_EQ((long long)scratch_count(s.path), 1);
    sonde_result_free(r);
    scratch_end(&s);
}

static void a_prompt_alone_is_a_table_of_tokens(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    sonde_result_prompt_token(r, sonde_result_prompt(r, " cat", 4), token(7, " cat"), 0, 4);
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.html").text, NULL), SONDE_OK);
    static char page[1 << 16];
    FILE *f = fopen(in_scratch(&s, "x.html").text, "rb");
    page[fread(page, 1, sizeof page - 1, f)] = '\0';
    fclose(f);
    CHECK(strstr(page, "<h2>tokens</h2>") && strstr(page, "title=\"id 7, bytes 20 63 61 74\">·cat</span>"));
    sonde_result_free(r);
    scratch_end(&s);
}

static void texts_are_cut_to_their_room(void) {
    arena *own = arena_new();
    CHECK_STR(text_cut(own, "abc", 10, 1000), "abc");
    CHECK_STR(text_cut(own, "abcdefghij", 10, 3), "");
    const char *cut = text_cut(own, "abcdefghijklmnop", 10, 50);
    CHECK(text_width(cut, 10) <= 50 && strstr(cut, "…") && strncmp(cut, "abc", 3) == 0);
    arena_free(own);
}

static void ticks_are_round_and_inside(void) {
    static const struct { double lo, hi; bool logarithmic; } range[] = {
        { 0, 1, false }, { -3, 17, false }, { 1e-9, 2e-9, false }, { -1.7e308, 1.7e308, false }, { 5, 5, false }, { 1e9,
                1e9 + 1e-3, false },
        { 1, 1000, true }, { 3, 4, true }, { 1e-300, 1e300, true },
    };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
        axis a = AXIS_EMPTY;
        a.logarithmic = range[i].logarithmic;
        a.to = 100;
        axis_add(&a, range[i].lo);
        axis_add(&a, range[i].hi);
        axis_close(&a, false);
        double tick[32];
        const size_t n = axis_ticks(&a, 8, tick);
        CHECK(n > 0 && n <= 9);
        for (size_t k = 0; k < n; k++) CHECK(axis_at(&a, tick[k]) >= 0 && axis_at(&a, tick[k]) <= 100 && (!k
                || tick[k] > tick[k - 1]));
    }
    axis a = { .lo = 0, .hi = 1, .to = 1 };
    double tick[32];
    CHECK_EQ((long long)axis_ticks(&a, 5, tick), 6);    /* both ends */
    CHECK_NEAR(tick[5], 1, 1e-12);
}

#define TESTS(X) \
    X(bars_are_as_long_as_their_numbers) \
    X(a_heatmap_has_the_colours_of_its_scale) \
    X(signed_numbers_are_blue_and_orange_about_zero) \
    X(panels_share_a_scale_unless_they_are_told_not_to) \
    X(box_quartiles_are_those_of_numpy) \
    X(boxes_stand_where_their_quartiles_are) \
    X(boxes_of_an_array_take_all_other_axes_as_the_sample) \
    X(lines_break_at_what_is_no_number_and_have_bands) \
    X(a_histogram_lies_over_another_on_a_logarithmic_axis) \
    X(words_of_a_cloud_do_not_overlap) \
    X(nodes_of_a_graph_stand_below_what_they_read) \
    X(points_have_places_colours_and_labels) \
    X(boxes_in_space_show_three_faces_and_all_columns) \
    X(what_is_pooled_or_cut_is_said) \
    X(every_kind_bears_every_table) \
    X(every_kind_bears_a_million_cells) \
    X(random_results_are_well_formed_and_harmless) \
    X(hostile_texts_stay_texts) \
    X(the_page_allows_its_own_script_alone) \
    X(a_result_without_views_has_nothing_to_draw) \
    X(a_prompt_alone_is_a_table_of_tokens) \
    X(texts_are_cut_to_their_room) \
    X(ticks_are_round_and_inside)
TEST_MAIN(TESTS)
