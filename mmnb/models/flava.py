"""FLAVA as a model of words and patches: both directions of a cross-modal ablation with its own two pretraining losses.

Patches are the regions: the feature of a patch is its pixels, its box is its cell of the grid. A word is hidden by [MASK], a patch by FLAVA's own mask
token. Its multimodal heads name the words, and for each patch one of the 8,192 entries of an image codebook.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from mmnb.models import from_hub, listed, need

CHECKPOINT = "facebook/flava-full"


def grid_boxes(side: int) -> Tensor:
    """Boxes (side · side, 4) of the cells of a grid, row by row, in shares of the picture.

    Example:
        >>> grid_boxes(2)[1].tolist()
        [0.5, 0.0, 1.0, 0.5]
    """
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    corner = torch.stack([column, row], dim=-1).reshape(-1, 2)
    return torch.cat([corner, corner + 1], dim=1) / side


class Flava(nn.Module):
    """FLAVA behind the call that the ablation expects: words and patches in, logits over words and over the codebook out.

    The model, a `FlavaForPreTraining`, is put in eval mode, and its weights are frozen. Raises ValueError when the
    processor crops (boxes would no longer fit the grid), or its sizes are not those of the model.

    Source: Singh et al. 2022, through transformers. The logits are `mmm_text_logits` and `mmm_image_logits`; its other
    five losses are left out.
    """

    def __init__(self, model: nn.Module, image_processor: Any) -> None:
        super().__init__()
        vision = model.config.image_config
        self.side, self.patch = vision.image_size // vision.patch_size, vision.patch_size
        # the codebook halves a picture three times
        for name, wanted in (("", vision.image_size), ("codebook_", 8 * self.side)):
            shown = [dict(getattr(image_processor, f"{name}{kind}")) for kind in ("size", "crop_size")]
            if any(extent != {"height": wanted, "width": wanted} for extent in shown):
                raise ValueError(f"Flava: the processor's {name}size and {name}crop_size are {shown}; expected {wanted} × {wanted}, without cropping")  # fmt: skip
        self.model, self.image_processor = model.requires_grad_(False), image_processor
        self.eval()

    @property
    def box(self) -> Tensor:
        """(patches, 4), see `grid_boxes`."""
        return grid_boxes(self.side)

    @torch.no_grad()
    def prepare(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Features (n, patches, 3 · p · p) float32, the normalised pixels of every patch, and codes (n, patches) int64.

        A code is a patch's entry of the codebook. Pictures are resized to a square, as in pretraining.
        """
        if self.model.image_codebook is None:
            raise ValueError("Flava.prepare: the checkpoint has no codebook; expected one")
        squares = [picture.convert("RGB") for picture in listed(pictures, Image.Image, "Flava.prepare", "PIL images")]
        ready = self.image_processor(squares, return_codebook_pixels=True, return_tensors="pt")
        feature = functional.unfold(ready["pixel_values"].float(), self.patch, stride=self.patch).transpose(1, 2)
        codes = self.model.image_codebook.get_codebook_indices(ready["codebook_pixel_values"].to(self._device))
        return feature.contiguous(), codes.flatten(1).cpu()

    def one_hot(self, codes: Tensor) -> Tensor:
        """Codes (n,) as distributions (n, entries of the codebook): with them a divergence is the cross-entropy of FLAVA's own loss."""
        return functional.one_hot(codes, self.model.image_vocab_size).float()

    @torch.no_grad()
    def forward(self, tokens: Tensor, token_mask: Tensor, feature: Tensor, box: Tensor, region_mask: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Logits over words (b, L, V) and over the codebook (b, patches, entries).

        Takes tokens, token_mask (b, L); feature (b, patches, 3 · p · p) and box (b, patches, 4), as `prepare` and `box`
        give them: those of the whole grid; region_mask (b, patches): where it is False FLAVA sees its mask token.
        """
        if self.training or self.model.training:
            raise ValueError("Flava: the model is in train mode; expected eval mode, call `.eval()`")
        if feature.shape[1:] != (self.side**2, 3 * self.patch**2) or not torch.allclose(box.cpu().float(), self.box.expand(len(box), -1, -1)):  # fmt: skip
            raise ValueError(f"Flava: got features {tuple(feature.shape)}, boxes {tuple(box.shape)}; expected (b, {self.side**2}, {3 * self.patch**2}) in the order of grid_boxes")  # fmt: skip
        extent = (self.side * self.patch, self.side * self.patch)
        pixels = functional.fold(feature.transpose(1, 2), extent, self.patch, stride=self.patch)
        device = self._device
        shown = {"pixel_values": pixels.to(device), "bool_masked_pos": ~region_mask.to(device)}
        said = {"input_ids": tokens.to(device), "attention_mask": token_mask.to(device, torch.float32)}
        seen = self.model.flava(**said, **shown, return_dict=True).multimodal_embeddings
        # behind the class tokens, of all and of the picture
        first = 1 + self.model.flava.multimodal_model.use_cls_token
        return self.model.mmm_text_head(seen[:, -tokens.shape[1] :]), self.model.mmm_image_head(seen[:, first : first + self.side**2])  # fmt: skip

    @property
    def _device(self) -> torch.device:
        return self.model.flava.logit_scale.device


def load(name: str | Path = CHECKPOINT) -> Flava:
    """FLAVA from the Hugging Face hub, its cache, or a folder written by `save_pretrained`.

    Raises DataUnavailable when it can be had from none, ValueError when it is another model, or lacks weights.

    Source: `facebook/flava-full`: ViT-B/16 for pictures and for text, six multimodal layers, a codebook of 8,192;
    about 1.4 GB, BSD-3-Clause.
    """
    need("transformers")
    from transformers import FlavaForPreTraining, FlavaImageProcessor

    how = f"The weights {name} (about 1.4 GB, on the Hugging Face hub, BSD-3-Clause) are neither cached nor to be fetched: hf download {name}"
    tied = ("head.bias",)  # the decoders' biases
    return Flava(*from_hub(name, "flava.load", how, FlavaForPreTraining, FlavaImageProcessor, tied=tied))
