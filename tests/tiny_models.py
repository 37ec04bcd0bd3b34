"""Tiny models with random weights, saved as real ones are: OWLv2, CLIP, SigLIP and SAM without any download."""

from __future__ import annotations

import json
from pathlib import Path

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def save_tokenizer(folder: Path, length: int = 16) -> None:
    """A CLIP tokenizer of single letters."""
    from transformers import CLIPTokenizerFast

    tokens = [*_ALPHABET, *(f"{c}</w>" for c in _ALPHABET), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=length
    ).save_pretrained(folder)


def _text(length: int = 16) -> dict[str, int]:
    n = 2 * len(_ALPHABET)
    return {"vocab_size": n + 2, "hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4,
            "max_position_embeddings": length, "bos_token_id": n, "eos_token_id": n + 1, "pad_token_id": n + 1}  # fmt: skip


def _vision(size: int, patch: int) -> dict[str, int]:
    return {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": size, "patch_size": patch}  # fmt: skip


def owlv2(folder: Path) -> Path:
    import torch
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessorPil

    torch.manual_seed(0)
    config = Owlv2Config(text_config=_text(), vision_config=_vision(96, 16), projection_dim=32)
    model = Owlv2ForObjectDetection(config)
    with torch.no_grad():  # random weights would put every box into a corner: leave them near their patches
        model.box_head.dense2.weight.mul_(0.01)
    model.save_pretrained(folder)
    Owlv2ImageProcessorPil(size={"height": 96, "width": 96}).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def clip(folder: Path) -> Path:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=_text(), vision_config=_vision(32, 8), projection_dim=24)).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def siglip(folder: Path) -> Path:
    import torch
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    torch.manual_seed(0)
    text = {k: v for k, v in _text().items() if not k.endswith("token_id")}
    SiglipModel(SiglipConfig(text_config=text | {"projection_size": 32}, vision_config=_vision(32, 8))).save_pretrained(
        folder
    )
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def sam(folder: Path) -> Path:
    import torch
    from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

    torch.manual_seed(0)
    vision = {"hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 64,
              "patch_size": 8, "mlp_dim": 64, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 16}  # fmt: skip
    prompt = {"hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 4}
    decoder = {
        "hidden_size": 32,
        "mlp_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "iou_head_hidden_dim": 32,
    }
    SamModel(
        SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    ).save_pretrained(folder)
    processor = SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16}
    )  # fmt: skip
    SamProcessor(processor).save_pretrained(folder)
    return folder
