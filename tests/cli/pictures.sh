# Pictures and pages of two methods: the files' signatures, and a result without views.
. "$CASES/lib.sh"
export SONDE_MODEL=induction
text=" red cat river key red cat"
for method in lens attention; do
    try $method "$text" --quiet -o $method.svg -o $method.png -o $method.pdf -o $method.html >/dev/null
    head -c 38 $method.svg; echo
    head -c 8 $method.png | od -An -tx1
    head -c 5 $method.pdf; echo
    head -n 1 $method.html
    grep -c '<svg' $method.html
done
sonde lens "$text" --quiet -o again.png >/dev/null && cmp again.png lens.png && echo the same PNG
sonde lens "$text" --quiet -o again.pdf >/dev/null && cmp again.pdf lens.pdf && echo the same PDF
sonde lens "$text" --quiet -o again.html >/dev/null && cmp again.html lens.html && echo the same page
fails tokens "$text" -o t.svg
try tokens "$text" -o t.html >/dev/null
grep -c '<table>' t.html
ls
