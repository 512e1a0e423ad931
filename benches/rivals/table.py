"""Prints the scores of a run and of its rivals side by side. Usage: table.py RUN"""

import json
import pathlib
import sys


def main():
    run = pathlib.Path(sys.argv[1])
    scores = {"likeness": json.loads((run / "results.json").read_text())["scores"]}
    for path in sorted((run / "rivals").glob("*.json")):
        scores[path.stem] = json.loads(path.read_text())
    rows = [(row["row"], row["media"]) for row in scores["likeness"]["rows"]]
    for media in ["audio"]:
        wanted = [row for row in rows if row[1] == media]
        found = {
            name: {(row["row"], row["media"]): row for row in score["rows"]}
            for name, score in scores.items()
        }
        names = list(scores)
        print(f"\n| row | {' | '.join(names)} |")
        print("|---" * (len(names) + 1) + "|")
        for row in wanted:
            cells = [f"{found[n][row]['found']}/{found[n][row]['queries']}" for n in names]
            print(f"| {row[0]} | {' | '.join(cells)} |")
        cells = [str(sum(found[n][row]["false_matches"] for row in wanted)) for n in names]
        print(f"| false, on these | {' | '.join(cells)} |")


main()
