/* edit_parts.h - the parts of an edit's text: index, value; and what can be known of their shapes before a run. */
#ifndef SONDE_EDIT_PARTS_H
#define SONDE_EDIT_PARTS_H
#include "edit_data.h"
#include "edit_text.h"

sonde_status read_index(reader *r, index_spec *out);            /* at '[', behind ']' */
void         put_index(text_out *o, const index_spec *x);       /* nothing for an index without parts */

enum { LENGTH_UNKNOWN = -1 };
typedef struct { int rank; int64_t dim[SONDE_MAX_RANK]; } known_shape;     /* of what an index leaves */

/* An index of a site: not too many parts, texts on t and s only, numbers and ranges inside axes of known length. */
sonde_status index_check(const arch_config *c, site_id s, const index_spec *x, sonde_error *err);
known_shape  index_shape(const arch_config *c, site_id s, const index_spec *x);        /* of a checked index */
/* May a value of this shape be put where one of that shape is (numpy's rule)? Positions are at most `most`. */
bool         shape_broadcasts(const known_shape *from, const known_shape *to, int64_t most);
const char  *shape_text(arena *a, const known_shape *s);        /* "[t, 64]", unknown lengths as t */

/* How many places of an axis of length n a part names, and which, as written, in the arena. USAGE outside of it. */
sonde_status index_count(const index_part *p, int64_t n, size_t *count, sonde_error *err);
sonde_status index_places(arena *a, const index_part *p, int64_t n, int64_t **out, size_t *count, sonde_error *err);

sonde_status read_value(reader *r, edit_value *out);            /* behind '='; files are not opened */
void         put_value(text_out *o, const edit_value *v, const char *vector_name);     /* NULL: as written */
/* The vector's values. `to`: the shapes that it must broadcast to. `stored`: what "value/N" names. */
typedef struct { const char *site; known_shape shape; } value_target;
typedef struct { const sonde_array_file *file; const sonde_values *memory; } stored_values;    /* one of them, or neither */
sonde_status read_vector(reader *r, edit_value *v, stored_values stored, const value_target *to, size_t n_to);
#endif
