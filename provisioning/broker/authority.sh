#!/bin/sh
# A small certificate authority on openssl, for the broker and its clients. Run it where the authority's key is kept.
#
#   authority.sh DIRECTORY begin                    make the authority: ca.crt, an empty revoked.crl
#   authority.sh DIRECTORY broker NAME...           NAME.key and NAME.crt for the broker; all its host names and addresses
#   authority.sh DIRECTORY request NAME             NAME.key and NAME.csr: on the hub itself, so that no key travels
#   authority.sh DIRECTORY sign NAME.csr NAME       NAME.crt for a client that sent its request: NAME is its CN
#   authority.sh DIRECTORY client NAME              request and sign in one, where the key may be carried to the client
#   authority.sh DIRECTORY revoke NAME              no certificate of NAME is good any more: gives a new revoked.crl
#   authority.sh DIRECTORY revocations              a new revoked.crl with the same content: before the old one ends
#   authority.sh DIRECTORY heal                     put back what a cut of the power left of the index; the others do too
set -eu
umask 077

say() { printf '%s\n' "$*" >&2; }
fail() { say "authority.sh: $*"; exit 1; }
usage() { sed -n '4,11s/^# *//p' "$0" >&2; exit 2; }

[ $# -ge 2 ] || usage
directory=$1 act=$2
shift 2
mkdir -p "$directory"
cd "$directory"

days_authority=3650 days_certificate=${DAYS:-825} days_revocations=3650

named() {
    case $1 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) say "authority.sh: '$1': letters, digits, '.', '_' and '-' only"; exit 1 ;;
    ca) say "authority.sh: 'ca' is the authority's own name here: give another"; exit 1 ;;
    esac
    [ ${#1} -le 64 ] || { say "authority.sh: '$1': longer than the 64 characters of a CN"; exit 1; }
}

there() { [ -e "$1" ] || { say "authority.sh: $directory/$1 is not there$2"; exit 1; }; }

ago() { date -u -d "@$(($(date +%s) - $1))" +%Y%m%d%H%M%SZ; } # so many seconds

key() {
    new_key "$1"
    mv "$1.new" "$1"
}

new_key() { # beside the one that there is
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.new"
    openssl pkey -in "$1.new" -noout 2>/dev/null || { rm -f "$1.new"; fail "$directory/$1 cannot be written: is the disk full?"; }
    sync "$1.new"
}

is_pair() { # certificate, key
    public=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) && [ "$public" = "$(openssl pkey -in "$2" -pubout 2>/dev/null)" ]
}

finish() { # what a cut left between a server's certificate and its key: that is put in place after it
    for new in *.key.new; do
        [ -e "$new" ] || continue
        file=${new%.new}
        if is_pair "${file%.key}.crt" "$new"; then mv "$new" "$file"; else rm -f "$new"; fi
    done
}

settings() { # of one certificate; $1 are further extensions
    # Numbers by chance: of two copies of this directory neither gives one that the other gave.
    cat <<SETTINGS
[ca]
default_ca = authority
[authority]
database = index
rand_serial = yes
crlnumber = crlnumber
new_certs_dir = issued
certificate = ca.crt
private_key = ca.key
default_md = sha256
unique_subject = no
policy = names
x509_extensions = extensions
crl_extensions = list
[names]
commonName = supplied
[extensions]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
$1
[list]
authorityKeyIdentifier = keyid
SETTINGS
}

# openssl syncs nothing that it writes, and on a full disk it puts an empty index in place and calls that done. So a
# copy is kept, index.kept, which is on the disk before openssl begins.

is_whole() { # index: are its lines whole, and has it all that index.kept has, with what is revoked revoked?
    [ -e "$1" ] && [ -z "$(tail -c 1 "$1")" ] && awk -F '\t' '
        NF != 6 || $1 !~ /^[VRE]$/ { lost = 1 }
        FILENAME == ARGV[1] { state[$4, $6] = $1; next }
        !(($4, $6) in state) || ($1 == "R" && state[$4, $6] != "R") { lost = 1 }
        END { exit lost }' "$1" index.kept &&
        for serial in $(added "$1"); do
            openssl x509 -in "issued/$serial.pem" -noout 2>/dev/null || return 1
        done
}

added() { # index: the numbers that index.kept has not
    awk -F '\t' 'FILENAME == ARGV[1] { there[$4]; next } !($4 in there) { print $4 }' index.kept "$1"
}

keep() {
    cmp -s index index.kept ||
        { cp index index.kept.new && cmp -s index index.kept.new && sync index.kept.new && mv index.kept.new index.kept && sync .; } ||
        { rm -f index.kept.new; return 1; }
}

put_back() { # without room on the disk too
    rm -f index.attr
    { ln -f index.kept index.back 2>/dev/null || cp index.kept index.back; } && sync index.back && mv index.back index && sync .
}

heal() { # what a cut of the power, or a full disk, left of an earlier change
    if [ ! -e index.kept ]; then # a new authority, or one from before there was a copy
        if [ -e index ] && { [ -s index ] || [ -z "$(ls issued)" ]; }; then
            keep || fail "$directory/index.kept cannot be written: is the disk full? Nothing was changed"
        fi
        is_whole index || { rm -f index.kept; fail "$directory/index has lost what was certified, and there is no" \
            "copy of it in here: put it back from your copy of this directory; nothing was changed"; }
    elif ! is_whole index; then
        is_whole index.kept ||
            fail "$directory/index and index.kept are damaged: put them back from your copy of this directory"
        put_back || fail "$directory/index is damaged, and cannot be put back: is the disk full?"
        say "authority.sh: $directory/index was damaged, as by a cut of the power: it is as before the last change that" \
            "was said to be done; repeat what was not"
    fi
    # The time is more than it can have counted to.
    grep -qsx '[0-9A-F][0-9A-F]*' crlnumber || printf '%X\n' "$(date +%s)" >crlnumber ||
        fail "$directory/crlnumber cannot be written: is the disk full?"
}

authority() { # extensions, what 'openssl ca' is to do: the index is whole after it and on the disk, or as before
    extensions=$1
    shift
    heal
    keep || fail "$directory/index.kept cannot be written: is the disk full? Nothing was changed"
    file=$(mktemp)
    settings "$extensions" >"$file"
    openssl ca -batch -config "$file" "$@" 2>"$file.said" || { cat "$file.said" >&2; rm -f "$file" "$file.said"; exit 1; }
    rm -f "$file" "$file.said"
    is_whole index || undone
    for serial in $(added index); do
        sync "issued/$serial.pem" issued
    done
    sync index .
    [ ! -e index.attr ] || sync index.attr
    [ ! -e crlnumber ] || sync crlnumber
}

undone() {
    rm -f index.new ./*.crt.new ./*.key.new revoked.crl.new
    put_back || fail "$directory/index cannot be put back: is the disk full? Make room, and repeat this"
    fail "what openssl wrote did not come to the disk: is it full? It is as before: make room, and repeat this"
}

sign() { # request, name, extensions
    there ca.key ": make the authority first, with 'begin'"
    # From an hour ago: this machine's clock may be ahead of theirs.
    authority "$3" -notext -subj "/CN=$2" -startdate "$(ago 3600)" -days "$days_certificate" -in "$1" -out "$2.crt.new"
    serial=$(openssl x509 -in "$2.crt.new" -noout -serial 2>/dev/null) || undone
    serial=${serial#serial=}
    cmp -s "$2.crt.new" "issued/$serial.pem" || undone
    awk -F '\t' -v serial="$serial" '$4 == serial { found = 1 } END { exit !found }' index || undone
    chmod 644 "$2.crt.new"
    sync "$2.crt.new"
    mv "$2.crt.new" "$2.crt"
    [ ! -e "$2.key.new" ] || mv "$2.key.new" "$2.key" # a server's
    sync .
    keep || :
}

revocations() {
    # From a day ago: of a list that is not valid yet, since this machine's clock is ahead, the broker keeps everybody
    # out. An openssl before 3.0 cannot; the end is counted from now in any case.
    since=
    ! openssl ca -help 2>&1 | grep -q -e -crl_lastupdate || since="-crl_lastupdate $(ago 86400)"
    # shellcheck disable=SC2086  # two words, or none
    authority "" -gencrl $since -crldays "$days_revocations" -out revoked.crl.new
    openssl crl -in revoked.crl.new -noout 2>/dev/null ||
        { rm -f revoked.crl.new; fail "$directory/revoked.crl could not be made anew: is the disk full?"; }
    chmod 644 revoked.crl.new
    sync revoked.crl.new
    mv revoked.crl.new revoked.crl
    sync .
    keep || :
}

finish
case $act in
begin)
    # What is there of it is of one that was cut off.
    if openssl x509 -in ca.crt -noout 2>/dev/null; then
        ! openssl crl -in revoked.crl -noout 2>/dev/null || fail "$directory has an authority already: it is not made over"
        is_pair ca.crt ca.key || fail "$directory/ca.key is not the key of ca.crt: put it back from your copy of this directory"
        revocations
        exit
    fi
    [ -s ca.key ] || [ ! -s index ] ||
        fail "$directory/ca.key is lost, and has certified: put it back from your copy of this directory"
    mkdir -p issued
    [ -e index ] || : >index
    [ -s ca.key ] || key ca.key
    openssl req -new -x509 -key ca.key -sha256 -days "$days_authority" -subj "/CN=CarePort broker authority" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out ca.crt.new
    is_pair ca.crt.new ca.key || { rm -f ca.crt.new; fail "$directory/ca.crt cannot be written: is the disk full?"; }
    chmod 644 ca.crt.new
    sync ca.crt.new
    mv ca.crt.new ca.crt
    revocations
    ;;
broker)
    [ $# -ge 1 ] || usage
    names=
    for name in "$@"; do
        case $name in
        *[!0-9.]*:* | *:*) names="$names,IP:$name" ;;
        *[!0-9.]*) named "$name"; names="$names,DNS:$name" ;;
        *) names="$names,IP:$name" ;;
        esac
    done
    new_key "$1.key" # in place with its certificate
    request=$(mktemp)
    openssl req -new -key "$1.key.new" -subj "/CN=$1" -out "$request"
    sign "$request" "$1" "extendedKeyUsage = serverAuth
subjectAltName = ${names#,}"
    rm -f "$request"
    ;;
request | client)
    [ $# -eq 1 ] || usage
    named "$1"
    [ -s "$1.key" ] || key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    [ "$act" = request ] || sign "$1.csr" "$1" "extendedKeyUsage = clientAuth"
    ;;
sign)
    [ $# -eq 2 ] || usage
    case $1 in /*) ;; *) there "$1" ": bring the request here" ;; esac
    named "$2"
    sign "$1" "$2" "extendedKeyUsage = clientAuth"
    ;;
revoke)
    [ $# -eq 1 ] || usage
    named "$1"
    there ca.key ": make the authority first, with 'begin'"
    heal
    awk -F '\t' -v subject="/CN=$1" '$6 == subject { found = 1 } END { exit !found }' index ||
        fail "'$1' has no certificate that could be revoked"
    # All of them: a hub that was renewed has older ones that have not ended. Not by 'openssl ca -revoke': that takes
    # one at a time, and needs the certificate, which may be lost.
    awk -F '\t' -v OFS='\t' -v subject="/CN=$1" -v at="$(date -u +%y%m%d%H%M%SZ)" \
        '$1 == "V" && $6 == subject { $1 = "R"; $3 = at } { print }' index >index.new && is_whole index.new &&
        sync index.new && mv index.new index && sync . ||
        { rm -f index.new; fail "$directory/index cannot be written: is the disk full? '$1' is not revoked: repeat this"; }
    keep || :
    # Also where all were revoked before: that may have been cut off here.
    revocations
    ;;
revocations)
    there ca.key ": make the authority first, with 'begin'"
    revocations
    ;;
heal)
    there ca.key ": make the authority first, with 'begin'"
    heal
    ;;
*) usage ;;
esac
