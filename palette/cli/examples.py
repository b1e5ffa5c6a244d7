"""Two commands to copy for each command, which its help ends with."""

from __future__ import annotations

EXAMPLES = {
    "demo": ("palette demo", "palette demo --train --out first-run"),
    "train": (
        "palette train super-resolution --data photos --out runs/x4 --scale 4",
        "palette train generalist --tasks jpeg-restoration:2,denoising --data photos --out run",
    ),
    "resume": ("palette resume runs/x4", "palette resume runs/x4 --steps 20000"),
    "watch": ("palette watch runs/x4", "palette watch runs/x4 --html watch.html"),
    "restore": (
        "palette restore small.jpg large.png --task super-resolution --scale 4",
        "palette restore runs/jpeg in/ out/ --answer mean --devices all    # every GPU",
    ),
    "web": ("palette web", "palette web runs/x4 --port 8000"),
    "search": (
        "palette search runs/x4 --data photos",
        "palette search runs/x4 --eta 1 --detail 0.2 --move detail",
    ),
    "evaluate": (
        "palette evaluate runs/x4 --data val --out report",
        "palette evaluate photos --task denoising --data val --answer mean --out report",
    ),
    "compare": (
        "palette compare theirs/ originals/ --out report",
        "palette compare ours/ theirs/ originals/ --out report    # which is better",
    ),
    "benchmark": (
        "palette benchmark runs/x4 --data testsets",
        "palette benchmark runs/all --data testsets --protocols set5-x4,set14-x4 --answer all",
    ),
    "merge": (
        "palette merge out    # after palette restore runs/x4 in out --shard 0/2, and 1/2",
        "palette merge part-0 part-1 --out report    # of palette evaluate … --shard",
    ),
    "import": (
        "palette import 200_Network.pth models/faces --task inpainting",
        "palette import I640000_E37_gen.pth models/sr3-x8    # SR3, 16 to 128",
    ),
    "export": (
        "palette export runs/x4/best models/x4 --precision fp32 --card card.md",
        "palette export photos denoiser --to onnx --task denoising    # for chaiNNer",
    ),
    "degrade": (
        "palette degrade bsr photos/ damaged/ --scale 4",
        "palette degrade palette_jpeg photos/ damaged/ --set palette_jpeg.quality=10",
    ),
    "pack": (
        "palette pack photos photos.h5",
        "palette pack scans pieces.h5 --cut 480 --distinct --min-sharpness 50",
    ),
    "verify": ("palette verify photos.h5", "palette verify pieces.h5"),
    "tasks": ("palette tasks", "palette train inpainting --help    # the options of one"),
    "degradations": (
        "palette degradations",
        "palette degrade bsr photo.png damaged.png    # see what one does",
    ),
    "info": ("palette info runs/x4", "palette info photos/ --contact-sheet sheet.png"),
    "doctor": ("palette doctor", "palette doctor --json"),
}
