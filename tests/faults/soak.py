"""Random faults for some minutes: replicas killed and halted, receivers down, the database cut and frozen."""

import re
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.faults.bench import Bench, Result
from tests.faults.ledger import pass_time
from tests.faults.receiver import answer, reset
from tests.faults.servers import Proxy, open_proxy
from tests.faults.site import AFTER_LEASES, Site


def soak(bench: Bench, kind: str) -> Result:
    """Run two replicas with faults, and one without, whose memory and open files are recorded."""
    rng, injected = bench.rng(13), dict.fromkeys(("killed", "halted", "receiver down", "database cut or frozen"), 0)
    windows = max(60, int(bench.minutes * 150))
    with ExitStack() as stack:
        site = stack.enter_context(bench.site(kind, windows=windows, seed=900, monitors=3, change_rate=0.3))
        proxy = stack.enter_context(open_proxy(site.store)) if kind == "postgresql" else None
        proxied = site.config if proxy is None else site.world.configure(proxy.url, site.receiver.url)
        undisturbed = site.serve(config=proxied)
        others = [site.serve(config=proxied) for _ in range(2)]
        usage: list[tuple[float, int, int]] = []
        end = time.monotonic() + 60 * bench.minutes
        while time.monotonic() < end:
            site.sleep(float(rng.uniform(0.2, 1.5)))
            victim = int(rng.integers(2))
            _inject_outside(site, proxy, injected, rng)
            if rng.random() < 0.3:
                _resume(others)  # one halted in a transaction keeps its locks, and `pass_time` must write
                pass_time(site.store, AFTER_LEASES)
            _inject_into_replica(others[victim], injected, rng)
            if others[victim].poll() is not None:
                others[victim] = site.serve(config=proxied)
            assert undisturbed.poll() is None, f"the replica without faults ended; {site.tail()}"
            usage.append((time.monotonic(), *_resources(undisturbed.pid)))
        _end_faults(site, proxy)
        windows_left, _ = site.remaining()
        site.kill_all()
        site.world.configure(site.store, site.receiver.url)
        site.settle()
        faults = ", ".join(f"{n} {what}" for what, n in injected.items())
        details = f"{faults}; {windows_left} of {3 * windows} windows were left at the end; {_describe(usage)}"
        return Result(f"soak of {bench.minutes:.2g} min", kind, "3 services, 3 monitors", site.counts(), details)


def _inject_outside(site: Site, proxy: Proxy | None, injected: dict[str, int], rng: np.random.Generator) -> None:
    """Change the receiver's behaviour, or cut or freeze the database, at random."""
    draw = rng.random()
    if draw < 0.2:
        site.receiver.behaviour = (answer(500), answer(429, Retry_After="1"), reset)[int(rng.integers(3))]
        injected["receiver down"] += 1
    elif draw < 0.5:
        site.receiver.behaviour = answer(204)
    elif draw < 0.6 and proxy is not None:
        injected["database cut or frozen"] += 1
        if rng.random() < 0.5:
            proxy.cut()
            site.sleep(float(rng.uniform(0.1, 1.0)))
            proxy.restore()
        else:
            proxy.freeze()
            site.sleep(float(rng.uniform(0.1, 2.0)))
            proxy.thaw()


def _resume(replicas: "list[subprocess.Popen[bytes]]") -> None:
    for replica in replicas:
        if replica.poll() is None:
            replica.send_signal(signal.SIGCONT)


def _inject_into_replica(
    replica: "subprocess.Popen[bytes]", injected: dict[str, int], rng: np.random.Generator
) -> None:
    """Kill, halt or resume a replica at random."""
    if replica.poll() is not None:
        return
    draw = rng.random()
    if draw < 0.15:
        replica.send_signal(signal.SIGKILL)
        replica.wait()
        injected["killed"] += 1
    elif draw < 0.3:
        replica.send_signal(signal.SIGSTOP)
        injected["halted"] += 1
    else:
        replica.send_signal(signal.SIGCONT)


def _end_faults(site: Site, proxy: Proxy | None) -> None:
    site.receiver.behaviour = answer(204)
    if proxy is not None:
        proxy.restore()
        proxy.thaw()


def _resources(pid: int) -> tuple[int, int]:
    """Return the resident memory in KiB and the number of open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    (resident,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(resident), len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _describe(usage: list[tuple[float, int, int]]) -> str:
    """Describe memory and open files of the replica without faults.

    Memory at four times, which distinguishes a slow start from unlimited growth; its trend over the second half, by
    least squares; minimum and maximum of open files in the second half.
    """
    table = np.array(usage, dtype=float)
    samples = [table[int(part * (len(table) - 1)), 1] / 1024 for part in (0, 0.25, 0.5, 1)]
    half = table[len(table) // 2 :]
    slope = np.polyfit((half[:, 0] - half[0, 0]) / 60, half[:, 1] / 1024, 1)[0] if len(half) > 2 else float("nan")
    memory = ", ".join(f"{mebibytes:.0f}" for mebibytes in samples)
    return (
        f"a replica without faults used {memory} MiB at the start, after a quarter, half and all of the time, "
        f"{slope:+.2f} MiB a minute in the second half; {half[:, 2].min():.0f} to {half[:, 2].max():.0f} open files"
    )
