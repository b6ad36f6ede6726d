#!/bin/bash
# completion_test.sh TESSERA BASH ZSH MAN: what is offered is what the program has, and the page names all of it.
set -u
tessera=$1 bash_file=$2 zsh_file=$3 man_file=$4
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

compopt() { :; } # outside of a completion there are none
source "$bash_file"

# offers WORD...: completing the last word offers exactly $expected.
offers() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _tessera
    local got="${COMPREPLY[*]}"
    [ "$got" = "$expected" ] || fail "$*: offered '$got', expected '$expected'"
}

expected='compile' offers tessera comp
expected='--objective=' offers tessera compile --obj
expected='dory' offers tessera compile --objective=d
expected='dory' offers tessera compile --objective = d
expected='' offers tessera version --o
expected='--test-count=' offers tessera generate --test-c
expected='--output=' offers tessera generate --outp
grep -qF -- '--test-count=[' "$zsh_file" || fail 'zsh: generate glyphs --test-count'
[ "$(grep -cF -- '--resolution=[' "$zsh_file")" -eq 1 ] || fail 'zsh: generate --resolution not once'
grep -qF -- '\fB\-\-test\-count\fR' "$man_file" || fail 'man: generate glyphs --test-count'

# Every option of every command is offered by both and stands in the page.
for command in $("$tessera" --help | awk '/^  [a-z]/ { print $1 }'); do
    grep -q "^    *$command)" "$zsh_file" || [ "$command" = version ] || [ "$command" = operators ] || fail "zsh: $command"
    grep -qxF ".B ${command//-/\\-}" "$man_file" || fail "man: $command"
    COMP_WORDS=(tessera "$command" --) COMP_CWORD=2 COMPREPLY=()
    _tessera
    for option in $("$tessera" "$command" --help 2>/dev/null | grep -oE '^ *(-[^-], )? *--[a-z0-9-]+' | grep -oE -- '--.*'); do
        printf '%s\n' "${COMPREPLY[@]%=}" | grep -qx -- "$option" || fail "bash: $command $option"
        grep -q -- "'$option[=[]" "$zsh_file" || fail "zsh: $command $option"
        grep -qF -- "\\fB${option//-/\\-}\\fR" "$man_file" || grep -qF -- "${option//-/\\-}" "$man_file" || fail "man: $command $option"
    done
done

if command -v zsh >/dev/null; then
    zsh -n "$zsh_file" || fail 'zsh does not read its file'
else
    echo 'zsh is not installed: its file is not read'
fi
if command -v groff >/dev/null; then
    warnings=$(groff -man -Tascii -ww -z "$man_file" 2>&1)
    [ -z "$warnings" ] || fail "groff: $warnings"
else
    echo 'groff is not installed: the page is not formatted'
fi
[ "$failures" -eq 0 ]
