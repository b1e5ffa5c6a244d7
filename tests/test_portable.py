"""Windows and macOS, as far as Linux can tell: the commands run without what only POSIX has.

A process loads the libraries, which have their own ways on each system, takes the POSIX-only names
out of the standard library, and is as strict as Windows with files: an open one is not replaced,
renamed over or removed, a descriptor for reading is not flushed, a folder is not opened. Then the
package is imported, whole, and used. `os.name` itself cannot be changed: pathlib would look for
another system's files.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

STRICT = r'''
import contextlib, os, shutil, signal, sys, warnings

import fcntl

OPEN = "/proc/self/fd"

def opened(path):
    """Whether this process holds the file, by a descriptor or a mapping."""
    real = os.path.realpath(path)
    for descriptor in os.listdir(OPEN):
        with contextlib.suppress(OSError):
            if os.readlink(f"{OPEN}/{descriptor}") == real:
                return True
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return any(line.rstrip("\n").endswith(f" {real}") for line in maps)

def strict(real, *, places, fresh=False):
    def call(*args, **keywords):
        for path in args[:places]:
            if isinstance(path, (str, os.PathLike)) and os.path.isfile(path) and opened(path):
                raise PermissionError(13, "in use by this process", os.fspath(path))
        if fresh and os.path.exists(args[1]):
            raise FileExistsError(17, "File exists", os.fspath(args[1]))
        return real(*args, **keywords)
    return call

flush, make = os.fsync, os.open

def fsync(descriptor):
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(9, "Bad file descriptor")
    flush(descriptor)

def open_file(path, *args, **keywords):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))
    return make(path, *args, **keywords)

def become_strict():
    shutil._use_fd_functions = False
    os.replace = strict(os.replace, places=2)
    os.rename = strict(os.rename, places=2, fresh=True)
    os.unlink = os.remove = strict(os.unlink, places=1)
    os.fsync, os.open = fsync, open_file
    for name in POSIX_OS:
        if hasattr(os, name):
            delattr(os, name)
    for name in POSIX_SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    for name in POSIX_MODULES:
        sys.modules[name] = None  # an import of it fails
    warnings.filterwarnings("error", category=EncodingWarning, module=r"palette(\.|$)")

POSIX_OS = """chown chroot fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups
    getloadavg getpgid getpgrp getpriority getresuid getsid getuid initgroups killpg lchown mkfifo
    mknod nice openpty pathconf posix_fadvise posix_fallocate posix_spawn pread pwrite readv
    register_at_fork sched_getaffinity sched_setaffinity sendfile setpgid setpriority setsid setuid
    statvfs sync sysconf tcgetpgrp ttyname uname wait3 wait4 writev""".split()
POSIX_SIGNALS = """SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1
    SIGUSR2 SIGXCPU SIGXFSZ alarm pause pthread_kill pthread_sigmask setitimer sigwait""".split()
POSIX_MODULES = ["fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"]
'''

USE = r"""
import importlib
from pathlib import Path

for name in LIBRARIES:
    with contextlib.suppress(ImportError):  # an extra
        importlib.import_module(name)
become_strict()
for name in OURS:
    importlib.import_module(name)

import palette
from palette.cli.main import main

SMALL = ["--model.width", "8", "--model.groups", "4", "--model.head-width", "8", "--data.size",
         "32", "--train.batch", "2", "--train.precision", "fp32", "--train.workers", "0"]

def run(line, *more):
    code = main([*line.split(), *more])
    assert code == 0, (line, code)

run("restore pictures restored --task jpeg-restoration --answer mean")
run("restore pictures restored --task jpeg-restoration --answer mean")  # again: it is all there
run("compare restored pictures --out compared --metrics psnr")
run("degrade jpeg pictures damaged")
run("pack pictures pictures.h5")
for shard in ("0/2", "1/2"):
    run(f"restore pictures joined --task jpeg-restoration --answer mean --shard {shard}")
    run(f"degrade jpeg pictures in-parts --shard {shard}")
    run(f"pack pictures parts.h5 --shard {shard}")
run("merge joined")
run("merge in-parts")
run("merge parts.h5-0-of-2 parts.h5-1-of-2 --out parts.h5")
run("verify pictures.h5")
run("train denoising --data pictures.h5 --out run --steps 2 --train.checkpoint-every 1", *SMALL)
run("resume run --steps 3")
run("evaluate run --data pictures --out evaluated --limit 1 --metrics psnr")
run("export run model")
run("info pictures")
"""


def libraries() -> list[str]:
    """Every module beside the standard library's and our own that a file of ours imports."""
    found = set()
    for folder in ("palette", "tasks", "data", "degradations", "eval"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    ours = ("palette", "__future__")
    foreign = {name for name in found if name.partition(".")[0] not in ours}
    return sorted(name for name in foreign if name.partition(".")[0] not in sys.stdlib_module_names)


def ours() -> list[str]:
    paths = [path for depth in ("*", "*/*", "*/*/*") for path in (ROOT / "palette").glob(depth)]
    modules = [path.relative_to(ROOT) for path in paths if path.suffix == ".py"]
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in modules}
    return sorted(name for name in names if not name.endswith("__main__"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which files are open")
def test_the_commands_run_as_on_windows(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").symlink_to(photos)
    names = f"LIBRARIES = {libraries()}\nOURS = {ours()}\n"
    command = [sys.executable, "-X", "warn_default_encoding", "-c", STRICT + names + USE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
