/* zip: local headers with their entries, the central directory, [zip64 end record and its locator,] the end record.
 * PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3; formats are little-endian. */
#include "zip.h"
#include "cursor.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR = 20, LONGEST_COMMENT = 65535, LONGEST_NAME = 1024 };
enum { FLAG_ENCRYPTED = 1 << 0, FLAG_DESCRIPTOR = 1 << 3, FLAG_STRONG = 1 << 6, FLAG_MASKED = 1 << 13 };

typedef struct { uint64_t offset, size, entries; } directory;

/* Sizes and place of an entry, as a header gives them: where its 32-bit field is all ones, in the zip64 field. */
typedef struct { uint64_t size, stored, offset; } extents;

static uint64_t number(const uint8_t *p, size_t bytes) {
    uint64_t v = 0;
    memcpy(&v, p, bytes);
    return v;
}

static uint16_t u16(const uint8_t *p) { return (uint16_t)number(p, 2); }
static uint32_t u32(const uint8_t *p) { return (uint32_t)number(p, 4); }
static uint64_t u64(const uint8_t *p) { return number(p, 8); }

static bool begins(const uint8_t *p, const char *signature) { return memcmp(p, signature, 4) == 0; }

bool zip_probe(const uint8_t *head, size_t n) { return n >= 4 && (begins(head, "PK\3\4") || begins(head, "PK\5\6")); }

/* Offset of the end record: the last one whose comment reaches exactly to the end of the file. */
static bool find_end(const file_map *f, size_t *end) {
    if (f->size < END) return false;
    for (size_t comment = 0; comment <= LONGEST_COMMENT && comment <= f->size - END; comment++) {
        const uint8_t *p = f->data + f->size - END - comment;
        if (!begins(p, "PK\5\6") || u16(p + 20) != comment) continue;
        *end = f->size - END - comment;
        return true;
    }
    return false;
}

static bool agree(uint64_t narrow, uint64_t all_ones, uint64_t wide) { return narrow == all_ones || narrow == wide; }

/* The zip64 end record, whose locator stands at `locator`. Leaves in *end where the central directory must end. */
static sonde_status read_end64(const file_map *f, size_t locator, const uint8_t *end, directory *d, uint64_t *stop,
                               sonde_error *err) {
    const uint8_t *l = f->data + locator;
    const uint64_t at = u64(l + 8);
    SONDE_FAIL_IF(u32(l + 4) != 0 || u32(l + 16) > 1, err, SONDE_UNSUPPORTED, "zip: is one of several volumes");
    SONDE_FAIL_IF(locator < END64 || at > locator - END64 || !begins(f->data + at, "PK\6\6"), err, SONDE_FORMAT,
                  "zip: no zip64 end record stands at %" PRIu64 ", where its locator puts it", at);
    const uint8_t *p = f->data + at;
    SONDE_FAIL_IF(u64(p + 4) != locator - at - 12, err, SONDE_FORMAT,
                  "zip: the zip64 end record says it is %" PRIu64 " bytes, expected %" PRIu64, u64(p + 4),
                  locator - at - 12);
    SONDE_FAIL_IF(u32(p + 16) != 0 || u32(p + 20) != 0 || u64(p + 24) != u64(p + 32), err, SONDE_UNSUPPORTED,
                  "zip: is one of several volumes");
    *d = (directory){ .entries = u64(p + 32), .size = u64(p + 40), .offset = u64(p + 48) };
    SONDE_FAIL_IF(!agree(u16(end + 10), UINT16_MAX, d->entries) || !agree(u32(end + 12), UINT32_MAX, d->size)
                  || !agree(u32(end + 16), UINT32_MAX, d->offset), err, SONDE_FORMAT,
                  "zip: the zip64 end record and the end record disagree about the directory");
    *stop = at;
    return SONDE_OK;
}

static sonde_status read_end(const file_map *f, directory *d, sonde_error *err) {
    size_t at;
    SONDE_FAIL_IF(!find_end(f, &at), err, SONDE_FORMAT,
                  "zip: no end record at the end of the file: it is cut, or bytes stand behind it");
    const uint8_t *p = f->data + at;
    SONDE_FAIL_IF((u16(p + 4) != 0 && u16(p + 4) != UINT16_MAX) || (u16(p + 6) != 0 && u16(p + 6) != UINT16_MAX)
                  || u16(p + 8) != u16(p + 10), err, SONDE_UNSUPPORTED, "zip: is one of several volumes");
    *d = (directory){ .entries = u16(p + 10), .size = u32(p + 12), .offset = u32(p + 16) };
    uint64_t stop = at, end;
    if (at >= LOCATOR && begins(p - LOCATOR, "PK\6\7")) SONDE_TRY(read_end64(f, at - LOCATOR, p, d, &stop, err));
    SONDE_FAIL_IF(__builtin_add_overflow(d->offset, d->size, &end) || end != stop, err, SONDE_FORMAT,
                  "zip: the directory is %" PRIu64 " bytes from %" PRIu64 " on, expected to end at %" PRIu64, d->size,
                  d->offset, stop);
    SONDE_FAIL_IF(d->entries > d->size / CENTRAL, err, SONDE_FORMAT,
                  "zip: %" PRIu64 " entries do not fit into a directory of %" PRIu64 " bytes", d->entries, d->size);
    return SONDE_OK;
}

/* Takes from the zip64 field (id 1) of `extra` what the header's 32-bit fields leave to it; the field holds these and
 * nothing else. `offset` is false for local headers, which have none. */
static bool read_wide(const uint8_t *extra, size_t len, bool offset, extents *e) {
    uint64_t *const wide[] = { &e->size, &e->stored, &e->offset };
    const int fields = offset ? 3 : 2;
    int missing = 0;
    for (int i = 0; i < fields; i++) missing += *wide[i] == UINT32_MAX;
    if (!missing) return true;
    cursor c = { extra, extra + len, false };
    for (;;) {
        const uint8_t *head = cursor_take(&c, 4);
        const uint8_t *field = head ? cursor_take(&c, u16(head + 2)) : NULL;
        if (!field) return false;
        if (u16(head) != 1) continue;
        if (u16(head + 2) != 8 * missing) return false;
        for (int i = 0; i < fields; i++)
            if (*wide[i] == UINT32_MAX) {
                *wide[i] = u64(field);
                field += 8;
            }
        return true;
    }
}

/* The local header must tell what the directory's `p` told; e->data is found behind it. */
static sonde_status read_local(const file_map *f, const directory *d, const uint8_t *p, zip_entry *e, sonde_error *err) {
    SONDE_FAIL_IF(e->begin > d->offset || d->offset - e->begin < LOCAL || !begins(f->data + e->begin, "PK\3\4"), err,
                  SONDE_FORMAT, "no local header stands at %" PRIu64, e->begin);
    const uint8_t *l = f->data + e->begin;
    cursor c = { l + LOCAL, f->data + d->offset, false };
    const uint8_t *name = cursor_take(&c, u16(l + 26)), *extra = cursor_take(&c, u16(l + 28));
    SONDE_FAIL_IF(c.bad, err, SONDE_FORMAT, "its local header runs into the directory");
    SONDE_FAIL_IF(u16(l + 26) != e->name_len || memcmp(name, e->name, e->name_len) != 0, err, SONDE_FORMAT,
                  "its local header names it %s", text_shown((const char *)name, u16(l + 26)).text);
    SONDE_FAIL_IF(memcmp(l + 6, p + 8, 4) != 0, err, SONDE_FORMAT,
                  "its local header has other flags, or another method");
    extents x = { .size = u32(l + 22), .stored = u32(l + 18) };
    const bool described = u16(l + 6) & FLAG_DESCRIPTOR && u32(l + 14) == 0 && x.size == 0 && x.stored == 0;
    SONDE_FAIL_IF(!described && (!read_wide(extra, u16(l + 28), false, &x) || x.size != e->whole || x.stored != e->size
                  || u32(l + 14) != e->crc), err, SONDE_FORMAT, "its local header has another size or checksum");
    e->data = cursor_take(&c, e->size);
    SONDE_FAIL_IF(!e->data, err, SONDE_FORMAT, "is %" PRIu64 " bytes and would run into the directory", e->size);
    return SONDE_OK;
}

/* The entry of a directory whose name is known. */
static sonde_status read_entry(const file_map *f, const directory *d, const uint8_t *p, const uint8_t *extra,
                               zip_entry *e, sonde_error *err) {
    SONDE_FAIL_IF(u16(p + 8) & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED), err, SONDE_UNSUPPORTED, "is encrypted");
    extents x = { .size = u32(p + 24), .stored = u32(p + 20), .offset = u32(p + 42) };
    SONDE_FAIL_IF(!read_wide(extra, u16(p + 30), true, &x), err, SONDE_FORMAT,
                  "its zip64 field does not hold what its header leaves out");
    SONDE_FAIL_IF(u16(p + 10) == 0 && x.size != x.stored, err, SONDE_FORMAT,
                  "is %" PRIu64 " bytes, stored as %" PRIu64, x.size, x.stored);
    SONDE_FAIL_IF(u16(p + 34) != 0, err, SONDE_UNSUPPORTED, "lies in another volume");
    e->whole = x.size;
    e->size = x.stored;
    e->begin = x.offset;
    e->crc = u32(p + 16);
    return read_local(f, d, p, e, err);
}

static sonde_status read_central(const file_map *f, const directory *d, cursor *c, zip_archive *z, arena *memory,
                                 sonde_error *err) {
    zip_entry *e = &z->entry[z->n];
    const uint8_t *p = cursor_take(c, CENTRAL);
    SONDE_FAIL_IF(!p || !begins(p, "PK\1\2"), err, SONDE_FORMAT,
                  "zip: the directory has no entry where the one before ends");
    const uint8_t *name = cursor_take(c, u16(p + 28)), *extra = cursor_take(c, u16(p + 30));
    cursor_take(c, u16(p + 32));
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "zip: an entry runs past the end of the directory");
    e->name_len = u16(p + 28);
    SONDE_FAIL_IF(e->name_len == 0 || e->name_len > LONGEST_NAME || memchr(name, 0, e->name_len), err, SONDE_FORMAT,
                  "zip: an entry's name is %zu bytes or holds a NUL, expected 1 to %d bytes", e->name_len, LONGEST_NAME);
    char *copy = arena_alloc(memory, e->name_len + 1);
    memcpy(copy, name, e->name_len);
    e->name = copy;
    const sonde_status s = read_entry(f, d, p, extra, e, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "zip: entry %s", name_shown(e->name).text);
    if (u16(p + 10) != 0) z->compressed = e->name;
    return SONDE_OK;
}

static int by_place(const void *a, const void *b) {
    const zip_entry *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Sorts by place. The first entry begins the file, and none begins before the end of the one before. */
static sonde_status check_places(const file_map *f, zip_archive *z, sonde_error *err) {
    if (z->n) qsort(z->entry, z->n, sizeof *z->entry, by_place);
    const uint8_t *end = f->data;
    for (size_t i = 0; i < z->n; i++) {
        const zip_entry *e = &z->entry[i];
        SONDE_FAIL_IF(i == 0 && e->begin != 0, err, SONDE_FORMAT, "zip: %" PRIu64 " bytes stand before the first entry",
                      e->begin);
        SONDE_FAIL_IF(f->data + e->begin < end, err, SONDE_FORMAT, "zip: entry %s overlaps the one before it",
                      name_shown(e->name).text);
        end = e->data + e->size;
        SONDE_FAIL_IF(!map_put(z->names, e->name, e->name_len, (int64_t)i), err, SONDE_FORMAT,
                      "zip: entry %s stands twice", name_shown(e->name).text);
    }
    return SONDE_OK;
}

sonde_status zip_read(const file_map *file, arena *memory, zip_archive *out, sonde_error *err) {
    directory d;
    SONDE_TRY(read_end(file, &d, err));
    cursor c = { file->data + d.offset, file->data + d.offset + d.size, false };
    *out = (zip_archive){ .entry = arena_new_array(memory, zip_entry, d.entries),
                          .names = map_new(memory, (size_t)d.entries) };
    for (; out->n < d.entries; out->n++)
        SONDE_TRY(read_central(file, &d, &c, out, memory, err));
    SONDE_FAIL_IF(c.at != c.end, err, SONDE_FORMAT, "zip: %td bytes stand behind the directory's last entry",
                  c.end - c.at);
    SONDE_FAIL_IF(out->n == 0, err, SONDE_FORMAT, "zip: holds no entries");
    return check_places(file, out, err);
}

sonde_status zip_all_stored(const zip_archive *z, sonde_error *err) {
    SONDE_FAIL_IF(z->compressed, err, SONDE_UNSUPPORTED,
                  "zip: entry %s is compressed, expected stored bytes, as torch.save and numpy.savez write them",
                  name_shown(z->compressed).text);
    return SONDE_OK;
}

const zip_entry *zip_find(const zip_archive *z, const char *name, size_t len) {
    int64_t i;
    return map_get(z->names, name, len, &i) ? &z->entry[i] : NULL;
}

sonde_status zip_check(const zip_entry *e, sonde_error *err) {
    const uint32_t found = (uint32_t)crc32_z(0, e->data, (size_t)e->size);
    SONDE_FAIL_IF(found != e->crc, err, SONDE_FORMAT, "zip: entry %s: its bytes have the checksum %08x, expected %08x",
                  name_shown(e->name).text, found, e->crc);
    return SONDE_OK;
}
