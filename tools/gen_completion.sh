#!/bin/sh
# gen_completion.sh TESSERA bash|zsh|man: completions and the manual page, from what the program says of its commands and
# options with --help, that is, from its option tables.
set -eu
tessera=$1 kind=$2
export ARGP_HELP_FMT=rmargin=2000,opt-doc-col=60,short-opt-col=2,long-opt-col=6

# One line an item, fields separated by tabs:
#   command NAME ARGUMENTS HELP;  usage NAME TEXT;  doc NAME TEXT;  option NAME SHORT LONG ARGUMENT HELP
items() {
    "$tessera" --help | awk '/^  [a-z]/ { name = $1; rest = substr($0, 16)
        printf "command\t%s\t%s\t%s\n", name, substr(rest, 1, 34), substr(rest, 36) }' | sed 's/ *\t */\t/g'
    # What 'generate' makes to train on takes options of its own.
    for name in $("$tessera" --help | awk '/^  [a-z]/ { print $1 == "generate" ? "generate generate:glyphs" : $1 }'); do
        kind=${name#*:} name=${name%:*}
        [ "$kind" = "$name" ] && kind=
        "$tessera" "$name" $kind --help 2>/dev/null | awk -v name="$name" '
            NR == 1 { sub(/^Usage: /, ""); printf "usage\t%s\t%s\n", name, $0; next }
            /^ *(-[^-], )? *--[a-z]/ {
                short = match($0, /-[^-], /) && RSTART < 4 ? substr($0, RSTART, 2) : ""
                match($0, /--[a-z0-9-]+(\[?=[^ ]*)?/)
                option = substr($0, RSTART, RLENGTH); help = substr($0, RSTART + RLENGTH)
                sub(/^ +/, "", help)
                argument = ""
                if ((at = index(option, "=")) > 0) { argument = substr(option, at + 1); option = substr(option, 1, at - 1) }
                sub(/\[$/, "", option); sub(/\]$/, "", argument)
                printf "option\t%s\t%s\t%s\t%s\t%s\n", name, short, option, argument, help
                next
            }
            /^Mandatory or optional/ { exit }
            /[^ ]/ && !seen { seen = 1; sub(/^ +/, ""); printf "doc\t%s\t%s\n", name, $0 }'
    done
}

bash_completion() {
    items | awk -F '\t' '
        $1 == "command" { order[++count] = $2; names = names " " $2 }
        $1 == "option" && !said[$2, $4]++ {
            options[$2] = options[$2] " " $4 ($5 == "" ? "" : "=")
            if ($3 != "" && $3 != "-?") options[$2] = options[$2] " " $3
            if ($5 ~ /^[a-z0-9]+(\|[a-z0-9]+)+$/) { words = $5; gsub(/\|/, " ", words); chosen[++choices] = $2 " " $4; values[$2 " " $4] = words }
        }
        END {
            print "# bash completion for tessera, made from its option tables"
            print "_tessera() {"
            print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options= values= option="
            print "    if [ \"$COMP_CWORD\" -eq 1 ]; then"
            print "        COMPREPLY=($(compgen -W \"" substr(names, 2) "\" -- \"$cur\"))"
            print "        return"
            print "    fi"
            print "    case $cur in --*=*) option=${cur%%=*} cur=${cur#*=} ;; =) option=$prev cur= ;; esac"
            print "    [ \"$prev\" = = ] && option=${COMP_WORDS[COMP_CWORD-2]}"
            print "    case \"${COMP_WORDS[1]} $option\" in"
            for (i = 1; i <= choices; i++) print "        \"" chosen[i] "\") values=\"" values[chosen[i]] "\" ;;"
            print "    esac"
            print "    case ${COMP_WORDS[1]} in"
            for (i = 1; i <= count; i++) if ((name = order[i]) in options) print "        " name ") options=\"" substr(options[name], 2) "\" ;;"
            print "    esac"
            print "    if [ -n \"$values\" ]; then"
            print "        COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))"
            print "    elif [ -z \"$option\" ] && [ \"${cur#-}\" != \"$cur\" ]; then"
            print "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))"
            print "        case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac"
            print "    else"
            print "        COMPREPLY=($(compgen -f -- \"$cur\"))"
            print "        compopt -o filenames 2>/dev/null"
            print "    fi"
            print "}"
            print "complete -F _tessera tessera"
        }'
}

zsh_completion() {
    items | awk -F '\t' '
        function quoted(text) {
            gsub(/\\/, "\\\\", text); gsub(/\[/, "\\[", text); gsub(/\]/, "\\]", text); gsub(/:/, "\\:", text)
            gsub(/\047/, "\047\\\047\047", text)
            return text
        }
        $1 == "command" { order[++count] = $2; commands = commands "        \047" $2 ":" quoted($4) "\047\n" }
        $1 == "option" && !said[$2, $4]++ {
            action = $5 == "" ? "" : ":" quoted($5) ":" ($5 ~ /^[a-z0-9]+(\|[a-z0-9]+)+$/ ? "(" $5 ")" : $5 ~ /FILE|DIR|DATA|MODEL/ ? "_files" : " ")
            if (action ~ /\(/) gsub(/\|/, " ", action)
            lines[$2] = lines[$2] "            \047" $4 ($5 == "" ? "" : "=") "[" quoted($6) "]" action "\047 \\\n"
        }
        END {
            print "#compdef tessera"
            print "# made from the option tables of tessera"
            print "local -a commands"
            print "commands=(\n" commands ")"
            print "if (( CURRENT == 2 )); then"
            print "    _describe command commands"
            print "    return"
            print "fi"
            print "local command=$words[2]"
            print "shift words"
            print "(( CURRENT-- ))"
            print "case $command in"
            for (i = 1; i <= count; i++) if ((name = order[i]) in lines) print "    " name ")\n        _arguments \\\n" lines[name] "            \047*:file:_files\047 ;;"
            print "    *) _files ;;"
            print "esac"
        }'
}

man_page() {
    items | awk -F '\t' '
        function safe(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); sub(/^\./, "\\\\\\&.", text); sub(/^\047/, "\\\\\\&\047", text); return text }
        BEGIN {
            print ".TH TESSERA 1"
            print ".SH NAME\ntessera \\- from a trained network to verified, fast C for a microcontroller"
            print ".SH SYNOPSIS\n.B tessera\n.I COMMAND\n[\\fIARGUMENTS\\fR]"
            print ".SH COMMANDS"
        }
        $1 == "command" { print ".TP\n.B " safe($2) "\n" safe($4) "."; next }
        $1 == "usage" { if (!begun++) print ".SH OPTIONS"; print ".SS " safe($3); next }
        $1 == "doc" { print safe($3); next }
        $1 == "option" {
            print ".TP\n\\fB" ($3 == "" ? "" : safe($3) "\\fR, \\fB") safe($4) "\\fR" ($5 == "" ? "" : "=\\fI" safe($5) "\\fR")
            print safe($6)
        }
        END {
            print ".SH ENVIRONMENT"
            print ".TP\n.B NO_COLOR\nset: no colours, unless \\-\\-color asks for them"
            print ".TP\n.B TERM\nmissing or dumb: neither colours nor progress bars"
            print ".TP\n.B TMPDIR\nfolder for temporary files (/tmp)"
            print ".TP\n.B PATH\nwhere compilers and QEMU are looked for"
            print ".SH EXIT STATUS"
            print ".TP\n0\ndone and verified"
            print ".TP\n1\ncomputed but not equal to the reference or the golden"
            print ".TP\n2\nbad usage or bad input"
            print ".TP\n3\ndoes not fit"
            print ".TP\n4\na tool or system failure"
        }'
}

case $kind in
    bash) bash_completion ;;
    zsh) zsh_completion ;;
    man) man_page ;;
    *)
        echo "gen_completion.sh: '$kind' is none of bash, zsh, man" >&2
        exit 2
        ;;
esac
