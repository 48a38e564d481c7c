"""What the environment says."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All of it begins with ``ORDERS_``."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    tenant_id: str
    client_id: str
    client_secret: str
    docs_client_id: str
    machine_key: str
    warehouse_url: str
    warehouse_scope: str


settings = Settings()  # type: ignore[call-arg]  # the environment has them
