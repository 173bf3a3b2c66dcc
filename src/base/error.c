#include "sonde/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct { int exit_code, http; const char *text; } status_rows[] = {
#define X(name, exit_code, http, text) [SONDE_##name] = { exit_code, http, text },
    SONDE_STATUS_MAP(X)
#undef X
};

const char *sonde_status_text(sonde_status s)      { return status_rows[s].text; }
int         sonde_status_exit_code(sonde_status s) { return status_rows[s].exit_code; }
int         sonde_status_http(sonde_status s)      { return status_rows[s].http; }

sonde_status sonde_fail(sonde_error *err, sonde_status s, const char *fmt, ...) {
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err->status = s;
        vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
    }
    return s;
}

sonde_status sonde_fail_at(sonde_error *err, sonde_status s, const char *fmt, ...) {
    if (!err) return s;
    const sonde_error below = *err;
    char where[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(where, sizeof where, fmt, ap);
    va_end(ap);
    snprintf(err->message, sizeof err->message, "%s: %.600s", where, below.message);
    return s;
}
