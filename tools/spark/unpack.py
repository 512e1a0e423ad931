#!/usr/bin/env python3
"""Makes a directory of fingerprint files, for `likeness add`, of records that carry them.

    unpack.py DIR RECORDS...
"""

import base64
import json
import os
import sys


def main():
    folder, *files = sys.argv[1:]
    for file in files:
        with open(file, encoding="utf-8") as records:
            for record in map(json.loads, records):
                if record["status"] == "ok":
                    # Whatever an identifier says, its file lies in the folder.
                    parts = [part for part in record["identifier"].split("/") if part not in ("", ".", "..")]
                    path = os.path.join(folder, *parts)
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "wb") as out:
                        out.write(base64.b64decode(record["fingerprint"]))


if __name__ == "__main__":
    main()
