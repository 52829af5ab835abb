"""Clips in the real layouts of CREMA-D and UCF-101, made on the spot; ResNet-18 late fusion and the notebooks' cells trained on them for a step."""

import ast
import wave

import numpy as np
import pytest
import torch
from PIL import Image

import mmnb
from mmnb import DataUnavailable, paths
from mmnb.data import audio_visual
from mmnb.recipes.late import resnet as late_resnet
from mmnb.runner import convert


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


def test_resnet_late_fusion_trains_all_ways_and_resumes(crema, tmp_path):
    clips = audio_visual.crema_d(crema)
    options = dict(
        epochs=1, seed=0, lam=1.0, batch_size=21, frames=1, side=32, bands=32, checkpoints=str(tmp_path / "run")
    )
    found = late_resnet.compare(clips, **options)
    assert list(found) == ["audio", "image", "UME", "joint", "UMT"] and all(0 <= v <= 1 for v in found.values())
    assert sorted(file.name for file in tmp_path.glob("*.safetensors")) == [
        "run-alone.safetensors",
        "run-joint.safetensors",
        "run-umt.safetensors",
    ]
    assert late_resnet.compare(clips, **options) == found  # from the checkpoints, without training


def test_blending_runs_on_clips_and_goes_on_from_its_checkpoints(ucf, tmp_path):
    options = dict(epochs=1, seed=0, batch_size=4, frames=1, side=32, bands=32, checkpoints=str(tmp_path / "run"))
    found = late_resnet.blend(audio_visual.ucf_101(ucf), **options)
    assert set(found) == {"weight audio", "weight image", "weight joint", "joint", "G-Blend"}
    assert abs(sum(value for name, value in found.items() if name.startswith("weight")) - 1) < 1e-9
    assert {file.name for file in tmp_path.glob("*.safetensors")} == {
        "run-joint.safetensors",
        "run-G-Blend.safetensors",
    }
    assert late_resnet.blend(audio_visual.ucf_101(ucf), **options) == found


# what the notebooks do with such folders in the profile `paper`
def paper_cell(slug, clips, monkeypatch, tmp_path):
    """Run a notebook's imports and its cell that calls `late_resnet`, with the sizes `clips`; the run's records."""
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    monkeypatch.setenv("MMNB_OUT", str(tmp_path / "out"))
    cells = [cell.source for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells if cell.cell_type == "code"]  # fmt: skip
    imports = [node for cell in cells for node in ast.parse(cell).body if isinstance(node, ast.Import | ast.ImportFrom)]
    [cell] = [cell for cell in cells if "late_resnet." in cell]
    run = mmnb.start(slug, profile="paper", seed=0)
    space = {"run": run, "SEED": 0, "size": type("Size", (), {"clips": clips})()}
    exec(compile(ast.Module(body=imports, type_ignores=[]), slug, "exec"), space)
    exec(compile(cell, slug, "exec"), space)
    return run._records


TINY = dict(epochs=1, drop_at=0.7, batch_size=21, frames=1, side=32, bands=32)


@pytest.mark.slow
def test_notebook_06_trains_on_both_folders_and_goes_on(crema, ucf, monkeypatch, tmp_path):
    clips = TINY | {"lam": 0.5}
    first = paper_cell("06_modality_laziness", clips, monkeypatch, tmp_path)
    kept = sorted(file.name for file in (tmp_path / "out").glob("*.safetensors"))
    assert kept == [f"{name}-{way}.safetensors" for name in ("crema", "ucf") for way in ("alone", "joint", "umt")]
    found = late_resnet.compare(audio_visual.ucf_101(), seed=0, **clips)
    assert first["lazy.ucf"]["value"] == pytest.approx(found["UMT"] - found["joint"], rel=0, abs=1e-12)
    again = paper_cell("06_modality_laziness", clips, monkeypatch, tmp_path)  # from the checkpoints
    assert again["lazy.crema"]["value"] == first["lazy.crema"]["value"]


@pytest.mark.slow
def test_notebook_07_blends_on_both_folders(crema, ucf, monkeypatch, tmp_path):
    records = paper_cell("07_overfitting_to_generalising", TINY, monkeypatch, tmp_path)
    assert {"blend.crema", "blend.ucf"} <= set(records)
    assert all(-1 <= records[f"blend.{name}"]["value"] <= 1 for name in ("crema", "ucf"))


@pytest.mark.parametrize(
    ("slug", "prefix"), [("06_modality_laziness", "lazy"), ("07_overfitting_to_generalising", "blend")]
)
def test_without_the_folders_the_cells_say_what_to_get(slug, prefix, monkeypatch, tmp_path):
    records = paper_cell(slug, TINY, monkeypatch, tmp_path)
    assert "UCF-101 (13,320 clips) is not complete" in records[f"{prefix}.ucf"]["unavailable"]
    assert "CREMA-D (7,442 clips, 91 actors) is not complete" in records[f"{prefix}.crema"]["unavailable"]
    for profile in ({}, None):
        assert (
            "profile `paper` only" in paper_cell(slug, profile, monkeypatch, tmp_path)[f"{prefix}.ucf"]["unavailable"]
        )
