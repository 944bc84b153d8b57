"""Where settings come from: variables, and files for what is secret."""

from __future__ import annotations

import os

from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

SECRETS_FOLDER = "DOCSHARD_SECRETS_DIR"


class FromEnvironment(BaseSettings):
    """Settings by the names of their variables (`DOCSHARD_…`).

    What no variable says is looked for in the folder `DOCSHARD_SECRETS_DIR`, if one is named: a
    file for each, called like the variable. An environment is seen by whoever may look at the
    process, and is inherited; a file is opened by its owner alone.
    """

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_", frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given counts before variables, and these before files."""
        folder = os.environ.get(SECRETS_FOLDER)
        files = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder else ()
        return (init_settings, env_settings, *files)
