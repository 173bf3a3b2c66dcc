/* error.h - the one way a call can fail.
 *
 * Every fallible function returns sonde_status and takes a caller-owned sonde_error
 * as its last argument (NULL is allowed). Nothing is allocated, nothing is
 * remembered between calls, so the type is safe on any thread. A broken
 * precondition is a bug in the caller: assert it, never report it here. */
#ifndef SONDE_ERROR_H
#define SONDE_ERROR_H

#define SONDE_API __attribute__((visibility("default")))

/*  name          exit http  text */
#define SONDE_STATUS_MAP(X)                            \
    X(OK,            0, 200, "ok")                  \
    X(DIFFERS,       1, 200, "a check failed")      \
    X(USAGE,         2, 400, "bad argument")        \
    X(FORMAT,        3, 422, "malformed file")      \
    X(UNSUPPORTED,   4, 422, "not supported")       \
    X(NOT_FOUND,     5, 404, "not found")           \
    X(NOMEM,         6, 507, "memory budget spent") \
    X(IO,            7, 500, "input/output error")  \
    X(CANCELLED,   130, 499, "cancelled")

typedef enum {
#define X(name, exit_code, http, text) SONDE_##name,
    SONDE_STATUS_MAP(X)
#undef X
} sonde_status;

typedef struct {
    sonde_status status;
    char         message[1024];
} sonde_error;

SONDE_API const char *sonde_status_text(sonde_status s);
SONDE_API int         sonde_status_exit_code(sonde_status s);
SONDE_API int         sonde_status_http(sonde_status s);

/* Record a failure and return `s`, so that a failing function ends in one line. */
SONDE_API __attribute__((format(printf, 3, 4), cold))
sonde_status sonde_fail(sonde_error *err, sonde_status s, const char *fmt, ...);

/* Put "where: " in front of the message on the way up, and return `s`. */
SONDE_API __attribute__((format(printf, 3, 4), cold))
sonde_status sonde_fail_at(sonde_error *err, sonde_status s, const char *fmt, ...);

#define SONDE_TRY(call) \
    do { sonde_status s_ = (call); if (s_ != SONDE_OK) return s_; } while (0)
#define SONDE_FAIL_IF(cond, err, status, ...) \
    do { if (cond) { sonde_fail(err, status, __VA_ARGS__); return status; } } while (0)

#endif
