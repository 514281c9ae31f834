"""S3, Google and Azure by obstore. What is said of a failure is said in words of our own.

The library's words hold what a server answered, and a server may answer with what was sent to it. So none of
them is shown: the kind of failure, the status and the server's code for it say what is to be done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from common.errors import ConfigurationError
from common.objects.aws_profile import AwsProfile
from common.objects.store import ChangedError, Stored, StoreError

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
CHUNK_BYTES = 1 << 20

PRECONDITION_FAILED = 412

_ANSWER = TypeVar("_ANSWER")

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{3,40})</Code>")

_REFUSED = {
    "InvalidAccessKeyId": "it does not know this access key",
    "SignatureDoesNotMatch": "the secret key is not that of this access key",
    "ExpiredToken": "the session token has expired",
    "InvalidToken": "the session token is none of its own",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "AccessDenied": "these credentials may not do that",
    "InvalidObjectState": "the object is in an archive, and must be restored first",
}

_ELSEWHERE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
"""What a store of S3 says to whoever asks for a bucket in another region."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a store answers that may answer otherwise in a moment."""

_WHERE = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class RemoteObjects:
    """The objects below an address of a store on the network.

    Parameters
    ----------
    url : str
        Its address, checked.

    Raises
    ------
    ConfigurationError
        The extra `objects` is not installed, or what the environment says cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.scheme = url.partition(":")[0]
        try:
            import obstore
            from obstore.store import from_url
        except ImportError:
            raise ConfigurationError(
                f"{url}: the client of object stores is not installed", "install nighttrain[objects]"
            ) from None
        self._obstore: Any = obstore
        options: dict[str, Any] = {
            # Attempts have an end here; whoever asks decides when to ask again.
            "retry_config": {"max_retries": 1, "retry_timeout": timedelta(seconds=REQUEST_SECONDS)},
            "client_options": {
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
            },
        }
        if self.scheme == "s3":
            _of_aws(options, AwsProfile.read(os.environ), os.environ)
        try:
            self._store: Any = from_url(url, **options)
        except Exception as error:
            # A key file that is broken, an endpoint that is no address: the words may hold either.
            raise ConfigurationError(
                f"{url}: what the environment says of this store cannot be used ({type(error).__name__})",
                f"check {_WHERE[self.scheme]}",
            ) from None

    def put(self, name: str, content: bytes) -> None:
        """Write an object in one request, as `Objects.put`: a killed one leaves no part of it."""
        self._asked(lambda: self._obstore.put(self._store, name, content, use_multipart=False))

    def get(self, name: str) -> bytes | None:
        """Read an object, as `Objects.get`."""

        def read() -> bytes | None:
            try:
                return bytes(self._obstore.get(self._store, name).bytes())
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None

        return self._asked(read)

    def sizes(self, folder: str) -> dict[str, int]:
        """List objects, as `Objects.sizes`."""

        def listed() -> dict[str, int]:
            pages = self._obstore.list(self._store, folder)
            return {found["path"]: found["size"] for page in pages for found in page}

        return self._asked(listed)

    def listed(self) -> list[Stored]:
        """Return all objects, in the order in which the store names them.

        Raises
        ------
        StoreError
            The store is away or refuses.
        """

        def listed() -> list[Stored]:
            return [
                Stored(
                    found["path"],
                    found["size"],
                    int(found["last_modified"].timestamp() * 1000) * 1_000_000,
                    found["e_tag"] or "",
                )
                for page in self._obstore.list(self._store)
                for found in page
            ]

        return self._asked(listed)

    def read(self, stored: Stored, offset: int) -> Iterator[bytes]:
        """Yield an object piece by piece from a byte on, as it was when it was listed.

        Raises
        ------
        ChangedError
            It is gone, or has become another.
        StoreError
            The store is away or refuses, or the connection broke: what was yielded until then stands.
        """
        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if stored.version and not stored.version.startswith("W/"):
            options["if_match"] = f'"{_bare(stored.version)}"'

        def opened() -> Iterator[Any]:
            try:
                answer = self._obstore.get(self._store, stored.name, options=options)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                raise ChangedError(self.url, stored.name) from None
            except self._obstore.exceptions.PreconditionError:
                raise ChangedError(self.url, stored.name) from None
            # A store that does not know conditions sends what is there now.
            if not _is_the_same(answer.meta, stored):
                raise ChangedError(self.url, stored.name)
            return iter(answer.stream(CHUNK_BYTES))

        pieces = self._asked(opened)

        def following() -> Any:
            try:
                return next(pieces, None)
            except self._obstore.exceptions.BaseError as error:
                # The client has gone on by itself where the connection broke.
                if _status(error) == PRECONDITION_FAILED:
                    raise ChangedError(self.url, stored.name) from None
                raise

        while (piece := self._asked(following)) is not None:
            yield bytes(piece)

    def delete(self, name: str) -> None:
        """Remove an object, as `Objects.delete`."""

        def removed() -> None:
            try:
                self._obstore.delete(self._store, name)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise

        self._asked(removed)

    def _asked(self, ask: Callable[[], _ANSWER]) -> _ANSWER:
        try:
            return ask()
        except (self._obstore.exceptions.BaseError, OSError, ValueError) as error:
            # Without the cause: a traceback in the log would show it.
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> StoreError:
        words, code, status = str(error), _code(error), _status(error)
        if code == "NoSuchBucket" or (isinstance(error, FileNotFoundError) and not code):
            return StoreError(f"{self.url}: there is no such bucket", "make it, or correct the address")
        if code in _ELSEWHERE or status == 301 or "incorrectly configured region" in words:
            return StoreError(f"{self.url}: the bucket is in another region", "set AWS_REGION to its region")
        if status in (401, 403) or code in _REFUSED:
            reason = _REFUSED.get(code, "these credentials may not do that")
            return StoreError(f"{self.url}: refused: {reason}", f"check {_WHERE[self.scheme]}")
        if status:
            said = f"{self.url}: answers with status {status}{f' ({code})' if code else ''}"
            return StoreError(said, passing=status in _BUSY)
        if "kind: Timeout" in words or "timed out" in words:
            return StoreError(f"{self.url}: does not answer in time", passing=True)
        if "kind: Connect" in words or "error sending request" in words:
            hint = "check its endpoint and the network"
            return StoreError(f"{self.url}: cannot be reached", hint, passing=True)
        if "kind: Body" in words or "kind: Decode" in words or "error decoding response body" in words:
            return StoreError(f"{self.url}: the connection broke", passing=True)
        if "redential" in words or "169.254.169.254" in words:
            return StoreError(f"{self.url}: no credentials are found", f"set {_WHERE[self.scheme]}")
        return StoreError(f"{self.url}: the request failed ({type(error).__name__})")


def _status(error: Exception) -> int:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _of_aws(options: dict[str, Any], profile: AwsProfile, environment: Mapping[str, str]) -> None:
    """Put in what the SDKs of AWS would take, and obstore does not by itself."""
    config: dict[str, str] = {}
    endpoint = (
        environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or profile.endpoint_url
    )
    if endpoint:
        config["endpoint"] = endpoint
        options["client_options"]["allow_http"] = endpoint.startswith("http://")
    if not (environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")) and profile.region:
        config["region"] = profile.region
    options["config"] = config
    if profile.has_keys and not environment.get("AWS_ACCESS_KEY_ID"):
        options["credential_provider"] = profile.credentials


def _is_the_same(found: Mapping[str, Any], stored: Stored) -> bool:
    if found["size"] != stored.size or _bare(found["e_tag"] or "") != _bare(stored.version):
        return False
    # Without an ETag its time must do, which answers give in whole seconds.
    seconds = int(found["last_modified"].timestamp())
    return bool(stored.version) or seconds == stored.mtime_ns // 1_000_000_000


def _bare(version: str) -> str:
    """Return an ETag without its quotes, which Azure leaves out where it lists."""
    return version.removeprefix("W/").strip('"')
