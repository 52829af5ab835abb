"""One self-contained page from the plain data of a report: no script, no font, no request; dark pages, telephones and paper are styled."""

import html
from typing import Any

from mmnb.diagnosis.svg import draw

_CSS = """
.mm{--mm-ink:#1f2328;--mm-faint:#8c959f;--mm-page:#fff;--mm-card:#f6f8fa;--mm-line:#d0d7de;--mm-link:#0550ae;--mm-one:#0072B2;--mm-two:#C04F00;
--mm-three:#007D59;--mm-four:#A3497B;--mm-five:#8a6d00;--mm-high:#a40e26;--mm-medium:#8a4600;--mm-low:#0550ae;--mm-good:#116329;
color:var(--mm-ink);background:var(--mm-page);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;max-width:52rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){.mm{--mm-ink:#e6edf3;--mm-faint:#8b949e;--mm-page:#0d1117;--mm-card:#161b22;--mm-line:#30363d;--mm-link:#79c0ff;
--mm-one:#58a6e0;--mm-two:#f08c4a;--mm-three:#3fc296;--mm-four:#e29cc4;--mm-five:#d4b106;--mm-high:#ff9492;--mm-medium:#f0b072;--mm-low:#79c0ff;--mm-good:#56d364}}
.mm h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0}.mm h2{font-size:1.2rem;margin:0 0 .2rem}.mm p{margin:.4rem 0}.mm a{color:var(--mm-link)}
.mm .lead{font-size:1.05rem}.mm .q{color:var(--mm-ink);opacity:.85;font-style:italic}.mm section{border-top:1px solid var(--mm-line);padding:1rem 0}
.mm .box{background:var(--mm-card);border:1px solid var(--mm-line);border-left:5px solid var(--mm-low);border-radius:6px;padding:.5rem .8rem;margin:.5rem 0}
.mm .high{border-left-color:var(--mm-high)}.mm .medium{border-left-color:var(--mm-medium)}.mm .none{border-left-color:var(--mm-good)}
.mm .tag{font-weight:700}.mm .scroll{overflow-x:auto}.mm table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
.mm th,.mm td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--mm-line);vertical-align:top}.mm td.n{text-align:right;white-space:nowrap}
.mm figure{margin:.6rem 0;max-width:30rem}.mm svg{width:100%;height:auto;display:block}.mm figcaption{font-size:.9rem}.mm img{max-width:96px;height:auto;display:block}
.mm ul{padding-left:1.2rem;margin:.4rem 0}.mm nav ul{columns:2;font-size:.95rem}.mm small{font-size:.88rem}
@media(max-width:30rem){.mm nav ul{columns:1}.mm{padding:.8rem}}
@media print{.mm{max-width:none;color:#000;background:#fff}.mm section{break-inside:avoid}.mm nav{display:none}}
"""


def page(data: dict[str, Any]) -> str:
    """The whole file."""
    title = html.escape(data["title"])
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light '
        f'dark"><title>{title}</title>'
    )
    style = f"<style>{_CSS}html{{background:#fff}}@media(prefers-color-scheme:dark){{html{{background:#0d1117}}}}body{{margin:0}}</style>"
    return f'{head}{style}</head><body><main class="mm">{body(data)}</main></body></html>\n'


def fragment(inner: str) -> str:
    """What Jupyter shows: the same, styled inside its own box."""
    return f'<style>{_CSS}</style><div class="mm">{inner}</div>'


def body(data: dict[str, Any]) -> str:
    """Title, warnings, contents, sections."""
    found = [
        f"<h1>{html.escape(data['title'])}</h1>",
        *(f'<p class="lead">{html.escape(line)}</p>' for line in data["lead"]),
    ]
    found.append(f"<h2>Warnings ({len(data['warnings'])})</h2>")
    found += [warning(one) for one in data["warnings"]] or ['<div class="box none">None of the warnings fired.</div>']
    shown = [part for part in data["sections"] if part["status"] == "measured"]
    links = "".join(f'<li><a href="#{part["id"]}">{html.escape(part["title"])}</a></li>' for part in shown)
    found.append(f'<nav aria-label="Sections"><ul>{links}</ul></nav>')
    return "\n".join([*found, *(section(part) for part in shown)])


def warning(one: dict[str, Any]) -> str:
    """A warning in a box."""
    ends = "" if one["low"] is None else f" [{one['low']:.3g}, {one['high']:.3g}]"
    number = "" if one["value"] is None else f" Measured: {one['value']:.3g}{ends}."
    against = "" if one["threshold"] is None else f" Threshold: {one['threshold']:.3g} ({html.escape(one['set_by'])})."
    return (
        f'<div class="box {one["severity"]}"><span class="tag">{one["severity"]} · '
        f"{html.escape(one['id'])}</span> {html.escape(one['sentence'])}"
        f"<br><small>{number}{against} Look closer: {html.escape(one['look'])}.</small></div>"
    )


def section(part: dict[str, Any]) -> str:
    """One section: heading, question, answer, pictures, numbers, notes."""
    found = [
        f"<h2>{html.escape(part['title'])}</h2>",
        f'<p class="q">{html.escape(part["question"])}</p>' if part["question"] else "",
    ]
    lead = "" if part["status"] == "measured" else f"<b>{html.escape(part['status'].capitalize())}:</b> "
    found.append(f"<p>{lead}{html.escape(part['answer'])}</p>" if part["answer"] else "")
    found += [
        f"<figure>{draw(figure)}<figcaption>{html.escape(figure['alt'][:1].upper() + figure['alt'][1:])}</figcaption></figure>"
        for figure in part["figures"]
    ]
    if part["rows"]:
        lines = "".join(_row(row) for row in part["rows"])
        found.append(
            _scroll(
                '<tr><th scope="col">number</th><th scope="col">value</th><th scope="col">95 % '
                f"interval</th></tr>{lines}",
                part["title"],
            )
        )
    if part["facts"]:
        facts = "".join(
            f'<tr><th scope="row">{html.escape(k)}</th><td>{html.escape(v)}</td></tr>' for k, v in part["facts"]
        )
        found.append(_scroll(facts, f"{part['title']}: facts"))
    found.append(_items(part["items"]) if part["items"] else "")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in part["notes"])
    found.append(f"<ul>{notes}</ul>" if notes else "")
    return f'<section id="{part["id"]}">{"".join(found)}</section>'


def _scroll(rows: str, name: str) -> str:
    return (
        '<div class="scroll" tabindex="0" role="group" '
        f'aria-label="{html.escape(name, quote=True)}"><table>{rows}</table></div>'
    )


def _row(row: dict[str, Any]) -> str:
    value = "–" if row["value"] is None else f"{row['value']:.4g}"
    ends = "" if row["low"] is None else f"{row['low']:.4g} to {row['high']:.4g}"
    return (
        f'<tr><th scope="row">{html.escape(row["name"])}</th><td class="n">{value}</td><td class="n">{ends}</td></tr>'
    )


def _items(groups: dict[str, list[dict[str, Any]]]) -> str:
    """Examples: what they show, then one line each, with a thumbnail where there is one."""
    found = []
    for name, some in groups.items():
        lines = []
        for one in some:
            picture = f'<img src="{one["picture"]}" alt="example {one["index"]}">' if one.get("picture") else ""
            lines.append(f'<tr><th scope="row">{picture}{one["index"]}</th><td>{html.escape(one["text"])}</td></tr>')
        found.append(f"<h3>{html.escape(name)}</h3>{_scroll(''.join(lines), name)}")
    return "".join(found)
