/* embedded.h - the model that lies in the executable. */
#ifndef SONDE_EMBEDDED_H
#define SONDE_EMBEDDED_H
#include <stddef.h>

#define EMBEDDED_MODEL "demo"

/* A file of its folder ("config.json"); NULL if there is none. 64-byte aligned, a NUL behind it. */
const char *embedded_file(const char *name, size_t *size);
#endif
