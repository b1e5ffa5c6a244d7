"""The configuration of a run: frozen dataclasses, read from TOML, checked with clear errors.

The later wins: defaults, model preset, file, flags (:func:`merge`). The resolved configuration is
saved with the run and with the model, so restoring needs nothing else.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import tomli_w
import tyro

from palette.errors import UserError, nearest
from palette.network.architecture import PRESETS, Architecture

T = TypeVar("T")


def _at_least(least: int, config: Any, names: str, prefix: str = "") -> None:
    for name in names.split():
        value = getattr(config, name)
        if value < least:
            raise UserError(f"{prefix}{name} is {value}: it must be at least {least}")


@dataclass(frozen=True)
class DiffusionConfig:
    """What is learnt: the noise levels, the loss and the target."""

    schedule: Literal["normal", "logsnr", "adaptive", "palette", "ddpm", "cosine"] = "normal"
    """Distribution of the training noise levels. normal: in log-SNR, where the loss can still fall,
    with a share of pure noise. logsnr: uniform in log-SNR. adaptive: by the running loss."""
    logsnr_mean: float = 1.0
    """Of the schedule normal."""
    logsnr_std: float = 2.4
    """Of the schedule normal."""
    noise_share: float = 0.5
    """Of the schedule normal: examples whose target is next to pure noise, which teach the answer
    of one evaluation."""
    mean_share: float = 0.0
    """Examples that are shown no noisy picture, y_t = 0: with any, the mean answer starts from that
    and not from noise, whose traces it then does not have."""
    p: Literal[1, 2] = 2
    """The ε-loss is |error|^p."""
    weight: Literal["constant", "inverse-gamma", "min-snr"] = "inverse-gamma"
    """Weight of the loss as a function of the noise level."""
    residual: bool = True
    """Diffuse the scaled residual where the task's condition is near its target."""
    balance: bool = True
    """Diffuse luma and chroma of a residual with a scale of their own, so that noise drowns
    neither."""
    drop_condition: float = 0.0
    """Share of the examples whose condition is hidden, for classifier-free guidance; 0.1 is usual.
    `palette restore --guidance` uses it."""

    def __post_init__(self) -> None:
        shares = {"drop_condition": 0.1, "noise_share": 0.5, "mean_share": 0.25}
        for name, usual in shares.items():
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise UserError(f"diffusion.{name} is {value}: it must be in [0, 1), e.g. {usual}")
        if not 0.1 <= self.logsnr_std <= 10:
            raise UserError(
                f"diffusion.logsnr_std is {self.logsnr_std}: choose 0.1 to 10, e.g. 2.4"
            )


@dataclass(frozen=True)
class TrainConfig:
    """How it is learnt."""

    batch: int = 16
    """Crops in one forward pass."""
    accumulate: int = 1
    """Forward passes per step of the optimizer: a step has batch times as many crops, which under
    torchrun the processes share."""
    learning_rate: float = 1e-3
    """Of AdamW."""
    warmup_images: int = 1000
    """Images over which the learning rate rises linearly."""
    decay: Literal["linear", "cosine", "none"] = "linear"
    """How the learning rate falls. linear: held, and over the last fifth of the steps down to 0, so
    that a run can be made longer before it decays. cosine: from the start on. none: constant."""
    weight_decay: float = 0.0
    """Of AdamW."""
    clip_norm: float = 1.0
    """Largest norm of the gradient."""
    ema: tuple[float, ...] = (0.999, 0.9999)
    """Decays of the averaged weights, each warmed up as (1+n)/(10+n). The model gets the average
    that is best in validation."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: the fastest, as measured once on the machine. bf16 where there is hardware for it;
    fp16, with scaled gradients, on GPUs without."""
    recompute: bool = False
    """Recompute each block in the backward pass: less memory, about a third more time."""
    shard: bool = False
    """Under torchrun, divide weights, averages and moments among the processes (FSDP2): for
    networks that are too large for one GPU."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    workers: int | Literal["auto"] = "auto"
    """Processes that prepare batches ahead of the step; 0: the step itself. Any number gives the
    same batches."""
    cache_gib: float = 2.0
    """Memory for decoded pictures, in GiB, which all these processes share."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    keep: int = 2
    """Checkpoints kept."""
    validate_every: int = 1000
    """Steps between validations, each with a strip of pictures; 0: none."""
    patience: int = 0
    """Validations in a row without a gain, after which the run ends; 0: it does not."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    log: Annotated[Literal["tensorboard"] | None, tyro.conf.arg(aliases=["--log"])] = None
    """Where the lines and the strips go too: RUN/tensorboard, which needs the extra tensorboard."""

    def __post_init__(self) -> None:
        _at_least(1, self, "batch accumulate checkpoint_every keep log_every", "train.")
        _at_least(0, self, "warmup_images weight_decay validate_every patience", "train.")
        if self.workers != "auto":
            _at_least(0, self, "workers", "train.")
        if not 0 < self.learning_rate < 1:
            raise UserError(
                f"train.learning_rate is {self.learning_rate}: it must be in (0, 1), e.g. 1e-3"
            )
        if not 0 <= self.cache_gib < math.inf:
            raise UserError(f"train.cache_gib is {self.cache_gib}: choose 0 or more, e.g. 2")
        if not self.clip_norm > 0:
            raise UserError(f"train.clip_norm is {self.clip_norm}: it must be positive")
        if not self.ema or not all(0 <= decay < 1 for decay in self.ema):
            raise UserError(f"train.ema is {self.ema}: give decays in [0, 1), e.g. 0.999")


@dataclass(frozen=True)
class DataConfig:
    """What it is learnt from."""

    path: Annotated[str, tyro.conf.arg(aliases=["--data"])] = "bundled"
    """A folder of pictures, an .h5 file, or "bundled": scikit-image's photographs."""
    val: Annotated[str | None, tyro.conf.arg(aliases=["--val"])] = None
    """Pictures for validation: a folder or an .h5 file. Without it a share of the training pictures
    is held out; of the bundled ones, those that are held out anyway."""
    input: str | None = None
    """Of the task paired: what was made of each picture of --data, a folder or an .h5 file. The
    partner has the same path below the folder, and the same size or one 2 to 8 times smaller."""
    val_input: str | None = None
    """The same for --val."""
    val_share: float = 0.05
    """Share that is held out, by the digests of the names."""
    val_crops: int = 8
    """Crops of twice the size that each task is validated on."""
    size: int = 64
    """Side of the square training crops, in pixels."""
    flips: bool = True
    """Mirror half of the crops."""
    grey_share: float = 0.0
    """Share of the crops that are made grey, so that grey pictures are restored as well; none of
    colorization."""
    resize: Literal["auto", "random", "none"] = "auto"
    """random: crops of random scales, from one pixel of the picture for each pixel of the crop to
    the largest square. none: crops only. auto: random for tasks that need to see whole things
    (colorization, inpainting, uncropping), none for the others."""
    degrade_on: Literal["worker", "device"] = "worker"
    """worker: NumPy, in the processes of the loader. device: batches of tensors, on the GPU."""

    def __post_init__(self) -> None:
        _at_least(8, self, "size", "data.")
        _at_least(1, self, "val_crops", "data.")
        for name in ("val_share", "grey_share"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise UserError(f"data.{name} is {getattr(self, name)}: choose 0 to 0.5")


@dataclass(frozen=True)
class RunSettings:
    """What every run may choose, whatever its task."""

    steps: int = 5000
    """Steps of the optimizer in all."""
    seed: int = 0
    """Of everything random: weights, crops, how they are degraded, noise."""
    model: Architecture = PRESETS["tiny"]
    diffusion: DiffusionConfig = DiffusionConfig()
    train: TrainConfig = TrainConfig()
    data: DataConfig = DataConfig()

    def __post_init__(self) -> None:
        _at_least(1, self, "steps")
        _at_least(0, self, "seed")
        if self.data.size % self.model.stride:
            raise UserError(
                f"data.size is {self.data.size}: with this model it must be a multiple of "
                f"{self.model.stride} (patch, doubled for each multiplier after the first)"
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig(RunSettings):
    """Everything that decides a run's weights."""

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """The task's own options, e.g. {"scale": 4}."""


def to_dict(config: Any) -> dict[str, Any]:
    """Plain nested values, tuples as lists: what TOML and JSON can hold."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            value = {key: getattr(value, f.name) for key, f in options_of(value).items()}
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items() if item is not None}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    return plain(config)


def options_of(cls: Any) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a dataclass that can be set, by what they are called in TOML, JSON and flags:
    their name, or the ``key`` in their metadata."""
    fields = [f for f in dataclasses.fields(cls) if f.init]
    return {f.metadata.get("key", f.name): f for f in fields}


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass ``cls`` from plain values; UserError for unknown keys and bad values."""
    from pydantic import TypeAdapter, ValidationError

    fields, types = options_of(cls), get_type_hints(cls)
    hints = {key: types[f.name] for key, f in fields.items()}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{where}{key}"
        if key not in fields:
            extra = ["preset"] if cls is Architecture else []
            raise UserError(f"{path} is no option: {nearest(key, [*fields, *extra])}")
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping):
            checked[key] = from_dict(hints[key], value, f"{path}.")  # type: ignore[arg-type]
            continue
        try:
            checked[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise UserError(f"{path} is {value!r}: {reason}") from None
    for key, f in fields.items():
        needed = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if needed and key not in checked:
            raise UserError(f"{where}{key} is missing: give it a value")
    return cls(**{fields[key].name: value for key, value in checked.items()})


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries, the later over the earlier."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def preset(name: str) -> Architecture:
    """The network of this name; UserError offers the nearest."""
    if name not in PRESETS:
        raise UserError(f"model.preset is {name!r}: {nearest(name, PRESETS)}")
    return PRESETS[name]


def read_toml(path: Path | Traversable) -> dict[str, Any]:
    """The values of a TOML file; UserError where it is absent or not valid."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no configuration file {path}: check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from None


def read_settings(file: Path) -> dict[str, Any]:
    """The values of a TOML file or, by its bare name, of a recipe that comes with the package."""
    if file.suffix or file.is_file():
        return read_toml(file)
    shipped = recipes()
    if str(file) not in shipped:
        near = nearest(str(file), shipped)
        raise UserError(f"config is {str(file)!r}, neither a file nor a recipe: {near}")
    return read_toml(shipped[str(file)])


def recipes() -> dict[str, Traversable]:
    """The files of settings that come with the package, by name."""
    files = resources.files("palette.recipes").iterdir()
    return {f.name.removesuffix(".toml"): f for f in files if f.name.endswith(".toml")}


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Nested settings that are not the same, by their dotted names: what they were and are."""
    then, after = _flat(before), _flat(now)
    both = {name: (then.get(name), after.get(name)) for name in sorted({*then, *after})}
    return {name: (one, other) for name, (one, other) in both.items() if one != other}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def to_toml(config: Any) -> str:
    """A dataclass as the text that :func:`read_toml` reads."""
    return tomli_w.dumps(to_dict(config))
