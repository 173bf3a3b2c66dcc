/* Numbers for the page's script: base64 of little-endian IEEE 754, so that they are exact and short. */
#include "paint.h"
#include "show_token.h"
#include "writers.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STOPS = 256 };

static void put_base64(pen *p, const void *data, size_t n) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = data;
    for (size_t i = 0; i < n && p->status == SONDE_OK; i += 3) {
        const uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        char four[4] = { digit[v >> 18], digit[v >> 12 & 63], digit[v >> 6 & 63], digit[v & 63] };
        for (size_t k = n - i < 3 ? n - i + 1 : 4; k < 4; k++) four[k] = '=';
        pen_put(p, four, 4);
    }
}

/* What json_quote leaves and a script element must not hold. */
static void put_quoted(pen *p, const char *quoted) {
    for (;;) {
        const size_t n = strcspn(quoted, "<>&");
        pen_put(p, quoted, n);
        quoted += n;
        if (!*quoted) return;
        pen_printf(p, "\\u%04x", (unsigned)(unsigned char)*quoted++);
    }
}

void html_json_text(html_pen *h, const char *text) {
    arena *own = arena_new();
    put_quoted(h->p, json_quote(own, text ? text : "", text ? strlen(text) : 0));
    arena_free(own);
}

static size_t open_data(html_pen *h) {
    pen_printf(h->p, "<script type=\"application/json\" id=\"d%zu\">", h->ids);
    return h->ids++;
}

static void close_data(html_pen *h) { pen_text(h->p, "</script>\n"); }

static void put_member(html_pen *h, const char *name, const char *text) {
    pen_printf(h->p, ",\"%s\":", name);
    html_json_text(h, text);
}

static void put_list(html_pen *h, const char *name, const char *const *text, size_t n) {
    pen_printf(h->p, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i) pen_text(h->p, ",");
        html_json_text(h, text[i]);
    }
    pen_text(h->p, "]");
}

/* One-sided and signed, light and dark each, as the raster's own scale colours them. */
void html_palettes(html_pen *h) {
    pen_text(h->p, "<script type=\"application/json\" id=\"palettes\">[");
    for (int k = 0; k < 4; k++) {
        const bool is_signed = k / 2;
        const shade_scale s = { .lo = is_signed ? -1 : 0, .hi = 1, .is_signed = is_signed, .picture = true };
        pen_text(h->p, k ? ",\"" : "\"");
        for (int i = 0; i < STOPS; i++) {
            const paint c = paint_value(&s, s.lo + (s.hi - s.lo) * i / (STOPS - 1));
            const rgb v = k % 2 ? c.dark : c.light;
            pen_printf(h->p, "%02x%02x%02x", v.r, v.g, v.b);
        }
        pen_text(h->p, "\"");
    }
    pen_text(h->p, "]</script>\n");
}

static void put_values(html_pen *h, const double *value, size_t n) {
    bool narrow = true;
    for (size_t i = 0; i < n && narrow; i++)
        narrow = isnan(value[i]) || (fabs(value[i]) < 1e38 && (double)(float)value[i] == value[i]);
    pen_printf(h->p, ",\"bits\":\"%d\",\"values\":\"", narrow ? 32 : 64);
    if (narrow) {
        float *shorter = malloc(n * sizeof *shorter + 1);
        if (!shorter) abort();
        for (size_t i = 0; i < n; i++) shorter[i] = (float)value[i];
        put_base64(h->p, shorter, n * sizeof *shorter);
        free(shorter);
    } else put_base64(h->p, value, n * sizeof *value);
    pen_text(h->p, "\"");
}

size_t html_raster(html_pen *h, const raster *r) {
    const size_t id = open_data(h);
    const pivot *v = r->v;
    char lo[DIGITS_ROOM], hi[DIGITS_ROOM];
    const bool none = r->scale.lo > r->scale.hi;
    pen_printf(h->p, "{\"nx\":%zu,\"ny\":%zu,\"fx\":%zu,\"fy\":%zu,\"signed\":%d,\"root\":%d", r->nx, r->ny, r->fx, r->fy,
               r->scale.is_signed, r->scale.root && !r->scale.is_signed);
    pen_printf(h->p, ",\"lo\":%s,\"hi\":%s", none ? "0" : digits_exact(r->scale.lo, lo), none ? "0"
               : digits_exact(r->scale.hi, hi));
    put_member(h, "title", r->title);
    put_member(h, "name", v->value_name);
    put_member(h, "xname", v->x_name);
    put_member(h, "yname", v->y_name);
    put_list(h, "x", v->x_label, v->nx);
    put_list(h, "y", v->y_label, v->ny);
    put_values(h, r->value, r->nx * r->ny);
    pen_text(h->p, ",\"states\":\"");
    put_base64(h->p, r->state, r->nx * r->ny);
    pen_text(h->p, "\"}");
    close_data(h);
    return id;
}

static void put_body(html_pen *h, const body *b) {
    const double v[6] = { b->x, b->y, b->z, b->w, b->h, b->d };
    for (int i = 0; i < 6; i++) {
        char digits[DIGITS_ROOM];
        pen_printf(h->p, "%s%s", i ? "," : "[", digits_exact(v[i], digits));
    }
}

size_t html_scene(html_pen *h, const scene *s) {
    const size_t id = open_data(h);
    pen_printf(h->p, "{\"boxes\":%s", s->boxes ? "true" : "false");
    for (int end = 0; end < 2; end++) {
        const double *v = end ? s->hi : s->lo;
        char digits[3][DIGITS_ROOM];
        pen_printf(h->p, ",\"%s\":[%s,%s,%s]", end ? "hi" : "lo", digits_exact(v[0], digits[0]), digits_exact(v[1], digits[1]),
                   digits_exact(v[2], digits[2]));
    }
    put_list(h, "axis", s->axis, 3);
    put_list(h, "groups", s->groups, s->n_groups);
    LIST(paint) colours = { 0 };
    pen_text(h->p, ",\"bodies\":[");
    for (size_t i = 0; i < s->bodies.n && h->p->status == SONDE_OK; i++) {
        const body *b = &s->bodies.at[i];
        size_t c = colours.n;
        while (c > 0 && memcmp(&colours.at[c - 1], &b->fill, sizeof b->fill) != 0) c--;
        if (!c) {
            *LIST_ADD(colours) = b->fill;
            c = colours.n;
        }
        if (i) pen_text(h->p, ",\n");
        put_body(h, b);
        pen_printf(h->p, ",%zu,%zu,", c - 1, b->group);
        html_json_text(h, b->label);
        pen_text(h->p, ",");
        html_json_text(h, b->tip);
        pen_text(h->p, "]");
    }
    pen_text(h->p, "],\"colours\":[");
    for (size_t i = 0; i < colours.n; i++) {
        const rgb l = colours.at[i].light, d = colours.at[i].dark;
        pen_printf(h->p, "%s[\"%02x%02x%02x\",\"%02x%02x%02x\"]", i ? "," : "", l.r, l.g, l.b, d.r, d.g, d.b);
    }
    free(colours.at);
    pen_text(h->p, "]}");
    close_data(h);
    return id;
}

/* CSV passes as pieces of one JSON string. Its bytes are valid UTF-8, and a piece ends between characters or not: only
 * ASCII is touched. */
static sonde_status quote_piece(void *user, const char *bytes, size_t n, sonde_error *err) {
    pen *p = user;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        const unsigned char b = (unsigned char)bytes[i];
        if (b == '\n') pen_text(p, "\\n");
        else if (b < ' ' || strchr("<>&\"\\", b)) pen_printf(p, "\\u%04x", (unsigned)b);
        else pen_put(p, bytes + i, 1);
    }
    return p->status;
}

size_t html_csv(html_pen *h, const sonde_table *t) {
    const size_t id = open_data(h);
    pen_text(h->p, "\"");
    pen *csv = malloc(sizeof *csv);
    if (!csv) abort();
    pen_open(csv, quote_piece, h->p, h->p->err);
    csv_write_table(t, ',', csv);
    (void)pen_close(csv);                               /* its errors are h->p's own */
    free(csv);
    pen_text(h->p, "\"");
    close_data(h);
    return id;
}

size_t html_array(html_pen *h, const sonde_array *a) {
    const size_t id = open_data(h);
    pen_text(h->p, "{\"shape\":[");
    for (int i = 0; i < a->rank; i++) pen_printf(h->p, "%s%lld", i ? "," : "", (long long)a->dim[i]);
    pen_text(h->p, "]");
    const char *axes[SONDE_MAX_RANK];
    for (int i = 0; i < a->rank; i++) axes[i] = show_copy(h->scratch, a->axis[i], strlen(a->axis[i]), SHOW_LINE);
    put_list(h, "axes", axes, (size_t)a->rank);
    put_member(h, "name", show_copy(h->scratch, a->name, strlen(a->name), SHOW_LINE));
    pen_text(h->p, ",\"bits\":\"32\",\"values\":\"");
    put_base64(h->p, a->data, (size_t)a->n * sizeof *a->data);
    pen_text(h->p, "\"");
    if (a->missing) {
        pen_text(h->p, ",\"missing\":\"");
        put_base64(h->p, a->missing, (size_t)a->n / 8 + 1);
        pen_text(h->p, "\"");
    }
    pen_text(h->p, "}");
    close_data(h);
    return id;
}
