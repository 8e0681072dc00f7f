#!/bin/sh
# Prints a C file that holds the Lua scripts named on the command line: script_<name>_source for <name>.lua.
# A line `--@include <part>` is replaced by the text of lib/<part>.lua beside the script.
set -eu

[ ! -f common/queue/scripts.h ] || printf '#include "common/queue/scripts.h"\n'
for script in "$@"; do
    [ -r "$script" ] || { echo "embed.sh: $script cannot be read" >&2; exit 1; }
    name=$(basename "$script" .lua)
    printf '\nconst char script_%s_source[] =\n' "$name"
    awk -v lib="$(dirname "$script")/lib/" '
        function emit(line) {
            gsub(/\\/, "\\\\", line)
            gsub(/"/, "\\\"", line)
            gsub(/\t/, "\\t", line)
            printf "    \"%s\\n\"\n", line
        }
        $1 == "--@include" {
            path = lib $2 ".lua"
            while ((got = (getline line < path)) > 0)
                emit(line)
            if (got < 0) {
                print "embed.sh: " FILENAME ": " path " cannot be read" > "/dev/stderr"
                exit 1
            }
            close(path)
            next
        }
        { emit($0) }' "$script"
    printf '    "";\n'
done
