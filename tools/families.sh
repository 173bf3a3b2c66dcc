#!/bin/sh
# families.sh SONDE - prints docs/families.md: the families by the program's own rows, what the captures of tests/golden measure
# on them (the same numbers on every machine), and what the descriptions leave out.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sonde=$1
golden=$root/tests/golden
rows=$(mktemp -d) || exit 2
trap 'rm -rf "$rows"' EXIT

# One line a tensor of a capture: name, difference, largest number, does it agree.
tensors() {
    "$sonde" verify "$2" -m "$1" 2>/dev/null | awk -F'\t' '/^site\t/ { on = 1; next } on && NF >= 8 { print $1, $3, $5, $8 }'
}

# name, model: what its captures measure, as a row of the table.
measure() {
    edits=0 tokens=0
    : >"$rows/all"
    for file in "$golden/$1"/*.safetensors; do
        case $(basename "$file") in
        model.safetensors | sentences.safetensors) continue ;;
        edit-*) edits=$((edits + 1)) ;;
        greedy*) tokens=$((tokens + 1)) ;;
        beams*) tokens=$((tokens + 1)); continue ;;
        esac
        tensors "$2" "$file" >>"$rows/all"
    done
    family=$("$sonde" info -m "$2" 2>/dev/null | awk -F'\t' '$1 == "family" { print $2 }')
    awk -v name="${1##*/}" -v family="${family:-none}" -v edits="$edits" -v tokens="$tokens" '
        $1 == "greedy" || $1 == "metric" { if ($4 != "true") bad++; next }
        { grad = $1 ~ /^grad\//; n[grad]++; if ($4 != "true") bad++
          most = grad ? 1e-4 * $3 : 1e-5 * ($3 > 1 ? $3 : 1)
          share = $2 == 0 ? 0 : most > 0 ? $2 / most : 9e9
          if (share > worst[grad]) worst[grad] = share }
        END { printf "| `%s` | %s | %d | %d | %d | %d | %.2f | %.2f | %s |\n", name, family, n[0], n[1], edits, tokens, worst[0],
                     worst[1], n[0] + n[1] == 0 || bad ? "no" : "yes" }' "$rows/all"
}

"$sonde" docs families
cat <<'TEXT'
## Measured

Every model here is tiny, random and captured by transformers (eager attention, float32); `tests/golden/README.md` says how, and
which deliberate mistakes are noticed. Sites, gradients: how many tensors were compared, over all captures; edits: captures of edited
runs; tokens: captures of generated ones. Worst: the largest difference as a share of what may be, 1e-5 max(1, max|b|) at sites and
1e-4 max|b| at gradients. The bits of a run are the same on every machine, so these numbers are too.

| model | family | sites | gradients | edits | tokens | worst at a site | worst at a gradient | agrees |
|---|---|---|---|---|---|---|---|---|
TEXT
{
    for name in one_head three inner limit llama_grouped llama_biased llama_limit; do measure $name "$golden/$name"; done
    for name in induction demo; do measure $name "$root/models/$name"; done
    for folder in "$golden"/families/*/; do name=$(basename "$folder"); measure "families/$name" "$folder"; done
} | tee "$rows/table"
echo
awk -F'|' '$10 ~ /yes/ { yes++; f[$3] = 1 } END { for (k in f) n++
    printf "%d of %d models agree at every site and gradient, of %d families.\n", yes, NR, n }' "$rows/table"
cat "$root/tools/families.txt"
