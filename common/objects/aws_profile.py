"""What `~/.aws` says of the profile in use, as the SDKs of AWS read it.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError

READ_AGAIN = timedelta(minutes=10)
"""How long keys from a file are used until it is read again: they can be replaced without a restart."""


@dataclass(frozen=True)
class AwsProfile:
    """A profile: its name, its two files, and what they say that is no secret."""

    name: str
    credentials_file: Path
    config_file: Path
    region: str = ""
    endpoint_url: str = ""
    has_keys: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> AwsProfile:
        """Read the profile that the environment names, or the default one; files need not be there.

        Raises
        ------
        ConfigurationError
            A file is there and cannot be read, or the profile that is named is in neither.
        """
        home = Path(environment.get("HOME") or "~").expanduser() / ".aws"
        named = environment.get("AWS_PROFILE", "")
        profile = cls(
            named or "default",
            Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser(),
            Path(environment.get("AWS_CONFIG_FILE") or home / "config").expanduser(),
        )
        values = profile._values()
        if named and values is None:
            raise ConfigurationError(
                f"AWS_PROFILE: no profile {named} is in {profile.credentials_file} or {profile.config_file}",
                "name one that is there, or unset it",
            )
        values = values or {}
        keys = "aws_access_key_id" in values and "aws_secret_access_key" in values
        return cls(
            profile.name,
            profile.credentials_file,
            profile.config_file,
            values.get("region", ""),
            values.get("endpoint_url", ""),
            keys,
        )

    def credentials(self) -> dict[str, Any]:
        """Return the keys as they stand in the files now, in the shape that obstore asks for."""
        values = self._values() or {}
        return {
            "access_key_id": values.get("aws_access_key_id", ""),
            "secret_access_key": values.get("aws_secret_access_key", ""),
            "token": values.get("aws_session_token") or None,
            "expires_at": datetime.now(UTC) + READ_AGAIN,
        }

    def _values(self) -> dict[str, str] | None:
        """Return what both files say, None where neither knows the profile; the file of credentials wins."""
        section = "default" if self.name == "default" else f"profile {self.name}"
        of_config = _section(self.config_file, section)
        of_credentials = _section(self.credentials_file, self.name)
        if of_config is None and of_credentials is None:
            return None
        return {**(of_config or {}), **(of_credentials or {})}


def _section(path: Path, section: str) -> dict[str, str] | None:
    parser = configparser.RawConfigParser(default_section="")
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # The parser's own words show the line, and a line may be a key.
        raise ConfigurationError(
            f"{path}: cannot be read ({type(error).__name__})", "repair it as the AWS command line wants it"
        ) from None
    return dict(parser.items(section)) if parser.has_section(section) else None
