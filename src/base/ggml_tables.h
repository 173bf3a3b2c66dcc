/* ggml_tables.h - the code books of the IQ block types: words of eight elements of two bits, or of four of four. */
#ifndef SONDE_GGML_TABLES_H
#define SONDE_GGML_TABLES_H
#include <stdint.h>

extern const uint16_t ggml_iq2_xxs_book[256], ggml_iq2_xs_book[512], ggml_iq2_s_book[1024], ggml_iq1_book[2048];
extern const uint16_t ggml_iq3_xxs_book[256], ggml_iq3_s_book[512];
#endif
