"""Writes src/text/classes.inc: what the fast pre-tokenizers and the quick check of normal form C ask of a code point.

    python tools/unicode_classes.py > src/text/classes.inc

A byte of flags (src/text/classes.h) for each code point of Unicode 14: pages of 128 below U+20000, runs above. The source
is Python 3.11's unicodedata; tests/test_scan.c compares every code point with PCRE2.
"""
import sys
import unicodedata

PAGE, PLAIN = 128, 0x20000
LETTER, NUMBER, SPACE, NEWLINE, REST, PUNCTUATION, SYMBOL, COMPOSED = (1 << i for i in range(8))
WHITE_SPACE = {*range(9, 14), 0x20, 0x85, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028, 0x2029, 0x202f, 0x205f, 0x3000}


def joins_what_is_before():
    """Code points that normal form C may join with the one before: second halves of primary composites, and Jamo."""
    second = {*range(0x1161, 0x1176), *range(0x11a8, 0x11c3)}
    for c in range(0x110000):
        parts = unicodedata.decomposition(chr(c)).split()           # a compatible one begins with <kind>
        if len(parts) == 2 and parts[0][0] != "<" and unicodedata.normalize("NFC", chr(c)) == chr(c):
            second.add(int(parts[1], 16))
    return second


def flags(c, second):
    category = unicodedata.category(chr(c))
    out = {"L": LETTER, "N": NUMBER, "P": PUNCTUATION, "S": SYMBOL}.get(category[0], 0)
    if c in WHITE_SPACE:
        out |= SPACE
    if c in (10, 13):
        out |= NEWLINE
    if not out & (LETTER | NUMBER | SPACE):
        out |= REST
    if category in ("Cn", "Cs") or unicodedata.combining(chr(c)) or c in second:
        return out
    return out | COMPOSED if unicodedata.normalize("NFC", chr(c)) == chr(c) else out


def main():
    if unicodedata.unidata_version != "14.0.0":
        sys.exit(f"this Python has Unicode {unicodedata.unidata_version}, expected 14.0.0 (Python 3.11)")
    second = joins_what_is_before()
    all_flags = [flags(c, second) for c in range(0x110000)]
    kinds = sorted(set(all_flags))
    letter = {f: chr(ord("A") + i + (i >= 27)) for i, f in enumerate(kinds)}        # no backslash
    pages, index = [], []
    for c in range(0, PLAIN, PAGE):
        page = "".join(letter[f] for f in all_flags[c:c + PAGE])
        if page not in pages:
            pages.append(page)
        index.append(pages.index(page))
    print("/* Made by tools/unicode_classes.py: Unicode 14. */")
    print(f"enum {{ PAGE = {PAGE}, PLAIN = {PLAIN:#x} }};")
    print("const uint8_t class_ascii[128] = {")
    for i in range(0, 128, 16):
        print("    " + ",".join(map(str, all_flags[i:i + 16])) + ",")
    print("};\n/* What the letters of `pages` stand for. */")
    print("static const uint8_t flags_of[128] = {")
    print("    " + ", ".join(f"['{letter[f]}'] = {f}" for f in kinds[:8]) + ",")
    print("    " + ", ".join(f"['{letter[f]}'] = {f}" for f in kinds[8:]) + ",")
    print("};")
    print(f"static const uint{8 if len(pages) <= 256 else 16}_t page_of[PLAIN / PAGE] = {{")
    for i in range(0, len(index), 30):
        print("    " + ",".join(map(str, index[i:i + 30])) + ",")
    print("};")
    print(f"static const char pages[{len(pages)}][PAGE + 1] = {{")
    for page in pages:
        print("".join(f'    "{page[i:i + 64]}"' + ("," if i else "") + "\n" for i in range(0, PAGE, 64)), end="")
    print("};\n/* Runs from PLAIN on: the first, and the flags up to the next. */")
    print("static const struct { uint32_t first; uint8_t flags; } above[] = {")
    runs = [(c, all_flags[c]) for c in range(PLAIN, 0x110000) if c == PLAIN or all_flags[c] != all_flags[c - 1]]
    for i in range(0, len(runs), 6):
        print("    " + " ".join(f"{{ {c:#x}, {f} }}," for c, f in runs[i:i + 6]))
    print("};")


if __name__ == "__main__":
    main()
