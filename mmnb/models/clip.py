"""CLIP through open_clip: a small one to train on the spot, and public checkpoints for the profile `paper`."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmnb.errors import DataUnavailable
from mmnb.models import need

PicturesWithTexts = Sequence[tuple[Any, str]]  # pairs (PIL picture, text), such as `mmnb.data.coco.CocoPairs`


class SmallClip(nn.Module):
    """open_clip's CLIP at the size of a laptop, for grey pictures and short rows of tokens.

    Weights have open_clip's own initialisation, from torch's global generator. The buffer `rotation` is applied to text
    after the encoder; it is the identity unless `set_rotation` is called, and never trained. `words` is the size of the
    vocabulary, 0 being padding; `length` counts the tokens of the longest row; `patch` divides `size`.
    """

    def __init__(self, words: int, length: int, *, size: int = 32, patch: int = 16, width: int = 64, layers: int = 2, dimensions: int = 64) -> None:  # fmt: skip
        super().__init__()
        need("open_clip", "open_clip_torch")
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

        both, head = {"width": width, "layers": layers}, min(width, 32)
        vision = CLIPVisionCfg(**both, head_width=head, patch_size=patch, image_size=size)
        text = CLIPTextCfg(**both, heads=width // head, context_length=length + 1, vocab_size=words + 1)
        self.end = words  # open_clip reads a text's embedding where its largest token stands
        self.model = CLIP(dimensions, vision, text)
        self.register_buffer("rotation", torch.eye(dimensions))

    def encode_image(self, images: Tensor) -> Tensor:
        """Unit rows (n, dimensions) of pictures (n, size, size) uint8, 0 = paper."""
        pixels = 1 - images[:, None].float() / 127.5
        return self.model.encode_image(pixels.expand(-1, 3, -1, -1), normalize=True)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Unit rows (n, dimensions) of token rows (n, length) int64, padded with 0 on the right."""
        ended = torch.cat([tokens, torch.zeros_like(tokens[:, :1])], dim=1)
        ended[torch.arange(len(ended)), (tokens != 0).sum(1)] = self.end
        return self.model.encode_text(ended, normalize=True) @ self.rotation

    @property
    def temperature(self) -> float:
        """The temperature that the model carries: before (open_clip: .07) or after training."""
        return math.exp(-self.model.logit_scale.item())

    def set_rotation(self, rotation: Tensor) -> None:
        """Rotate the embeddings of all texts from now on. Raises: ValueError unless the matrix is orthogonal."""
        rotation = rotation.to(self.rotation)
        identity = torch.eye(len(self.rotation)).to(self.rotation)
        if rotation.shape != identity.shape or (rotation @ rotation.T - identity).abs().max() > 1e-4:
            got = f"a matrix {tuple(rotation.shape)} that is not orthogonal"
            raise ValueError(f"SmallClip.set_rotation: got {got}; expected {tuple(identity.shape)}, R R^T = 1")
        self.rotation.copy_(rotation)


class Loaded(NamedTuple):
    """A public CLIP: model in eval mode, preprocess (PIL picture to tensor), tokenize (list of strings to int64 rows)."""

    model: nn.Module
    preprocess: Callable[[Any], Tensor]
    tokenize: Callable[[list[str]], Tensor]


def load(name: str, pretrained: str | Path | None, device: str | torch.device = "cpu") -> Loaded:
    """An open_clip model, such as "ViT-B-32-quickgelu" (OpenAI's weights need QuickGELU).

    `pretrained` is a tag of open_clip ("openai"), a checkpoint file, or None for random weights from torch's global
    generator. Raises DataUnavailable without open_clip or the checkpoint, ValueError on an unknown name.
    """
    open_clip = need("open_clip", "open_clip_torch")
    if name not in open_clip.list_models():
        raise ValueError(f"clip.load: got name {name!r}; expected one of open_clip.list_models()")
    if isinstance(pretrained, Path) and not pretrained.is_file():
        raise DataUnavailable(f"clip.load: there is no checkpoint {pretrained}; expected a file for open_clip")
    weights = None if pretrained is None else str(pretrained)
    try:
        model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=weights, device=device)
    except (OSError, RuntimeError) as error:
        if pretrained is None or isinstance(pretrained, Path):
            raise
        raise DataUnavailable(
            f"clip.load: the weights {pretrained!r} of {name} are not in the cache and could not be downloaded ({type(error).__name__}: {error}). "
            "Fetch them once with a network (about 350 to 600 MB, MIT), or give the path of the file"
        ) from error
    return Loaded(model.eval(), preprocess, open_clip.get_tokenizer(name))


@torch.no_grad()
def embed_pairs(
    loaded: Loaded, pairs: PicturesWithTexts, n: int | None = None, batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Unit rows of the first n pairs (None: all): images (n, d), texts (n, d), float64 on the CPU."""
    n = len(pairs) if n is None else n
    if not 1 <= n <= len(pairs):
        raise ValueError(f"embed_pairs: got n = {n}; expected 1 to {len(pairs)}")
    device = next(loaded.model.parameters()).device
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for rows in torch.arange(n).split(batch_size):
        images, texts = zip(*(pairs[row] for row in rows.tolist()), strict=True)
        pixels = torch.stack([loaded.preprocess(image) for image in images]).to(device)
        sides[0].append(loaded.model.encode_image(pixels).cpu())
        sides[1].append(loaded.model.encode_text(loaded.tokenize(list(texts)).to(device)).cpu())
    a, b = (torch.cat(side).double() for side in sides)
    return a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
