#!/usr/bin/env python3
"""The service end to end, from Python: starts `likeness serve` and calls it with likeness_client.py.

`tools/service-python` installs what this needs and runs it:

    python3 test_service.py target/release/likeness
"""

import array
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest
import wave

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
CLIENT = pathlib.Path(__file__).with_name("likeness_client.py")
RATE = 11025
READER, WRITER = "reading-Kq7mZ2xW", "writing-Xw9pT4bN"


def music(seed, seconds):
    """Notes, chords and drums that no other seed shares, as 16-bit samples."""
    dice = random.Random(seed)
    out = [0.0] * int(seconds * RATE)
    at = 0.0
    while at < seconds:
        length = dice.choice([0.25, 0.35, 0.5, 0.7])
        notes = dice.sample(range(45, 81), dice.choice([1, 2, 3]))
        first, count = int(at * RATE), int(length * 1.3 * RATE)
        partials = [(440 * 2 ** ((n - 69) / 12) * k, 0.2 / k) for n in notes for k in (1, 2, 3)]
        for i in range(min(count, len(out) - first)):
            t = i / RATE
            envelope = min(1.0, t * 200) * math.exp(-3 * t / length)
            value = sum(level * math.sin(2 * math.pi * f * t) for f, level in partials)
            drum = dice.uniform(-0.3, 0.3) * math.exp(-60 * t) if t < 0.05 else 0.0
            out[first + i] += envelope * value + drum
        at += length
    return array.array("h", (int(max(-1, min(1, x)) * 32000) for x in out))


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


class Server:
    """A server process with an empty library of its own."""

    def __init__(self, directory, *settings):
        self.directory = pathlib.Path(directory)
        command = [PROGRAM, "serve", "--listen", "127.0.0.1:0"]
        command += ["--library", self.directory / "library"]
        for setting in settings:
            command += ["--set", setting]
        self.log = open(self.directory / "log", "a")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline().decode()
        self.port = line.strip().rsplit(":", 1)[-1]
        assert self.port.isdigit(), (self.directory / "log").read_text()
        self.address = f"localhost:{self.port}"

    def stop(self):
        self.process.terminate()
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status

    def call(self, *arguments, token=None, stdin=None, options=()):
        """Runs the example client; returns its answers, or its complaint."""
        environment = dict(os.environ)
        environment.pop("LIKENESS_TOKEN", None)
        if token:
            environment["LIKENESS_TOKEN"] = token
        command = [sys.executable, CLIENT, "--server", self.address, *options, *arguments]
        done = subprocess.run(
            [str(part) for part in command], input=stdin, capture_output=True, env=environment
        )
        if done.returncode != 0:
            return done.stderr.decode().strip()
        return [json.loads(line) for line in done.stdout.decode().splitlines()]


class ServiceTest(unittest.TestCase):
    """Calls in the order in which a platform would make them."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.files = pathlib.Path(cls.temporary.name)
        cls.song = music(1, 30)
        cls.strangers = music(2, 15), music(3, 15)
        write_wav(cls.files / "song.wav", cls.song)
        write_wav(cls.files / "stranger.wav", cls.strangers[0])
        write_wav(cls.files / "copy.wav", cls.song[8 * RATE : 20 * RATE])

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def server(self, *settings):
        directory = tempfile.mkdtemp(dir=self.files)
        server = Server(directory, *settings)
        self.addCleanup(lambda: self.assertEqual(server.stop(), 0))
        return server

    def test_references_come_match_and_go(self):
        server = self.server()
        song, copy = self.files / "song.wav", self.files / "copy.wav"
        self.assertEqual(server.call("match", copy)[0].get("matches", []), [])
        (added,) = server.call("add", song)
        self.assertEqual(added["outcome"], "ADD_OUTCOME_ADDED")
        (again,) = server.call("add", song)
        self.assertEqual(again["outcome"], "ADD_OUTCOME_ALREADY_THERE")
        (listed,) = server.call("list")
        self.assertEqual(listed["identifier"], "song.wav")
        self.assertAlmostEqual(listed["duration"], 30, delta=0.2)
        (stats,) = server.call("stats")
        self.assertEqual((stats["references"], stats["libraries"]), ("1", ["default"]))

        (report,) = server.call("match", copy)
        (found,) = report["matches"]
        (segment,) = found["segments"]
        self.assertEqual((found["reference"], found["media"]), ("song.wav", "MEDIA_AUDIO"))
        offset = segment["reference_start"] - segment.get("query_start", 0)
        self.assertAlmostEqual(offset, 8, delta=0.1)
        fingerprint = self.files / "copy.fingerprint"
        subprocess.run([PROGRAM, "fingerprint", "-q", copy, "-o", fingerprint], check=True)
        (same,) = server.call("match-fingerprint", fingerprint)
        self.assertEqual(same["matches"], report["matches"])
        (stranger,) = server.call("match", self.files / "stranger.wav")
        self.assertEqual(stranger.get("matches", []), [])
        self.assertIn("INVALID_ARGUMENT", server.call("match", CLIENT))
        self.assertIn("NOT_FOUND", server.call("list", options=["--library", "none"]))

        (removed,) = server.call("remove", "song.wav", "other.wav")
        self.assertEqual(removed["removed"], ["song.wav"])
        self.assertEqual(server.call("list"), [])

    def test_live_streams_are_followed(self):
        server = self.server()
        server.call("add", self.files / "song.wav")
        before, after = self.strangers
        stream = before + self.song[5 * RATE : 25 * RATE] + after
        events = server.call("live", "--rate", RATE, stdin=stream.tobytes())
        kinds = [next(k for k in e if k != "position") for e in events]
        self.assertEqual(kinds[0], "started")
        self.assertEqual(kinds[-2:], ["ended", "finished"])
        self.assertEqual(set(kinds[1:-2]), {"extended"})
        self.assertEqual(events[0]["started"]["match"]["reference"], "song.wav")
        self.assertLessEqual(events[0]["position"], 15 + 8)
        self.assertLessEqual(events[-2]["position"], 35 + 5)

    def test_health_and_reflection(self):
        server = self.server()
        services = {"likeness.v1.MatchService", "likeness.v1.ReferenceService"}
        with grpc.insecure_channel(server.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for service in ["", *services]:
                answer = health.Check(health_pb2.HealthCheckRequest(service=service))
                self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
            database = ProtoReflectionDescriptorDatabase(channel)
            self.assertLessEqual(services, set(database.get_services()))
            file = database.FindFileContainingSymbol("likeness.v1.MatchService")
            methods = [m.name for s in file.service for m in s.method]
            self.assertEqual(methods, ["Match", "MatchFingerprint", "MatchLive"])

    def test_tokens_and_tls(self):
        def hash_of(token):
            command = [PROGRAM, "serve", "--hash-token"]
            done = subprocess.run(command, input=token.encode(), capture_output=True, check=True)
            return done.stdout.decode().strip()

        tokens = ", ".join(
            f"{{ name = '{role}', role = '{role}', hash = '{hash_of(token)}' }}"
            for role, token in [("read", READER), ("write", WRITER)]
        )
        certify(self.files)
        path = lambda name: self.files / name
        server = self.server(
            f"tokens=[{tokens}]",
            f"tls={{ certificate = '{path('server.pem')}', key = '{path('server.key')}',"
            f" client_ca = '{path('ca.pem')}' }}",
        )
        tls = ["--ca", path("ca.pem")]
        known = [*tls, "--certificate", path("client.pem"), "--key", path("client.key")]
        song = self.files / "song.wav"
        (added,) = server.call("add", song, token=WRITER, options=known)
        self.assertEqual(added["outcome"], "ADD_OUTCOME_ADDED")
        self.assertEqual(len(server.call("list", token=READER, options=known)), 1)
        for token, want in [(READER, "PERMISSION_DENIED"), (None, "UNAUTHENTICATED")]:
            self.assertIn(want, server.call("add", song, token=token, options=known))
        self.assertIn("UNAUTHENTICATED", server.call("list", token="guess", options=known))
        # Without the client's own certificate, and without TLS.
        self.assertIn("UNAVAILABLE", server.call("list", token=READER, options=tls))
        self.assertIn("UNAVAILABLE", server.call("list", token=READER))
        log = (server.directory / "log").read_text()
        self.assertTrue("list" in log.lower() and READER not in log and WRITER not in log)

    def test_limits_are_told(self):
        server = self.server("limits.upload_mib=1", "limits.live_streams=0")
        big = self.files / "big.wav"
        write_wav(big, self.song + self.song)
        self.assertIn("INVALID_ARGUMENT", server.call("match", big))
        self.assertIn("RESOURCE_EXHAUSTED", server.call("live", "--rate", RATE, stdin=b""))

    def test_deadlines_are_kept(self):
        server = self.server()
        options = ["--timeout", "0.001"]
        began = time.monotonic()
        answer = server.call("match", self.files / "song.wav", options=options)
        self.assertIn("DEADLINE_EXCEEDED", answer)
        self.assertLess(time.monotonic() - began, 30)


def certify(directory):
    """An authority, and certificates of it for a server and a client."""

    def openssl(*arguments):
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (directory / "names").write_text("subjectAltName=DNS:localhost\n")
    for name in ["server", "client"]:
        request = ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
        openssl("req", *key, *request)
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)


if __name__ == "__main__":
    if PROGRAM is None:
        sys.exit(__doc__)
    unittest.main(verbosity=2)
