/* pickle_machine.h - the stack machine of pickle.c and the calls of pickle_calls.c; for these two alone. */
#ifndef SONDE_PICKLE_MACHINE_H
#define SONDE_PICKLE_MACHINE_H
#include "pickle.h"

typedef struct {
    cursor        c;
    const uint8_t *begin, *op;          /* of this pickle; the opcode being run */
    pickle_source *from;
    arena         *memory;
    pickle_items   stack, memo;
    size_t        *mark, marks, mark_cap;
    size_t         pushes, memoized;
    bool           stopped;
    sonde_error   *err;
} machine;

/* FORMAT, or `status`, with the offset of the running opcode. */
__attribute__((format(printf, 3, 4), cold))
sonde_status pickle_fail(machine *m, sonde_status status, const char *fmt, ...);

#define REFUSE_IF(cond, m, ...) \
    do { if (cond) { pickle_fail((m), SONDE_FORMAT, __VA_ARGS__); return SONDE_FORMAT; } } while (0)

/* What a name called with these arguments gives. */
sonde_status pickle_call(machine *m, const pickle_value *callee, const pickle_value *args, pickle_value *out);
/* The storage that a persistent id names. */
sonde_status pickle_persistent(machine *m, const pickle_value *id, pickle_value *out);
pickle_items *pickle_items_new(machine *m);
#endif
