"""tests/truth_buckets.h: in which bucket each distance up to 2000 falls, by transformers' T5Attention.

    python tools/truth/buckets.py > tests/truth_buckets.h

A row is a table: whether rows see what is behind them, its buckets, its greatest distance, then for the distances in front of
a row (key before query) the first distance of every new bucket, and the bucket; then the same for keys behind the row."""
import torch
from transformers.models.t5.modeling_t5 import T5Attention

MOST = 2000
TABLES = [(both, buckets, most) for both in (True, False)
          for buckets, most in ((32, 128), (8, 12), (9, 17), (7, 11), (16, 27), (12, 81), (64, 1000), (40, 250), (10, 64), (32, 512),
                                (48, 144), (6, 9), (24, 1536), (5, 33))]


def steps(both, buckets, most, sign):
    distance = torch.arange(0, MOST + 1)
    found = T5Attention._relative_position_bucket(sign * distance, bidirectional=both, num_buckets=buckets, max_distance=most)
    out, last = [], None
    for d, b in enumerate(found.tolist()):
        if d == 0 and sign > 0 and both:
            continue                                # distance 0 counts as in front
        if b != last:
            out.append((d, b))
            last = b
    return out


print("/* Made by tools/truth/buckets.py: distances at which the bucket changes, {distance, bucket}, ended by {-1, 0}. */")
print("enum { BUCKET_DISTANCES = %d };" % MOST)
print("typedef struct { bool both; int buckets, most; int before[72][2], behind[72][2]; } bucket_truth;")
print("static const bucket_truth bucket_truths[] = {")
for both, buckets, most in TABLES:
    lists = []
    for sign in (-1, 1):
        lists.append("{ " + ", ".join("{ %d, %d }" % x for x in steps(both, buckets, most, sign)) + ", { -1, 0 } }")
    print("    { %s, %d, %d,\n      %s,\n      %s }," % ("true" if both else "false", buckets, most, *lists))
print("};")
