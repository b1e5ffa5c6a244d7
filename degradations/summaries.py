"""One line about each degradation, for lists."""

from __future__ import annotations

import inspect

from palette.degradations.catalogue import build

SUMMARIES: dict[str, str] = {
    "sr_bicubic": "antialiased bicubic to 1/scale, rounded to 8 bits (SR3)",
    "bsr": "two blurs, two resizes, noise, JPEG, camera in random order, JPEG (BSRGAN)",
    "bsr_light": "the milder BSR of latent diffusion's super-resolution",
    "bsr_plus": "BSR with Poisson and speckle noise and resizes up and down, 13 steps",
    "real_esrgan": "blur, resize, noise, JPEG, twice, then sinc and JPEG (Real-ESRGAN)",
    "palette_jpeg": "JPEG of quality 5–30, the low ones more often (Palette)",
    "palette_inpainting": "a hole of strokes (60 %) or boxes (Palette)",
    "palette_uncropping": "half of the area missing, at one side or all around (Palette)",
    "lama_thin": "a hole of many thin strokes (LaMa)",
    "lama_medium": "a hole of some strokes or boxes (LaMa)",
    "lama_thick": "a hole of few thick strokes or large boxes (LaMa)",
    "grayscale": "luma in all channels",
    "jpeg": "JPEG of quality 30–95",
    "webp": "lossy WebP of quality 30–95",
    "quantise": "8 bits a channel",
    "gaussian_blur": "round Gaussian, σ .1–3",
    "anisotropic_blur": "elliptic Gaussian, both σ .1–3, any angle",
    "generalised_blur": "elliptic exp(−q^β/2), β .5–4: from pointed to flat",
    "plateau_blur": "elliptic 1/(1 + q^β), β 1–2: long tails",
    "sinc_blur": "ideal low pass, which rings",
    "motion_blur": "a straight line of 1–20 pixels",
    "defocus_blur": "a disk of radius 1–10",
    "unsharp": "unsharp mask: sharpens where there is detail",
    "shrink": "antialiased bicubic to 1/scale",
    "gaussian_shrink": "Gaussian, then every scale-th pixel, unshifted",
    "rescale": "shrink by up to 4 by linear, cubic or area resizing",
    "gaussian_noise": "level 2–25 of 255: colour, grey or correlated",
    "speckle_noise": "Gaussian noise times the picture",
    "poisson_noise": "photons: 10²–10⁴ for a white pixel",
    "sensor_noise": "back to raw, Bayer mosaic, shot and read noise, and forward again",
    "noise_conditioning": "Gaussian noise of a level that the network is told (cascades)",
    "blur_conditioning": "slight blur on half of the pictures, its σ told (cascades)",
    "free_form": "a hole of zigzag strokes (DeepFill v2)",
    "boxes": "a hole of 1–5 boxes, 10–40 % of the area",
    "centre": "the middle is missing, half as wide and high",
    "border": "half of the area is missing, at one side or all around",
    "imagenet_c_gaussian_noise": "ImageNet-C, 5 levels",
    "imagenet_c_shot_noise": "ImageNet-C, 5 levels",
    "imagenet_c_impulse_noise": "ImageNet-C, 5 levels",
    "imagenet_c_speckle_noise": "ImageNet-C, 5 levels",
    "imagenet_c_gaussian_blur": "ImageNet-C, 5 levels",
    "imagenet_c_defocus_blur": "ImageNet-C, 5 levels",
    "imagenet_c_jpeg_compression": "ImageNet-C, 5 levels",
    "imagenet_c_pixelate": "ImageNet-C, 5 levels",
}


def about(name: str) -> str:
    """One line about a degradation, those of other packages included (from their docstring)."""
    if name in SUMMARIES:
        return SUMMARIES[name]
    return (inspect.getdoc(build(name)) or "").partition("\n")[0]
