#!/usr/bin/env python3
"""Matches files against a likeness service, adds, lists and removes references.

Needs nothing of likeness but the published proto files:

    pip install grpcio-tools
    python3 likeness_client.py --server localhost:7310 match upload.mp4
    python3 likeness_client.py live --rate 16000 < samples.s16le

The types are generated when the program starts, into a temporary directory.
"""

import argparse
import importlib
import os
import pathlib
import sys
import tempfile

import grpc
from google.protobuf.json_format import MessageToJson
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
CHUNK = 256 * 1024


def generate(proto):
    """Generates and imports the modules of the service's proto files."""
    out = tempfile.TemporaryDirectory()
    files = sorted(str(path.relative_to(proto)) for path in proto.rglob("*.proto"))
    includes = [f"-I{proto}", f"-I{pathlib.Path(protoc.__file__).parent / '_proto'}"]
    outputs = [f"--python_out={out.name}", f"--grpc_python_out={out.name}"]
    if protoc.main(["protoc", *includes, *outputs, *files]) != 0:
        sys.exit(f"cannot generate types from {proto}")
    sys.path.insert(0, out.name)
    names = ["match_service_pb2", "match_service_pb2_grpc"]
    names += ["reference_service_pb2", "reference_service_pb2_grpc"]
    modules = {name: importlib.import_module(f"likeness.v1.{name}") for name in names}
    out.cleanup()
    return argparse.Namespace(**modules)


def upload(message, options, file):
    """The messages of an upload: options first, then the file's bytes."""
    yield message(options=options)
    while chunk := file.read(CHUNK):
        yield message(chunk=chunk)


def connect(args):
    if args.ca is None:
        return grpc.insecure_channel(args.server)
    files = [args.ca, args.key, args.certificate]
    credentials = grpc.ssl_channel_credentials(*(f.read_bytes() if f else None for f in files))
    return grpc.secure_channel(args.server, credentials)


class Client:
    """Calls the service; every command yields its answers."""

    def __init__(self, args, types):
        self.args = args
        self.matching, self.references = types.match_service_pb2, types.reference_service_pb2
        channel = connect(args)
        self.match_service = types.match_service_pb2_grpc.MatchServiceStub(channel)
        self.reference_service = types.reference_service_pb2_grpc.ReferenceServiceStub(channel)
        token = os.environ.get("LIKENESS_TOKEN")
        # With every call.
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self.call = {"timeout": args.timeout, "metadata": self.metadata}

    def options(self, path):
        return self.matching.MatchOptions(library=self.args.library, query=str(path))

    def match(self):
        for path in self.args.files:
            with path.open("rb") as file:
                messages = upload(self.matching.MatchRequest, self.options(path), file)
                yield self.match_service.Match(messages, **self.call).report

    def match_fingerprint(self):
        for path in self.args.files:
            request = self.matching.MatchFingerprintRequest(
                options=self.options(path), fingerprint=path.read_bytes()
            )
            yield self.match_service.MatchFingerprint(request, **self.call).report

    def live(self):
        options = self.matching.LiveOptions(options=self.options("standard input"))
        if self.args.rate:
            options.pcm.sample_rate = self.args.rate
            options.pcm.channels = self.args.channels
            options.pcm.sample_format = self.matching.SAMPLE_FORMAT_S16
        else:
            options.encoded.SetInParent()

        def messages():
            yield self.matching.MatchLiveRequest(options=options)
            # Small reads, so that a pipe is sent on as it is filled.
            while chunk := sys.stdin.buffer.read1(16 * 1024):
                yield self.matching.MatchLiveRequest(chunk=chunk)

        # No deadline: a stream may play for days.
        yield from self.match_service.MatchLive(messages(), metadata=self.metadata)

    def add(self):
        for path in self.args.files:
            options = self.references.AddOptions(library=self.args.library, identifier=path.name)
            with path.open("rb") as file:
                messages = upload(self.references.AddRequest, options, file)
                yield self.reference_service.Add(messages, **self.call)

    def list(self):
        request = self.references.ListRequest(library=self.args.library)
        while True:
            page = self.reference_service.List(request, **self.call)
            yield from page.references
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def remove(self):
        request = self.references.RemoveRequest(
            library=self.args.library, identifiers=self.args.identifiers
        )
        yield self.reference_service.Remove(request, **self.call)

    def stats(self):
        request = self.references.GetStatsRequest(library=self.args.library)
        yield self.reference_service.GetStats(request, **self.call)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="localhost:7310", metavar="HOST:PORT")
    parser.add_argument("--library", default="", help="empty for the server's default one")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--proto", type=pathlib.Path, default=PROTO, help="the proto files")
    parser.add_argument("--ca", type=pathlib.Path, help="authority to trust; without it, no TLS")
    parser.add_argument("--certificate", type=pathlib.Path, help="the client's own")
    parser.add_argument("--key", type=pathlib.Path, help="its key")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ["match", "match-fingerprint", "add"]:
        commands.add_parser(name).add_argument("files", nargs="+", type=pathlib.Path)
    live = commands.add_parser("live", help="standard input, while it plays")
    live.add_argument("--rate", type=int, help="bare 16-bit samples; else media in a container")
    live.add_argument("--channels", type=int, default=1)
    commands.add_parser("list")
    commands.add_parser("remove").add_argument("identifiers", nargs="+")
    commands.add_parser("stats")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        client = Client(args, generate(args.proto))
        for answer in getattr(client, args.command.replace("-", "_"))():
            print(MessageToJson(answer, indent=None, preserving_proto_field_name=True), flush=True)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
