"""S3-compatible storage for backups, through boto3 (the extra `s3`).

A backup is a group of objects under one name, as it is a folder on a disk. The manifest is put
last, after every other object was read back and compared, so what has a manifest is whole.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.container.backup.archive import (
    CHUNK,
    FOLDER_FORM,
    FORM,
    MANIFEST,
    SUMS,
    Backup,
    Damaged,
    NoBackup,
    digest_of,
)
from tidegate.container.backup.uploading import Upload, uploading
from tidegate.errors import NotReady, RefusedForGood, StepFailed, TidegateError, UsageProblem

SCHEME = "s3://"
MOST_PARTS = 9_000  # S3 takes 10,000 parts of one object
PART = 8 << 20
MISSING = ("404", "NoSuchKey", "NotFound")

Tell = Callable[[int], None]


class StoreAway(NotReady):
    """The storage does not answer: the engine and the database have nothing to do with it."""


class Bucket:
    """One bucket and a prefix in it."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self.bucket, _, prefix = self.url[len(SCHEME) :].partition("/")
        self.prefix = f"{prefix}/" if prefix else ""
        if not self.bucket:
            raise UsageProblem(f"{url} names no bucket", "", "write it as s3://bucket/prefix")
        self.endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", "")
        self._client = _client(environ, self.endpoint)

    def check(self) -> None:
        """Raise now what a put would raise after a long dump."""
        with self._said("looked at"):
            self._client.head_bucket(Bucket=self.bucket)

    def put(self, backup: Backup, tell: Tell) -> Backup:
        """Put a backup there, read it back, and give it its manifest last."""
        name, sent = backup.path.name, 0
        put: list[str] = []

        def told(count: int) -> None:
            nonlocal sent
            sent += count
            tell(sent)

        try:
            for file in [*backup.manifest["files"], SUMS]:
                put.append(f"{name}/{file}")
                self._send(backup.path / file, put[-1], told)
                self.compare(put[-1], digest_of(backup.path / file))
            put.append(f"{name}/{MANIFEST}")
            self._send(backup.path / MANIFEST, put[-1], told)
        except BaseException:
            self.forget(put)
            raise
        seal = sha256((backup.path / SUMS).read_bytes()).hexdigest()
        return Backup(Path(name), backup.manifest, f"{self.url}/{name}", seal)

    def _send(self, path: Path, name: str, told: Tell) -> None:
        transfer: Any = importlib.import_module("boto3.s3.transfer")
        size = max(PART, path.stat().st_size // MOST_PARTS)
        config = transfer.TransferConfig(multipart_threshold=size, multipart_chunksize=size)
        with self._said("written to"):
            self._client.upload_file(str(path), self.bucket, self.prefix + name, Config=config,
                                     Callback=told)  # fmt: skip

    def compare(self, name: str, digest: str) -> None:
        """Read an object back. Raises Damaged where it is not what was sent."""
        whole = sha256()
        for chunk in self.chunks(name):
            whole.update(chunk)
        if whole.hexdigest() != digest:
            raise Damaged(
                f"{self.url}/{name} is not what was sent", "It is removed again.",
                "start again; see what stands between here and the storage",
            )  # fmt: skip

    @contextmanager
    def writing(self, name: str, expected: int) -> Iterator[Upload]:
        """Give an object to be written while its content is made, of about so many bytes."""
        size = max(PART, 2 * expected // MOST_PARTS)
        key = self.prefix + name
        with self._said("written to"), uploading(self._client, self.bucket, key, size) as upload:
            yield upload

    def place(self, name: str, data: bytes) -> None:
        """Put a small object there."""
        with self._said("written to"):
            self._client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Read an object."""
        with self._said("read from"):
            body = self._client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
            while chunk := body.read(CHUNK):
                yield chunk

    def forget(self, names: list[str]) -> None:
        """Remove what is no backup; what made it fail is what is told."""
        for name in names:
            try:
                self._client.delete_object(Bucket=self.bucket, Key=self.prefix + name)
            except Exception:  # the first failure is what counts
                return

    def open(self, name: str) -> Backup:
        """Read the manifest of one backup. Raises NoBackup or Damaged."""
        shown = f"{self.url}/{name}"
        try:
            manifest = json.loads(b"".join(self.chunks(f"{name}/{MANIFEST}")))
            sums = b"".join(self.chunks(f"{name}/{SUMS}"))
            if manifest["form"] not in (FORM, FOLDER_FORM):
                raise ValueError("form")
        except NoBackup:
            raise NoBackup(
                f"{shown} does not exist", "It was named as a backup. Nothing was changed.",
                f"see what is there: aws s3 ls {self.url}/",
            ) from None  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise Damaged(f"{shown} is not a backup of tidegate, or is damaged") from None
        return Backup(Path(name), manifest, shown, sha256(sums).hexdigest())

    def fetch(self, backup: Backup, folder: Path) -> Path:
        """Bring all of it into an empty folder on this machine."""
        place = folder / backup.path.name
        place.mkdir(mode=0o700)
        for file in [*backup.manifest["files"], SUMS, MANIFEST]:
            target = place / file
            if not target.resolve().is_relative_to(place.resolve()):
                raise Damaged(f"{backup.shown} names a file outside of it: {file}")
            target.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as out:
                for chunk in self.chunks(f"{backup.path.name}/{file}"):
                    out.write(chunk)
        return place

    def backups(self, alias: str, newest: bool = False) -> list[Backup]:
        """Return the whole backups of one database, oldest first; with `newest` the last alone."""
        found: list[Backup] = []
        for name in reversed(self._names(alias)):
            try:
                found.append(self.open(name))
            except (Damaged, NoBackup):
                continue
            if newest:
                break
        return sorted(found, key=lambda one: one.created)

    def _names(self, alias: str) -> list[str]:
        """Return what has a manifest; the names sort by time."""
        pages = self._client.get_paginator("list_objects_v2")
        start = f"{self.prefix}{alias}-"
        with self._said("looked at"):
            keys = [one["Key"] for page in pages.paginate(Bucket=self.bucket, Prefix=start)
                    for one in page.get("Contents", ())]  # fmt: skip
        shape = re.compile(re.escape(start) + rf"\d{{8}}T\d{{6}}Z-[0-9a-f]+/{re.escape(MANIFEST)}")
        return sorted(key[len(self.prefix) :].split("/")[0] for key in keys if shape.fullmatch(key))

    def remove(self, backup: Backup) -> None:
        """Remove one backup, its manifest first: what is left of it is no backup."""
        name = backup.path.name
        with self._said("removed from"):
            for file in [MANIFEST, SUMS, *backup.manifest["files"]]:
                self._client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}{name}/{file}")

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """Turn what boto3 raises into one message."""
        errors: Any = importlib.import_module("botocore.exceptions")
        wrapped: Any = importlib.import_module("boto3.exceptions")
        try:
            yield
        except errors.ClientError as error:
            raise self._refused(str(error.response["Error"]["Code"]), str(error), what) from None
        except (errors.NoCredentialsError, errors.PartialCredentialsError) as error:
            raise RefusedForGood(
                f"there are no credentials for {self.url}: {error}", "Nothing was changed.",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
            ) from None  # fmt: skip
        except (errors.EndpointConnectionError, errors.ConnectTimeoutError,
                errors.ReadTimeoutError, errors.ConnectionClosedError) as error:  # fmt: skip
            raise StoreAway(
                f"{self.endpoint or 'S3'} can't be reached: {error}",
                f"{self.url} was to be {what}. Nothing was changed.",
                "see whether it runs; AWS_ENDPOINT_URL_S3 names another than Amazon's",
            ) from None
        except (errors.BotoCoreError, wrapped.Boto3Error) as error:
            raise StepFailed(
                f"{self.url} could not be {what}: {error}", "", "start again"
            ) from None

    def _refused(self, code: str, text: str, what: str) -> TidegateError:
        if code in MISSING and what == "read from":
            return NoBackup(f"{self.url}: {text}")
        if code in (*MISSING, "NoSuchBucket"):
            return RefusedForGood(
                f"there is no bucket {self.bucket}", "tidegate makes none. Nothing was changed.",
                "make it, or correct the address",
            )  # fmt: skip
        if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
            return RefusedForGood(
                f"{self.url} may not be {what} with this key ({code})", "Nothing was changed.",
                "see AWS_ACCESS_KEY_ID, and what the key may do: s3:PutObject, s3:GetObject, "
                "s3:DeleteObject, s3:ListBucket",
            )  # fmt: skip
        return StepFailed(f"{self.url} could not be {what}: {text}", "", "start again")


def _client(environ: Mapping[str, str], endpoint: str) -> Any:
    try:
        boto3: Any = importlib.import_module("boto3")
        config: Any = importlib.import_module("botocore.config")
    except ModuleNotFoundError:
        raise UsageProblem(
            "backups to s3:// need boto3, and it is not installed",
            "It is an extra of tidegate's, for those who use it.",
            "pip install 'tidegate[s3]'",
        ) from None
    # Digests are ours; what newer boto3 adds to each request many compatible servers refuse.
    settings = config.Config(
        connect_timeout=10, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else {},
    )  # fmt: skip
    session = boto3.session.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
    )
    region = session.region_name or ("us-east-1" if endpoint else None)
    return session.client("s3", endpoint_url=endpoint or None, config=settings, region_name=region)
