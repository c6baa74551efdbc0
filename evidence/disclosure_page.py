"""The page in a disclosure package: what it is, and how to check it with openssl alone. It explains, proves nothing."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from evidence.disclosure import OBJECTS, STATEMENTS, VIDEO, Disclosed, Manifest, Omitted, object_name
from evidence.statements import MediaFacts

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:56em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{padding:.15em .8em;text-align:left;border-bottom:1px solid #ccc}pre{background:#f3f3f3;padding:1em;"
    "overflow-x:auto}.warn{border:3px solid #b00;padding:.5em 1em;font-weight:bold}"
)
CHECK: Final = f"""\
# In this directory, with the agency's root certificate from the agency itself:  sh check.sh root.pem
# (copy these lines into a file check.sh). A certificate that has ended since: append  -attime SECONDS-SINCE-1970
# to `openssl cms -verify`, with a moment when it held; the statements say when they were signed.
set -eu
root=$1 prev=$(printf %064d 0) seq=0 last= out=$(mktemp)
word() {{ sed -n "s/.*\\"$1\\":\\"\\{{0,1\\}}\\([^\\",}}]*\\).*/\\1/p" "$out"; }}
sum() {{ openssl dgst -sha256 -r "$1" | cut -c1-64; }}
fail() {{ echo "NOT VALID: $1"; exit 1; }}
for s in {STATEMENTS}/*.p7s; do
  openssl cms -verify -binary -inform DER -in "$s" -CAfile "$root" -out "$out" 2>/dev/null || fail "$s: signature"
  [ "$(word prev)" = "$prev" ] && [ "$(word seq)" = "$seq" ] || fail "$s: a statement before it is missing"
  prev=$(sum "$s") seq=$((seq + 1)) last=$(word kind)
  if [ "$last" = sealed ]; then
    n=${{s#{STATEMENTS}/}}; n=$(printf %06d $(($(echo "${{n%%-*}}" | sed 's/^0*//') + 1)))
    for o in {OBJECTS}/"$n"-*; do
      [ ! -e "$o" ] || [ "$(sum "$o")" = "$(word commitment)" ] || fail "$o: not what the camera committed to"
      [ ! -e "$o" ] || echo "proven: $o"
    done
  fi
done
[ "$last" = close ] || fail "the end is missing"
for o in {OBJECTS}/*; do
  n=$(basename "$o"); n=$(printf %06d $(($(echo "${{n%%-*}}" | sed 's/^0*//') - 1)))
  [ -e {STATEMENTS}/"$n"-sealed.p7s ] || fail "$o: announced by no statement"
done
if [ -e {VIDEO} ]; then cat {OBJECTS}/*-init.mp4 {OBJECTS}/*-media.m4s | cmp -s - {VIDEO} || fail "{VIDEO}"; fi
echo "VALID: $seq statements"
"""


def clock(nanoseconds: int) -> str:
    """A time from the beginning of the recording, ``HH:MM:SS.mmm``."""
    seconds, rest = divmod(max(0, nanoseconds), 10**9)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest // 10**6:03d}"


def media_zero_ns(manifest: Manifest) -> int:
    """When the recording's first picture was taken (the camera's monotonic clock)."""
    rows: list[Disclosed | Omitted] = [*manifest.disclosed, *manifest.omitted]
    starts = [one.media.start_ns for one in rows if one.media is not None]
    return min(starts, default=0)


def ranges(rows: Sequence[Disclosed | Omitted], zero_ns: int) -> list[str]:
    """Media rows as spans of time, everything else one by one, in sentences."""
    shown: list[str] = []
    run: list[tuple[int, MediaFacts]] = []

    def flush() -> None:
        if run:
            (first, begin), (last, end) = run[0], run[-1]
            frames = sum(one.frames for _, one in run)
            span = f"{clock(begin.start_ns - zero_ns)} to {clock(end.start_ns + end.duration_ns - zero_ns)}"
            several = "1 media object" if len(run) == 1 else f"{len(run)} media objects"
            items = f"item {first}" if first == last else f"items {first}-{last}"
            shown.append(f"{span}: {several} ({items}), {frames} frames")
            run.clear()

    for row in rows:
        if row.media is None:
            flush()
            shown.append(f"item {row.item}: {row.object}")
        else:
            if run and row.item - run[-1][0] > 2:
                flush()
            run.append((row.item, row.media))
    flush()
    return shown


def _row(row: Disclosed | Omitted, zero_ns: int) -> str:
    media = row.media
    when = f"{clock(media.start_ns - zero_ns)} for {media.duration_ns / 1e9:.3f} s" if media is not None else ""
    what = f"{media.frames} frames, {media.sound_frames} of sound, {media.gps_fixes} GPS fixes" if media else ""
    if isinstance(row, Disclosed):
        last = f"<code>{object_name(row.item, row.object)}</code><br><code>{row.sha256}</code>"
    else:
        last = f"{row.bytes} bytes, sealed"
    return f"<tr><td>{row.item}<td>{row.object}<td>{when}<td>{what}<td>{last}"


def page(manifest: Manifest, *, simulated: bool) -> str:
    """The verifier's page of a package."""
    zero_ns = media_zero_ns(manifest)
    name = html.escape(manifest.file)
    head = "<tr><th>item<th>kind<th>time<th>holds<th>"
    warning = "<p class=warn>Made by a simulator: this is not evidence.</p>" if simulated else ""
    video = (
        f"<p><a href={VIDEO}>{VIDEO}</a> plays the disclosed pictures and sound; it is nothing but the disclosed "
        "<code>init</code> and <code>media</code> objects put together.</p>"
        if any(one.object == "media" for one in manifest.disclosed)
        else ""
    )
    return f"""<!doctype html><html lang=en><meta charset=utf-8><title>Disclosure from {name}</title>
<style>{_STYLE}</style>
<h1>Disclosure from {name}</h1>{warning}
<p>This is a part of {manifest.stream} {manifest.number} of camera {html.escape(manifest.serial)}. The camera signed
every part of it while it recorded. You can check that what is disclosed is what the camera recorded, octet for
octet: picture, sound, position and labels. You need the agency's root certificate, from the agency itself, and no
key.</p>
<p>The camera's {manifest.statements} signed statements are all here. Each names the SHA-256 of the statement before it,
so that none can be missing; a <code>sealed</code> statement commits to the content of one object (the SHA-256
<code>commitment</code>) and tells its size and time. What is omitted is listed below; this package does not say what
is in it. <b>This page explains and proves nothing</b>: anyone could change it. Believe the check.</p>{video}
<h2>Check it</h2>
<p>With this project's tool: <code>firsthand-evidence verify . --root root.pem</code>, or with openssl alone:</p>
<pre id=check>{html.escape(CHECK)}</pre>
<p>One statement at a time: <code>openssl cms -verify -binary -inform DER -in {STATEMENTS}/000000-open.p7s -CAfile
root.pem</code> prints what the camera said; <code>openssl dgst -sha256 {OBJECTS}/NAME</code> must give the
<code>commitment</code> of the statement whose number is one less. Last statement: SHA-256
<code>{manifest.close_hash}</code>.</p>
<h2>Disclosed: {len(manifest.disclosed)} objects</h2><table>{head}
{chr(10).join(_row(one, zero_ns) for one in manifest.disclosed)}</table>
<h2>Omitted: {len(manifest.omitted)} objects</h2><table>{head}
{chr(10).join(_row(one, zero_ns) for one in manifest.omitted)}</table></html>
"""
