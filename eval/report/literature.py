"""Networks of the restoration literature, beside own rows: figures, cost, source of each.

``ROWS`` are by protocol. Sources are named as paper and table; "in" another paper says where the
figures were read. Figures of a test set that a source does not have are left out.
"""

from __future__ import annotations

from palette.eval.report.papers import PaperRow

COUNTS = {
    "set5": 5,
    "set14": 14,
    "b100": 100,
    "urban100": 100,
    "manga109": 109,
    "div2k": 100,
    "live1": 29,
    "classic5": 5,
    "cbsd68": 68,
    "kodak24": 24,
    "mcmaster": 18,
}
"""Pictures of each test set."""

EDSR = "EDSR (Lim et al. 2017), table 3"
ESRGAN = "ESRGAN (Wang et al. 2018), supplement, table 2"
SWINIR_LIGHT = "SwinIR (Liang et al. 2021), table 3"
SWINIR_JPEG = "SwinIR (Liang et al. 2021), table 4"
SWINIR_COLOUR = "SwinIR (Liang et al. 2021), supplement"
SWINIR_NOISE = "SwinIR (Liang et al. 2021), table 6"
RFDN = "RFDN (Liu et al. 2020), table 3"
FSRCNN_X2 = "FSRCNN (Dong et al. 2016), in MoreMNAS (Chu et al. 2019)"
FSRCNN_X4 = "FSRCNN (Dong et al. 2016), in LapSRN's table, SSIM to three digits"
SAFMN = "SAFMN (Sun et al. 2023), in IAFMNet's table"
FBCNN = "FBCNN (Jiang et al. 2021), in JPNeO (Han et al. 2025)"
IBMD = "IBMD (Gushchin et al. 2025), arXiv v1, table"

Cost = tuple[float | None, float | None]
"""Parameters in millions, multiply-adds in 10⁹ for an output of 1280 × 720."""

SETS = ("set5", "set14", "b100", "urban100")
FIVE = (*SETS, "manga109")

# Title, source, scale, cost, and a "PSNR/SSIM" for each of the sets.
ENLARGING: tuple[tuple[str, str, int, Cost, tuple[str, ...], str], ...] = (
    ("bicubic", EDSR, 2, (None, None), SETS, "33.66/.9299 30.24/.8688 29.56/.8431 26.88/.8403"),
    ("bicubic", EDSR, 3, (None, None), SETS, "30.39/.8682 27.55/.7742 27.21/.7385 24.46/.7349"),
    ("bicubic", EDSR, 4, (None, None), SETS, "28.42/.8104 26.00/.7027 25.96/.6675 23.14/.6577"),
    ("SRCNN", EDSR, 2, (0.057, 52.7), SETS, "36.66/.9542 32.42/.9063 31.36/.8879 29.50/.8946"),
    ("SRCNN", EDSR, 3, (0.057, 52.7), SETS, "32.75/.9090 29.28/.8209 28.41/.7863 26.24/.7989"),
    ("SRCNN", EDSR, 4, (0.057, 52.7), SETS, "30.48/.8628 27.49/.7503 26.90/.7101 24.52/.7221"),
    ("FSRCNN", FSRCNN_X2, 2, (0.012, 6.0), SETS, "37.00/.9558 32.63/.9088 31.53/.8920 29.88/.9020"),
    ("FSRCNN", FSRCNN_X4, 4, (0.012, None), SETS, "30.72/.866 27.61/.755 26.98/.715 24.62/.728"),
    ("VDSR", EDSR, 2, (0.665, 612.6), SETS, "37.53/.9587 33.03/.9124 31.90/.8960 30.76/.9140"),
    ("VDSR", EDSR, 3, (0.665, 612.6), SETS, "33.66/.9213 29.77/.8314 28.82/.7976 27.14/.8279"),
    ("VDSR", EDSR, 4, (0.665, 612.6), SETS, "31.35/.8838 28.01/.7674 27.29/.7251 25.18/.7524"),
    (
        *("CARN", SWINIR_LIGHT, 2, (1.592, 222.8), FIVE),
        "37.76/.9590 33.52/.9166 32.09/.8978 31.92/.9256 38.36/.9765",
    ),
    (
        *("CARN", SWINIR_LIGHT, 3, (1.592, 118.8), FIVE),
        "34.29/.9255 30.29/.8407 29.06/.8034 28.06/.8493 33.50/.9440",
    ),
    (
        *("CARN", SWINIR_LIGHT, 4, (1.592, 90.9), FIVE),
        "32.13/.8937 28.60/.7806 27.58/.7349 26.07/.7837 30.47/.9084",
    ),
    (
        *("IMDN", SWINIR_LIGHT, 2, (0.694, 158.8), FIVE),
        "38.00/.9605 33.63/.9177 32.19/.8996 32.17/.9283 38.88/.9774",
    ),
    (
        *("IMDN", SWINIR_LIGHT, 3, (0.703, 71.5), FIVE),
        "34.36/.9270 30.32/.8417 29.09/.8046 28.17/.8519 33.61/.9445",
    ),
    (
        *("IMDN", SWINIR_LIGHT, 4, (0.715, 40.9), FIVE),
        "32.21/.8948 28.58/.7811 27.56/.7353 26.04/.7838 30.45/.9075",
    ),
    (
        *("RFDN", RFDN, 2, (0.534, None), FIVE),
        "38.05/.9606 33.68/.9184 32.16/.8994 32.12/.9278 38.88/.9773",
    ),
    (
        *("RFDN", RFDN, 3, (0.541, None), FIVE),
        "34.41/.9273 30.34/.8420 29.09/.8050 28.21/.8525 33.67/.9449",
    ),
    (
        *("RFDN", RFDN, 4, (0.550, None), FIVE),
        "32.24/.8952 28.61/.7819 27.57/.7360 26.11/.7858 30.58/.9089",
    ),
    ("SAFMN", SAFMN, 2, (0.228, 52.0), ("urban100",), "31.84/.9256"),
    ("SAFMN", SAFMN, 3, (None, None), ("urban100",), "27.95/.8474"),
    ("SAFMN", SAFMN, 4, (None, None), ("urban100",), "25.97/.7809"),
    (
        *("SwinIR-light", SWINIR_LIGHT, 2, (0.878, 195.6), FIVE),
        "38.14/.9611 33.86/.9206 32.31/.9012 32.76/.9340 39.12/.9783",
    ),
    (
        *("SwinIR-light", SWINIR_LIGHT, 3, (0.886, 87.2), FIVE),
        "34.62/.9289 30.54/.8463 29.20/.8082 28.66/.8624 33.98/.9478",
    ),
    (
        *("SwinIR-light", SWINIR_LIGHT, 4, (0.897, 49.6), FIVE),
        "32.44/.8976 28.77/.7858 27.69/.7406 26.47/.7980 30.92/.9151",
    ),
    ("EDSR", EDSR, 2, (43.0, None), SETS, "38.11/.9601 33.92/.9195 32.32/.9013 32.93/.9351"),
    ("EDSR", EDSR, 3, (43.0, None), SETS, "34.65/.9282 30.52/.8462 29.25/.8093 28.80/.8653"),
    ("EDSR", EDSR, 4, (43.0, None), SETS, "32.46/.8968 28.80/.7876 27.71/.7420 26.64/.8033"),
    ("bicubic", ESRGAN, 4, (None, None), ("manga109",), "24.89/.7866"),
    ("SRCNN", ESRGAN, 4, (0.057, 52.7), ("manga109",), "27.58/.8555"),
    ("EDSR", ESRGAN, 4, (43.0, None), ("manga109",), "31.02/.9148"),
)

OF_RGB = "the paper's figures of DIV2K are of RGB, these of luma"
# Title, cost, and DIV2K's validation set at ×2, ×3 and ×4.
DIV2K: tuple[tuple[str, Cost, str], ...] = (
    ("bicubic", (None, None), "31.01/.9393 28.22/.8906 26.66/.8521"),
    ("SRCNN", (0.057, 52.7), "33.05/.9581 29.64/.9138 27.78/.8753"),
    ("VDSR", (0.665, 612.6), "33.66/.9625 30.09/.9208 28.17/.8841"),
    ("EDSR", (43.0, None), "35.03/.9695 31.26/.9340 29.25/.9017"),
)

OF_RGB_ALONE = ("CARN", "IMDN", "RFDN", "SwinIR-light", "EDSR")
"""Networks of RGB, whose scripts give every file three channels: IMDN has 28.58 on Set14 ×4 with
the luma of ``bridge``, as its paper, and 28.49 without."""

QUALITIES = (10, 20, 30, 40)
# Title, cost, and "PSNR/SSIM/PSNR-B" at each quality: Classic5, then LIVE1 in grey.
JPEG: tuple[tuple[str, Cost, str, str], ...] = (
    (
        *("ARCNN", (0.107, 98.1)),
        "29.03/.7929/28.76 31.15/.8517/30.59 32.51/.8806/31.98 33.32/.8953/32.79",
        "28.96/.8076/28.77 31.29/.8733/30.79 32.67/.9043/32.22 33.63/.9198/33.14",
    ),
    (
        *("DnCNN-3", (0.666, 612.6)),
        "29.40/.8026/29.13 31.63/.8610/31.19 32.91/.8861/32.38 33.77/.9003/33.20",
        "29.19/.8123/28.90 31.59/.8802/31.07 32.98/.9090/32.34 33.96/.9247/33.28",
    ),
    (
        *("DRUNet", (32.7, None)),
        "30.16/.8234/29.81 32.39/.8734/31.80 33.59/.8949/32.82 34.41/.9075/33.51",
        "29.79/.8278/29.48 32.17/.8899/31.69 33.59/.9166/32.99 34.58/.9312/33.93",
    ),
    (
        *("SwinIR", (11.5, None)),
        "30.27/.8249/29.95 32.52/.8748/31.99 33.73/.8961/33.03 34.52/.9082/33.66",
        "29.86/.8287/29.50 32.25/.8909/31.70 33.69/.9174/33.01 34.67/.9317/33.88",
    ),
)
# Title, source, parameters, and "PSNR/PSNR-B" of LIVE1 in colour by quality.
COLOUR: tuple[tuple[str, str, float, dict[int, str]], ...] = (
    ("FBCNN", FBCNN, 70.1, {10: "27.77/27.51", 40: "32.34/31.80"}),
    (
        *("SwinIR", SWINIR_COLOUR, 11.5),
        {10: "28.06/27.76", 20: "30.45/29.97", 30: "31.82/31.24", 40: "32.75/32.12"},
    ),
)

SIGMAS = (15, 25, 50)
# Title, parameters, and PSNR at each σ: CBSD68, Kodak24, McMaster.
NOISE: tuple[tuple[str, float | None, str, str, str], ...] = (
    ("DnCNN", None, "33.90 31.24 27.95", "34.60 32.14 28.95", "33.45 31.52 28.62"),
    ("DRUNet", 32.7, "34.30 31.69 28.51", "35.31 32.89 29.86", "35.40 33.14 30.08"),
    ("SwinIR", 12.0, "34.42 31.78 28.56", "35.34 32.89 29.79", "35.61 33.20 30.22"),
)


def _rows() -> dict[str, tuple[PaperRow, ...]]:
    found: dict[str, list[PaperRow]] = {}

    def add(
        protocol: str,
        names: tuple[str, ...],
        title: str,
        source: str,
        cost: Cost,
        figures: str,
        unlike: str = "",
    ) -> None:
        values = (float(value) for value in figures.split("/"))
        row = PaperRow(
            title,
            dict(zip(names, values, strict=True)),
            COUNTS[protocol.split("-")[0]],
            source=source,
            parameters=cost[0],
            multiply_adds=cost[1],
            unlike=unlike,
            luma_of_all=title in OF_RGB_ALONE,
        )
        found.setdefault(protocol, []).append(row)

    psnr_ssim = ("psnr", "ssim")
    for title, source, scale, cost, sets, all_figures in ENLARGING:
        for of, figures in zip(sets, all_figures.split(), strict=True):
            add(f"{of}-x{scale}", psnr_ssim, title, source, cost, figures)
    for title, cost, all_figures in DIV2K:
        for scale, figures in zip((2, 3, 4), all_figures.split(), strict=True):
            add(f"div2k-x{scale}", psnr_ssim, title, EDSR, cost, figures, OF_RGB)
    for title, cost, classic5, live1 in JPEG:
        for of, all_figures in (("classic5", classic5), ("live1", live1)):
            for quality, figures in zip(QUALITIES, all_figures.split(), strict=True):
                names = (*psnr_ssim, "psnr-b")
                add(f"{of}-grey-q{quality}", names, title, SWINIR_JPEG, cost, figures)
    for title, source, parameters, by_quality in COLOUR:
        for quality, figures in by_quality.items():
            names = ("psnr", "psnr-b-colour")
            add(f"live1-colour-q{quality}", names, title, source, (parameters, None), figures)
    for title, parameters, *of_sets in NOISE:
        for of, all_figures in zip(("cbsd68", "kodak24", "mcmaster"), of_sets, strict=True):
            for sigma, figures in zip(SIGMAS, all_figures.split(), strict=True):
                cost = (parameters, None)
                add(f"{of}-sigma{sigma}", ("psnr",), title, SWINIR_NOISE, cost, figures)
    return {protocol: tuple(rows) for protocol, rows in found.items()}


ROWS = _rows()
"""The rows of each protocol, in the order of the tables above."""


def _imagenet(
    table: int,
    title: str,
    evaluations: int,
    fid: float,
    ca: float,
    count: int | None = 10_000,
    unlike: str = "",
) -> PaperRow:
    """Of ctest10k at 256²; CA by ResNet-50. Both figures were read in IBMD."""
    said = "evaluation" if evaluations == 1 else "evaluations"
    return PaperRow(
        f"{title}, {evaluations} {said}",
        {"fid": fid, "ca": ca},
        count,
        source=f"{IBMD} {table}",
        classifier="ResNet-50",
        unlike=unlike,
    )


JPEG_Q5 = (
    _imagenet(2, "DDRM", 20, 28.2, 53.9),
    _imagenet(2, "ΠGDM", 100, 8.6, 64.1),
    _imagenet(2, "I²SB", 1000, 4.6, 67.9),
    _imagenet(2, "I²SB", 100, 5.4, 67.5),
    _imagenet(2, "IBMD-I²SB", 1, 5.3, 67.2),
)
JPEG_Q10 = (
    _imagenet(4, "ΠGDM", 100, 6.0, 71.0),
    _imagenet(4, "I²SB", 1000, 3.6, 72.1),
    _imagenet(4, "I²SB", 100, 4.4, 71.6),
    _imagenet(4, "IBMD-I²SB", 1, 3.8, 72.4),
)
INPAINTING_CENTER = (
    _imagenet(6, "DDRM", 20, 24.4, 62.1),
    _imagenet(6, "ΠGDM", 100, 7.3, 72.6),
    _imagenet(6, "DDNM", 100, 15.1, 55.9),
    _imagenet(6, "Palette as I²SB ran it", 1000, 6.1, 63.0),
    _imagenet(6, "I²SB", 10, 5.4, 65.97),
    _imagenet(6, "DBIM", 50, 3.92, 72.4),
    _imagenet(6, "DBIM", 100, 3.88, 72.6),
    _imagenet(6, "IBMD-DDBM", 4, 4.03, 72.2),
    _imagenet(6, "IBMD-DDBM", 2, 4.23, 72.3),
)

_FILTER = "its inputs were made by the authors' own filter, these by MATLAB's and rounded to 8 bits"
X4 = tuple(
    _imagenet(1, *row, count=None, unlike=_FILTER)
    for row in (
        ("DDRM", 20, 21.3, 63.2),
        ("DDNM", 100, 13.6, 65.5),
        ("ΠGDM", 100, 3.6, 72.1),
        ("ADM", 1000, 14.8, 66.7),
        ("I²SB", 1000, 2.8, 70.7),
        ("IBMD-I²SB", 1, 2.5, 72.4),
    )
)
