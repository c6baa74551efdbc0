#!/bin/sh
# Verify and open one evidence file with openssl and ffmpeg alone; nothing of Firsthand's code is used.
# usage: verify-with-openssl.sh FILE.evidence root.pem vault.pem vault.key OUT-DIRECTORY
# Wrong clock here, or the certificate has ended by now? ATTIME=1780315200 names a moment (Unix time) to judge it at.
set -eu
file=$1 root=$2 vault=$3 key=$4 out=$5 camera=2.25.132879512013243664781088272643484711744.1.1
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2"; }
sum() { openssl dgst -sha256 -r "$1" | cut -c1-64; }
fail() { echo "INVALID: message $n at byte $offset: $1"; exit 1; }
mkdir "$out"; : >"$out/video.mp4"
size=$(wc -c <"$file") offset=0 n=0 seq=0 objects=0 frames=0 sounds=0 fixes=0 prev=$(printf %064d 0) lost='' kind='' id=''
while [ "$offset" -lt "$size" ]; do
  m=$out/$(printf %06d "$n").der; set -- $(od -An -tx1 -j "$offset" -N 6 "$file")     # DER: SEQUENCE, its length
  case $1$2 in 3081) l=$((3 + 0x$3)) ;; 3082) l=$((4 + 0x$3$4)) ;; 3083) l=$((5 + 0x$3$4$5)) ;; 3084) l=$((6 + 0x$3$4$5$6)) ;; *) fail "no CMS message" ;; esac
  tail -c +$((offset + 1)) "$file" | head -c "$l" >"$m"; [ "$(wc -c <"$m")" = "$l" ] || fail "the file ends inside it"
  [ "$kind" != close ] || fail "something follows the close statement"
  if openssl asn1parse -inform DER -in "$m" | sed -n 2p | grep -q pkcs7-signedData; then    # a statement: who, and its place
    openssl cms -verify -binary -inform DER -in "$m" -CAfile "$root" ${ATTIME:+-attime "$ATTIME"} -signer "$out/signer.pem" -out "$m.json" 2>"$out/error" || fail "$(head -1 "$out/error")"
    openssl x509 -in "$out/signer.pem" -noout -text | grep -q "Policy: $camera\$" || fail "the signer is no camera"
    signer=$(openssl x509 -in "$out/signer.pem" -noout -subject -nameopt multiline | sed -n 's/^ *serialNumber *= //p')
    [ "$signer" = "$(field serial "$m.json")" ] || fail "signed by $signer, who is another"
    [ "$(field prev "$m.json")" = "$prev" ] && [ "$(field seq "$m.json")" = "$seq" ] || fail "the chain is broken"
    is=$(field serial "$m.json")/$(field stream "$m.json")/$(field number "$m.json"); [ "${id:=$is}" = "$is" ] || fail "of another recording"
    kind=$(grep -oE '"kind":"(open|sealed|event|gap|clock|recovered|close)"' "$m.json" | cut -d'"' -f4); case $seq$kind in 0open) ;; 0* | *open) fail "a file begins with open, once" ;; esac
    if [ -n "$lost" ]; then [ "$kind" = recovered ] && grep -q "\"sha256\":\"$lost\"" "$m.json" || fail "object $lost is missing"; fi
    prev=$(sum "$m") seq=$((seq + 1)) lost=''; if [ "$kind" = sealed ]; then lost=$(field sha256 "$m.json") s=$m.json; fi
  else                                                                                # the object announced just before
    [ -n "$lost" ] || fail "no statement announced this object"; [ "$(sum "$m")" = "$lost" ] || fail "the object is another"
    openssl cms -decrypt -binary -inform DER -in "$m" -recip "$vault" -inkey "$key" -out "$out/plain" || fail "it does not open"
    [ "$(sum "$out/plain")" = "$(field commitment "$s")" ] || fail "the plaintext is another"
    case $(field object "$s") in metadata) mv "$out/plain" "$m.json" ;; *) cat "$out/plain" >>"$out/video.mp4" ;; esac
    f=$(field frames "$s") a=$(field sound_frames "$s") g=$(field gps_fixes "$s") lost='' objects=$((objects + 1))
    frames=$((frames + ${f:-0})) sounds=$((sounds + ${a:-0})) fixes=$((fixes + ${g:-0}))
  fi
  end=$m.json offset=$((offset + l)) n=$((n + 1))
done
[ "$kind" = close ] || fail "there is no close statement: the end may be cut"
for count in statements=$((seq - 1)) objects=$objects frames=$frames sound_frames=$sounds gps_fixes=$fixes; do [ "$(field "${count%=*}" "$end")" = "${count#*=}" ] || fail "close does not count $count"; done
echo "VALID: $n messages, signed by camera $signer, $frames frames"
openssl x509 -in "$out/signer.pem" -noout -text | grep -q "Policy: ${camera%.1.1}.3.1\$" && echo "SIMULATED: made by a simulator, no evidence"
if [ -s "$out/video.mp4" ]; then ffmpeg -v error -i "$out/video.mp4" -map 0:v -map '0:a?' -f null - && echo "plays: $out/video.mp4"; fi
