"""Rows of networks, against lines of the tables that they were read in, as those print them."""

from __future__ import annotations

import pytest

from palette.eval.protocols import PROTOCOLS
from palette.eval.report import literature
from palette.eval.report.papers import PaperRow, beside

SETS = ("set5", "set14", "b100", "urban100", "manga109")

SWINIR_TABLE_3 = """
CARN x2 1,592K 222.8G 37.76/0.9590 33.52/0.9166 32.09/0.8978 31.92/0.9256 38.36/0.9765
IMDN x2 694K 158.8G 38.00/0.9605 33.63/0.9177 32.19/0.8996 32.17/0.9283 38.88/0.9774
SwinIR-light x2 878K 195.6G 38.14/0.9611 33.86/0.9206 32.31/0.9012 32.76/0.9340 39.12/0.9783
CARN x3 1,592K 118.8G 34.29/0.9255 30.29/0.8407 29.06/0.8034 28.06/0.8493 33.50/0.9440
IMDN x3 703K 71.5G 34.36/0.9270 30.32/0.8417 29.09/0.8046 28.17/0.8519 33.61/0.9445
SwinIR-light x3 886K 87.2G 34.62/0.9289 30.54/0.8463 29.20/0.8082 28.66/0.8624 33.98/0.9478
CARN x4 1,592K 90.9G 32.13/0.8937 28.60/0.7806 27.58/0.7349 26.07/0.7837 30.47/0.9084
IMDN x4 715K 40.9G 32.21/0.8948 28.58/0.7811 27.56/0.7353 26.04/0.7838 30.45/0.9075
SwinIR-light x4 897K 49.6G 32.44/0.8976 28.77/0.7858 27.69/0.7406 26.47/0.7980 30.92/0.9151
"""
RFDN_TABLE_3 = """
RFDN x2 534K - 38.05/0.9606 33.68/0.9184 32.16/0.8994 32.12/0.9278 38.88/0.9773
RFDN x3 541K - 34.41/0.9273 30.34/0.8420 29.09/0.8050 28.21/0.8525 33.67/0.9449
RFDN x4 550K - 32.24/0.8952 28.61/0.7819 27.57/0.7360 26.11/0.7858 30.58/0.9089
"""
MORE_MNAS = """
FSRCNN x2 12K 6.0G 37.00/0.9558 32.63/0.9088 31.53/0.8920 29.88/0.9020
"""
# EDSR's table 3: bicubic, SRCNN, VDSR and EDSR by set and scale.
EDSR_TABLE_3 = """
set5 x2 33.66/0.9299 36.66/0.9542 37.53/0.9587 38.11/0.9601
set5 x3 30.39/0.8682 32.75/0.9090 33.66/0.9213 34.65/0.9282
set5 x4 28.42/0.8104 30.48/0.8628 31.35/0.8838 32.46/0.8968
set14 x2 30.24/0.8688 32.42/0.9063 33.03/0.9124 33.92/0.9195
set14 x3 27.55/0.7742 29.28/0.8209 29.77/0.8314 30.52/0.8462
set14 x4 26.00/0.7027 27.49/0.7503 28.01/0.7674 28.80/0.7876
b100 x2 29.56/0.8431 31.36/0.8879 31.90/0.8960 32.32/0.9013
b100 x3 27.21/0.7385 28.41/0.7863 28.82/0.7976 29.25/0.8093
b100 x4 25.96/0.6675 26.90/0.7101 27.29/0.7251 27.71/0.7420
urban100 x2 26.88/0.8403 29.50/0.8946 30.76/0.9140 32.93/0.9351
urban100 x3 24.46/0.7349 26.24/0.7989 27.14/0.8279 28.80/0.8653
urban100 x4 23.14/0.6577 24.52/0.7221 25.18/0.7524 26.64/0.8033
div2k x2 31.01/0.9393 33.05/0.9581 33.66/0.9625 35.03/0.9695
div2k x3 28.22/0.8906 29.64/0.9138 30.09/0.9208 31.26/0.9340
div2k x4 26.66/0.8521 27.78/0.8753 28.17/0.8841 29.25/0.9017
"""
# SwinIR's table 4: ARCNN, DnCNN-3, DRUNet and SwinIR, PSNR/SSIM/PSNR-B.
SWINIR_TABLE_4 = """
classic5 10 29.03/0.7929/28.76 29.40/0.8026/29.13 30.16/0.8234/29.81 30.27/0.8249/29.95
classic5 20 31.15/0.8517/30.59 31.63/0.8610/31.19 32.39/0.8734/31.80 32.52/0.8748/31.99
classic5 30 32.51/0.8806/31.98 32.91/0.8861/32.38 33.59/0.8949/32.82 33.73/0.8961/33.03
classic5 40 33.32/0.8953/32.79 33.77/0.9003/33.20 34.41/0.9075/33.51 34.52/0.9082/33.66
live1 10 28.96/0.8076/28.77 29.19/0.8123/28.90 29.79/0.8278/29.48 29.86/0.8287/29.50
live1 20 31.29/0.8733/30.79 31.59/0.8802/31.07 32.17/0.8899/31.69 32.25/0.8909/31.70
live1 30 32.67/0.9043/32.22 32.98/0.9090/32.34 33.59/0.9166/32.99 33.69/0.9174/33.01
live1 40 33.63/0.9198/33.14 33.96/0.9247/33.28 34.58/0.9312/33.93 34.67/0.9317/33.88
"""
# SwinIR's table 6: DnCNN, DRUNet and SwinIR.
SWINIR_TABLE_6 = """
cbsd68 15 33.90 34.30 34.42
cbsd68 25 31.24 31.69 31.78
cbsd68 50 27.95 28.51 28.56
kodak24 15 34.60 35.31 35.34
kodak24 25 32.14 32.89 32.89
kodak24 50 28.95 29.86 29.79
mcmaster 15 33.45 35.40 35.61
mcmaster 25 31.52 33.14 33.20
mcmaster 50 28.62 30.08 30.22
"""


def row(protocol: str, title: str) -> PaperRow:
    (found,) = (row for row in PROTOCOLS[protocol].paper if row.title == title)
    return found


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split("/")]


@pytest.mark.parametrize(
    ("table", "source"),
    [
        (SWINIR_TABLE_3, "SwinIR (Liang et al. 2021), table 3"),
        (RFDN_TABLE_3, "RFDN (Liu et al. 2020), table 3"),
        (MORE_MNAS, "FSRCNN (Dong et al. 2016), in MoreMNAS (Chu et al. 2019)"),
    ],
)
def test_light_networks(table: str, source: str) -> None:
    for line in table.strip().splitlines():
        title, scale, parameters, multiply_adds, *figures = line.split()
        for of, values in zip(SETS, figures, strict=False):
            found = row(f"{of}-{scale}", title)
            assert list(found.figures.values()) == numbers(values), (of, line)
            assert found.parameters == float(parameters.strip("K").replace(",", "")) / 1000
            cost = None if multiply_adds == "-" else float(multiply_adds.strip("G"))
            assert found.multiply_adds == cost
            assert found.source == source


@pytest.mark.parametrize(
    ("table", "titles", "suffix", "source"),
    [
        (EDSR_TABLE_3, "bicubic SRCNN VDSR EDSR", "-{}", "EDSR (Lim et al. 2017), table 3"),
        (
            *(SWINIR_TABLE_4, "ARCNN DnCNN-3 DRUNet SwinIR", "-grey-q{}"),
            "SwinIR (Liang et al. 2021), table 4",
        ),
        (
            *(SWINIR_TABLE_6, "DnCNN DRUNet SwinIR", "-sigma{}"),
            "SwinIR (Liang et al. 2021), table 6",
        ),
    ],
)
def test_tables_by_set(table: str, titles: str, suffix: str, source: str) -> None:
    for line in table.strip().splitlines():
        of, harshness, *figures = line.split()
        for title, values in zip(titles.split(), figures, strict=True):
            found = row(of + suffix.format(harshness), title)
            assert list(found.figures.values()) == numbers(values), (title, line)
            assert found.source == source


OTHERS = [
    ("set5-x4", "FSRCNN", "30.72/0.866", "LapSRN"),
    ("set14-x4", "FSRCNN", "27.61/0.755", "LapSRN"),
    ("b100-x4", "FSRCNN", "26.98/0.715", "LapSRN"),
    ("urban100-x4", "FSRCNN", "24.62/0.728", "LapSRN"),
    ("urban100-x2", "SAFMN", "31.84/0.9256", "SAFMN"),
    ("urban100-x3", "SAFMN", "27.95/0.8474", "SAFMN"),
    ("urban100-x4", "SAFMN", "25.97/0.7809", "SAFMN"),
    ("manga109-x4", "bicubic", "24.89/0.7866", "ESRGAN (Wang et al. 2018), supplement"),
    ("manga109-x4", "SRCNN", "27.58/0.8555", "ESRGAN (Wang et al. 2018), supplement"),
    ("manga109-x4", "EDSR", "31.02/0.9148", "ESRGAN (Wang et al. 2018), supplement"),
    ("live1-colour-q10", "FBCNN", "27.77/27.51", "JPNeO (Han et al. 2025)"),
    ("live1-colour-q40", "FBCNN", "32.34/31.80", "JPNeO (Han et al. 2025)"),
    ("live1-colour-q10", "SwinIR", "28.06/27.76", "SwinIR (Liang et al. 2021)"),
    ("live1-colour-q20", "SwinIR", "30.45/29.97", "SwinIR (Liang et al. 2021)"),
    ("live1-colour-q30", "SwinIR", "31.82/31.24", "SwinIR (Liang et al. 2021)"),
    ("live1-colour-q40", "SwinIR", "32.75/32.12", "SwinIR (Liang et al. 2021)"),
    ("palette-jpeg-q5", "DDRM, 20 evaluations", "28.2/53.9", "arXiv v1, table 2"),
    ("palette-jpeg-q5", "ΠGDM, 100 evaluations", "8.6/64.1", "arXiv v1, table 2"),
    ("palette-jpeg-q5", "I²SB, 1000 evaluations", "4.6/67.9", "arXiv v1, table 2"),
    ("palette-jpeg-q5", "I²SB, 100 evaluations", "5.4/67.5", "arXiv v1, table 2"),
    ("palette-jpeg-q5", "IBMD-I²SB, 1 evaluation", "5.3/67.2", "arXiv v1, table 2"),
    ("palette-jpeg-q10", "ΠGDM, 100 evaluations", "6.0/71.0", "arXiv v1, table 4"),
    ("palette-jpeg-q10", "I²SB, 1000 evaluations", "3.6/72.1", "arXiv v1, table 4"),
    ("palette-jpeg-q10", "I²SB, 100 evaluations", "4.4/71.6", "arXiv v1, table 4"),
    ("palette-jpeg-q10", "IBMD-I²SB, 1 evaluation", "3.8/72.4", "arXiv v1, table 4"),
    ("palette-inpainting-center", "DDRM, 20 evaluations", "24.4/62.1", "arXiv v1, table 6"),
    ("palette-inpainting-center", "ΠGDM, 100 evaluations", "7.3/72.6", "arXiv v1, table 6"),
    ("palette-inpainting-center", "DDNM, 100 evaluations", "15.1/55.9", "arXiv v1, table 6"),
    (
        *("palette-inpainting-center", "Palette as I²SB ran it, 1000 evaluations"),
        *("6.1/63.0", "arXiv v1, table 6"),
    ),
    ("palette-inpainting-center", "I²SB, 10 evaluations", "5.4/65.97", "arXiv v1, table 6"),
    ("palette-inpainting-center", "DBIM, 50 evaluations", "3.92/72.4", "arXiv v1, table 6"),
    ("palette-inpainting-center", "DBIM, 100 evaluations", "3.88/72.6", "arXiv v1, table 6"),
    ("palette-inpainting-center", "IBMD-DDBM, 4 evaluations", "4.03/72.2", "arXiv v1, table 6"),
    ("palette-inpainting-center", "IBMD-DDBM, 2 evaluations", "4.23/72.3", "arXiv v1, table 6"),
    ("imagenet-x4", "DDRM, 20 evaluations", "21.3/63.2", "arXiv v1, table 1"),
    ("imagenet-x4", "DDNM, 100 evaluations", "13.6/65.5", "arXiv v1, table 1"),
    ("imagenet-x4", "ΠGDM, 100 evaluations", "3.6/72.1", "arXiv v1, table 1"),
    ("imagenet-x4", "ADM, 1000 evaluations", "14.8/66.7", "arXiv v1, table 1"),
    ("imagenet-x4", "I²SB, 1000 evaluations", "2.8/70.7", "arXiv v1, table 1"),
    ("imagenet-x4", "IBMD-I²SB, 1 evaluation", "2.5/72.4", "arXiv v1, table 1"),
]


@pytest.mark.parametrize(("protocol", "title", "figures", "source"), OTHERS)
def test_rows_of_other_sources(protocol: str, title: str, figures: str, source: str) -> None:
    found = row(protocol, title)
    assert list(found.figures.values()) == numbers(figures)
    assert source in found.source


def test_every_row_is_in_one_of_these_lists() -> None:
    tables = (SWINIR_TABLE_3, RFDN_TABLE_3, MORE_MNAS)
    known = {
        (f"{of}-{line.split()[1]}", line.split()[0])
        for table in tables
        for line in table.strip().splitlines()
        for of, _ in zip(SETS, line.split()[4:], strict=False)
    }
    by_set = (
        (EDSR_TABLE_3, "bicubic SRCNN VDSR EDSR", "-{}"),
        (SWINIR_TABLE_4, "ARCNN DnCNN-3 DRUNet SwinIR", "-grey-q{}"),
        (SWINIR_TABLE_6, "DnCNN DRUNet SwinIR", "-sigma{}"),
    )
    for table, titles, suffix in by_set:
        for line in table.strip().splitlines():
            of, harshness = line.split()[:2]
            known |= {(of + suffix.format(harshness), title) for title in titles.split()}
    known |= {(protocol, title) for protocol, title, *_ in OTHERS}
    printed = {(name, r.title) for name, p in PROTOCOLS.items() for r in p.paper if r.source}
    assert printed == known


def test_a_protocol_has_a_row_of_a_title_once() -> None:
    for protocol in PROTOCOLS.values():
        titles = [row.title for row in protocol.paper]
        assert len(set(titles)) == len(titles), protocol.name


def manifest(protocol: str, pictures: int, dataset: str | None) -> dict[str, object]:
    return {
        "settings": {"metrics": list(PROTOCOLS[protocol].metrics)},
        "dataset": dataset,
        "pictures": pictures,
        "weights_of_metrics": {},
    }


def because(name: str, title: str, pictures: int, dataset: str | None, *grey: str) -> list[str]:
    protocol = PROTOCOLS[name]
    found = manifest(name, pictures, dataset)
    rows = beside(protocol.paper, found, protocol.dataset, None, grey)
    return next(row.because for row in rows if row.title == title)


def test_comparable_with_the_whole_set_and_its_name_alone() -> None:
    assert because("set14-x4", "bicubic", 14, "set14") == []
    assert because("set14-x4", "bicubic", 13, "set14") == ["13 pictures, not 14"]
    assert "--dataset set14" in because("set14-x4", "bicubic", 14, None)[0]
    assert because("div2k-x2", "EDSR", 100, "div2k") == [literature.OF_RGB]


def test_networks_of_rgb_have_the_luma_of_every_file() -> None:
    assert because("set14-x4", "VDSR", 14, "set14", "bridge") == []
    (reason,) = because("set14-x4", "IMDN", 14, "set14", "bridge")
    assert reason.startswith("its table judges bridge, of one channel, by the luma too")
    assert because("set14-x4", "IMDN", 14, "set14") == []


def test_a_line_has_cost_and_source() -> None:
    protocol = PROTOCOLS["b100-x4"]
    rows = beside(protocol.paper, manifest("b100-x4", 100, "b100"), "b100", None)
    (found,) = (row for row in rows if row.title == "SwinIR-light")
    assert found.as_text({"psnr": "PSNR", "ssim": "SSIM"}) == (
        "paper: SwinIR-light (0.897 M parameters; 49.6 G multiply-adds at 1280×720; SwinIR (Liang "
        "et al. 2021), table 3): PSNR 27.69, SSIM 0.7406 (comparable: yes)"
    )
