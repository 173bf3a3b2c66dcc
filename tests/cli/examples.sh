# Every example of the help works as typed, dry too, and the tour ends well.
here=$PWD
cd "$CASES/../.." || exit 2
for verb in $(sonde help | awk '/^$/ { part++ } part == 2 && /^  [a-z]/ { print $1 }'); do
    [ $verb != tour ] || continue
    example=$(sonde help $verb | awk 'seen && /^  sonde/ { print; exit } /^Example/ { seen = 1 }')
    eval "$example" >"$here/out.txt" 2>"$here/err.txt"
    status=$?
    [ $status = 0 ] && [ -s "$here/out.txt" ] || { echo "$example: exit $status"; cat "$here/err.txt"; }
    [ $verb != help ] && [ $verb != docs ] || continue
    eval "$example --dry-run" >"$here/out.txt" 2>"$here/err.txt"
    status=$?
    [ $status = 0 ] || { echo "$example --dry-run: exit $status"; cat "$here/err.txt"; }
done
sonde tour >"$here/tour.txt" 2>&1
echo "tour: exit $?, $(grep -c '^\$ sonde' "$here/tour.txt") steps"
