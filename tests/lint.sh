#!/bin/bash
# What can be found without running anything; `make lint` calls it, after a build without warnings, from the top of the tree.
# LINT_FLAGS are the compiler's flags. Every check runs, then the exit status says whether all were content.
# shellcheck disable=SC2317 # the checks are called by name
set -u
jobs=$(nproc)
failed=0

check() {
    local name=$1
    local start=$SECONDS
    shift
    if "$@"; then
        echo "lint: $name: ok ($((SECONDS - start)) s)"
    else
        echo "lint: $name: FAILED"
        failed=1
    fi
}

# Files of git, those that are not added yet among them.
files() {
    git ls-files -co --exclude-standard -- "$@" | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

function_length() {
    files '*.c' | xargs awk -v most=80 '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}/ && start {
            if (FNR - start - 1 > most) {
                printf "%s:%d: a function of %d lines, more than %d\n", FILENAME, start, FNR - start - 1, most
                bad = 1
            }
            start = 0
        }
        END { exit bad }'
}

layout() {
    clang-format --version | grep -q ' version 14\.' || { echo 'clang-format is not version 14: skipped' && return; }
    files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

tidy() {
    # shellcheck disable=SC2016 # the inner shell expands them
    files '*.c' | xargs -P "$jobs" -n 1 sh -c 'clang-tidy --quiet "$@" -- $LINT_FLAGS' sh 2>&1 |
        grep -v -e '^[0-9]* warning' -e '^Suppressed' -e '^Use -header-filter'
    return "${PIPESTATUS[1]}"
}

# cppcheck reads no system header; the macros of these two change how the text parses. readdir is safe with a stream of
# one's own, and close(-1) is how a half-made pipe is put away.
cpp_check() {
    local queue_header
    queue_header=$(echo '#include <sys/queue.h>' | cc -M -xc - | grep -o '/[^ ]*/sys/queue.h')
    files '*.c' | cppcheck --quiet -j "$jobs" --std=c11 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 --suppress=readdirCalled --suppress=invalidFunctionArg:worker/handlers/spawn.c --library=posix,gnu \
        -D_GNU_SOURCE -D__GNUC__ '-Djson_object_foreach(o,k,v)=while(next(o,&k,&v))' \
        '-Djson_array_foreach(a,i,v)=while(next(a,&i,&v))' --include="$queue_header" -I. --file-list=-
}

shell_check() {
    files '*.sh' .ci/run | xargs shellcheck
}

# Words of work that was left undone.
words() {
    ! files '*.c' '*.h' '*.def' '*.lua' '*.sh' '*.md' Makefile .ci/run | grep -v '^tests/lint\.sh$' |
        xargs grep -nwE 'TODO|FIXME|XXX|HACK'
}

check 'function length' function_length
check 'layout' layout
check 'shellcheck' shell_check
check 'words' words
check 'cppcheck' cpp_check
check 'clang-tidy' tidy
exit "$failed"
