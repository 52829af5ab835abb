"""Spoken digits: real recordings of six people as log-mel pictures, 32 bands x 32 frames; split by speaker, so that they are hard."""

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmnb.data import derived, remote
from mmnb.data.rows import SPLITS, Splits

KEY = "fsdd/recordings"
RATE = 8000  # samples per second
SECONDS = 0.8  # longer recordings (1 of 50) are cut, shorter ones followed by silence
BANDS, FRAMES, WINDOW = 32, 32, 512  # a window of 64 ms every 25 ms
FLOOR = 1e-5  # of a recording's largest power: 50 dB below it counts as silence
# speaker -> split, in alphabetical order: nothing was tried
SPEAKERS = dict(george="train", jackson="train", lucas="train", nicolas="validation", theo="test", yweweler="test")


@dataclass(frozen=True, eq=False, repr=False)
class SpokenDigits(Splits):
    """3,000 recordings, 50 of each digit by each of 6 speakers; sorted by digit, speaker, take.

    log_mel   (3000, 1, 32, 32) float32: bands from low to high, frames in time; from 0 (at most 50 dB below the loudest) to 1 (the loudest)
    digit     (3000,) int64, 0 to 9
    speaker   (3000,) int64, row in `speakers`
    take      (3000,) int64, 0 to 49
    split     (3000,) int64, row in `SPLITS`, by speaker: three for training, one for validation, two for testing
    speakers  names

    Source: Jackson et al., Free Spoken Digit Dataset, CC BY-SA 4.0; 8 kHz mono.
    """

    log_mel: Tensor
    digit: Tensor
    speaker: Tensor
    take: Tensor
    split: Tensor
    speakers: tuple[str, ...]

    def __repr__(self) -> str:
        return f"SpokenDigits({len(self):,} recordings by {len(self.speakers)} speakers: {self._counts()})"


def load() -> SpokenDigits:
    """Load the recordings as log-mel pictures; computed once, then kept as one file (see `mmnb.data.derived`).

    Raises DataUnavailable when the recordings are neither in the cache nor to be had; ValueError when they are damaged.
    """
    folder, speakers = remote.fetch(KEY), tuple(SPEAKERS)
    names = (file.stem.split("_") for file in folder.glob("*.wav"))
    rows = sorted((int(digit), speakers.index(name), int(take)) for digit, name, take in names)
    files = [folder / f"{digit}_{speakers[speaker]}_{take}.wav" for digit, speaker, take in rows]

    def build() -> derived.Arrays:
        sounds = read_sounds(files, RATE, int(RATE * SECONDS))
        return {"log_mel": torch.cat([log_mel(part) for part in sounds.split(250)]).numpy()}

    content = remote.files()[KEY].sha256
    made = derived.arrays("spoken_digits", build, source=__file__, packages=("torch", "numpy"), content=content)
    digit, speaker, take = (torch.tensor(values) for values in zip(*rows, strict=True))
    split = torch.tensor([SPLITS.index(split) for split in SPEAKERS.values()])[speaker]
    return SpokenDigits(torch.from_numpy(made["log_mel"])[:, None], digit, speaker, take, split, speakers)


def log_mel(
    sound: Tensor, *, rate: int = RATE, bands: int = BANDS, frames: int = FRAMES, window: int = WINDOW
) -> Tensor:
    """Log-mel pictures of sounds of equal length: (n, samples) -> (n, bands, frames), from 0 to 1.

    Formula: power |STFT|^2 (Hann window, one frame every samples / frames), summed over triangles that are equally wide
    in mel = 2595 log10(1 + f / 700) from 0 to rate / 2; with P the loudest cell of the sound, 1 + log10(max(power / P,
    FLOOR)) / 5.

    Loudness does not matter; `frames` divides the number of samples, `window` counts samples; a silent sound gives 0.

    Example:
        >>> tone = torch.sin(torch.arange(8000) * 2 * torch.pi * 1000 / 8000)[None]
        >>> picture = log_mel(tone)
        >>> picture.shape, int(picture[0, :, 16].argmax())  # 1000 Hz is 1000 of 2146 mel: band 14 of 0 to 31
        (torch.Size([1, 32, 32]), 14)
    """
    if sound.ndim != 2 or sound.shape[1] % frames or not sound.numel():
        shape = tuple(sound.shape)
        raise ValueError(f"log_mel: got sound {shape}, frames={frames}; expected (n, a multiple of frames)")
    hann, hop = torch.hann_window(window), sound.shape[1] // frames
    spectrum = torch.stft(sound.float(), window, hop, window=hann, pad_mode="constant", return_complex=True)
    power = mel_triangles(bands, window // 2 + 1, rate) @ spectrum.abs().square()[..., :frames]
    loudest = power.amax((1, 2), keepdim=True)
    relative = power / torch.where(loudest > 0, loudest, 1)
    return 1 + relative.clamp(min=FLOOR).log10() / 5


def mel_triangles(bands: int, bins: int, rate: int) -> Tensor:
    """Weights (bands, bins) of overlapping triangles, equally wide in mel, height 1; bin k stands for k / (bins - 1) * rate / 2 Hz."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = torch.from_numpy(np.linspace(0, top, bands + 2))
    mel = torch.from_numpy(2595 * np.log10(1 + np.linspace(0, rate / 2, bins) / 700))
    up = (mel - edges[:-2, None]) / (edges[1] - edges[0])
    down = (edges[2:, None] - mel) / (edges[1] - edges[0])
    return torch.minimum(up, down).clamp(min=0).float()


def read_wav(file: Path) -> tuple[np.ndarray, int]:
    """Samples of a mono 16-bit WAV file as float32 from -1 to 1, and its rate.

    Raises ValueError on another format or a damaged file.
    """
    try:
        with wave.open(str(file), "rb") as recording:
            form = recording.getnchannels(), recording.getsampwidth()
            rate, content = recording.getframerate(), recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"read_wav: {file.name} cannot be read ({error}); expected a WAV file") from error
    if form != (1, 2):
        raise ValueError(f"read_wav: {file.name} has {form[0]} channels of {8 * form[1]} bits; expected 1 of 16 bits")
    return np.frombuffer(content, dtype="<i2").astype(np.float32) / 32768, rate


def read_sounds(files: Sequence[Path], rate: int, length: int) -> Tensor:
    """Mono sounds (n, length) float32, cut or filled with silence. Raises ValueError as `read_wav`, or at another rate."""
    sounds = torch.zeros(len(files), length)
    for row, file in zip(sounds, files, strict=True):
        samples, found = read_wav(file)
        if found != rate:
            raise ValueError(f"{file.name} has {found} samples per second; expected {rate}: ffmpeg -ar {rate}")
        row[: len(samples)] = torch.from_numpy(samples[:length])
    return sounds
