"""Prints the channels of a report that have many installs or clicks, beside their peers, as a Markdown table.

    clickaudit audit --combined talkingdata.csv.gz --preset talkingdata -o json=report.json
    python bench/detection/channels.py report.json
"""

import json
import sys

INSTALLS, CLICKS = 30, 1_000


def signal(source, name):
    """Value, sample, peers' value and p of a signal; None where it is absent."""
    found = source["signals"].get(name)
    if found is None:
        return None
    why = next((why for why, names in source.get("not_compared", {}).items() if name in names), None)
    return found["value"], found["n"], found.get("peers"), found.get("p"), why


def cell(found, scale, unit):
    if found is None:
        return "–"
    value, n, peers, p, why = found
    text = f"{value * scale:.3g}{unit} of {n:,}"
    if peers is None:
        return text + (f" ({why})" if why else "")
    return f"{text} (peers {peers * scale:.3g}{unit}, p {p:.2g})"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    print("| channel | clicks | installs | CR | CTIT below 10 s | after a day | address concentration | q | verdict | rules |")
    print("|---|---:|---:|---|---|---|---|---:|---|---|")
    for source in sorted(report["sources"], key=lambda s: -s["clicks"]):
        if set(source["key"]) != {"traffic_source", "source"}:
            continue
        installs = source["signals"].get("conversion_count", {}).get("value", 0)
        if installs < INSTALLS and source["clicks"] < CLICKS:
            continue
        q = source.get("q")
        cells = [
            source["key"]["source"],
            f"{source['clicks']:,}",
            f"{installs:,.0f}",
            cell(signal(source, "cr"), 100, "%"),
            cell(signal(source, "ctit_short_share"), 100, "%"),
            cell(signal(source, "ctit_long_share"), 100, "%"),
            cell(signal(source, "ip_hhi"), 1, ""),
            "–" if q is None else f"{q:.2g}",
            source["verdict"],
            ", ".join(f["rule"] for f in source["findings"]) or "–",
        ]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
