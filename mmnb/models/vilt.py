"""ViLT, a real vision-and-language transformer fine-tuned on VQA 2.0, as a function of two modalities: f(images, questions) -> logits.

An interaction grid scores every picture with every question. So each picture is preprocessed and embedded once, each question
tokenised once, and a pair only costs the transformer itself.
"""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmnb import paths
from mmnb.models import from_hub, listed, need

CHECKPOINT = "dandelin/vilt-b32-finetuned-vqa"
Prepared = dict[str, Tensor]


class Vilt(nn.Module):
    """f(images, questions) -> logits (B, answers) of a `ViltForQuestionAnswering`, with its image processor and BERT tokenizer.

    The model is put in eval mode and its weights are frozen. Prepare once (`vilt.prepare_images(pictures)`,
    `vilt.prepare_questions(texts)`), then give `vilt` and the two dicts to `mmnb.emap`. Lists are prepared on every call.

    Source: Kim et al. 2021, through transformers. The plain forward pass shuffles patches and padding, so that its
    outputs change in the last digits from call to call; here a picture is embedded once, by itself, and padding masked
    out.
    """

    def __init__(self, model: nn.Module, image_processor: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.image_processor, self.tokenizer = model.requires_grad_(False), image_processor, tokenizer
        self.eval()

    @property
    def labels(self) -> tuple[str, ...]:
        """The answers, in the order of the logits."""
        names = self.model.config.id2label
        return tuple(names[i] for i in range(len(names)))

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where prepared inputs are put."""
        return self.model.classifier[0].weight.device

    @torch.no_grad()
    def prepare_images(self, images: list[Image.Image]) -> Prepared:
        """Embed pictures: "image_embeds" (n, 1 + patches, width), padded with 0, "image_mask" (n, 1 + patches), 1 = patch.

        Pictures may have any size and mode; 500 COCO pictures take 370 MB.
        """
        images = listed(images, Image.Image, "Vilt.prepare_images", "PIL images")
        embedded = [self._embed(image) for image in images]
        mask = [torch.ones(len(patches), dtype=torch.int64, device=self.device) for patches in embedded]
        embeds, mask = (pad_sequence(rows, batch_first=True) for rows in (embedded, mask))
        return {"image_embeds": embeds, "image_mask": mask}

    def prepare_questions(self, questions: list[str]) -> Prepared:
        """Tokenise questions: "input_ids", "attention_mask", "token_type_ids", each (n, 40) int64; longer ones are cut."""
        encoded = self.tokenizer(
            listed(questions, str, "Vilt.prepare_questions", "strings"),
            padding="max_length",
            truncation=True,
            max_length=self.model.config.max_position_embeddings,
            return_tensors="pt",
            return_token_type_ids=True,
            return_attention_mask=True,
        )
        return {name: encoded[name].to(self.device) for name in ("input_ids", "attention_mask", "token_type_ids")}

    def forward(self, images: Prepared | list[Image.Image], questions: Prepared | list[str]) -> Tensor:
        """Logits (B, answers) float32 of B pictures with B questions, pair by pair; never in train mode, because of dropout."""
        if self.training or self.model.training:
            raise ValueError("Vilt: the model is in train mode; expected eval mode, call `.eval()`")
        a = images if isinstance(images, dict) else self.prepare_images(list(images))
        b = questions if isinstance(questions, dict) else self.prepare_questions(list(questions))
        n_a, n_b = len(a["image_mask"]), len(b["input_ids"])
        if n_a != n_b:
            raise ValueError(f"Vilt: got {n_a} pictures and {n_b} questions; expected pairs")
        with torch.no_grad():
            return self.model(**b, image_embeds=a["image_embeds"], pixel_mask=a["image_mask"]).logits.float()

    def _embed(self, image: Image.Image) -> Tensor:
        """Class token and patches of one picture with their places, (1 + patches, width)."""
        inputs = self.image_processor(image.convert("RGB"), return_tensors="pt").to(self.device)
        embeddings, dtype = self.model.vilt.embeddings, self.model.classifier[0].weight.dtype
        # visual_embed draws an order of the patches: always the same one here, and not from the caller's generator
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            most = self.model.config.max_image_length
            pixels = inputs["pixel_values"].to(dtype)
            patches, mask, _ = embeddings.visual_embed(pixels, inputs["pixel_mask"], max_image_length=most)
        return patches[0][mask[0].bool()]


def load(folder: Path | str | None = None, device: str | torch.device = "cpu") -> Vilt:
    """Load a ViLT for question answering, in eval mode, without downloading anything.

    `folder` is one that `save_pretrained` or `hf download` wrote, or the name of a checkpoint in the cache of the Hugging
    Face hub; None: `vilt-b32-finetuned-vqa` in the cache folder (`MMNB_DATA`), else `CHECKPOINT`. Raises DataUnavailable
    when transformers or the checkpoint is not there, ValueError when it is of another kind.

    Source: `dandelin/vilt-b32-finetuned-vqa`: ViLT-B/32, VQA 2.0, 3,129 answers, 470 MB, Apache-2.0.
    """
    need("transformers", '"mmnb[models]"')
    from transformers import BertTokenizerFast, ViltForQuestionAnswering, ViltImageProcessor

    place = paths.cache() / "vilt-b32-finetuned-vqa"
    source = str(folder) if folder is not None else str(place) if place.is_dir() else CHECKPOINT
    how = (
        f"the ViLT checkpoint {source} is not here or not complete. Get it (470 MB, licence Apache-2.0) with "
        f"`hf download {CHECKPOINT} --local-dir {place}`, or give vilt.load a folder that holds one."
    )
    classes = ViltForQuestionAnswering, ViltImageProcessor, BertTokenizerFast
    model, processor, tokenizer = from_hub(source, "vilt.load", how, *classes, local_files_only=True)
    if len(tokenizer) != model.config.vocab_size:  # without its files transformers makes an empty one
        wanted = model.config.vocab_size
        raise ValueError(f"vilt.load: {source} knows {len(tokenizer)} tokens; expected {wanted}: is vocab.txt there?")
    return Vilt(model.to(device), processor, tokenizer)
