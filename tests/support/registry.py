"""A registry that images can be pulled from: it serves what `docker save` has written."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

PATH = re.compile(r"/v2/([a-z0-9-]+)/(manifests|blobs)/(\S+)")


class Registry:
    """One name, one tag: whatever image was put last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = ""
        registry = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.answer(self, body=True)

            def do_HEAD(self) -> None:
                registry.answer(self, body=False)

            def log_message(self, *words: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, image: str) -> None:
        """Serve this image from now on."""
        file = self.folder / "image.tar"
        subprocess.run(["docker", "save", "-o", str(file), image], check=True, timeout=120)
        with tarfile.open(file) as archive:
            archive.extractall(self.folder, filter="data")
        file.unlink()
        index = json.loads((self.folder / "index.json").read_text())
        self.manifest = index["manifests"][0]["digest"]

    def answer(self, to: http.server.BaseHTTPRequestHandler, body: bool) -> None:
        """Answer one request of the engine."""
        found = PATH.fullmatch(to.path)
        digest = self.manifest
        if found and (found[2] == "blobs" or found[3].startswith("sha256:")):
            digest = found[3]
        path = self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        if to.path.rstrip("/") == "/v2":
            data, kind = b"{}", "application/json"
        elif found and path.is_file():
            data, kind = path.read_bytes(), "application/octet-stream"
            if found[2] == "manifests":
                kind = json.loads(data)["mediaType"]
        else:
            to.send_error(404)
            return
        to.send_response(200)
        to.send_header("Content-Type", kind)
        to.send_header("Content-Length", str(len(data)))
        to.send_header("Docker-Content-Digest", digest)
        to.end_headers()
        if body:
            to.wfile.write(data)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
