"""What the environment says beside the six CAMUNDA_IDENTITY_* variables."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All of it begins with ``ORDERS_``."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    docs_client_id: str
    machine_key: str
    warehouse_url: str
    warehouse_scope: str


settings = Settings()  # type: ignore[call-arg]  # the environment has them
