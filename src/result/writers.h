/* writers.h - the doors between the writers. A file of several parts is stored by write_save.c. */
#ifndef SONDE_WRITERS_H
#define SONDE_WRITERS_H
#include "pen.h"
#include "result_parts.h"

enum { JSON_MOST_NUMBERS = 10000 };     /* of an array inside a saved JSON; more go beside it */

/* `stem` NULL: all data inside. Else arrays of more than JSON_MOST_NUMBERS only name their file. */
sonde_status json_write(const sonde_result *r, const char *stem, pen *p);
/* "STEM.NAME.npy" and the like; what is unusual in a file name is percent-encoded. */
const char  *part_name(arena *into, const char *stem, const char *between, const char *name, const char *ending);

/* One table with a header line; `separator` is ',' or a tab. */
void csv_write_table(const sonde_table *t, char separator, pen *p);
/* A text as a field, quoted where it has to be. */
void csv_write_text(const char *text, char separator, pen *p);
/* One row an item: its indices, its value. */
void csv_write_array(const sonde_array *a, char separator, pen *p);
/* The first table; without one the first array, else the tokens of the prompts. USAGE if there is nothing at all. */
sonde_status csv_write_first(const sonde_result *r, char separator, pen *p);

void plain_write(const sonde_result *r, pen *p);
void term_write(const sonde_result *r, sonde_text_style style, pen *p);

/* All arrays; the first one. USAGE if there is none. */
sonde_status arrays_save_safetensors(const sonde_result *r, const char *path, sonde_error *err);
sonde_status arrays_save_npy(const sonde_result *r, const char *path, sonde_error *err);
sonde_status array_save_npy(const sonde_array *a, const char *path, sonde_error *err);
#endif
