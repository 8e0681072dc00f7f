#!/bin/bash
# Holds what the integration tests got from an api against the contract; then makes a client from the contract, as callers do, and
# lets the compiler check it. Ends with the line "counts <good> <bad>", as tests/run.sh wants it.
set -u
here=$(dirname "$0")
modules=$here/../node_modules
record=${JOBGATE_RECORD:?the directory with openapi.json and answers.jsonl; tests/run.sh sets it}

if [ ! -s "$record/openapi.json" ] || [ ! -s "$record/answers.jsonl" ]; then
    echo 'nothing was recorded: run the integration tests before'
    echo 'counts 0 1'
    exit
fi
counts=$(node "$here/validate.js" "$record/openapi.json" "$record/answers.jsonl" | tee /dev/stderr | tail -n 1)
read -r _ good bad <<<"${counts:-counts 0 1}"

client=$(mktemp -d)
trap 'rm -rf "$client"' EXIT
if "$modules/.bin/openapi-typescript" "$record/openapi.json" -o "$client/contract.d.ts" >"$client/log" 2>&1 &&
    cp "$here/client.ts" "$client/" &&
    "$modules/.bin/tsc" --noEmit --strict --skipLibCheck --target es2022 --lib es2022,dom --moduleResolution bundler --module es2022 \
        "$client/client.ts" >>"$client/log" 2>&1; then
    echo 'a client was generated from the contract, and compiles'
    good=$((good + 1))
else
    cat "$client/log"
    bad=$((bad + 1))
fi
echo "counts $good $bad"
