#!/usr/bin/env python3
"""Writes the table of README.md from the tables beside it: a line a function or form."""
import collections
import pathlib
import re

HERE = pathlib.Path(__file__).parent
FAMILIES = ["string", "numeric", "temporal", "conditional", "cast", "json", "collection", "datafusion"]
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
FORMS = [
    (r"\bIS (NOT )?JSON", "IS JSON"), (r"\bSIMILAR TO\b", "SIMILAR TO"), (r"\bLIKE\b", "LIKE"),
    (r"\bBETWEEN\b", "BETWEEN"), (r"\bIN \(", "IN"), (r"\bDISTINCT FROM\b", "IS DISTINCT FROM"),
    (r"\bIS (NOT )?(TRUE|FALSE|UNKNOWN|NULL)", "IS TRUE, IS NULL, …"), (r"\|\|", "||"),
    (r"\bOVERLAPS\b", "OVERLAPS"), (r"AT TIME ZONE", "AT TIME ZONE"), (r"INTERVAL", "+ and - of an interval"),
]


def name(family, expression):
    call = re.match(r"^([A-Z_][A-Z_0-9]*)\(", expression)
    to_unit = re.match(r"^(FLOOR|CEIL)\(\w+ TO ", expression)
    if to_unit:
        return to_unit.group(1) + " … TO unit"
    if call and call.group(1) not in ("CHAR",) and not re.search(r"\b(LIKE)\b", expression):
        return call.group(1)
    if re.match(r"^(CURRENT_\w+|LOCAL\w+)$", expression):
        return expression
    for pattern, form in FORMS:
        if re.search(pattern, expression):
            return form
    if expression.startswith("CASE"):
        return "CASE"
    if re.match(r"^(DATE|TIME|TIMESTAMP) '", expression):
        return "literals of time"
    if re.match(r"^-?[\d.]+(e-?\d+)?$", expression, re.I):
        return "number literals"
    if re.search(r"\b(AND|OR|NOT)\b", expression):
        return "AND, OR, NOT"
    if re.search(r"(=|<|>)", expression):
        return "comparisons"
    if re.match(r"^ARRAY\[", expression) or re.search(r"\w\[", expression):
        return "ARRAY[…], a[i], m[k], MAP[…]"
    if re.search(r"\w\.\w", expression):
        return "fields of a ROW"
    if re.search(r"^\(", expression):
        return "rows in parentheses"
    if re.search(r"[-+*/%]", expression) and family in ("numeric", "temporal"):
        return "+ - * / %"
    return "other literals"


def main():
    counts = collections.OrderedDict()
    totals = collections.Counter()
    for family in FAMILIES:
        for line in (HERE / f"{family}.tsv").read_text(encoding="utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            expression, flink, _, ours, note = (line.split("\t") + [""] * 5)[:5]
            entry = counts.setdefault((family, name(family, expression)), [collections.Counter(), []])
            refused = ours == "REFUSED"
            status = "refused" if refused else "differs" if ours else "same"
            if family == "datafusion":
                status = "ours alone"
            entry[0][status] += 1
            totals[status] += 1
            if note and note not in entry[1]:
                entry[1].append(note)
    lines = ["| family | function or form | same | differs | refused | note |", "|---|---|---|---|---|---|"]
    for (family, form), (count, notes) in counts.items():
        same = count["same"] or (f"{count['ours alone']} (ours alone)" if count["ours alone"] else "")
        form = form.replace("|", "\\|")
        notes = "; ".join(notes).replace("|", "\\|")
        cells = [family, f"`{form}`", str(same or ""), str(count["differs"] or ""), str(count["refused"] or ""), notes]
        lines.append("| " + " | ".join(cells) + " |")
    total = ", ".join(f"{totals[s]} {s}" for s in ("same", "differs", "refused", "ours alone"))
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    readme.write_text(f"{head}{BEGIN}\nExpressions: {total}.\n\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")
    print(total)


main()
