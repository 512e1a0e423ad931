"""Prints the PDQ hashes of a video's frames as JSON. Usage: hash.py pdqhash|vpdq RATE FILE

`pdqhash` hashes frames that FFmpeg decodes, as they are and mirrored; `vpdq` decodes by itself."""

import json
import subprocess
import sys

# PDQ averages down to 64x64: what is larger than this only costs time.
WIDTH = HEIGHT = 256


def with_pdqhash(rate, path):
    import numpy
    import pdqhash

    command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", path, "-map", "0:v:0"]
    command += ["-vf", f"fps={rate},scale={WIDTH}:{HEIGHT}:flags=area", "-pix_fmt", "rgb24"]
    command += ["-f", "rawvideo", "-"]
    size = WIDTH * HEIGHT * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ffmpeg:
        number = 0
        while len(data := ffmpeg.stdout.read(size)) == size:
            frame = numpy.frombuffer(data, numpy.uint8).reshape(HEIGHT, WIDTH, 3)
            turns, quality = pdqhash.compute_dihedral(frame)
            # Of the eight turns: as it is, and flipped left to right.
            hashes = [hexadecimal(turns[0]), hexadecimal(turns[MIRRORED])]
            yield {"time": number / rate, "quality": int(quality), "hashes": hashes}
            number += 1


# Where `compute_dihedral` puts the picture flipped left to right.
MIRRORED = 5


def hexadecimal(bits):
    return f"{int(''.join(str(int(bit)) for bit in bits), 2):064x}"


def with_vpdq(rate, path):
    import vpdq

    for feature in vpdq.computeHash(path, seconds_per_hash=1 / rate):
        hashes = [feature.hex]
        yield {"time": feature.timestamp, "quality": feature.quality, "hashes": hashes}


def main():
    method, rate, path = sys.argv[1:]
    methods = {"pdqhash": with_pdqhash, "vpdq": with_vpdq}
    json.dump(list(methods[method](float(rate), path)), sys.stdout)


main()
