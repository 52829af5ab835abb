"""Clips in the real layouts of CREMA-D and UCF-101, made on the spot; ResNet-18 late fusion and the notebooks' cells trained on them for a step."""

import wave
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mmnb import DataUnavailable
from mmnb.data import audio_visual
from mmnb.recipes import late
from mmnb.recipes.late import resnet as late_resnet


def write_clip(sound, frames, pitch, colour, rate=16_000, seconds=0.5, n=4):
    sound.parent.mkdir(parents=True, exist_ok=True)
    frames.mkdir(parents=True)
    samples = (8000 * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)).astype("<i2")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    for k in range(n):
        Image.new("RGB", (64, 48), (colour, 60 * k, 0)).save(frames / f"{k + 1:03d}.png")


@pytest.fixture
def crema(tmp_path):
    tmp_path = tmp_path / "crema-d"
    for actor in range(1001, 1011):
        for k, emotion in enumerate(audio_visual.EMOTIONS):
            name = f"{actor}_DFA_{emotion}_XX"
            write_clip(tmp_path / "AudioWAV" / f"{name}.wav", tmp_path / "frames" / name, 300 + 500 * k, 40 * k)
    return tmp_path


@pytest.fixture
def ucf(tmp_path):
    tmp_path = tmp_path / "ucf-101"
    lines = {"train": [], "test": []}
    for number, action in enumerate(("Archery", "BabyCrawling")):
        for group in (1, 9, 24):
            clip = f"v_{action}_g{group:02d}_c01"
            write_clip(tmp_path / "audio" / action / f"{clip}.wav", tmp_path / "frames" / action / clip, 500, 100)
            lines["test" if group == 1 else "train"].append(
                f"{action}/{clip}.avi" + ("" if group == 1 else f" {number + 1}")
            )
    lines["train"].append("Billiards/v_Billiards_g09_c01.avi 12")  # a class without sound
    (tmp_path / "ucfTrainTestlist").mkdir()
    for split, some in lines.items():
        (tmp_path / "ucfTrainTestlist" / f"{split}list01.txt").write_text("\n".join(some) + "\n", encoding="utf-8")
    return tmp_path


def test_crema_d_labels_and_actors(crema):
    clips = audio_visual.crema_d(crema)
    assert repr(clips) == "Clips(60 clips, 6 classes: train 42, validation 6, test 12)"
    for clip in clips.clips:
        actor, _, emotion, _ = clip.name.split("_")
        assert audio_visual.EMOTIONS[clip.label] == emotion and len(clip.frames) == 4
        assert clip.split == {1008: "validation", 1009: "test", 1010: "test"}.get(int(actor), "train")
    with pytest.raises(ValueError, match="expected one of train"):
        clips.rows("dev")


def test_a_batch_holds_what_the_files_hold(crema):
    clips = audio_visual.crema_d(crema)
    inputs, label = clips.batch([0, 4], frames=2, side=32, bands=64)
    assert inputs["audio"].shape == (2, 1, 64, 64) and inputs["image"].shape == (2, 2, 3, 32, 32)
    assert label.tolist() == [clips.clips[0].label, clips.clips[4].label]
    pixels = (
        inputs["image"] * torch.tensor(audio_visual.SPREAD)[:, None, None]
        + torch.tensor(audio_visual.MEAN)[:, None, None]
    )
    expected = torch.tensor([[[0, 0, 0], [0, 180, 0]], [[160, 0, 0], [160, 180, 0]]]) / 255  # first and last frame
    torch.testing.assert_close(pixels[..., 16, 16], expected, rtol=0, atol=1e-5)
    loudest = inputs["audio"][:, 0, :, 4].argmax(1)
    assert loudest[0] < loudest[1]  # 300 Hz below 2,300 Hz
    assert inputs["audio"][:, 0, :, 20:].eq(0).all()  # half a second of three


def test_ucf_101_follows_its_lists(ucf):
    clips = audio_visual.ucf_101(ucf)
    assert clips.classes == ("Archery", "BabyCrawling")
    assert {clip.name.split("_")[2]: clip.split for clip in clips.clips} == {
        "g01": "test",
        "g09": "train",
        "g24": "validation",
    }
    assert all(clips.classes[clip.label] in clip.name for clip in clips.clips)
    with pytest.raises(ValueError, match="expected 1, 2 or 3"):
        audio_visual.ucf_101(ucf, fold=4)


def test_what_is_missing_or_wrong_is_said(crema, tmp_path):
    with pytest.raises(DataUnavailable, match=r"AudioWAV, frames missing.*2\.5 GB.*ODbL"):
        audio_visual.crema_d(tmp_path / "nothing")
    with pytest.raises(DataUnavailable, match=r"trainlist01\.txt.*6\.5 GB"):
        audio_visual.ucf_101(tmp_path / "nothing")
    clip = audio_visual.crema_d(crema).clips[0]
    write_clip(clip.sound, crema / "other", 300, 0, rate=8000)
    with pytest.raises(ValueError, match="has 8000 samples per second; expected 16000"):
        audio_visual.crema_d(crema).batch([0])
    for file in clip.frames:
        file.unlink()
    with pytest.raises(ValueError, match="expected the clip's frames"):
        audio_visual.crema_d(crema)
    clip.sound.rename(clip.sound.with_name("hello.wav"))
    with pytest.raises(ValueError, match="expected ACTOR_SENTENCE_EMOTION_LEVEL"):
        audio_visual.crema_d(crema)


@pytest.mark.parametrize("objective", [late.Joint(), late.Unimodal()])
def test_resnet_late_fusion_trains_and_goes_on_from_its_checkpoint(crema, tmp_path, objective):
    clips, how = audio_visual.crema_d(crema), dict(frames=1, side=32, bands=32, batch_size=21)
    read, test = (late_resnet.batches(clips, split, seed=0, **how) for split in ("train", "test"))
    options = dict(classes=6, epochs=1, seed=0, checkpoint=tmp_path / "run.safetensors")
    model = late_resnet.train(read, objective, **options)
    again = late_resnet.train(read, objective, **options)  # from the checkpoint
    scores = late_resnet.accuracies(model, test)
    assert set(scores) == {"joint", "audio", "image", "UME"} and late_resnet.accuracies(again, test) == scores
    inputs, label = clips.batch(clips.rows("test"), frames=1, side=32, bands=32)
    with torch.no_grad():
        hits = (model.logits(inputs)["audio"].argmax(1) == label).double().mean().item()
    assert scores["audio"] == pytest.approx(hits, rel=0, abs=1e-12)


# what the notebooks do with such folders in the profile `paper`
TINY = dict(train=dict(epochs=1, drop_at=0.7), read=dict(batch_size=21, frames=1, side=32, bands=32), lam=0.5)


@pytest.fixture
def on_clips(notebook_code, tmp_path):
    """`on_clips(slug, load, clips)`: a notebook's function of that name, with the sizes `clips`."""

    def call(slug, load, clips=TINY):
        space = notebook_code(slug)
        space |= {"size": SimpleNamespace(clips=clips), "run": SimpleNamespace(out=tmp_path)}
        space["FOLDERS"] = {"run": ("What to get.", load)}
        return space["on_clips"]("run")

    return call


def test_notebook_06_trains_and_goes_on(crema, on_clips, tmp_path):
    found = on_clips("06_modality_laziness", lambda: audio_visual.crema_d(crema))
    assert list(found) == ["audio", "image", "UME", "joint", "UMT"] and all(0 <= v <= 1 for v in found.values())
    files = sorted(file.name for file in tmp_path.glob("*.safetensors"))
    assert files == [f"run-{kind}.safetensors" for kind in ("UMT", "alone", "joint")]
    assert on_clips("06_modality_laziness", lambda: audio_visual.crema_d(crema)) == found  # from the checkpoints


def test_notebook_07_blends_and_goes_on(ucf, on_clips):
    found = on_clips("07_overfitting_to_generalising", lambda: audio_visual.ucf_101(ucf))
    assert set(found) == {"weight audio", "weight image", "weight joint", "joint", "G-Blend"}
    assert abs(sum(value for name, value in found.items() if name.startswith("weight")) - 1) < 1e-9
    assert on_clips("07_overfitting_to_generalising", lambda: audio_visual.ucf_101(ucf)) == found


@pytest.mark.parametrize("slug", ["06_modality_laziness", "07_overfitting_to_generalising"])
def test_without_the_profile_paper_the_notebooks_say_so(slug, on_clips):
    with pytest.raises(DataUnavailable, match=r"profile `paper` only.* What to get\."):
        on_clips(slug, None, {})
