/* source.h - texts that come from files, and the bytes that escapes mean. */
#ifndef SONDE_SOURCE_H
#define SONDE_SOURCE_H
#include "base/arena.h"
#include "sonde/error.h"

typedef struct { const char *at; size_t n; } bytes;

/* The whole of a file, a pipe, or stdin ("-"), with a NUL behind it. NOT_FOUND, IO. */
sonde_status source_read(arena *into, const char *path, bytes *out, sonde_error *err);
/* The next line without its newline; false at the end. A last line needs no newline. */
int          source_line(bytes *rest, bytes *line);
/* \n \t \r \\ \xNN as bytes, with a NUL behind them; USAGE for others. */
sonde_status source_unescape(arena *into, bytes text, bytes *out, sonde_error *err);
#endif
