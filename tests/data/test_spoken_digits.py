"""Log-mel pictures against pure tones and an independent formula, WAV files against what was written, and the real recordings."""

import wave

import numpy as np
import pytest
import torch

from mmnb import DataUnavailable
from mmnb.data import remote, spoken_digits


def tone(hertz, loudness=0.5):
    return loudness * torch.sin(torch.arange(8000) * 2 * torch.pi * hertz / 8000)


def write_wav(file, samples, rate=8000, channels=1, width=2):
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(width)
        recording.setframerate(rate)
        recording.writeframes(samples)
    return file


@pytest.mark.parametrize("hertz", [200, 700, 1500, 3000])
def test_a_tone_lights_the_band_of_its_pitch(hertz):
    picture = spoken_digits.log_mel(tone(hertz)[None])[0]
    centres = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 34)[1:-1]
    nearest = np.abs(centres - 2595 * np.log10(1 + hertz / 700)).argmin()
    assert int(picture[:, 16].argmax()) == nearest


def test_log_mel_is_the_formula():
    """The same sums in NumPy, frame by frame, float64; 1e-4 of a picture from 0 to 1: float32 sums over 257 bins, then a logarithm."""
    sound = torch.randn(1, 640, generator=torch.Generator().manual_seed(0))
    picture = spoken_digits.log_mel(sound, bands=5, frames=8, window=64)[0].numpy()
    padded = np.pad(sound[0].double().numpy(), 32)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    edges = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 7)
    power = np.zeros((5, 8))
    for frame in range(8):
        bins = np.abs(np.fft.rfft(padded[80 * frame : 80 * frame + 64] * hann)) ** 2
        for band in range(5):
            for k, value in enumerate(bins):
                mel = 2595 * np.log10(1 + k * 125 / 700)
                low, middle, high = edges[band : band + 3]
                power[band, frame] += value * max(
                    0.0, min((mel - low) / (middle - low), (high - mel) / (high - middle))
                )
    expected = 1 + np.log10(np.maximum(power / power.max(), 1e-5)) / 5
    np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-4)


def test_loudness_does_not_matter_and_silence_is_zero():
    loud, quiet = (spoken_digits.log_mel(tone(500, loudness)[None]) for loudness in (0.8, 0.01))
    torch.testing.assert_close(loud, quiet, rtol=0, atol=1e-4)  # 50 dB = 1; float32 rounding of tiny powers
    assert spoken_digits.log_mel(torch.zeros(2, 8000)).eq(0).all()
    half = torch.cat([tone(500)[:4000], torch.zeros(4000)])
    assert spoken_digits.log_mel(half[None])[0, :, 20:].eq(0).all()


def test_log_mel_refuses_what_has_no_frames():
    for sound in (torch.zeros(8000), torch.zeros(1, 8001), torch.zeros(0, 8000)):
        with pytest.raises(ValueError, match="a multiple of frames"):
            spoken_digits.log_mel(sound)


def test_every_band_hears_something():
    triangles = spoken_digits.mel_triangles(32, 257, 8000)
    assert (triangles.sum(1) > 0.5).all() and triangles.max() <= 1


def test_read_wav(tmp_path):
    samples = np.array([0, 16384, -32768, 32767], dtype="<i2")
    read, rate = spoken_digits.read_wav(write_wav(tmp_path / "a.wav", samples.tobytes(), rate=16000))
    assert rate == 16000 and read.tolist() == [0.0, 0.5, -1.0, 32767 / 32768]
    with pytest.raises(ValueError, match=r"b\.wav has 2 channels of 16 bits"):
        spoken_digits.read_wav(write_wav(tmp_path / "b.wav", samples.tobytes(), channels=2))
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"c\.wav cannot be read"):
        spoken_digits.read_wav(tmp_path / "c.wav")


def test_the_real_recordings(remote_files):
    if not remote.files()[spoken_digits.KEY].present:
        pytest.skip(f"fsdd/recordings is not in {remote_files}: fetch it with `mmnb data fsdd --fetch`")
    data = spoken_digits.load()
    assert data.log_mel.shape == (3000, 1, 32, 32) and data.log_mel.dtype == torch.float32
    assert (data.log_mel.amax((1, 2, 3)) == 1).all() and (data.log_mel >= 0).all()
    cells = torch.stack([data.digit, data.speaker, data.take], 1)
    assert len(cells.unique(dim=0)) == 3000 and cells.amax(0).tolist() == [9, 5, 49]
    by_split = [set(data.speaker[data.rows(name)].tolist()) for name in spoken_digits.SPLITS]
    assert [len(speakers) for speakers in by_split] == [3, 1, 2] and len(set.union(*by_split)) == 6
    for row in (0, 777, 2999):  # file and row belong together
        name = f"{data.digit[row]}_{data.speakers[data.speaker[row]]}_{data.take[row]}.wav"
        samples, rate = spoken_digits.read_wav(remote_files / "fsdd" / "recordings" / name)
        sound = torch.zeros(1, 6400)
        sound[0, : len(samples)] = torch.from_numpy(samples[:6400])
        # batches of another size may add in another order
        torch.testing.assert_close(data.log_mel[row], spoken_digits.log_mel(sound), rtol=0, atol=1e-4)
        assert rate == 8000
    with pytest.raises(ValueError, match="expected one of train"):
        data.rows("dev")


def test_without_the_recordings_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="fsdd/recordings"):
        spoken_digits.load()
