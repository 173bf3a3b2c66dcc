/* target.h - what a fuzz target is: libFuzzer's entry, which replay.c calls too. A broken promise aborts. */
#ifndef SONDE_FUZZ_TARGET_H
#define SONDE_FUZZ_TARGET_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(cond) do { if (!(cond)) abort(); } while (0)
#endif
