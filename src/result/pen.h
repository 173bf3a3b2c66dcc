/* pen.h - text on its way to a sink, gathered into pieces of some KB.
 *
 * The first error of the sink stays: later calls do nothing and pen_close gives
 * it. A writer of many rows looks at `status` once a row. */
#ifndef SONDE_PEN_H
#define SONDE_PEN_H
#include "sonde/result.h"

typedef struct {
    sonde_sink   sink;
    void        *user;
    sonde_error *err;
    sonde_status status;
    size_t       n;
    char         bytes[1 << 14];
} pen;

void pen_open(pen *p, sonde_sink sink, void *user, sonde_error *err);
void pen_put(pen *p, const char *bytes, size_t n);
void pen_text(pen *p, const char *text);
void pen_repeat(pen *p, const char *text, int times);
__attribute__((format(printf, 2, 3)))
void pen_printf(pen *p, const char *fmt, ...);          /* at most 255 bytes */
sonde_status pen_close(pen *p);                         /* sends the rest */
#endif
