#!/usr/bin/env python3
"""Fingerprints files on a Spark cluster: paths in, one JSON record out for each.

    spark-submit --master spark://HOST:7077 fingerprint.py PATHS OUT [--folder DIR]

PATHS is a text file with one path a line, as every worker sees it; OUT a directory that does not exist
yet, where Spark commits the records of a partition when the partition is done, and of a partition that was
tried twice only one. Without --folder a record carries its fingerprint in base64 (`unpack.py` makes files
of them). With it the fingerprints go into one directory that all workers share, whole or not at all, and
those that are there already are kept; `likeness add DIR` takes it in place of the media.

A bad file is a record with `"status": "error"`. The same path twice is one record.
"""

import argparse
import os
import shlex

from pyspark.sql import SparkSession

# What the program is told of the driver's environment.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LIKENESS_LOG")


def command(args):
    """What each partition's paths are piped through."""
    words = [args.likeness, "fingerprint", "--stdin", "--format", "jsonl", "--jobs", str(args.jobs), "--quiet"]
    if args.folder:
        words += ["--out", args.folder]
    if args.no_video:
        words.append("--no-video")
    return shlex.join(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", help="text file of paths, one a line")
    parser.add_argument("out", help="where the records go")
    parser.add_argument("--folder", help="shared directory for the fingerprints")
    parser.add_argument("--likeness", default="likeness", help="the program, as workers find it")
    parser.add_argument("--jobs", type=int, default=1, help="files that one task works on at a time")
    parser.add_argument("--per-task", type=int, default=16, help="files in one task")
    parser.add_argument("--no-video", action="store_true", help="look at the sound only")
    args = parser.parse_args()

    session = SparkSession.builder.appName("likeness fingerprint").getOrCreate()
    paths = session.sparkContext.textFile(args.paths).filter(bool).distinct()
    tasks = max(1, -(-paths.count() // args.per_task))
    # Without this the program would start with an empty environment.
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    # checkCode: a partition whose program was killed is tried again instead of being taken for done.
    records = paths.repartition(tasks).pipe(command(args), env=environment, checkCode=True)
    records.saveAsTextFile(args.out)
    session.stop()


if __name__ == "__main__":
    main()
