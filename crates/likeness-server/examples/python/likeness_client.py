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


def chunks(file):
    while chunk := file.read(CHUNK):
        yield chunk


def upload(message, options, file):
    """The messages of an upload: options first, then the file's bytes."""
    yield message(options=options)
    for chunk in chunks(file):
        yield message(chunk=chunk)


def connect(args):
    if args.ca is None:
        return grpc.insecure_channel(args.server)
    read = lambda path: path.read_bytes() if path else None
    credentials = grpc.ssl_channel_credentials(
        read(args.ca), read(args.key), read(args.certificate)
    )
    return grpc.secure_channel(args.server, credentials)


def run(args, types):
    matching, references = types.match_service_pb2, types.reference_service_pb2
    channel = connect(args)
    match_service = types.match_service_pb2_grpc.MatchServiceStub(channel)
    reference_service = types.reference_service_pb2_grpc.ReferenceServiceStub(channel)
    token = os.environ.get("LIKENESS_TOKEN")
    call = {"timeout": args.timeout}
    if token:
        call["metadata"] = [("authorization", f"Bearer {token}")]

    if args.command == "match":
        for path in args.files:
            options = matching.MatchOptions(library=args.library, query=str(path))
            with path.open("rb") as file:
                messages = upload(matching.MatchRequest, options, file)
                yield match_service.Match(messages, **call).report
    elif args.command == "match-fingerprint":
        for path in args.files:
            options = matching.MatchOptions(library=args.library, query=str(path))
            request = matching.MatchFingerprintRequest(
                options=options, fingerprint=path.read_bytes()
            )
            yield match_service.MatchFingerprint(request, **call).report
    elif args.command == "live":
        options = matching.LiveOptions(options=matching.MatchOptions(library=args.library))
        if args.rate:
            options.pcm.sample_rate = args.rate
            options.pcm.channels = args.channels
            options.pcm.sample_format = matching.SAMPLE_FORMAT_S16
        else:
            options.encoded.SetInParent()
        call.pop("timeout")
        # Small reads, so that a pipe is sent on as it is filled.
        live = iter(lambda: sys.stdin.buffer.read1(16 * 1024), b"")
        messages = (matching.MatchLiveRequest(chunk=chunk) for chunk in live)
        first = matching.MatchLiveRequest(options=options)
        yield from match_service.MatchLive((m for s in ([first], messages) for m in s), **call)
    elif args.command == "add":
        for path in args.files:
            options = references.AddOptions(library=args.library, identifier=path.name)
            with path.open("rb") as file:
                yield reference_service.Add(upload(references.AddRequest, options, file), **call)
    elif args.command == "list":
        request = references.ListRequest(library=args.library)
        while True:
            page = reference_service.List(request, **call)
            yield from page.references
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    elif args.command == "remove":
        request = references.RemoveRequest(library=args.library, identifiers=args.identifiers)
        yield reference_service.Remove(request, **call)
    elif args.command == "stats":
        yield reference_service.GetStats(references.GetStatsRequest(library=args.library), **call)


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
        for answer in run(args, generate(args.proto)):
            print(MessageToJson(answer, indent=None, preserving_proto_field_name=True), flush=True)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
