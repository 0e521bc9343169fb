"""Settings of the processes that read documents."""

from datetime import timedelta

from pydantic import Field

from schemas.settings import EnvironmentSettings


class ParserSettings(EnvironmentSettings):
    """How documents are parsed, and what a parser may take of the machine."""

    parse_processes: int = Field(default=1, ge=1, description="Parser processes a worker.")
    parse_timeout: timedelta = Field(
        default=timedelta(seconds=60), description="Hard limit of one bout of parsing."
    )
    parse_memory_bytes: int = Field(
        default=3 * 1024**3, ge=256 * 1024**2, description="Memory limit of a parser process."
    )
    ocr_engine: str = Field(
        default="auto",
        pattern="^(auto|rapidocr|tesseract|vote|none)$",
        description="OCR engine; `auto` takes the best that is installed.",
    )
