"""Weights of the networks that judge pictures: found on disk, named by digest, never downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.files import sha256


@dataclass(frozen=True)
class Published:
    """A weights file that papers or libraries refer to; ``sha256`` may be its beginning only.

    ``folder`` is where its library keeps it, below torch's.
    """

    file: str
    sha256: str
    origin: str
    folder: str = "checkpoints"


PUBLISHED = {
    "inception": Published(
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "pytorch-fid's release 'fid_weights'",
    ),
    "classifier": Published("resnet50-0676ba61.pth", "0676ba61", "torchvision's ResNet-50, V1"),
    "googlenet": Published("googlenet-1378be20.pth", "1378be20", "torchvision's GoogLeNet"),
    "alexnet": Published("alexnet-owt-7be5be79.pth", "7be5be79", "torchvision's AlexNet"),
    "squeezenet": Published(
        "squeezenet1_1-b8a52dc0.pth", "b8a52dc0", "torchvision's SqueezeNet 1.1"
    ),
    "dists": Published("DISTS_weights-f5e65c96.pth", "f5e65c96", "pyiqa's DISTS", "pyiqa"),
    "niqe": Published(
        "niqe_modelparameters.mat",
        "",
        "pyiqa's NIQE; BasicSR's niqe_pris_params.npz has the same",
        "pyiqa",
    ),
    "musiq": Published(
        "musiq_koniq_ckpt-e95806b9.pth", "e95806b9", "pyiqa's MUSIQ, of KonIQ-10k", "pyiqa"
    ),
    "clip": Published(
        "RN50.pt",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        "OpenAI's CLIP, ResNet-50",
        "clip",
    ),
    "topiq": Published(
        "cfanet_fr_kadid_res50-2c4cc61d.pth", "2c4cc61d", "pyiqa's TOPIQ, of KADID-10k", "pyiqa"
    ),
}
"""By kind, which is NAME of the flag --weights-NAME. A digest of "" is not known."""


@dataclass(frozen=True)
class Weights:
    """A weights file and its digest; ``published`` says whether it is the one that others use."""

    kind: str
    path: Path
    sha256: str

    @property
    def published(self) -> bool:
        known = PUBLISHED[self.kind].sha256
        return bool(known) and self.sha256.startswith(known)

    def load(self) -> dict[str, Any]:
        """The tensors of a .safetensors or a PyTorch file; UserError where it holds others."""
        import torch
        from safetensors.torch import load_file

        try:
            if self.path.suffix == ".safetensors":
                return load_file(self.path)
            return torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling raises anything at all on damaged files
            raise UserError(f"{self.path} holds no weights: {_first_line(error)}") from error

    def load_into(self, network: Any) -> None:
        """Fill a network. UserError where the layouts differ."""
        try:
            network.load_state_dict(self.load())
        except RuntimeError as error:
            raise UserError(
                f"{self.path} holds other weights than {PUBLISHED[self.kind].origin}: "
                f"{_first_line(error)}"
            ) from error

    def describe(self) -> dict[str, Any]:
        """What a reader must know to trust the figures, as plain JSON."""
        return {"sha256": self.sha256, "published": self.published}


def find(kind: str, path: str | Path | None = None) -> Weights:
    """The weights of this kind: ``path``, or where torch's libraries themselves keep them.

    UserError says which file is missing, where to put it and its digest. A file of another digest
    is used only where ``path`` names it, and the report says that it is not the published one.
    """
    import torch

    published = PUBLISHED[kind]
    usual = Path(torch.hub.get_dir()) / published.folder / published.file
    chosen = usual if path is None else Path(path)
    if not chosen.is_file():
        raise UserError(
            f"weights {chosen} are missing: get {published.file} ({published.origin}"
            f"{_digest_of(published)}), put it at {usual} or name it with --weights-{kind}"
        )
    found = Weights(kind, chosen, sha256(chosen))
    if path is None and published.sha256 and not found.published:
        raise UserError(
            f"{chosen} has SHA-256 {found.sha256} where {published.sha256} is expected: fetch it "
            f"again, or name it with --weights-{kind} to use these other weights on purpose"
        )
    return found


def _digest_of(published: Published) -> str:
    if not published.sha256:
        return ""
    return f"; SHA-256 {published.sha256}{'…' if len(published.sha256) < 64 else ''}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]
