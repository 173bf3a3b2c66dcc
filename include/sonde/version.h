/* version.h - which sonde this is: the number in `--version`, in every JSON and in every trace. */
#ifndef SONDE_VERSION_H
#define SONDE_VERSION_H
#include "sonde/error.h"

#define SONDE_VERSION "0.1.0"
/* The version of the library that is linked, which may be newer than the header. */
SONDE_API const char *sonde_version(void);
#endif
