"""The card of a model on the Hugging Face hub: front matter for the machine, text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palette.checkpoint import Model
from palette.exporting.figures import Figures
from palette.types import Member

LIBRARY = "palette-diffusion"
GENERATED = "<!-- from here on by palette export -->"
LIMITS = "A diffusion model invents detail: never use its output as evidence of anything."


@dataclass(frozen=True)
class Published:
    """What the user says of the model."""

    repo: str
    license: str
    text: str
    """Markdown of the author, with or without a heading."""
    figures: Sequence[Figures]


def card_of(model: Model, members: Sequence[Member], published: Published) -> str:
    """README.md: front matter, the author's text, use, data, figures, licence."""
    parts = [
        f"---\n{_front_matter(members, published)}\n---\n",
        _with_heading(published),
        f"{GENERATED}\n",
        f"## Use\n\n```python\n{_use(members, published)}\n```\n",
        f"## Training\n\n{_training(model, members)}",
        *([f"## Figures\n\n{_tables(published.figures)}"] if published.figures else []),
        f"## Limits\n\n{LIMITS}\n",
        f"## Licence\n\n{published.license}\n",
    ]
    return "\n".join(parts)


def _front_matter(members: Sequence[Member], published: Published) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-to-image",
            task_name=figures.task,
            dataset_type="image-folder",
            dataset_name=f"{figures.data}, {figures.pictures} pictures",
            metric_type=key,
            metric_name=f"{figures.metrics[key]}: {row}",
            metric_value=round(value, figures.digits[key]),
        )
        for figures in published.figures
        for row, values in figures.rows.items()
        if row.startswith("model")
        for key, value in values.items()
        if value is not None
    ]
    data = ModelCardData(
        license=published.license,
        library_name=LIBRARY,
        pipeline_tag="image-to-image",
        tags=["diffusion", "image-restoration", *dict.fromkeys(m.task.name for m in members)],
        model_name=published.repo.split("/")[1] if results else None,
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _with_heading(published: Published) -> str:
    text = published.text.strip()
    if text.startswith("---\n"):  # the front matter of a card that came from the hub
        text = text[4:].partition("\n---")[2]
    text = text.partition(GENERATED)[0].strip()
    heading = "" if text.startswith("# ") else f"# {published.repo.split('/')[1]}\n\n"
    return f"{heading}{text}\n"


def _use(members: Sequence[Member], published: Published) -> str:
    task = f', task="{members[0].name}"' if len(members) > 1 else ""
    mask = ', mask="hole.png"' if members[0].task.masked else ""
    return (
        f"import palette  # pip install 'palette-diffusion[hub]'\n\n"
        f'model = palette.load("hf://{published.repo}"{task})\n'
        f'model.restore("photo.jpg"{mask}, answer="mean").save("restored.png")'
    )


def _training(model: Model, members: Sequence[Member]) -> str:
    info, config = model.info, model.config
    parameters = sum(p.numel() for p in model.denoiser.parameters())
    rows = {
        "tasks": ", ".join(member.name for member in members),
        "parameters": f"{parameters:,}",
        "steps": f"{info.get('step', '?')} of {config.train.batch} crops of {config.data.size}²",
        "data": f"{info.get('pictures', '?')} pictures, fingerprint `{info.get('data', '?')}`",
        "made with": f"palette {info.get('palette', '?')}, torch {info.get('torch', '?')}",
    }
    return "| | |\n|---|---|\n" + "".join(f"| {key} | {value} |\n" for key, value in rows.items())


def _tables(figures: Sequence[Figures]) -> str:
    return "\n".join(map(_table, figures))


def _table(figures: Figures) -> str:
    what = f"{figures.task}, {figures.data}: {figures.pictures} pictures"
    head = [what, *figures.metrics.values()]
    lines = [head, ["---"] * len(head)]
    for row, values in figures.rows.items():
        cells = [
            "–" if values.get(key) is None else f"{values[key]:.{figures.digits[key]}f}"
            for key in figures.metrics
        ]
        lines.append([row, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
