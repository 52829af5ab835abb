"""Small VisualBERT (one stream) and LXMERT (two streams) from transformers, with the heads that both directions need.

Both answer the same call: words and regions in, logits over words, logits over region classes, and match or no match
out. A masked region keeps its box and loses its feature (zeros), a masked word becomes [MASK]. VisualBERT's own class has
no head for regions and no place for boxes: we add the head, and the box follows the feature into `visual_embeds`.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmnb.errors import DataUnavailable
from mmnb.models import need

KINDS = ("visualbert", "lxmert")
BOX = 8  # numbers of a box code


def box_code(box: Tensor) -> Tensor:
    """Boxes (..., 4) as (..., 8): centre and extent around 0, and a wave across and down, which sets the middle apart.

    Example:
        >>> [round(number) for number in box_code(torch.tensor([0.0, 0.0, 0.5, 0.5])).tolist()]
        [-1, -1, 0, 0, 1, 1, 0, 0]
    """
    centre, extent = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
    wave = 2 * torch.pi * centre
    return torch.cat([4 * centre - 2, 2 * extent - 1, wave.sin(), wave.cos()], dim=-1)


class Outputs(NamedTuple):
    """words (b, L, V), regions (b, R, C), match (b, 2): logits."""

    words: Tensor
    regions: Tensor
    match: Tensor


class VisionLanguage(nn.Module):
    """A pretraining model of transformers, `VisualBertForPreTraining` or `LxmertForPreTraining`, behind one call.

    For VisualBERT only: `n_classes` of regions, of the added head, and `visual_type`, the token type of regions: its own
    loaders used 0, the documentation of transformers says 1.
    """

    def __init__(self, backbone: nn.Module, n_classes: int | None = None, visual_type: int = 1) -> None:
        super().__init__()
        names = {"VisualBertForPreTraining": "visualbert", "LxmertForPreTraining": "lxmert"}
        if type(backbone).__name__ not in names:
            raise TypeError(f"VisionLanguage: got {type(backbone).__name__}; expected one of {', '.join(names)}")
        self.kind = names[type(backbone).__name__]
        self.backbone, self.visual_type, self.with_box = backbone, visual_type, True
        if self.kind == "visualbert":
            hidden = backbone.config.hidden_size
            self.region_head = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, n_classes or 1))  # fmt: skip

    def forward(self, tokens: Tensor, token_mask: Tensor, feature: Tensor, box: Tensor, region_mask: Tensor) -> Outputs:
        """Logits for tokens (b, L) int64, token_mask (b, L) bool, feature (b, R, d), box (b, R, 4), region_mask (b, R) bool."""
        if self.kind == "lxmert":
            place = box_code(box) if self.with_box else box
            states = self.backbone.lxmert(tokens, feature, place, token_mask.float(), region_mask.float())
            words, match = self.backbone.cls(states.language_output, states.pooled_output)
            return Outputs(words, self.backbone.obj_predict_head(states.vision_output)["obj"], match)
        states = self.backbone.visual_bert(**self.inputs(tokens, token_mask, feature, box, region_mask))
        length = tokens.shape[1]
        words, match = self.backbone.cls(states.last_hidden_state, states.pooler_output)
        return Outputs(words[:, :length], self.region_head(states.last_hidden_state[:, length:]), match)

    def predict(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Logits over words and over region classes: the model as `mmnb.ablation` asks for it."""
        out = self(*given)
        return out.words, out.regions

    def inputs(self, tokens: Tensor, token_mask: Tensor, feature: Tensor, box: Tensor, region_mask: Tensor) -> dict[str, Tensor]:  # fmt: skip
        """The arguments of VisualBERT's own class."""
        visual = torch.cat([feature, box_code(box).to(feature.dtype)], dim=2) if self.with_box else feature
        types = torch.full(feature.shape[:2], self.visual_type, dtype=torch.long, device=feature.device)
        return {"input_ids": tokens, "attention_mask": token_mask.float(), "visual_embeds": visual, "visual_attention_mask": region_mask.float(), "visual_token_type_ids": types}  # fmt: skip


def small(kind: str, *, vocabulary: int, n_classes: int, feature_size: int, width: int = 64, layers: int = 2, heads: int = 4) -> VisionLanguage:  # fmt: skip
    """A small untrained "visualbert" or "lxmert", no dropout, for regions of `feature_size` numbers without their box.

    Weights are N(0, 1/width) from torch's global generator: the published 0.02 is meant for a width of 768. LXMERT has
    `layers` cross-modal layers, after one for words and one for regions. Raises DataUnavailable without transformers.
    """
    if kind not in KINDS:
        raise ValueError(f"vl.small: got kind={kind!r}; expected one of {', '.join(KINDS)}")
    transformers = need("transformers")
    common = {"vocab_size": vocabulary, "hidden_size": width, "num_attention_heads": heads, "intermediate_size": 2 * width, "max_position_embeddings": 96, "initializer_range": width**-0.5, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
    if kind == "visualbert":
        config = transformers.VisualBertConfig(**common, num_hidden_layers=layers, visual_embedding_dim=feature_size + BOX, attn_implementation="eager")  # fmt: skip
        return VisionLanguage(transformers.VisualBertForPreTraining(config), n_classes).eval()
    config = transformers.LxmertConfig(**common, l_layers=1, r_layers=1, x_layers=layers, visual_feat_dim=feature_size, visual_pos_dim=BOX, num_object_labels=n_classes, visual_attr_loss=False, visual_feat_loss=False, task_qa=False)  # fmt: skip
    return VisionLanguage(transformers.LxmertForPreTraining(config)).eval()


def load(name: str | Path, *, visual_type: int = 1) -> VisionLanguage:
    """A public checkpoint (`uclanlp/visualbert-vqa-coco-pre`, `unc-nlp/lxmert-base-uncased`) or a folder with config and weights.

    VisualBERT comes without a head for regions: only its logits over words mean anything, and its boxes must be inside
    the features. Raises DataUnavailable when it can be had from neither, ValueError when it is of another kind.
    """
    transformers = need("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        classes = {"visual_bert": "VisualBertForPreTraining", "lxmert": "LxmertForPreTraining"}
        if config.model_type not in classes:
            raise ValueError(f"vl.load: {name} is a {config.model_type}; expected one of {', '.join(classes)}")
        backbone = getattr(transformers, classes[config.model_type]).from_pretrained(name)
    except OSError as missing:
        what = f"{name} (about 0.5 to 0.9 GB, on the Hugging Face hub, Apache-2.0 or MIT)"
        raise DataUnavailable(
            f"The weights {what} are neither cached nor to be fetched: hf download {name}"
        ) from missing
    model = VisionLanguage(backbone, visual_type=visual_type).eval()
    model.with_box = False
    return model


def save_weights(models: dict[str, nn.Module], file: Path) -> None:
    """Several models' weights in half precision in one safetensors file; shared tensors once. Names are `model/tensor`."""
    tensors: dict[str, Tensor] = {}
    for name, model in models.items():
        seen: set[int] = set()
        for key, value in model.state_dict().items():
            if value.data_ptr() not in seen:
                seen.add(value.data_ptr())
                tensors[f"{name}/{key}"] = value.half().contiguous()
    save_file(tensors, file)


def load_weights(models: dict[str, nn.Module], file: Path) -> None:
    """Read back what `save_weights` wrote. Raises ValueError when a model is not in the file, or of another shape."""
    stored = load_file(file)
    for name, model in models.items():
        own = {key.split("/", 1)[1]: value.float() for key, value in stored.items() if key.startswith(f"{name}/")}
        wanted = model.state_dict()
        wrong = [key for key, value in own.items() if key not in wanted or wanted[key].shape != value.shape]
        if not own or wrong:
            raise ValueError(f"load_weights: {file.name} has {len(own)} tensors for {name}, of another shape or name: {wrong[:3]}; expected its weights")  # fmt: skip
        tied = {value.data_ptr() for key, value in wanted.items() if key in own}
        if left := [key for key, value in wanted.items() if key not in own and value.data_ptr() not in tied]:
            raise ValueError(f"load_weights: {file.name} lacks {', '.join(left[:3])} of {name}; expected all weights")
        model.load_state_dict(own, strict=False)
