"""What all tests share: no network but this computer, a cache folder inside `build/`, and the real remote files where they are."""

import ast
import json
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from threadpoolctl import threadpool_limits

CHECKOUT = Path(__file__).resolve().parents[1]
LOCAL = {"127.0.0.1", "::1", "localhost", "", None}


@pytest.fixture(scope="session", autouse=True)
def _no_network():
    """A test that reaches for another computer fails with a clear message, on a computer with a network too."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(host):
        raise OSError(f"a test tried to reach {host!r}; tests use no network but 127.0.0.1")

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            refuse(address[0])
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        return look_up(host, *args, **kwargs) if host in LOCAL or host == socket.gethostname() else refuse(host)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Two test processes with two threads each wait for one another most of the time; subprocesses inherit this."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_of_derived_arrays():
    """Decoded pictures are kept in `build/`, not in the user's cache; subprocesses inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        if "MMNB_CACHE" not in os.environ:
            patch.setenv("MMNB_CACHE", str(CHECKOUT / "build" / "test-cache"))
        yield


def _find_remote_files() -> Path | None:
    given = os.environ.get("MMNB_DATA")
    candidates = [Path(given)] if given else []
    for folder in (*candidates, CHECKOUT.parent / "shared" / "remote"):
        if (folder / "emap-lxmert").is_dir():
            return folder.resolve()
    return None


REMOTE_FILES = _find_remote_files()


@pytest.fixture
def remote_files(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with the real remote files, set as `MMNB_DATA`; without it the test is skipped, saying how to provide them."""
    if REMOTE_FILES is None:
        pytest.skip(
            "the remote files are not here: fetch them with `mmnb data --fetch`, or set MMNB_DATA to a folder that holds them"
        )
    monkeypatch.setenv("MMNB_DATA", str(REMOTE_FILES))
    return REMOTE_FILES


@pytest.fixture
def notebook_code():
    """`notebook_code(slug, names)`: a notebook's imports, its functions and the plain values called `names`, as a dict; no cell is run.

    For functions that only the profile `paper` calls: a test sets what else they need in the dict, and calls them.
    """

    def load(slug: str, names: tuple[str, ...] = ()) -> dict:
        from mmnb.runner import convert

        kept = []
        for cell in convert.to_notebook(CHECKOUT / "notebooks" / f"{slug}.py").cells:
            for node in ast.parse(cell.source).body if cell.cell_type == "code" else []:
                named = isinstance(node, ast.Assign) and any(getattr(t, "id", None) in names for t in node.targets)
                if named or isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom):
                    kept.append(node)
        space = {"PROFILE": "paper", "SEED": 0}
        exec(compile(ast.Module(body=kept, type_ignores=[]), slug, "exec"), space)
        return space

    return load


TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory):
    """A model of 1 MB under a name of its own, and its random weights in a file."""
    open_clip = pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-for-tests.json").write_text(json.dumps(TINY_CLIP), encoding="utf-8")
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-for-tests", pretrained=None)
    torch.save(model.state_dict(), folder / "weights.pt")
    return folder / "weights.pt", model.eval()


COCO_CAPTIONS = [(7, "a cat on a mat"), (3, "two dogs"), (7, "the cat"), (3, "dogs that play"), (5, "a red square")]


@pytest.fixture
def coco_folder(tmp_path):
    """Three pictures and five captions in COCO's layout, once as validation and once as training split."""
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    images = []
    for number in (7, 3, 5):
        pixels = np.full((20 + number, 30, 3), 20 * number, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "val2017" / f"{number:012d}.jpg")
        images.append({"id": number, "file_name": f"{number:012d}.jpg", "height": 20 + number, "width": 30})
    captions = [{"id": k, "image_id": number, "caption": text} for k, (number, text) in enumerate(COCO_CAPTIONS)]
    content = {"info": {}, "licenses": [], "images": images, "annotations": captions}
    for split in ("val2017", "train2017"):
        (tmp_path / "annotations" / f"captions_{split}.json").write_text(json.dumps(content), encoding="utf-8")
    shutil.copytree(tmp_path / "val2017", tmp_path / "train2017")
    return tmp_path


class FarAway(torch.Tensor):
    """Stands for a tensor on a device that has no float64 and that NumPy cannot read: only `.cpu()` brings it back."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name, asked = getattr(function, "__name__", ""), [*args[1:], *(kwargs or {}).values()]
        if name in ("double", "numpy", "__array__") or torch.float64 in asked:
            raise TypeError(f"this device cannot do {name}")
        found = super().__torch_function__(function, types, args, kwargs or {})
        return found.as_subclass(torch.Tensor) if name == "cpu" else found


@pytest.fixture
def far_away():
    """The class of tensors on a device without float64: `x.as_subclass(far_away)`."""
    return FarAway
