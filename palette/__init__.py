"""Image-to-image diffusion after Palette and SR3: one U-Net, one loss, many restoration tasks."""

__version__ = "0.1.0.dev0"
