/* Which table: the first in the list that was asked for and that this processor has. */
#include "kern.h"
#include "product.h"
#include <string.h>

extern const kern_table kern_scalar;
#if defined(__x86_64__)
extern const kern_table kern_avx2, kern_avx512;
#elif defined(__aarch64__)
extern const kern_table kern_neon;
#endif

const kern_table *const kern_tables[] = {
#if defined(__x86_64__)
    &kern_avx512,
    &kern_avx2,
#elif defined(__aarch64__)
    &kern_neon,
#endif
    &kern_scalar,
    NULL,
};

const kern_table *kern = &kern_scalar;

const kern_table *kern_find(const char *isa) {
    for (const kern_table *const *t = kern_tables; *t; t++)
        if (strcmp(isa, (*t)->isa) == 0) return *t;
    return NULL;
}

bool kern_init(const char *isa) {
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (isa && strcmp(isa, (*t)->isa) != 0) continue;
        if (!(*t)->supported()) continue;
        kern = *t;
        return true;
    }
    return false;
}

size_t kern_panel_scratch(const kern_weight *w, size_t n) { return product_panels(w, n) + 16; }
size_t kern_packed_floats(size_t rows, size_t k)          { return product_tiles_room(rows, k); }
size_t kern_rows_at_once(size_t k)                        { return product_rows_of_block(k); }

size_t kern_product_scratch(const kern_weight *w, size_t rows, size_t n) {
    if (rows < product_many(w) || n == 0 || w->k == 0) return 0;
    return product_panels(w, n) + product_block(rows, w->k) + 16;
}

size_t kern_panel_keys(size_t e, size_t keys) {
    return 16 * attend_steps(e) * ((keys + ATTEND_STRIP - 1) / ATTEND_STRIP * ATTEND_STRIP);
}

size_t kern_panel_values(size_t e, size_t keys) {
    return 16 * product_steps(keys) * ((e + ATTEND_STRIP - 1) / ATTEND_STRIP * ATTEND_STRIP);
}

size_t kern_attend_scratch(size_t rows, size_t e, size_t keys) {
    const size_t scores = 16 * attend_steps(e) * 8 * (rows / 6 + 2), mix = 16 * product_steps(keys) * 16;
    return scores > mix ? scores : mix;
}
