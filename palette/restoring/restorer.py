"""A model made callable: observations in, restored pictures out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.checkpoint import SEARCHED_FOR, Model, load_model
from palette.config import from_dict
from palette.data.stored import grey_of, is_colourless
from palette.diffusion.schedule import SCHEDULES
from palette.errors import UserError
from palette.files import understood
from palette.machine.device import choose_device
from palette.machine.format import Format, choose
from palette.restoring.coarse import reduced, reduction
from palette.restoring.folder import RestoreWork, Result, restore_folder, restore_folder_by
from palette.restoring.holes import observe
from palette.restoring.job import Job
from palette.restoring.keys import noise_key
from palette.restoring.output import Output
from palette.restoring.pictures import from_photo, to_photo
from palette.restoring.sampling import Answer, Sampling
from palette.restoring.solve import Batch, Solver, levels, together
from palette.restoring.tiling import automatic, halving, if_memory_suffices
from palette.seeding import entropy, rng
from palette.types import Condition, Extend, Member, Observation, Picture
from palette.workers.flags import Engine, Workers


class Restorer:
    """Runs a model's network on observations of its task.

    A picture's result depends on its observation, its seed and the sampling only, neither on the
    pictures beside it nor on what was restored before: on CPUs to the bit, on GPUs to rounding.
    """

    def __init__(
        self,
        model: Model,
        members: Sequence[Member],
        number: int = 0,
        sampling: Sampling | None = None,
        device: str = "auto",
        precision: str | Format = "auto",
    ) -> None:
        self.model = model
        self.members = tuple(members)
        self.member = self.members[number]
        self.task = self.member.task
        self._own = own_sampling(model)
        self.sampling = sampling or self._own
        where = choose_device(device)
        denoiser = model.denoiser.to(where)
        form = choose(denoiser, precision, "restore") if isinstance(precision, str) else precision
        schedule = SCHEDULES[model.config.diffusion.schedule]
        target = model.targets[number].for_all()
        hides = model.config.diffusion.mean_share > 0
        network = form.for_restoring(denoiser)
        self.solver = Solver(network, form, where, target, schedule, number, hides)

    def __repr__(self) -> str:
        does = f"{self.member.name}, {self.answer} answer"
        return f"<Restorer: {does}, on {self.solver.device}, weights {self.digest[:12]}>"

    def doing(self, number: int) -> Restorer:
        """The same network at the task of that number."""
        other = copy(self)
        other.member = self.members[number]
        other.task = other.member.task
        target = self.model.targets[number].for_all()
        other.solver = replace(self.solver, target=target, task=number)
        return other

    def using(self, sampling: Sampling) -> Restorer:
        """The same network, sampled otherwise."""
        other = copy(self)
        other.sampling = sampling
        return other

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        return str(self.model.info["sha256"])

    @property
    def format(self) -> Format:
        """How the network runs here."""
        return self.solver.format

    @property
    def answer(self) -> Answer:
        """What it answers with where a call says nothing."""
        answer = self._resolved(self.sampling).answer
        return "mean" if answer == "mean" else "sample"

    def describe(self) -> dict[str, Any]:
        """What the model is and which of its tasks it does here, as plain JSON values."""
        return {
            **self.model.info,
            "task": self.member.name,
            "sampling": self._resolved(self.sampling).as_json(),
            "device": self.solver.device.type,
            "dtype": str(self.solver.format.dtype).removeprefix("torch."),
            "memory_format": self.solver.format.memory,
        }

    def settings(self) -> dict[str, Any]:
        """All that decides a picture beside observation and seed, as plain JSON values.

        UserError where the sampling cannot be, so that it is said before the first picture.
        """
        sampling = self._resolved(self.sampling)
        self._refuse_untrained(sampling)
        levels(sampling, self.solver.schedule)
        described = self.describe()
        return {"model": self.digest} | {
            key: described[key] for key in ("task", "sampling", "dtype")
        }

    def restore(
        self,
        pictures: Any,
        *,
        answer: Answer | None = None,
        steps: int | None = None,
        seed: int = 0,
        mask: Any = None,
        extend: Extend | None = None,
    ) -> Any:
        """Restore a path, PIL picture, array or tensor, or a list of them, each to its own type.

        A path gives a PIL picture in sRGB, or a uint16 array where the file has 16 bits of colour;
        grey stays grey, unless the task colours. ``mask`` (True or white = missing) or ``extend``
        (pixels to add at left, top, right, bottom) is for models that fill holes; with a list, give
        a list of masks. UserError names what does not fit.
        """
        several = isinstance(pictures, list | tuple)
        values = list(pictures) if several else [pictures]
        masks = list(mask) if several and mask is not None else [mask] * len(values)
        if len(masks) != len(values):
            raise UserError(f"{len(values)} pictures came with {len(masks)} masks: give one each")
        observed = [
            observe(to_photo(value), self.task, one, extend)
            for value, one in zip(values, masks, strict=True)
        ]
        observations = [observation for _, observation in observed]
        restored = self.restore_observations(observations, answer, steps, [seed] * len(values))
        results = [
            from_photo(picture, photo, like)
            for picture, (photo, _), like in zip(restored, observed, values, strict=True)
        ]
        return results if several else results[0]

    def restore_folder(
        self,
        source: str | Path | Sequence[str | Path],
        out: str | Path,
        seed: int = 0,
        masks: str | Path | None = None,
        extend: Extend | None = None,
        recursive: bool = True,
        devices: str | None = None,
        engine: Engine = "processes",
        **output: Any,
    ) -> Iterator[Result]:
        """Stream the results of a folder, or of several folders and files.

        ``masks`` is a folder with masks of the same names; ``output`` are fields of
        :class:`palette.restoring.output.Output` (format, suffix, quality, overwrite …). What is
        refused and what a second run does: :func:`palette.restoring.folder.restore_folder`.

        ``devices`` share the pictures, and the outputs are the same: "all" (every GPU), or names
        with commas, "cuda:0,cuda:1"; "cpu,cpu" are two processes on the CPU. Each opens the model
        again from its folder, in this Restorer's format; with ``engine`` "ray" they are actors of
        Ray. Processes are spawned, so a script calls this below ``if __name__ == "__main__":``.
        """
        sources = [source] if isinstance(source, str | Path) else source
        job = Job(
            sources=tuple(Path(one) for one in sources),
            out=Path(out),
            output=from_dict(Output, output),
            seed=seed,
            masks=None if masks is None else Path(masks),
            extend=extend,
            recursive=recursive,
        )
        if devices is None and engine == "processes":
            return restore_folder(self, job)
        workers = Workers(devices or str(self.solver.device), engine)
        return restore_folder_by(RestoreWork(self.opener(), job), workers)

    def opener(self) -> Callable[[str, Format | None], Restorer]:
        """What gives this Restorer on another device. It can be pickled, as workers need it.

        UserError where the model lies in no folder, or, of what is returned, no longer does.
        """
        folder, number = self.model.folder, self.solver.task
        if folder is None:
            raise UserError("this model lies in no folder: save it, so that workers can open it")
        own = self.sampling, self.format
        return partial(_open, folder, self.digest, self.members, number, *own)

    def restore_observations(
        self,
        observations: Sequence[Observation],
        answer: Answer | None = None,
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> list[Picture]:
        """One restored picture, (H, W, 3) float32 in [0, 1], for each observation and its seed.

        ``answer`` and ``steps`` replace those of ``self.sampling``; every seed is 0 by default.
        Noise is keyed by observation and seed (:mod:`palette.restoring.keys`).
        """
        sampling = replace(
            self.sampling,
            answer=answer or self.sampling.answer,
            steps=self.sampling.steps if steps is None else steps,
        )
        sampling = self._resolved(sampling)
        self._refuse_untrained(sampling)
        given = [0] * len(observations) if seeds is None else seeds
        keys = [noise_key(*both) for both in zip(observations, given, strict=True)]
        if sampling.strength:
            observations = [
                self.task.augment(observation, sampling.strength, rng(key, "augment"))
                for observation, key in zip(observations, keys, strict=True)
            ]
        conditions = (  # made when their turn has come: each is as large as its result
            self.task.condition(observation, rng(key, "condition"))
            for observation, key in zip(observations, keys, strict=True)
        )
        restored: list[Picture] = []
        for group in self._groups(conditions, sampling):
            here = slice(len(restored), len(restored) + len(group))
            height, width = group[0].x.shape[:2]
            batch = self.solver.batch(group, keys[here], sampling)
            group.clear()  # the batch has them: pictures can be large
            coarse = self._coarse(observations[here], keys[here], sampling)
            pictures = self._mean_of_samples(replace(batch, coarse=coarse))
            restored += [
                self._finished(picture[:height, :width], observation)
                for picture, observation in zip(pictures, observations[here], strict=True)
            ]
        return restored

    def _finished(self, restored: Picture, observation: Observation) -> Picture:
        """As the task finishes it; grey where what was observed is, unless the task colours."""
        restored = self.task.finish(restored, observation)
        if self.task.coloured or not is_colourless(observation.picture):
            return restored
        return np.repeat(grey_of(restored), 3, axis=-1)

    def _coarse(
        self, observations: Sequence[Observation], keys: Sequence[int], sampling: Sampling
    ) -> Batch | None:
        """The reduced picture that a large hole is to follow; None where none is large."""
        if not self.task.masked or len(observations) > 1:
            return None
        factor = reduction(observations[0], self.model.config.data.size / 2)
        if factor == 1:
            return None
        small = reduced(observations[0], factor, self.solver.stride)
        key = entropy(keys[0], "coarse")
        condition = self.task.condition(small, rng(key, "condition"))
        return self.solver.batch([condition], [key], sampling)

    def _resolved(self, sampling: Sampling) -> Sampling:
        """With the model's own answer and noise levels for this task where they are left to it."""
        if sampling.answer == "auto":
            sampling = replace(sampling, answer=self._answer(sampling))
        return self._at_searched_levels(sampling)

    def _answer(self, sampling: Sampling) -> Answer:
        """The model's own for this task; a sample where it is chosen how samples are made."""
        if replace(sampling, tile=self._own.tile) != self._own:
            return "sample"
        with understood(Path("model.json")):
            answers: dict[str, Answer] = self.model.info.get("answers", {})
            return answers.get(self.member.name, "sample")

    def _at_searched_levels(self, sampling: Sampling) -> Sampling:
        """The noise levels, eta and detail that `palette search` found for this task and sampling,
        if it did, and they are left to the model."""
        own = self._own
        chosen = sampling.grid != "auto" or sampling.logsnrs is not None
        chosen = chosen or (sampling.eta, sampling.detail) != (own.eta, own.detail)
        if chosen or sampling.answer == "mean":
            return sampling
        asked = {"task": self.member.name, **sampling.as_json()}
        for found in self.model.searched:
            if all(found[name] == asked[name] for name in SEARCHED_FOR):
                levels = tuple(found["logsnrs"])
                return replace(sampling, logsnrs=levels, eta=found["eta"], detail=found["detail"])
        return sampling

    def _refuse_untrained(self, sampling: Sampling) -> None:
        """UserError where the sampling asks for what this model has not learnt."""
        if sampling.strength and self.task.conditioning == "none":
            raise UserError(
                f"strength is {sampling.strength}, but this model was trained without conditioning "
                f"augmentation: leave it at 0"
            )
        if sampling.guidance != 1 and not self.model.config.diffusion.drop_condition:
            raise UserError(
                f"guidance is {sampling.guidance}, but this model always saw its condition: train "
                f"with --diffusion.drop-condition 0.1, or leave guidance at 1"
            )

    def _groups(
        self, conditions: Iterable[Condition], sampling: Sampling
    ) -> Iterator[list[Condition]]:
        """Neighbours of one size that share a batch; pictures in tiles go alone."""
        for (height, width), group in groupby(conditions, key=lambda c: c.x.shape[:2]):
            tiled = sampling.tile != "auto" and max(height, width) > sampling.tile
            most = 1 if tiled or self.task.masked else together(self.solver.device, height * width)
            while batch := list(islice(group, most)):
                yield batch

    def _mean_of_samples(self, batch: Batch) -> NDArray[np.float32]:
        """(B, H, W, 3): each sample has its own key of noise."""
        mean = self._fitting(batch.keyed("sample", 0))
        for n in range(1, batch.sampling.samples):
            mean += self._fitting(batch.keyed("sample", n))
        mean /= batch.sampling.samples
        return mean

    def _fitting(self, batch: Batch) -> NDArray[np.float32]:
        """Solve; tile = auto goes by memory: a batch is taken apart, then the tile is halved."""

        def run(tile: int | None) -> NDArray[np.float32]:
            return self.solver.solve(batch.in_tiles(tile))

        if batch.sampling.tile != "auto":
            return run(batch.sampling.tile)
        tile = automatic(batch.pixels, self.solver.room(batch.pixels))
        if len(batch.seeds) == 1:
            return halving(run, tile)
        whole = if_memory_suffices(lambda: run(None)) if tile is None else None
        if whole is not None:
            return whole
        return np.concatenate([self._fitting(one) for one in batch.alone()])


def _open(
    folder: Path,
    digest: str,
    members: Sequence[Member],
    number: int,
    sampling: Sampling,
    form: Format,
    device: str,
    agreed: Format | None = None,
) -> Restorer:
    """``agreed`` is ``form``, where another worker began before."""
    model = load_model(folder)
    if model.info["sha256"] != digest:
        raise UserError(f"{folder} has other weights than were loaded: load it again")
    return Restorer(model, members, number, sampling, device, agreed or form)


def own_sampling(model: Model, **chosen: Any) -> Sampling:
    """That of its model.json, which imported models have, or the defaults; ``chosen`` otherwise."""
    with understood(Path("model.json")):
        own = from_dict(Sampling, model.info.get("sampling", {}))
    return from_dict(Sampling, {**own.as_json(), **chosen})
