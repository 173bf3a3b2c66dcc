# On a terminal: colour, as wide as it is; never with NO_COLOR or --no-color. `script` makes a terminal of 80 columns;
# stderr is left out, a slow run shows its bar there.
command -v script >/dev/null || { cat "$CASES/terminal.stdout"; exit 0; }
export SONDE_MODEL=induction TERM=xterm
on() { script -qec "stty cols ${columns:-80}; $1" /dev/null </dev/null | tr -d '\r'; }
escapes() { if grep -q "$(printf '\033')"; then echo "$1: colour"; else echo "$1: plain"; fi; }
widest() { sed "s/$(printf '\033')\[[0-9;]*m//g" | LC_ALL=C.UTF-8 wc -L; }
red='sonde attention " red cat river key red cat" 2>/dev/null'
on "$red" | escapes terminal
NO_COLOR=1 on "$red" | escapes NO_COLOR
on "$red --no-color" | escapes --no-color
TERM=dumb on "$red" | escapes dumb
on "$red | cat" | escapes pipe
for columns in 40 80 120; do
    [ "$(on "$red" | widest)" -le $columns ] && echo "no wider than $columns"
done
on "sonde tokens --prompts absent.txt" | escapes error
