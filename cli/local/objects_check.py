"""Whether the object store of a configuration can be reached, written and read."""

from __future__ import annotations

import secrets

from cli.local.requirement import Requirement, failed, ok, warning
from common.errors import ConfigurationError, StorageError
from common.settings.night import NightSettings


def artifacts(settings: NightSettings) -> list[Requirement]:
    """Check the store where one is configured, by writing an object, reading it, and removing it again."""
    if not settings.artifacts:
        return []
    from common.objects.store import open_objects

    name, content = f"nighttrain-check-{secrets.token_hex(8)}", secrets.token_bytes(32)
    try:
        objects = open_objects(settings.artifacts)
    except ConfigurationError as error:
        return [failed("artifacts", error.detail, error.hint)]
    try:
        objects.put(name, content)
        read = objects.get(name)
        objects.delete(name)
    except StorageError as error:
        # A night goes on without: what is to be sent waits in the out folder.
        return [warning("artifacts", error.detail, error.hint or "look after the store")]
    if read != content:
        todo = "use one that shows at once what was written to it"
        return [warning("artifacts", f"{objects.url}: another content is read than was written", todo)]
    return [ok("artifacts", f"{objects.url} can be written and read")]
