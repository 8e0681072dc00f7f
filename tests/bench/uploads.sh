# shellcheck shell=bash
# What an upload costs: jobgate's client beside plain libcurl multi, which is the limit, and Azure's own SDK, which is
# the peer; to the sink, and to Azurite. Sourced by run.sh, which sets up the sink and the directory.
#
#   UPLOADS=20000  of 1 KiB to the sink; a fiftieth as many of 1 MiB, and a tenth to Azurite
# shellcheck disable=SC2154 # pid, directory, bench and sink_port are of those who source it
set -euo pipefail
uploads=${UPLOADS:-20000}
account=devstoreaccount1
# The key that every Azurite has; the sink takes any.
account_key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==

start_azurite() {
    start azurite node tests/node_modules/.bin/azurite-blob --silent --inMemoryPersistence --disableTelemetry \
        --blobHost 127.0.0.1 --blobPort 0
    azurite_pid=$pid
    wait_for 'the port of Azurite' grep -q 'successfully listen' "$directory/azurite.log"
    azurite_port=$(sed -n 's/.*successfully listen.*:\([0-9]*\).*/\1/p' "$directory/azurite.log")
}

# note_put NAME RATE CPU PEAK
note_put() {
    note "$1.rate" "$2"
    note "$1.cpu" "$3"
    note "$1.peak" "$4"
}

# put_all PLACE PORT SIZE_NAME COUNT BYTES AT_ONCE: the three of them, one after the other.
put_all() {
    local place=$1 port=$2 name=$3 figures
    local url=http://127.0.0.1:$port/$account
    local connection="DefaultEndpointsProtocol=http;AccountName=$account;AccountKey=$account_key;BlobEndpoint=$url;"
    shift 3
    figures=$(BLOB_URL=$url/bench AZURE_STORAGE_KEY=$account_key BLOB_CONNECTIONS=$3 "$bench/put_ours" "$@") ||
        die "uploads of $name to $place could not be measured"
    # shellcheck disable=SC2086 # three numbers
    note_put "put_ours_${place}_$name" $figures
    figures=$("$bench/put_bare" "$url/bench" "$account" "$account_key" "$@") ||
        die "plain uploads of $name to $place could not be measured"
    # shellcheck disable=SC2086
    note_put "put_bare_${place}_$name" $figures
    figures=$(node tests/bench/put_sdk.js "$connection" bench "$(($1 / 5))" "$2" "$3") ||
        die "uploads of $name to $place by the SDK could not be measured"
    # shellcheck disable=SC2086
    note_put "put_sdk_${place}_$name" $figures
}

# 2 GiB through one upload.
put_stream() {
    local figures
    figures=$(BLOB_URL=http://127.0.0.1:$sink_port/$account/bench AZURE_STORAGE_KEY=$account_key \
        "$bench/put_ours" 1 2147483648 1) || die 'the long stream could not be measured'
    # shellcheck disable=SC2086 # three numbers
    note_put put_stream $figures
}

measure_uploads() {
    put_all sink "$sink_port" small "$uploads" 1024 32
    put_all sink "$sink_port" large $((uploads / 50)) 1048576 8
    start_azurite
    put_all azurite "$azurite_port" small $((uploads / 10)) 1024 32
    put_all azurite "$azurite_port" large $((uploads / 200)) 1048576 8
    stop "$azurite_pid"
    put_stream
}

print_uploads() {
    line 'uploads of 1 KiB, 32 at once (limit: plain libcurl)' '' '' '' '' ''
    row '  to a sink: CPU µs/upload' %.1f put_ours_sink_small.cpu put_bare_sink_small.cpu '<=1.4'
    row '  to a sink: uploads/s' %.0f put_ours_sink_small.rate put_bare_sink_small.rate
    row "  to a sink, against Azure's SDK: CPU µs/upload" %.1f put_ours_sink_small.cpu put_sdk_sink_small.cpu
    row '  to Azurite: CPU µs/upload' %.1f put_ours_azurite_small.cpu put_bare_azurite_small.cpu
    row "  to Azurite, against Azure's SDK: CPU µs/upload" %.1f put_ours_azurite_small.cpu put_sdk_azurite_small.cpu
    row "  to Azurite, against Azure's SDK: uploads/s" %.0f put_ours_azurite_small.rate put_sdk_azurite_small.rate
    line 'uploads of 1 MiB, 8 at once (limit: plain libcurl)' '' '' '' '' ''
    row '  to a sink: CPU µs/upload' %.0f put_ours_sink_large.cpu put_bare_sink_large.cpu '<=1.1'
    row '  to a sink: uploads/s' %.0f put_ours_sink_large.rate put_bare_sink_large.rate
    row "  to a sink, against Azure's SDK: CPU µs/upload" %.0f put_ours_sink_large.cpu put_sdk_sink_large.cpu
    row '  to Azurite: CPU µs/upload' %.0f put_ours_azurite_large.cpu put_bare_azurite_large.cpu
    row "  to Azurite, against Azure's SDK: uploads/s" %.0f put_ours_azurite_large.rate put_sdk_azurite_large.rate
    line 'one upload of 2 GiB to a sink' '' '' '' '' ''
    plain '  peak of resident memory, MiB' %.1f put_stream.peak '<=32'
}
