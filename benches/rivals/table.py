"""Prints the scores of a run and of its rivals side by side. Usage: table.py RUN

A rival's cell is: found at its threshold / right reference ranked first, without a threshold."""

import json
import pathlib
import sys


def load(path):
    return json.loads(path.read_text())


def by_row(scores):
    return {(row["row"], row["media"]): row for row in scores["rows"]}


def media_of(path):
    """What a rival looks at, as its report tells."""
    reports = map(json.loads, path.read_text().splitlines())
    return {match["media"] for report in reports for match in report["matches"]}


def table(media, ours, rivals):
    # Rivals of sound are not given the films as references.
    left_out = "both: " if media == "audio" else None
    rows = [row for row in ours if row[1] == media and not (left_out and row[0].startswith(left_out))]
    names = list(rivals)
    if not rows or not names:
        return
    print(f"\n| row | queries | likeness | {' | '.join(names)} |")
    print("|---" * (len(names) + 3) + "|")

    def line(title, chosen):
        total = sum(ours[row]["queries"] for row in chosen)
        cells = [str(total), str(sum(ours[row]["found"] for row in chosen))]
        for name in names:
            found, first = (sum(part[row]["found"] for row in chosen) for part in rivals[name])
            cells.append(f"{found} / {first}")
        print(f"| {title} | {' | '.join(cells)} |")

    for row in rows:
        line(row[0], [row])
    line("all of these", rows)
    false = [sum(ours[row]["false_matches"] for row in rows)]
    false += [sum(rivals[name][0][row]["false_matches"] for row in rows) for name in names]
    print(f"| false matches on these |  | {' | '.join(map(str, false))} |")


def main():
    run = pathlib.Path(sys.argv[1])
    ours = by_row(load(run / "results.json")["scores"])
    rivals = {"audio": {}, "video": {}}
    for path in sorted((run / "rivals").glob("*.rank1.json")):
        name = path.name.removesuffix(".rank1.json")
        scores = [by_row(load(path.with_name(f"{name}.json"))), by_row(load(path))]
        for media in media_of(path.with_suffix(".jsonl")):
            rivals[media][name] = scores
    for media, these in rivals.items():
        table(media, ours, these)
    print("\nRivals: found at the lowest threshold without an accusation / ranked first without one.")


main()
