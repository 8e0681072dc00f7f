# For checks that are shell scripts. Sourced with the name of the suite: `. tests/support/try.sh alerts`. Gives a directory that ends
# with the script, and counts.
# shellcheck shell=bash
suite=$1
passed=0
failed=0
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-$suite.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT

# try NAME COMMAND…: one test; what it says is shown when it fails.
try() {
    local name=$1
    shift
    if "$@" >"$directory/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$suite: $name: FAILED"
        cat "$directory/output"
    fi
}

# change_copy FILE SCRIPT: a mistake, made by sed in the copy below $directory/copy; says so if it changed nothing.
change_copy() {
    cp "$directory/copy/$1" "$directory/before"
    sed -i "$2" "$directory/copy/$1"
    ! cmp -s "$directory/before" "$directory/copy/$1" || { echo "$1 was not changed by $2" && return 1; }
}

# The line that tests/run.sh waits for; the script's exit status is that of this, its last command.
end_of_tries() {
    echo "counts $passed $failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
