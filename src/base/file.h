/* file.h - whole files, mapped and read-only; and files that appear whole or not at all.
 *
 * file_map opens once, requires a regular file, and maps it. A file that another
 * program truncates while it is mapped raises SIGBUS (docs/pitfalls.md). */
#ifndef SONDE_FILE_H
#define SONDE_FILE_H
#include "sonde/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { const uint8_t *data; size_t size; bool mapped; } file_map;

/* NOT_FOUND, IO. An empty file has size 0 and data that may not be read. */
sonde_status file_map_open(file_map *out, const char *path, sonde_error *err);
/* Some pages here and there will be read, not what lies beside them (true); any, again (false). Advice: any memory will do. */
void         file_map_scattered(const void *at, size_t n, bool scattered);
/* Maps its pages into the process, those that lie in memory first of all, until all are or `stop`, so that who reads them
 * takes no fault for every few. Where the system has no such call nothing happens. For a thread of its own. */
void         file_map_ahead(const file_map *f, const atomic_bool *stop);
void         file_map_close(file_map *f);          /* accepts a zeroed one and one over static memory (mapped false) */
bool         file_exists(const char *path);        /* anything but a folder */
bool         folder_exists(const char *path);

/* A temporary name beside `path`, opened for writing; commit renames it over `path`, drop removes it. */
typedef struct { int fd; char *path, *temporary; } file_out;
sonde_status file_out_open(file_out *out, const char *path, sonde_error *err);
sonde_status file_out_write(file_out *f, const void *bytes, size_t n, sonde_error *err);
sonde_status file_out_write_at(file_out *f, uint64_t offset, const void *bytes, size_t n, sonde_error *err);
sonde_status file_out_sync(file_out *f, sonde_error *err);          /* what was written is on the disk */
sonde_status file_out_commit(file_out *f, sonde_error *err);        /* closes in any case */
void         file_out_drop(file_out *f);                            /* accepts a zeroed one */
#endif
