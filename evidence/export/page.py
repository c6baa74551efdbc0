"""The report as one HTML file that prints well: no request, no script, everything escaped. Pure.

The label of footage that is no ordinary evidence stands in the head of a table, which browsers repeat on every printed
page; that is the one way that all of them know.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evidence.export import plain_words
from evidence.export.appendix import appendix
from evidence.export.contents import Contents
from evidence.export.drawn_map import degrees, track_map
from evidence.export.drawn_timeline import MAX_MARKS, timeline
from evidence.export.happenings import words
from evidence.export.markup import Markup, css, document, joined, rows, tag
from evidence.export.page_style import STYLE
from evidence.export.thumbnails import Thumbnail
from evidence.export.window import as_clock

Values = Mapping[str, Any]
MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                 "November", "December")  # fmt: skip


def render(values: Values, contents: Contents, stills: Sequence[Thumbnail]) -> str:
    """The whole page."""
    source = values["source"]
    recording = f"{source.get('serial', '?')}, recording {source.get('number', '?')}"
    label = values["labels"]
    top = [tag("div", label, class_="banner")] if label else []
    top.append(tag("div", tag("span", f"Camera {recording}"), tag("span", source["name"]), class_="running"))
    sections = [
        tag("h1", "Report on one recording"),
        tag("p", _summary(values)),
        _verdict(values),
        _what(values, contents),
        _stills(stills, values, contents),
        _when(values),
        _who(values),
        _happened(values, contents),
        _where(contents),
        _custody(values),
        _files(values),
        appendix(values),
    ]
    head, body = tag("thead", tag("tr", tag("td", *top))), tag("tbody", tag("tr", tag("td", *sections)))
    return document(f"{label + ': ' if label else ''}{recording}", css(STYLE), tag("table", head, body, class_="sheet"))


def _section(title: str, *parts: object) -> Markup:
    return tag("section", tag("h2", title), *parts)


def _list(items: Sequence[object]) -> Markup:
    return tag("ul", *(tag("li", one) for one in items))


def _summary(values: Values) -> str:
    """Who, when, how long, why: what a reader asks first."""
    source = values["source"]
    began = values["began_utc"]
    day = f"on {_day(began[0])} from about {began[0][11:19]} UTC" if began else "at a time that nothing vouched for"
    for one in values["corrections"]["counted"][:1]:
        day += f" (by a later correction: on {_day(one['began_utc'][0])} from about {one['began_utc'][0][11:19]} UTC)"
    causes = [one["title"].removeprefix("Trigger: ") for one in values["happenings"] if one["kind"] == "trigger"]
    text = f"Camera {source.get('serial')} recorded {plain_words.length(source['duration_s'])} {day}."
    text += f" Started by: {', '.join(causes)}." if causes else ""
    text += f" Ended by: {words(values['close_reason'])}." if values["close_reason"] else " Its end is not signed."
    return text + (f" This export is only a part: {values['part']}." if values["part"] else "")


def _verdict(values: Values) -> Markup:
    kind, headline, explanation = plain_words.verdict(values)
    source = values["source"]
    parts: list[object] = [tag("div", tag("strong", headline), tag("p", explanation), class_=f"verdict {kind}")]
    if source["findings"]:
        parts += [tag("h3", "Findings"), _list(source["findings"])]
    if source["notes"]:
        parts += [tag("h3", "Notes"), _list(source["notes"])]
    if values["exported"]["discrepancies"]:
        parts += [tag("h3", "While exporting"), _list(values["exported"]["discrepancies"])]
    return joined((*parts, tag("h3", "What this verdict does not say"), _list(plain_words.limits(values))))


def _what(values: Values, contents: Contents) -> Markup:
    exported, source = values["exported"], values["source"]
    opening: Values = next((one for one in contents.metadata if one.get("part") == "opening"), {})
    officer = opening.get("officer")
    test = opening.get("self_test")
    pairs: list[tuple[object, object]] = [
        ("Length", plain_words.length(source["duration_s"])),
        ("Pictures", f"{exported['frames']} exported of {source['frames']} recorded; none encoded again"),
        ("Sound", plain_words.sound(values, opening.get("microphone"))),
        *plain_words.sound_offset(values),
        ("Positions", f"{exported['gps_points']} points of the receiver; nothing added between them"),
        ("Officer", f"{officer} (identified by: {words(opening.get('officer_identified_by', 'not stated'))})"
         if officer else "not assigned in the recording"),
        ("Ended by", words(values["close_reason"]) if values["close_reason"] else "no end is signed"),
        ("For the report", values["stop_text"]),
        *plain_words.appended(values),
    ]  # fmt: skip
    if values["part"]:
        pairs.insert(0, ("Only a part", values["part"]))
    if isinstance(test, Mapping):
        pairs.append(("Self-test before", f"{test.get('verdict') or 'no verdict'} (id {test.get('id')})"))
    if opening.get("degraded"):
        pairs.append(("Degraded", ", ".join(str(one) for one in opening["degraded"])))
    if opening.get("resumes"):
        pairs.append(("Continues", f"goes on with {opening['resumes']} after a restart"))
    return _section("What was recorded", rows(pairs), tag("p", plain_words.media_note(values), class_="quiet"))


def _stills(stills: Sequence[Thumbnail], values: Values, contents: Contents) -> Markup:
    if not stills:
        return Markup("")
    offset_s = 0.0
    if contents.first_ns is not None and values["span_ns"] is not None:
        offset_s = (contents.first_ns - values["span_ns"][0]) / 10**9 - contents.first_at_s
    figures = []
    for still in stills:
        url = "data:image/jpeg;base64," + base64.b64encode(still.jpeg).decode()
        at = as_clock(still.at_s + offset_s)
        figures.append(tag("figure", tag("img", src=url, alt=f"Still at {at}"), tag("figcaption", f"at {at}")))
    note = tag(
        "p", "Reduced stills for finding one's way, taken at even steps. The video is the evidence.", class_="quiet"
    )
    return _section("Stills", tag("div", *figures, class_="stills"), note)


def _day(moment: str) -> str:
    return f"{int(moment[8:10])} {MONTHS[int(moment[5:7]) - 1]} {moment[:4]}"


def _interval(between: Sequence[str] | None) -> str:
    """Microseconds are kept: an interval that was rounded would claim more than was signed."""
    if not between:
        return "not known: nothing vouched for the camera's clock"
    begin, end = (f"{one[11:26]} UTC" if _day(between[0]) == _day(one) else f"{one[11:26]} UTC on {_day(one)}"
                  for one in between)  # fmt: skip
    return f"{_day(between[0])}, between {begin} and {end}"


def _person(subject: object) -> str:
    """A certificate's subject with the one name that RFC 4514 has no short form for."""
    return str(subject).replace("2.5.4.5=", "serial number ").replace(",", ", ")


def _when(values: Values) -> Markup:
    recorded = values["source"].get("recorded_utc")
    clock = recorded["source"] if recorded else "none"
    pairs: list[tuple[object, object]] = [
        ("First picture", _interval(values["began_utc"])),
        ("Last picture ended", _interval(values["ended_utc"])),
        ("Clock set by", plain_words.CLOCKS.get(clock, clock)),
    ]
    corrections = values["corrections"]
    if corrections["counted"] and recorded:
        own = _interval((recorded["earliest"], recorded["latest"]))
        pairs.append(("The camera's own claim", f"{own}; that clock was not vouched for"))
    for one in corrections["counted"]:
        pairs += [
            ("Corrected: first picture", _interval(one["began_utc"])),
            ("Corrected: last picture ended", _interval(one["ended_utc"])),
            ("Source of the correction", plain_words.correction(one)),
        ]
    pairs += [("Correction not counted", one) for one in corrections["notes"]]
    note = (
        "All times are UTC. An interval says how far the camera's clock could be trusted: the true time lies in it if "
        "its source was right. Lengths and distances in time do not depend on that clock."
    )
    return _section("When, and how sure", rows(pairs), tag("p", note, class_="quiet"))


def _who(values: Values) -> Markup:
    source, camera = values["source"], values["camera"] or {}
    level = source.get("key_level")
    pairs: list[tuple[object, object]] = [
        ("Camera", f"{source.get('serial')}, {camera.get('model')}"),
        ("Firmware", joined((camera.get("firmware"), tag("br"), tag("code", camera.get("firmware_sha256", ""))))),
        ("Signed by", _person(source.get("signer"))),
        ("Its key is kept", f"{plain_words.KEY_LEVELS.get(level, 'not stated')} (level: {words(level)})"),
        ("Who says so", f"the camera's certificate, issued under {values['root']['subject']}"),
    ]
    for one in values["sources"]:
        said = f"{plain_words.KINDS.get(one['kind'], one['kind'])} ({one['driver']}, {one['sensor']})"
        pairs.append((f"Source: {one['role']}", said))
    profile = values["profile"]
    if profile:
        pairs.append(("Policy in force", f"{profile['name']}, version {profile['version']}"))
    return _section("Which camera, and who says so", rows(pairs))


def _happened(values: Values, contents: Contents) -> Markup:
    found = values["happenings"]
    placed = [one for one in found if one["at_s"] is not None]
    numbers = {id(one): number for number, one in enumerate(placed, 1)}
    head = tag("tr", *(tag("th", one) for one in ("No.", "In the recording", "UTC, earliest", "What", "Details")))
    body = []
    for one in found:
        at_s, utc = one["at_s"], one["utc"]
        place = "" if at_s is None else as_clock(at_s) if at_s >= 0 else f"{-at_s:.1f} s before"
        cells = [tag("td", numbers.get(id(one), ""), class_="number"), tag("td", place)]
        cells += [tag("td", utc[0][11:23] if utc else ""), tag("td", one["title"]), tag("td", one["detail"])]
        body.append(tag("tr", *cells))
    drawing = timeline(values, contents)
    parts: list[object] = [drawing] if drawing is not None else []
    parts.append(tag("table", tag("thead", head), tag("tbody", *body), class_="list"))
    note = (
        "Triggers, markers, mutes, gaps, corrections of the clock and the stop, as the camera signed them. "
        "Below picture, sound and positions the drawing shows the camera's input lines: high is on."
    )
    if len(placed) > MAX_MARKS:
        note += f" The drawing numbers the first {MAX_MARKS}."
    absent = [name for name, kind in (("gap", "gap"), ("mute", "mute"), ("correction of the clock", "clock"))
              if not any(one["kind"] == kind for one in found)]  # fmt: skip
    if absent:
        note += f" There was no {', no '.join(absent)}."
    return _section("What happened", *parts, tag("p", note, class_="quiet"))


def _where(contents: Contents) -> Markup:
    drawing = track_map(contents.places)
    if drawing is None:
        return _section("Where", tag("p", "The receiver had no fix at any time of this recording."))
    places = [one for piece in contents.places for one in piece]
    pairs = [("First point", degrees(places[0])), ("Last point", degrees(places[-1]))]
    note = (
        "Positions are the satellite receiver's claim (WGS 84). Lines join its consecutive points and break where it "
        "had no fix; nothing is smoothed or guessed. The GPX file holds every point."
    )
    return _section("Where", drawing, rows(pairs), tag("p", note, class_="quiet"))


def _custody(values: Values) -> Markup:
    steps = values["custody"]
    if not steps:
        text = "No station's receipt lies beside the evidence file. The station's ledger tells where it was kept."
        return _section("Custody", tag("p", text))
    pairs: list[tuple[object, object]] = [("Exported by", _person(values["desk"]))] if values["desk"] else []
    for one in steps:
        if one["holds"]:
            text = f"{one['store']} (station {one['station']}) held every byte at {one['issued']}; its verdict: "
            pairs.append(("Handed over", f"{text}{one['verdict']}. Signed by {_person(one['signer'])}."))
        else:
            pairs.append(("NOT PROVEN", f"{one['name']} cannot be relied on: {one['problem']}"))
    return _section("Custody", rows(pairs))


def _files(values: Values) -> Markup:
    source = values["source"]
    files = [(source["name"], source["bytes"], source["sha256"], "the evidence file, as the camera wrote it")]
    told = {"mp4": "video for playing", "gpx": "the receiver's points"}
    files += [
        (one["name"], one["bytes"], one["sha256"], told.get(one["name"].rpartition(".")[2], ""))
        for one in values["outputs"]
    ]
    head = tag("tr", *(tag("th", one) for one in ("File", "Bytes", "SHA-256")))
    body = [
        tag(
            "tr",
            tag("td", name, tag("br"), tag("span", what, class_="quiet")),
            tag("td", size),
            tag("td", tag("code", digest)),
        )
        for name, size, digest, what in files
    ]
    credentials = values["c2pa"]
    note = (
        "The MP4 carries a C2PA manifest of the export desk, which names the evidence file as its source."
        if credentials["signed"]
        else f"The MP4 carries no C2PA manifest: {credentials['reason']}."
    )
    closing = source.get("close_hash")
    extra = tag("p", "Close hash of the evidence file: ", tag("code", closing)) if closing else Markup("")
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="list")
    return _section("Files", table, extra, tag("p", note, class_="quiet"))
