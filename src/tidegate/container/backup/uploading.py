"""An object of a bucket that is written while its content is still being made.

Parts are of one size, as some stores want it; one is on its way while the next is collected
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

Part = dict[str, Any]


class Upload:
    """Takes bytes, and is an object when it is finished; before that there is none."""

    def __init__(self, client: Any, bucket: str, key: str, size: int) -> None:
        self._client, self._size = client, size
        self._where = {"Bucket": bucket, "Key": key}
        self._held = bytearray()
        self._parts: list[Part] = []
        self._id = ""
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[Part] | None = None

    def write(self, chunk: bytes) -> None:
        """Take some more; waits while the part before is still on its way."""
        self._held += chunk
        while len(self._held) >= self._size:
            self._send(bytes(self._held[: self._size]))
            del self._held[: self._size]

    def _send(self, data: bytes) -> None:
        if not self._id:
            self._id = self._client.create_multipart_upload(**self._where)["UploadId"]
        self._settle()
        self._last = self._pool.submit(self._put, len(self._parts) + 1, data)

    def _put(self, number: int, data: bytes) -> Part:
        done = self._client.upload_part(**self._where, UploadId=self._id, PartNumber=number,
                                        Body=data)  # fmt: skip
        return {"ETag": done["ETag"], "PartNumber": number}

    def _settle(self) -> None:
        if self._last is not None:
            last, self._last = self._last, None
            self._parts.append(last.result())

    def finish(self) -> None:
        """Send the rest, and make an object of it."""
        if not self._id:  # it is small
            self._client.put_object(**self._where, Body=bytes(self._held))
            return
        if self._held:
            self._send(bytes(self._held))
        self._settle()
        self._client.complete_multipart_upload(
            **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )

    def give_up(self) -> None:
        """Have the parts forgotten; what made it fail is what is told."""
        try:
            self._pool.shutdown(cancel_futures=True)
            if self._id:
                self._client.abort_multipart_upload(**self._where, UploadId=self._id)
        except Exception:  # whatever it is, the first failure is what counts
            return


@contextmanager
def uploading(client: Any, bucket: str, key: str, size: int) -> Iterator[Upload]:
    """Give an upload that is finished at the end, or given up."""
    upload = Upload(client, bucket, key, size)
    try:
        yield upload
        upload.finish()
    except BaseException:
        upload.give_up()
        raise
    upload._pool.shutdown()
