#!/bin/sh
# Prints a C file that holds the Lua scripts named on the command line: script_<name>_source for <name>.lua, and
# script_<name>_sha1, by which Redis knows it.
# A line `--@include <part>` is replaced by the text of lib/<part>.lua beside the script.
set -eu

expand() {
    awk -v lib="$(dirname "$1")/lib/" '
        $1 == "--@include" {
            path = lib $2 ".lua"
            while ((got = (getline line < path)) > 0)
                print line
            if (got < 0) {
                print "embed.sh: " FILENAME ": " path " cannot be read" > "/dev/stderr"
                exit 1
            }
            close(path)
            next
        }
        { print }' "$1"
}

text=$(mktemp)
trap 'rm -f "$text"' EXIT
printf '#include "common/queue/scripts.h"\n'
for script in "$@"; do
    name=$(basename "$script" .lua)
    expand "$script" >"$text"
    printf '\nconst char script_%s_sha1[] = "%s";\n' "$name" "$(sha1sum "$text" | cut -d ' ' -f 1)"
    printf 'const char script_%s_source[] =\n' "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/^/    "/' -e 's/$/\\n"/' "$text"
    printf '    "";\n'
done
