/* zip.h - archives whose entries are stored as they are, as torch.save and numpy.savez write them.
 *
 * The central directory says what an archive holds, and every local header must say the same: a reader that believes
 * one of them and a reader that believes the other see the same entries. Nothing is unpacked: an entry is a stretch of
 * the file. Names are bytes, used to look entries up and never as paths. */
#ifndef SONDE_ZIP_H
#define SONDE_ZIP_H
#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"

typedef struct {
    const char    *name;        /* NUL-terminated, holds no other NUL */
    size_t         name_len;
    const uint8_t *data;        /* in the file, may be unaligned; packed bytes if the entry is compressed */
    uint64_t       size, whole; /* bytes at data; bytes of the unpacked entry, the same if it is stored */
    uint64_t       begin;       /* of the local header, from the file's first byte */
    uint32_t       crc;
} zip_entry;

typedef struct {
    zip_entry *entry;           /* [n], in the order of their places */
    size_t     n;
    map       *names;
    const char *compressed;     /* the name of one that is, or NULL */
} zip_archive;

bool             zip_probe(const uint8_t *head, size_t n);
/* FORMAT for what breaks the format or says two things, UNSUPPORTED for encrypted entries. Memory comes from the arena. */
sonde_status     zip_read(const file_map *file, arena *memory, zip_archive *out, sonde_error *err);
/* UNSUPPORTED if an entry is compressed. To be asked before any entry's bytes are. */
sonde_status     zip_all_stored(const zip_archive *z, sonde_error *err);
const zip_entry *zip_find(const zip_archive *z, const char *name, size_t len);         /* NULL: there is none */
/* FORMAT unless the bytes have the checksum that the directory gives. Reads all of them. */
sonde_status     zip_check(const zip_entry *e, sonde_error *err);
#endif
