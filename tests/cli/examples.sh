# Every example of the help works as typed, dry too, and the tour ends well.
SONDE_MODELS=$SONDE_MODELS:$CASES/../golden/families       # encoders with heads: bert_mlm, bert_qa, ..
ran=0
for verb in $(sonde help | awk '/^$/ { part++ } part == 2 && /^  [a-z]/ { print $1 }'); do
    [ $verb != tour ] || continue
    example=$(sonde help $verb | awk 'seen && /^  sonde/ { print; exit } /^Example/ { seen = 1 }')
    eval "$example" >out.txt 2>err.txt
    status=$?
    written=$(expr "$example" : '.*--out \([^ ]*\)')           # with --out nothing is on stdout
    [ $status = 0 ] && [ -s "${written:-out.txt}" ] || { echo "$example: exit $status"; cat err.txt; }
    ran=$((ran + 1))
    [ $verb != help ] && [ $verb != docs ] || continue
    eval "${example%% \#*} --dry-run" >out.txt 2>err.txt
    status=$?
    [ $status = 0 ] || { echo "$example --dry-run: exit $status"; cat err.txt; }
done
sonde tour >tour.txt 2>&1
[ $ran -gt "$(grep -c '^METHOD' "$CASES/../../src/method/methods.def")" ] && all=all
echo "$all examples; tour: exit $?, $(grep -c '^\$ sonde' tour.txt) steps"
