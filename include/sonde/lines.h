/* lines.h - separated values, written row by row: memory does not grow with the file.
 *
 * Commas where the name ends in .csv, tabs where it ends in .tsv; quoted as all such files of sonde. The file is written
 * beside its name and renamed when it is closed; lines that are dropped leave nothing behind. The first error stays and
 * comes with the next status. One object is used by one thread at a time. */
#ifndef SONDE_LINES_H
#define SONDE_LINES_H
#include "sonde/error.h"
#include <stdint.h>

typedef struct sonde_lines sonde_lines;

/* USAGE: neither of the two endings; IO: the file cannot be made. */
SONDE_API sonde_status sonde_lines_open(sonde_lines **out, const char *path, sonde_error *err);
/* The next field of the row. */
SONDE_API void         sonde_lines_text(sonde_lines *l, const char *text);
SONDE_API void         sonde_lines_int(sonde_lines *l, int64_t v);
SONDE_API void         sonde_lines_float(sonde_lines *l, float v);              /* 9 digits: it reads back exactly */
/* The row is whole. */
SONDE_API sonde_status sonde_lines_end(sonde_lines *l, sonde_error *err);
SONDE_API sonde_status sonde_lines_close(sonde_lines *l, sonde_error *err);     /* renames; frees l in any case */
SONDE_API void         sonde_lines_drop(sonde_lines *l);                        /* accepts NULL */
#endif
