#!/bin/sh
# Prints a C file that holds the files named on the command line, each as embedded_<name> with _ for what is no letter or digit.
set -eu
printf '#include "api/openapi/embedded.h"\n'
for file in "$@"; do
    printf '\nconst char embedded_%s[] =\n' "$(basename "$file" | tr -c 'a-zA-Z0-9\n' _)"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/^/    "/' -e 's/$/\\n"/' "$file"
    printf '    "";\n'
done
