/* clock.h - seconds, for saying in advance how long something will take. */
#ifndef SONDE_CLOCK_H
#define SONDE_CLOCK_H
#include <time.h>

static inline double clock_seconds(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif
