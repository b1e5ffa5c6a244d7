"""What published networks call the tensors of :class:`palette.network.unet.UNet`."""

from __future__ import annotations

from collections.abc import Callable

Names = Callable[[str], str]
"""From the name of a tensor of ours to theirs."""

_GUIDED = {
    "block.norm1": "in_layers.0",
    "block.conv1": "in_layers.2",
    "block.scale_shift": "emb_layers.1",
    "block.norm2": "out_layers.0",
    "block.conv2": "out_layers.3",
    "block.skip": "skip_connection",
    "attention.norm": "norm",
    "attention.qkv": "qkv",
    "attention.out": "proj_out",
}
_SR3 = {
    "block.norm1": "res_block.block1.block.0",
    "block.conv1": "res_block.block1.block.3",
    "block.scale_shift": "res_block.noise_func.noise_func.0",
    "block.norm2": "res_block.block2.block.0",
    "block.conv2": "res_block.block2.block.3",
    "block.skip": "res_block.res_conv",
    "block.conv": "conv",
    "attention.norm": "attn.norm",
    "attention.qkv": "attn.qkv",
    "attention.out": "attn.out",
}


def guided_names(embed: str, blocks: int, attention: tuple[int, ...], depths: int) -> Names:
    """Of guided-diffusion, whose noise embedding is called ``embed``.

    On the way up the step to the next depth is a part of the block before it.
    """

    def of_up(number: int, layer: str) -> str:
        depth_up, place = divmod(number, blocks + 2)
        step = place == blocks + 1
        block = depth_up * (blocks + 1) + min(place, blocks)
        attends = depths - 1 - depth_up in attention
        part = 1 + attends if step else int(layer.startswith("attention."))
        name = "conv" if layer == "block.conv" else _GUIDED[layer]
        return f"output_blocks.{block}.{part}.{name}"

    def of_down(number: int, layer: str) -> str:
        name = "op" if layer == "block.conv" else _GUIDED[layer]
        return f"input_blocks.{number + 1}.{int(layer.startswith('attention.'))}.{name}"

    def of_middle(number: int, layer: str) -> str:
        return (
            f"middle_block.{1 if layer.startswith('attention.') else 2 * number}.{_GUIDED[layer]}"
        )

    whole = {
        "embedding.mlp.0": f"{embed}.0",
        "embedding.mlp.2": f"{embed}.2",
        "stem": "input_blocks.0.0",
        "head_norm": "out.0",
        "head": "out.2",
    }
    return _names(whole, {"down": of_down, "middle": of_middle, "up": of_up})


def sr3_names() -> Names:
    """Of SR3's public port."""
    whole = {
        "embedding.mlp.0": "noise_level_mlp.1",
        "embedding.mlp.2": "noise_level_mlp.3",
        "stem": "downs.0",
        "head_norm": "final_conv.block.0",
        "head": "final_conv.block.3",
    }
    parts = {
        "down": lambda number, layer: f"downs.{number + 1}.{_SR3[layer]}",
        "middle": lambda number, layer: f"mid.{number}.{_SR3[layer]}",
        "up": lambda number, layer: f"ups.{number}.{_SR3[layer]}",
    }
    return _names(whole, parts)


def _names(whole: dict[str, str], parts: dict[str, Callable[[int, str], str]]) -> Names:
    def theirs(name: str) -> str:
        layer, _, kind = name.rpartition(".")  # of a weight or a bias
        if layer in whole:
            return f"{whole[layer]}.{kind}"
        part, number, inner = layer.split(".", 2)
        return f"{parts[part](int(number), inner)}.{kind}"

    return theirs
