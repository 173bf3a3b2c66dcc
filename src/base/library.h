/* library.h - libraries of others that are loaded when something first needs them. What few runs need, and what brings
 * tens of libraries more or starts threads of its own, would cost every run milliseconds otherwise. */
#ifndef SONDE_LIBRARY_H
#define SONDE_LIBRARY_H
#include "sonde/error.h"

typedef void (*library_fn)(void);               /* to be cast to what it is */

/* Loads `name` ("libcurl.so.4"), for good, and finds fn[0 .. n) by their names. UNSUPPORTED: it is not on this machine, or
 * lacks one of them. Not by two threads at once for one fn. */
sonde_status library_load(const char *name, const char *const *names, int n, library_fn *fn, sonde_error *err);
#endif
