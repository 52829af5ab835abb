"""One odd submission never costs the class its grades; what one does reaches neither the others nor the grader."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from mmnb.course import handout
from mmnb.course.grading import isolation, report
from mmnb.course.grading.folder import Submission, grade_folder
from mmnb.course.grading.judge import Limits

POINTS = {task.id: task.points for task in handout.tasks("01_emap")}
OTHERS_GONE = dict.fromkeys(POINTS.keys() - {"01a"})
RIGHT = "def surface_of(F):\n    return F.mean(1, keepdims=True) + F.mean(0, keepdims=True) - F.mean()"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names, links, pipes and signals are POSIX's")
needs_isolation = pytest.mark.skipif(not isolation.available(), reason="this system allows no user namespaces")


def test_every_name_has_a_row_and_a_word(hand_in, tmp_path):
    work = tmp_path / "work"
    good = {"01a": RIGHT, **OTHERS_GONE}
    hand_in("ann", good)
    odd_metadata = (
        lambda notebook: notebook["metadata"].update(mmnb=[1]),
        lambda notebook: notebook["metadata"].update(mmnb={"notebook": {"a": []}}),
        lambda notebook: [
            cell["metadata"].update(tags=3) for cell in notebook["cells"] if "exercise" not in cell["id"]
        ],
        lambda notebook: [cell["metadata"].update(nbgrader=[]) for cell in notebook["cells"]],
    )
    for number, change in enumerate(odd_metadata):
        hand_in(f"odd-{number}", good, change)
    secret = hand_in("dir/one", good).replace(tmp_path / "secret.ipynb")
    os.rename(os.fsencode(hand_in("Muller", good)), os.fsencode(work) + b"/M\x81ller.ipynb")
    hand_in("loud", good).rename(work / "loud.IPYNB")
    hand_in("twice", good)
    hand_in("twice/01_emap", {"01a": "def surface_of(F):\n    return F", **OTHERS_GONE})
    (work / "device.ipynb").symlink_to("/dev/zero")
    (work / "link.ipynb").symlink_to(secret)
    (work / "link-folder").symlink_to(tmp_path)
    (work / "broken.ipynb").symlink_to("nowhere")
    os.mkfifo(work / "pipe.ipynb")
    (work / "dir" / "solution.py").write_text("x = 1", encoding="utf-8")
    (work / "empty").mkdir()
    (work / "eve.zip").write_bytes(b"PK")
    (work / "deep.ipynb").write_text("[" * 10**5, encoding="utf-8")
    (work / "noise.ipynb").write_bytes(bytes(range(256)))
    (work / "zero.ipynb").write_bytes(b"")
    for hidden in ("__MACOSX/ann.ipynb", "._ann.ipynb", "grades/old.ipynb", "ann2/.ipynb_checkpoints/x.ipynb"):
        (work / hidden).parent.mkdir(parents=True, exist_ok=True)
        (work / hidden).write_text("{}", encoding="utf-8")
    graded, seed, isolated = grade_folder(work, notebook="01_emap", out=work / "grades", seed=5, jobs=2)
    rows = {one.file: one for one in graded}
    assert all(rows[name].points == 1 for name in ("ann.ipynb", "loud.IPYNB", "M\\udc81ller.ipynb", "twice.ipynb"))
    assert all(rows[f"odd-{number}.ipynb"].points == 1 for number in range(4))
    words = {
        "device.ipynb": "link", "link.ipynb": "link", "link-folder": "link", "broken.ipynb": "link", "pipe.ipynb": "no regular file",
        "dir": "only solution.py", "empty": "only nothing", "ann2": "only nothing", "eve.zip": "a .zip", "deep.ipynb": "cannot be read",
        "noise.ipynb": "cannot be read", "zero.ipynb": "cannot be read",
        "twice.ipynb": "twice.ipynb counts", "twice/01_emap.ipynb": "twice.ipynb counts",
    }  # fmt: skip
    assert {name for name, word in words.items() if word not in (rows[name].problem or "")} == set()
    assert len(rows) == len(graded) == 8 + len(words) - 1
    files = report.write(graded, seed, tmp_path / "out", isolated)  # encodes every name
    assert [file.name for file in files] == ["grades.json", "grades.csv", "grades.html"]
    totals = {row["student"]: row for row in json.loads(files[0].read_text(encoding="utf-8"))["students"]}
    assert (totals["twice"]["points"], totals["twice"]["of"], totals["eve.zip"]["points"]) == (
        1,
        sum(POINTS.values()),
        0,
    )


def test_the_table_is_one_row_a_student_and_no_formula():
    rows = [Submission("=1+1", "a.ipynb", "01_emap", ()), Submission("ann", "b.ipynb", "?", (), 'odd, "very"')]
    found = list(csv.reader(io.StringIO(report.table(rows))))
    assert found[0] == ["student", "points", "of", "remarks"]
    assert found[1:] == [["'=1+1", "0", "0", ""], ["ann", "0", "0", 'b.ipynb: odd, "very"']]


ATTACKS = {  # the body of surface_of; what it tells is its answer's text
    "kills the grader": "os.kill(os.getppid(), 9)",
    "kills the others": "[os.kill(int(p), 9) for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid(), os.getppid())]",
    "kills everybody": "os.kill(-1, 9)",
    "reads the solutions": "return str(open(mmnb.__path__[0] + '/course/exercises/emap.py').read())",
    "imports the solutions": "import sys\n    del sys.modules['mmnb.course.exercises']\n    import mmnb.course.exercises.emap as e\n    return e.additive_part(F)",
    "reads the notebook": "return str(open(mmnb.__path__[0] + '/../notebooks/01_emap.py').read())",
    "reads a secret": "return open(SECRET).read()",
    "writes outside": "__import__('ctypes').CDLL(None).open(SECRET.encode(), 65) > 0 or 1 / 0",
    "removes": "__import__('ctypes').CDLL(None).unlink(SECRET.encode()) == 0 or 1 / 0",
    "plants": "__import__('ctypes').CDLL(None).open((mmnb.__path__[0] + '/planted.py').encode(), 65, 511) > 0 or 1 / 0",
    "becomes root": "__import__('ctypes').CDLL(None).setuid(0) == 0 or 1 / 0",
    "mounts": "__import__('ctypes').CDLL(None).umount2((mmnb.__path__[0] + '/course/exercises').encode(), 2) == 0 or 1 / 0",
    "reaches the network": "c = __import__('ctypes').CDLL(None)\n    s = c.socket(2, 1, 0)\n    c.connect(s, b'\\x02\\x00' + PORT.to_bytes(2, 'big') + b'\\x7f\\x00\\x00\\x01' + bytes(8), 16) == 0 or 1 / 0",
    "stays": "libc = __import__('ctypes').CDLL(None)\n    if libc.fork() == 0:\n        libc.setsid()\n        if libc.fork() == 0:\n            while True: pass\n        os._exit(0)",
}  # fmt: skip


@needs_isolation
def test_an_attack_earns_nothing_and_reaches_nobody(hand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tempfile, "tempdir", str(tmp_path)
    )  # the processes' home is below it, which tells them from others'
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    with __import__("socket").create_server(("127.0.0.1", 0)) as server:
        head = f"import os\nSECRET = {str(secret)!r}\nPORT = {server.getsockname()[1]}\ndef surface_of(F):\n    "
        for number, body in enumerate(ATTACKS.values()):
            hand_in(f"attack-{number:02}", {"01a": head + body, **OTHERS_GONE})
        for number in range(4):
            hand_in(f"honest-{number}", {"01a": RIGHT, **OTHERS_GONE})
        before = len(psutil.Process().children(recursive=True))
        graded, _, isolated = grade_folder(tmp_path / "work", seed=5, jobs=4, limits=Limits(15, 600))
    assert isolated
    points = {one.student: one.points for one in graded}
    assert points == dict.fromkeys(points, 0) | {f"honest-{number}": 1 for number in range(4)}
    assert secret.read_text(encoding="utf-8") == "secret"
    assert not (isolation.PACKAGE / "planted.py").exists()
    told = "\n".join(grade.feedback for one in graded for grade in one.grades)
    assert "secret" not in told.replace(str(secret), "") and "additive_part" not in told
    names = dict(zip([f"attack-{number:02}" for number in range(len(ATTACKS))], ATTACKS, strict=True))
    states = {names[one.student]: one.grades[0].state for one in graded if one.student in names}
    for name in (
        "writes outside",
        "removes",
        "plants",
        "becomes root",
        "mounts",
        "reaches the network",
        "imports the solutions",
    ):
        assert states[name] == "error", name
    assert len(psutil.Process().children(recursive=True)) == before
    homes = [(one.info["environ"] or {}).get("HOME", "") for one in psutil.process_iter(["environ"])]
    assert not [home for home in homes if home.startswith(str(tmp_path))]


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
def test_a_killed_grader_leaves_no_loop(hand_in, tmp_path, ending):
    hand_in("loops", {"01a": "def surface_of(F):\n    while True:\n        pass", **OTHERS_GONE})
    (tmp_path / "tmp").mkdir()
    command = [
        sys.executable,
        "-c",
        "from mmnb.cli import main; main()",
        "grade",
        str(tmp_path / "work"),
        "--notebook",
        "01",
        "--seconds",
        "600",  # the signal shall come first, on a busy computer too
    ]
    grader = psutil.Popen(
        command, env=os.environ | {"TMPDIR": str(tmp_path / "tmp")}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    running, deadline = [], time.monotonic() + 90
    while not any(one.cpu_times().user > 1 for one in running) and time.monotonic() < deadline:
        time.sleep(0.2)
        running = [one for one in grader.children(recursive=True) if "mmnb.course.grading.sandbox" in one.cmdline()]
    assert running
    grader.send_signal(getattr(signal, ending))
    _, alive = psutil.wait_procs(running, timeout=30)
    assert not alive
    grader.communicate(timeout=30)
    assert not (tmp_path / "work" / "grades" / "grades.json").exists()
    if ending != "SIGKILL":
        assert grader.returncode == 130
        assert not list((tmp_path / "tmp").iterdir())


def test_where_nothing_isolates_the_report_says_so(hand_in, tmp_path):
    hand_in("ann", {"01a": RIGHT, **OTHERS_GONE})
    graded, seed, isolated = grade_folder(tmp_path / "work", seed=5, isolated=False)
    assert (graded[0].points, isolated) == (1, False)
    assert "all rights of the user who graded" in report.page(graded, seed, isolated)
    assert report.document(graded, seed, isolated)["isolated"] is False


def test_memory_in_files_without_a_name_is_bounded(hand_in, tmp_path):
    body = "import os\nKEEP = []\ndef surface_of(F):\n    for n in range(40):\n        f = os.memfd_create(str(n))\n        KEEP.append(f)\n        for _ in range(64):\n            os.write(f, bytes(2**20))\n    return F"  # fmt: skip
    hand_in("hoards", {"01a": body, **OTHERS_GONE})
    graded, *_ = grade_folder(tmp_path / "work", seed=5, limits=Limits(15, 300))
    assert graded[0].points == 0
    assert graded[0].grades[0].state in ("error", "stopped")
