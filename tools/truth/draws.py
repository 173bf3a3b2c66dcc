"""The draws of include/sonde/random.h in Python: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011)."""

MASK = 0xffffffff


def bits(seed, stream, i):
    c = [i & MASK, i >> 32, stream & MASK, stream >> 32]
    k = [seed & MASK, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c[1] << 32 | c[0]


def unit(seed, stream, i):
    return (bits(seed, stream, i) >> 11) * 2.0 ** -53


def order(seed, stream, n):
    out = list(range(n))
    for i in range(n - 1):
        k = i + int(unit(seed, stream, i) * (n - i))
        out[i], out[k] = out[k], out[i]
    return out
