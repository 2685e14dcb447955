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
set -eu
umask 077

say() { printf '%s\n' "$*" >&2; }
usage() { sed -n '4,10s/^# *//p' "$0" >&2; exit 2; }

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

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

settings() { # of one certificate; $1 are further extensions
    cat <<SETTINGS
[ca]
default_ca = authority
[authority]
database = index
serial = serial
crlnumber = crlnumber
new_certs_dir = issued
certificate = ca.crt
private_key = ca.key
default_md = sha256
unique_subject = no
policy = names
x509_extensions = extensions
[names]
commonName = supplied
[extensions]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
$1
SETTINGS
}

sign() { # request, name, extensions
    there ca.key ": make the authority first, with 'begin'"
    file=$(mktemp)
    settings "$3" >"$file"
    openssl ca -batch -notext -config "$file" -subj "/CN=$2" -days "$days_certificate" -in "$1" -out "$2.crt.new" 2>"$file.said" ||
        { cat "$file.said" >&2; rm -f "$file" "$file.said" "$2.crt.new"; exit 1; }
    rm -f "$file" "$file.said"
    chmod 644 "$2.crt.new"
    mv "$2.crt.new" "$2.crt"
}

revocations() {
    file=$(mktemp)
    settings "" >"$file"
    openssl ca -config "$file" -gencrl -crldays "$days_revocations" -out revoked.crl.new 2>/dev/null
    rm -f "$file"
    chmod 644 revoked.crl.new
    mv revoked.crl.new revoked.crl
}

case $act in
begin)
    [ ! -e ca.key ] || { say "authority.sh: $directory has an authority already"; exit 1; }
    mkdir -p issued
    : >index
    [ -e serial ] || openssl rand -hex 16 >serial
    echo 01 >crlnumber
    key ca.key
    openssl req -new -x509 -key ca.key -sha256 -days "$days_authority" -subj "/CN=CarePort broker authority" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out ca.crt
    chmod 644 ca.crt
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
    key "$1.key"
    request=$(mktemp)
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$request"
    sign "$request" "$1" "extendedKeyUsage = serverAuth
subjectAltName = ${names#,}"
    rm -f "$request"
    ;;
request | client)
    [ $# -eq 1 ] || usage
    named "$1"
    [ -e "$1.key" ] || key "$1.key"
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
    there index ": make the authority first, with 'begin'"
    # All of them: a hub that was renewed has older ones that have not ended.
    serials=$(awk -F '\t' -v subject="/CN=$1" '$1 == "V" && $6 == subject { print $4 }' index)
    [ -n "$serials" ] || { say "authority.sh: '$1' has no certificate that could be revoked"; exit 1; }
    file=$(mktemp)
    settings "" >"$file"
    for serial in $serials; do
        openssl ca -config "$file" -revoke "issued/$serial.pem" 2>"$file.said" ||
            { cat "$file.said" >&2; rm -f "$file" "$file.said"; exit 1; }
    done
    rm -f "$file" "$file.said"
    revocations
    ;;
revocations)
    revocations
    ;;
*) usage ;;
esac
