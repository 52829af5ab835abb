"""Clips with sound and frames, from folders laid out as CREMA-D and UCF-101 are: WAV files and image files, no decoder needed.

Videos are unpacked once, outside: `ffmpeg -i CLIP -ac 1 -ar 16000 -c:a pcm_s16le AUDIO.wav` and `ffmpeg -i CLIP -vf fps=3 FRAMES/%03d.jpg`.

    crema-d/AudioWAV/1001_DFA_ANG_XX.wav               ucf-101/audio/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.wav
    crema-d/frames/1001_DFA_ANG_XX/001.jpg …           ucf-101/frames/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01/001.jpg …
                                                       ucf-101/ucfTrainTestlist/trainlist01.txt, testlist01.txt
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmnb.data import folders
from mmnb.data.rows import SPLITS
from mmnb.data.spoken_digits import log_mel, read_sounds

RATE = 16_000  # samples per second
EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels
HOW = "Get it from {} ({}), and unpack sound and frames as the head of mmnb/data/audio_visual.py says. Another place can be given as an argument."


@dataclass(frozen=True)
class Clip:
    """One clip: its name, WAV file, frames in order of time, row of its class, split."""

    name: str
    sound: Path
    frames: tuple[Path, ...]
    label: int
    split: str


@dataclass(frozen=True, repr=False)
class Clips:
    """Clips and the names of their classes. Sound and pictures are read clip by clip, when asked for."""

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    seconds: float

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(self.rows(name)):,}" for name in SPLITS)
        return f"Clips({len(self.clips):,} clips, {len(self.classes)} classes: {counts})"

    def rows(self, split: str) -> list[int]:
        """Rows of one split."""
        if split not in SPLITS:
            raise ValueError(f"Clips.rows: got {split!r}; expected one of {', '.join(SPLITS)}")
        return [row for row, clip in enumerate(self.clips) if clip.split == split]

    def batch(
        self, rows: Sequence[int], *, frames: int = 3, side: int = 224, bands: int = 128
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Read some clips: {"audio": (n, 1, bands, bands), "image": (n, frames, 3, side, side)}, label (n,); all float32.

        Sound: mono, cut or filled with silence to `seconds`, as a log-mel picture from 0 to 1. Frames: equally spaced
        in time, the shorter side scaled to `side`, the middle cut out, ImageNet's mean and spread taken out. Nothing is
        random: augmentation is the training's business.
        """
        clips = [self.clips[row] for row in rows]
        sound = read_sounds([clip.sound for clip in clips], RATE, int(RATE * self.seconds) // bands * bands)
        pictures = torch.empty(len(clips), frames, 3, side, side)
        for k, clip in enumerate(clips):
            places = np.linspace(0, len(clip.frames) - 1, frames).round().astype(int)
            pictures[k] = torch.stack([_picture(clip.frames[place], side) for place in places])
        audio = log_mel(sound, rate=RATE, bands=bands, frames=bands, window=1024)[:, None]
        return {"audio": audio, "image": pictures}, torch.tensor([clip.label for clip in clips])


def crema_d(folder: Path | str | None = None) -> Clips:
    """CREMA-D: 7,442 clips of 91 actors who say a sentence in one of six emotions; `folder` None: `crema-d` in the cache.

    Split by actor: of every ten actors in order of number the last two test, the one before them validates. Published
    work splits by clip; by actor is harder and leaves nobody's face in two splits. Raises DataUnavailable when folders
    are missing, ValueError on a name of another form or a clip without frames.

    Source: Cao et al. 2014, IEEE Transactions on Affective Computing; Open Database Licence 1.0.
    """
    size = "0.6 GB of sound, 2.5 GB of video; licence ODbL 1.0"
    how = HOW.format("https://github.com/CheyneyComputerScience/CREMA-D", size)
    folder = folders.by_hand("crema-d", folder, ("AudioWAV", "frames"), "CREMA-D (7,442 clips, 91 actors)", how)
    sounds = sorted((folder / "AudioWAV").glob("*.wav"))
    actors = sorted({file.stem.split("_")[0] for file in sounds})
    part = dict(zip(actors, (["train"] * 7 + ["validation", "test", "test"]) * len(actors), strict=False))
    clips = []
    for file in sounds:
        words = file.stem.split("_")
        if len(words) != 4 or words[2] not in EMOTIONS:
            form = f"ACTOR_SENTENCE_EMOTION_LEVEL.wav with one of {', '.join(EMOTIONS)}"
            raise ValueError(f"crema_d: got {file.name}; expected {form}")
        frames = _frames(folder / "frames" / file.stem)
        clips.append(Clip(file.stem, file, frames, EMOTIONS.index(words[2]), part[words[0]]))
    return Clips(tuple(clips), EMOTIONS, seconds=3.0)


def ucf_101(folder: Path | str | None = None, fold: int = 1) -> Clips:
    """UCF-101: 13,320 clips of 101 actions, without those that have no WAV file: half of the classes lack a sound track.

    `folder` None: `ucf-101` in the cache; `fold` 1 to 3, of the official lists. Groups 24 and 25 of the training list
    validate (a group shares background and people). Raises DataUnavailable when folders or lists are missing.

    Source: Soomro, Zamir & Shah 2012, CRCV-TR-12-01; for research, see its page.
    """
    if fold not in (1, 2, 3):
        raise ValueError(f"ucf_101: got fold={fold}; expected 1, 2 or 3")
    lists = {split: f"ucfTrainTestlist/{split}list0{fold}.txt" for split in ("train", "test")}
    how = HOW.format("https://www.crcv.ucf.edu/data/UCF101.php", "6.5 GB of video; licence for research")
    folder = folders.by_hand("ucf-101", folder, ("audio", "frames", *lists.values()), "UCF-101 (13,320 clips)", how)
    found = []
    for split, name in lists.items():
        for line in filter(str.strip, (folder / name).read_text(encoding="utf-8").split("\n")):
            place = line.split()[0].removesuffix(".avi")
            action, _, clip = place.partition("/")
            sound = folder / "audio" / f"{place}.wav"
            if sound.is_file():
                held = split == "train" and clip.split("_")[-2] in ("g24", "g25")
                found.append((clip, sound, folder / "frames" / place, action, "validation" if held else split))
    classes = tuple(sorted({action for *_, action, _ in found}))
    clips = (
        Clip(clip, sound, _frames(where), classes.index(action), part) for clip, sound, where, action, part in found
    )
    return Clips(tuple(clips), classes, seconds=5.0)


def _frames(folder: Path) -> tuple[Path, ...]:
    frames = tuple(sorted(file for file in folder.glob("*") if file.suffix in (".jpg", ".png")))
    if not frames:
        place = f"{folder.parent.name}/{folder.name}"
        raise ValueError(f"audio_visual: no .jpg or .png in {place}; expected the clip's frames: ffmpeg -vf fps=3")
    return frames


def _picture(file: Path, side: int) -> Tensor:
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    scale = side / min(picture.size)
    picture = picture.resize([max(side, round(scale * length)) for length in picture.size], Image.Resampling.BILINEAR)
    left, top = ((length - side) // 2 for length in picture.size)
    pixels = torch.from_numpy(np.asarray(picture.crop((left, top, left + side, top + side)), dtype=np.float32) / 255)
    return ((pixels - torch.tensor(MEAN)) / torch.tensor(SPREAD)).permute(2, 0, 1)
