#!/bin/sh
# Verify and open one evidence file with openssl and ffmpeg alone; nothing of Firsthand's code is used.
# usage: verify-with-openssl.sh FILE.evidence root.pem vault.pem vault.key OUT-DIRECTORY
# Camera with a wrong clock (1970)? Add e.g.  -attime 1767225600  to `openssl cms -verify`: a moment when its certificate held.
set -eu
file=$1 root=$2 vault=$3 key=$4 out=$5
mkdir "$out"; : >"$out/video.mp4"
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2"; }
sum() { openssl dgst -sha256 -r "$1" | cut -c1-64; }
fail() { echo "INVALID: message $n at byte $offset: $1"; exit 1; }
size=$(wc -c <"$file") offset=0 n=0 seq=0 prev=$(printf %064d 0) expect= kind=
while [ "$offset" -lt "$size" ]; do
  set -- $(od -An -tu1 -j "$offset" -N 6 "$file")          # DER: tag, length octets
  [ "$1" = 48 ] || fail "not a CMS message"
  if [ "$2" -lt 128 ]; then total=$((2 + $2))
  else count=$(($2 - 128)) total=0; shift 2; for i in "$@"; do [ "$count" -gt 0 ] || break; total=$((total * 256 + i)) count=$((count - 1)); done
    total=$((total + 2 + $(od -An -tu1 -j $((offset + 1)) -N 1 "$file") - 128)); fi
  message=$out/$(printf %06d "$n").der
  tail -c +$((offset + 1)) "$file" | head -c "$total" >"$message"
  [ "$kind" != close ] || fail "something follows the close statement"
  if [ -n "$expect" ]; then                                  # the object that the statement before announced
    [ "$(sum "$message")" = "$expect" ] || fail "the object differs from its announcement"
    openssl cms -decrypt -binary -inform DER -in "$message" -recip "$vault" -inkey "$key" -out "$out/plain"
    [ "$(sum "$out/plain")" = "$commitment" ] || fail "the plaintext differs from its commitment"
    case $object in metadata) mv "$out/plain" "$message.json" ;; *) cat "$out/plain" >>"$out/video.mp4" ;; esac
    expect=
  else                                                       # a statement: signature, chain of hashes, numbering
    openssl cms -verify -binary -inform DER -in "$message" -CAfile "$root" -out "$message.json" 2>/dev/null || fail "the signature or certificate does not hold"
    [ "$(field prev "$message.json")" = "$prev" ] && [ "$(field seq "$message.json")" = "$seq" ] || fail "the chain is broken"
    prev=$(sum "$message") seq=$((seq + 1)) kind=$(field kind "$message.json")
    if [ "$kind" = sealed ]; then expect=$(field sha256 "$message.json") commitment=$(field commitment "$message.json") object=$(field object "$message.json"); fi
  fi
  offset=$((offset + total)) n=$((n + 1))
done
[ "$kind" = close ] || fail "there is no close statement: the end may be cut"
echo "VALID: $n messages; signed by $(openssl pkcs7 -inform DER -in "$out/000000.der" -print_certs -noout | sed -n 's/^subject=//p' | head -1)"
if [ -s "$out/video.mp4" ]; then ffmpeg -v error -i "$out/video.mp4" -map 0:v -map '0:a?' -f null - && echo "plays: $out/video.mp4"; fi
