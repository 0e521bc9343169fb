"""How much there may be of everything that comes from outside, as settings say it."""

from pydantic import Field

from schemas.settings import EnvironmentSettings


class LimitSettings(EnvironmentSettings):
    """Bounds on tenants, batches, archives and documents."""

    max_objects_per_gpt: int = Field(
        default=5_000_000,
        ge=0,
        description="Objects that a GPT may hold in all its collections, where it has no limit of "
        "its own.",
    )
    max_bytes_per_gpt: int = Field(
        default=10 * 1024**3,
        ge=0,
        description="Bytes of JSON that a GPT's objects may have together, where it has no limit "
        "of its own; earlier versions are not counted.",
    )
    max_collections_per_gpt: int = Field(
        default=200, ge=0, description="Collections that a GPT may have."
    )

    max_batch_documents: int = Field(
        default=1_000_000, ge=1, description="Documents that a batch takes."
    )

    max_archive_files: int = Field(
        default=20_000, ge=1, description="Files of an archive that is added to a batch."
    )
    max_archive_bytes: int = Field(
        default=1024**3, ge=1024, description="Bytes of an archive that is added to a batch."
    )
    max_unpacked_bytes: int = Field(
        default=10 * 1024**3, ge=1024, description="Bytes of such an archive's files, unpacked."
    )

    max_document_bytes: int = Field(
        default=100 * 1024**2, ge=1024, description="Largest document taken in."
    )
    max_pages: int = Field(default=2000, ge=1, description="Most pages of one document.")
