"""A weights file in the layout of pytorch-fid's, for tests and benchmarks without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from skimage import data

from palette.eval.metrics.inception import empty_network


def save_random_weights(path: Path, seed: int = 0) -> Path:
    """Random weights whose batch norms have seen photographs, so that features vary."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = empty_network()
        for parameter in network.parameters():
            if parameter.ndim == 4:
                torch.nn.init.kaiming_normal_(parameter)
        crops = []
        for picture in (data.astronaut(), data.coffee(), data.chelsea()):
            crops += [picture[top : top + 299, :299] for top in (0, 1)]
        batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        network.train()
        network.dropout.eval()
        with torch.no_grad():
            network(batch)
        torch.save(network.state_dict(), path)
    return path
