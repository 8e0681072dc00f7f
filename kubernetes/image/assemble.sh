#!/bin/bash
# Puts together what the images consist of; the Dockerfile runs it where jobgate was built, on Debian. Makes
#
#   /image/api              the root of the api's image: the program, the libraries that it loads, certificates, time zones
#   /image/worker           what comes upon Debian in the worker's image
#   /image/worker.packages  the names of the packages that it needs there
#
# with an SBOM (SPDX 2.3) of each in /usr/share/jobgate. The packages in the api's image are noted where scanners look for them
# in an image without dpkg: /var/lib/dpkg/status.d.
set -euo pipefail
version=$1
image=/image

# The packages of the libraries that a program loads, of certificates and of time zones.
packages_of() {
    {
        ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^\s*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p' | while read -r library; do
            owner_of "$library"
        done
        printf '%s\n' ca-certificates tzdata
    } | sort -u
}

# dpkg knows a file by the name under which it was unpacked, which may lead through a link (/lib to /usr/lib).
owner_of() {
    local real
    real=$(readlink -f "$1")
    dpkg-query --search "$1" "$real" "${real#/usr}" 2>/dev/null | grep -v '^diversion ' | sed -n '1s/[:,].*//p' || true # not all three are known
}

# The regular files and links of a package that programs need when they run: its documents stay behind.
files_of() {
    dpkg-query --listfiles "$1" | grep -vE '^/usr/share/(doc|man|lintian|locale|bug|gcc)/|^/usr/(s?bin|lib/[^/]*/(gconv|perl-base|audit))/' |
        while read -r file; do
            [ -d "$file" ] && [ ! -L "$file" ] || echo "$file"
        done
}

# add_account ROOT: the one account of the image.
add_account() {
    mkdir -p "$1/etc"
    printf 'root:x:0:0:root:/:/nonexistent\njobgate:x:1000:1000:jobgate:/:/nonexistent\n' >"$1/etc/passwd"
    printf 'root:x:0:\njobgate:x:1000:\n' >"$1/etc/group"
    printf 'hosts: files dns\n' >"$1/etc/nsswitch.conf"
}

# bill ROOT PROGRAM PACKAGE…: the SBOM, and the licences of what is in.
bill() {
    local root=$1
    local program=$2
    shift 2
    mkdir -p "$root/usr/share/jobgate/licences"
    # shellcheck disable=SC2016 # the format is dpkg's
    dpkg-query --show --showformat '${source:Package}\t${binary:Package}\t${Version}\t${Architecture}\n' "$@" |
        jq --raw-input --null-input --arg program "$program" --arg version "$version" '
            [inputs | split("\t") | {source: .[0], name: (.[1] | sub(":.*"; "")), version: .[2], architecture: .[3]}] as $packages |
            def package($id; $name; $version; $supplier; $url):
                {SPDXID: $id, name: $name, versionInfo: $version, supplier: $supplier, downloadLocation: "NOASSERTION",
                 filesAnalyzed: false, licenseConcluded: "NOASSERTION", licenseDeclared: "NOASSERTION",
                 copyrightText: "NOASSERTION",
                 externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: $url}]};
            {spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: "\($program)-\($version)",
             documentNamespace: "urn:jobgate:sbom:\($program):\($version)",
             creationInfo: {created: (now | todate), creators: ["Tool: kubernetes/image/assemble.sh"]},
             packages: ([package("SPDXRef-\($program)"; $program; $version; "NOASSERTION"; "pkg:generic/\($program)@\($version | @uri)")] +
                 [$packages[] | package("SPDXRef-\(.name | gsub("[^A-Za-z0-9.-]"; "-"))"; .name; .version; "Organization: Debian";
                     "pkg:deb/debian/\(.name | @uri)@\(.version | @uri)?arch=\(.architecture)&distro=debian-13&upstream=\(.source | @uri)")]),
             relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-\($program)"}] +
                 [$packages[] | {spdxElementId: "SPDXRef-\($program)", relationshipType: "DEPENDS_ON",
                     relatedSpdxElement: "SPDXRef-\(.name | gsub("[^A-Za-z0-9.-]"; "-"))"}])}' \
            >"$root/usr/share/jobgate/$program.spdx.json"
    for package in "$@"; do
        [ ! -e "/usr/share/doc/$package/copyright" ] || cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/jobgate/licences/$package"
    done
}

install_program() { # ROOT PROGRAM
    mkdir -p "$1/usr/bin"
    install -m 755 --strip "build/release/bin/$2" "$1/usr/bin/$2"
}

make_api() {
    local root=$image/api
    local -a packages
    mapfile -t packages < <(packages_of build/release/bin/jobgate-api)
    packages+=(base-files)
    mkdir -p "$root"/{usr/lib,usr/lib64,tmp,var/lib/dpkg/status.d,etc/ssl/certs}
    chmod 1777 "$root/tmp"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    for package in "${packages[@]}"; do
        case $package in
        base-files) printf '/etc/os-release\n/usr/lib/os-release\n/etc/debian_version\n' ;;
        ca-certificates) : ;; # all in one file, which its set-up made
        *) files_of "$package" ;;
        esac | sed 's|^/||; s|^lib\(64\)\?/|usr/lib\1/|' | sort -u | tar -C / --no-recursion -cf - --files-from - | tar -C "$root" -xf -
        dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
    done
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    add_account "$root"
    install_program "$root" jobgate-api
    bill "$root" jobgate-api "${packages[@]}"
}

make_worker() {
    local root=$image/worker
    local -a packages
    mapfile -t packages < <(packages_of build/release/bin/jobgate-worker)
    printf '%s\n' "${packages[@]}" >"$image/worker.packages"
    mkdir -p "$root/etc/jobgate" "$root/opt/handlers"
    cp kubernetes/image/handlers.json "$root/etc/jobgate/"
    install_program "$root" jobgate-worker
    bill "$root" jobgate-worker "${packages[@]}"
}

make_api
make_worker
chroot "$image/api" /usr/bin/jobgate-api --version # with its own libraries
"$image/worker/usr/bin/jobgate-worker" --version
du -sh "$image/api"
