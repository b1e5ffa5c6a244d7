"""What the page takes and keeps, so that no upload and no order exhausts the machine."""

from __future__ import annotations

from dataclasses import dataclass, fields

from palette.errors import UserError

MB = 10**6


@dataclass(frozen=True)
class Limits:
    """Whatever goes beyond is refused with one line that says which limit it was."""

    upload_mb: int = 64
    """Size of a file that may be uploaded, in MB."""
    megapixels: int = 40
    """Of a picture, and of what it is to become."""
    waiting: int = 8
    """Orders that may wait while one is worked on."""
    kept_mb: int = 4000
    """Pictures and results that are kept for the page, in MB: beyond, the oldest go."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                value = getattr(self, field.name)
                raise UserError(
                    f"{field.name} is {value}: give 1 or more, {field.default} is usual"
                )
        if self.kept_mb < 4 * self.upload_mb:
            raise UserError(
                f"kept_mb is {self.kept_mb} and upload_mb {self.upload_mb}: keep at least four "
                f"uploads, {4 * self.upload_mb}"
            )

    def require_size(self, size: int, name: str) -> None:
        """UserError for a file of more than ``size`` bytes."""
        if size > self.upload_mb * MB:
            raise UserError(
                f"{name} has {size / MB:.1f} MB and the limit is {self.upload_mb}: make it "
                f"smaller, or start the page with --upload-mb {-(-size // MB)}"
            )

    def require_pixels(self, height: int, width: int, name: str) -> None:
        """UserError for a picture, or a result, that is too large."""
        if height * width > self.megapixels * MB:
            millions = height * width / MB
            raise UserError(
                f"{name} has {width}×{height} pixels, {millions:.2f} million, and the limit is "
                f"{self.megapixels}: choose a part of it by the frame, or start the page with "
                f"--megapixels {-(-height * width // MB)}"
            )
