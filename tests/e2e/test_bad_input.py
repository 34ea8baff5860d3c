#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Whatever is asked that cannot be done: one clear message and the right status, and no half file.
What a target itself can do to a report is in test_bad_target.py."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import btf  # pylint: disable=wrong-import-position
import lib  # pylint: disable=wrong-import-position
from lib import attempt, check, note

NOBODY = 65534
FREE_PID = 4194303  # the kernel gives ids below this one
DONE, FAILED, USAGE = 0, 1, 2
HERD = 2000  # too many for a file system of 8 KB
MOMENTS = lib.sized(26, 4)
BIG_HERD = lib.sized(5000, 500)

# name, arguments, what the message has to say; {pid} is a process that can be looked at
USAGE_CASES = [
    ("-p abc", ["dump", "-p", "abc"], ["'abc'", "process id"]),
    ("-p 0", ["dump", "-p", "0"], ["'0'", "process id"]),
    ("-p -1", ["dump", "-p", "-1"], ["'-1'", "process id"]),
    ("-p 99999999999", ["dump", "-p", "99999999999"], ["'99999999999'", "process id"]),
    ("-p 4294967297, which is 1 in 32 bits", ["dump", "-p", "4294967297"], ["'4294967297'"]),
    ("-p ''", ["dump", "-p", ""], ["''", "process id"]),
    ("-p 12x", ["dump", "-p", "12x"], ["'12x'", "process id"]),
    ("-p ' 12'", ["dump", "-p", " 12"], ["' 12'", "process id"]),
    ("-p 0x10", ["dump", "-p", "0x10"], ["'0x10'", "process id"]),
    ("-p without a value", ["dump", "-p"], ["requires an argument", "'p'"]),
    ("one good and one bad -p", ["dump", "-p", "{pid}", "-p", "nope"], ["'nope'"]),
    ("no process named", ["dump"], ["-p PID"]),
    ("a pid without -p", ["dump", "{pid}"], ["'{pid}'", "-p {pid}"]),
    ("-a and -p", ["dump", "-a", "-p", "{pid}"], ["-a"]),
    ("unknown format", ["dump", "-p", "{pid}", "-f", "nope"], ["'nope'", "format", "json"]),
    ("unknown option", ["dump", "-p", "{pid}", "--bogus"], ["'--bogus'"]),
    ("bad time", ["dump", "-p", "{pid}", "--min-block", "soon"], ["'soon'", "time", "10ms"]),
    ("--save and -o to one file", ["dump", "-p", "{pid}", "--save", "/dev/null", "-o", "/dev/null"],
     ["'/dev/null'", "capture", "report"]),
    ("-o and --save to standard output", ["leaks", "-p", "{pid}", "-o", "-", "--save", "-"],
     ["standard output", "-o FILE"]),
    ("--save to standard output, where the report goes", ["record", "-p", "{pid}", "--save", "-"],
     ["standard output", "-o FILE"]),
    ("record in a format of dumps", ["record", "-p", "{pid}", "-f", "go"],
     ["'go'", "recording", "text", "folded", "json"]),
    ("record, unknown format", ["record", "-p", "{pid}", "-f", "nope"], ["'nope'", "format"]),
    ("record by nothing known", ["record", "-p", "{pid}", "--by", "cpu"], ["'cpu'", "on-cpu"]),
    ("record for no time", ["record", "-p", "{pid}", "-d", "soon"], ["'soon'", "time", "10ms"]),
    ("record at 0 Hz", ["record", "-p", "{pid}", "--freq", "0"], ["'0'", "10000"]),
    ("record at 10001 Hz", ["record", "-p", "{pid}", "--freq", "10001"], ["'10001'", "10000"]),
    ("record, top of all but a number", ["record", "-p", "{pid}", "--top", "ten"], ["'ten'"]),
    ("record without a process", ["record"], ["-p PID"]),
    ("dump by what is recorded", ["dump", "-p", "{pid}", "--by", "wall"], ["'--by'"]),
    ("unknown command", ["frob"], ["'frob'", "command", "--help"]),
    ("replay without a file", ["replay"], ["no capture file"]),
    ("replay of two files", ["replay", "one", "two"], ["'two'"]),
]


def check_message(name: str, done: subprocess.CompletedProcess, status: int,
                  words: list[str]) -> None:
    """One line from loiter, nothing on stdout; after a usage error also where help is."""
    lines = done.stderr.splitlines()
    hint = status == USAGE and len(lines) == 2 and "--help" in lines[1]
    missing = [word for word in words if word not in done.stderr]
    check(f"{name}: status {status} and one clear message",
          done.returncode == status and not done.stdout and (len(lines) == 1 or hint) and
          lines[0].startswith("loiter") and not missing,
          f"status {done.returncode}, missing {missing}, stdout {done.stdout[:200]!r}\n"
          f"{done.stderr}")


def shell(script: str, **variables: object) -> subprocess.CompletedProcess:
    """Runs @script in a shell that knows LOITER and @variables."""
    env = {**os.environ, "LOITER": str(lib.LOITER), **{k: str(v) for k, v in variables.items()}}
    return subprocess.run(["bash", "-c", script], env=env, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=lib.DEADLINE_S, check=False)


def in_own_mounts(script: str, **variables: object) -> subprocess.CompletedProcess:
    return shell(f"exec unshare -m bash -c '{script}'", **variables)


def test_usage() -> None:
    pid = str(os.getpid())
    for name, args, words in USAGE_CASES:
        done = lib.run_loiter(*(arg.format(pid=pid) for arg in args))
        check_message(name, done, USAGE, [word.format(pid=pid) for word in words])
    done = lib.run_loiter()
    check("no command: status 2 and the usage", done.returncode == USAGE and not done.stdout and
          done.stderr.startswith("Usage: loiter"), done)


def test_no_process() -> None:
    for name, args, words in [
            ("no such pid", ["-p", FREE_PID], [f"'{FREE_PID}'", "no such process"]),
            ("no such name", ["-n", "no-such-name"], ["'no-such-name'"]),
            ("one pid there and one not", ["-p", os.getpid(), "-p", FREE_PID], [f"'{FREE_PID}'"])]:
        check_message(name, lib.run_loiter("dump", *args), FAILED, words)
    with open("/proc/2/status", encoding="ascii") as status:
        if check("pid 2 is a kernel thread", "Kthread:\t1" in status.read() or
                 not os.path.exists("/proc/2/exe")):
            check_message("a kernel thread", lib.run_loiter("dump", "-p", 2), FAILED,
                          ["'2'", "kernel thread"])
    with lib.workload("zombie") as target:
        zombie = target.lines[0].split()[1]
        check_message("a zombie", lib.run_loiter("dump", "-p", zombie), FAILED,
                      [f"'{zombie}'", "zombie"])
    with lib.workload("herd", 3) as target:
        tid = lib.tids(target.pid)[1]
        check_message("a thread that is no process", lib.run_loiter("dump", "-p", tid), FAILED,
                      [f"'{tid}'", f"{target.pid}"])
        gone = target.pid
    check_message("a process that ended", lib.run_loiter("dump", "-p", gone), FAILED,
                  ["no such process"])


def as_nobody(caps: list[str], *args: object) -> subprocess.CompletedProcess:
    """Runs loiter as the user nobody with no capabilities but @caps."""
    sets = ",".join(f"+{cap}" for cap in caps)
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command += [f"--inh-caps={sets}", f"--ambient-caps={sets}"] if caps else []
    # Nobody need not be able to walk to the build directory.
    with lib.scratch_dir() as path:
        os.chmod(path, 0o755)
        program = path / "loiter"
        program.write_bytes(lib.LOITER.read_bytes())
        program.chmod(0o755)
        return subprocess.run([*command, str(program), *map(str, args)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=lib.DEADLINE_S,
                              cwd="/", check=False)


def as_capable(caps: list[str], *args: object) -> subprocess.CompletedProcess:
    """As nobody with @caps. Kernels before 5.11 count maps as locked memory, of which others than
    root may have little: the message says what that takes, and with it, it works."""
    done = as_nobody(caps, *args)
    if "CAP_SYS_RESOURCE" in done.stderr and "ulimit -l" in done.stderr:
        note("this kernel takes CAP_SYS_RESOURCE as well, and loiter says so")
        done = as_nobody([*caps, "sys_resource"], *args)
    return done


def test_not_root() -> None:
    with lib.workload("herd", 20) as target:
        all_caps = ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"]
        check_message("not root", as_nobody([], "dump", "-p", target.pid), FAILED,
                      all_caps + ["sudo"])
        rows = [line for line in as_nobody([], "check").stdout.splitlines() if "futex" in line]
        check("not root: check says that it is not permitted, not that the kernel lacks it",
              len(rows) == 1 and "not permitted" in rows[0] and "CONFIG_" not in rows[0], rows)
        for left_out in all_caps:
            caps = [cap[4:].lower() for cap in all_caps if cap != left_out]
            done = as_nobody(caps, "dump", "-p", target.pid)
            check_message(f"without {left_out}", done, FAILED, [left_out])
            check(f"without {left_out}: names no other",
                  not any(cap in done.stderr for cap in all_caps if cap != left_out), done.stderr)
        done = as_capable([cap[4:].lower() for cap in all_caps], "dump", "-p", target.pid)
        check("nobody with the three: a report", done.returncode == DONE and
              "20 threads [cond wait" in done.stdout and "herd_wait" in done.stdout, done)
        done = as_capable([cap[4:].lower() for cap in all_caps], "record", "-q", "-d", "100ms",
                          "-p", target.pid)
        check("nobody with the three: a recording", done.returncode == DONE and
              "by 20 threads" in done.stdout and "herd_wait" in done.stdout, done)
    done = as_nobody([], "check")
    check("check, not root: says what is missing", done.returncode == FAILED and
          not done.stderr and "MISSING  CAP_BPF" in done.stdout, done)


def test_check_is_true() -> None:
    """What check says can be recorded can be, and what it says cannot be cannot: Debian's
    perf_event_paranoid forbids nobody what the mainline's allows."""
    caps = ["bpf", "perfmon", "sys_ptrace", "dac_read_search"]
    with lib.workload("herd", 3) as target:
        if "CAP_SYS_RESOURCE" in as_nobody(caps, "dump", "-p", target.pid).stderr:
            caps.append("sys_resource")  # as for as_capable
        checked = as_nobody(caps, "check")
        for row, options in [("scheduler's events", []), ("futex tracepoints", ["--by", "futex"])]:
            done = as_nobody(caps, "record", "-q", "-d", "100ms", "-p", target.pid, *options)
            works = re.search(f"^ok +{row} ", checked.stdout, re.M) is not None
            check(f"check, of {row}: {'ok' if works else 'missing'}, as it is",
                  works == (done.returncode == DONE), (checked.stdout, done))


def test_damaged_btf() -> None:
    own = Path("/sys/kernel/btf/vmlinux").read_bytes()
    with lib.workload("herd", 3) as target, lib.scratch_dir() as path:
        for what in lib.sized(btf.DAMAGES, btf.DAMAGES[::3]):
            (path / "btf").write_bytes(btf.damaged(own, what))
            for command in (["dump", "-p", target.pid], ["check"],
                            ["record", "-q", "-d", "100ms", "-p", target.pid]):
                done = lib.run_loiter(*command, "--btf", path / "btf")
                check_message(f"{command[0]} --btf with {what}", done, FAILED, ["BTF"])


def test_no_btf() -> None:
    with lib.workload("herd", 3) as target:
        hide = "mount -t tmpfs none /sys/kernel/btf || exit 99; "
        done = in_own_mounts(hide + 'exec "$LOITER" dump -p $PID', PID=target.pid)
        check_message("no BTF", done, FAILED, ["BTF", "/sys/kernel/btf/vmlinux",
                                               "CONFIG_DEBUG_INFO_BTF", "--btf FILE"])
        done = in_own_mounts(hide + 'exec "$LOITER" check')
        check("check without BTF: says so", done.returncode == FAILED and
              "MISSING  kernel BTF" in done.stdout, done)
        own = Path("/sys/kernel/btf/vmlinux").read_bytes()
        with lib.scratch_dir() as path:
            (path / "btf").write_bytes(own)
            for command in ("dump", "record -q -d 100ms", "check"):
                done = in_own_mounts(hide + f'exec "$LOITER" {command} --btf $FILE $PROCESS',
                                     FILE=path / "btf", PROCESS="" if command == "check" else
                                     f"-p {target.pid}")
                check(f"{command}, BTF from a file: it works", done.returncode == DONE and
                      ("herd_wait" in done.stdout or command == "check"), done)
            (path / "half").write_bytes(own[:len(own) // 2])
            for name, file, words in [
                    ("not BTF", lib.LOITER, ["has no BTF"]), ("half of it", path / "half", ["BTF"]),
                    ("no such file", path / "none", ["No such file"]),
                    ("a directory", path, [f"'{path}'"]), ("nothing", "/dev/null", ["has no BTF"])]:
                done = lib.run_loiter("dump", "-p", target.pid, "--btf", file)
                check_message(f"--btf with {name}", done, FAILED, words)
    done = lib.run_loiter("check")
    check("check as root: nothing is missing", done.returncode == DONE and
          "MISSING" not in done.stdout, done.stdout)


def test_stdout() -> None:
    with lib.workload("herd", HERD) as target:
        command = '"$LOITER" dump -p $PID -f threads'
        # The more is printed, the longer ago is the write that failed.
        for form in ("threads", "json"):
            done = shell(f'"$LOITER" dump -p $PID -f {form} | head -1; echo "${{PIPESTATUS[0]}}"',
                         PID=target.pid)
            check(f"stdout closed early, {form}: ends by SIGPIPE, without a word",
                  done.stdout.splitlines()[-1:] == ["141"] and not done.stderr, done)
        check_message("no stdout", shell(command + " >&-", PID=target.pid), FAILED,
                      ["standard output"])
        check_message("stdout to a full disk", shell(command + " >/dev/full", PID=target.pid),
                      FAILED, ["standard output", "No space left"])
        with lib.scratch_dir() as path:
            done = shell(command + ' -o "$FILE" <&- >&- 2>&-', PID=target.pid, FILE=path / "out")
            blocks = (path / "out").read_text().count("\nherd_main(")
            check("no stdin, stdout and stderr, but -o: a whole file",
                  done.returncode == DONE and blocks == HERD, (done, blocks))
            done = shell(command + ' --save "$FILE" <&- >&- 2>&-; "$LOITER" replay "$FILE" -f json',
                         PID=target.pid, FILE=path / "saved")
            check("no stdin, stdout and stderr, but --save: a whole capture",
                  done.returncode == DONE and herd_in(done.stdout) == HERD + 1, done)


def herd_in(report: str) -> int:
    """Returns how many threads a report in JSON tells of."""
    return len(json.loads(report)["processes"][0]["threads"])


def test_output() -> None:
    with lib.workload("herd", HERD) as target, lib.scratch_dir() as path:
        for option in ("-o", "--save"):
            for name, file, words in [
                    ("into a directory that is not there", "no-such-dir/out", ["No such file"]),
                    ("onto a directory", ".", ["directory"])]:
                file = str(path / file)
                for command in ("dump", "record", "leaks"):
                    done = lib.run_loiter(command, option, file, "--", "touch", path / "ran")
                    check_message(f"{command} {option} {name}", done, FAILED, [f"'{file}'", *words])
                    check("and nothing was run for it", not os.listdir(path), os.listdir(path))
            script = ("mount -t tmpfs -o size=8k none $DIR || exit 99; echo old > $DIR/old; "
                      '"$LOITER" dump -p $PID -f json $OPTION $DIR/$NAME; status=$?; '
                      "ls -A $DIR >&2; head -c 100 $DIR/old >&2; exit $status")
            for name in ("new", "old"):
                done = in_own_mounts(script, DIR=path, PID=target.pid, OPTION=option, NAME=name)
                lines = done.stderr.splitlines()
                check(f"{option} to a full disk, {name} file: no half file, the old one as it was",
                      done.returncode == FAILED and lines[1:] == ["old", "old"] and
                       "No space left" in lines[0], done)
                check("a report when it is the capture that failed, and only then",
                      bool(done.stdout) == (option == "--save") and
                      (not done.stdout or herd_in(done.stdout) == HERD + 1), done)
        check_message("-o to a full device",
                      lib.run_loiter("dump", "-p", target.pid, "-o", "/dev/full"), FAILED,
                      ["'/dev/full'", "No space left"])
        done = lib.run_loiter("dump", "-p", target.pid, "--save", "/dev/full", "-f", "json", "-o",
                              path / "out")
        check_message("--save to a full device", done, FAILED, ["'/dev/full'", "No space left"])
        check("and yet the report is there", herd_in((path / "out").read_text()) == HERD + 1, done)
        file = path / "out"
        file.write_text("old")
        file.chmod(0o640)
        done = lib.run_loiter("dump", "-p", target.pid, "-o", file)
        check("-o over a file: replaced, nothing beside it", done.returncode == DONE and
              not done.stdout and file.read_text().startswith("herd (pid") and
              os.listdir(path) == ["out"], done)
        done = shell('"$LOITER" dump -p $PID --save - -o "$FILE" >"$SAVED" && '
                     '"$LOITER" replay "$SAVED" | cmp - "$FILE"',
                     PID=target.pid, FILE=file, SAVED=path / "saved")
        check("--save to standard output, -o to a file: the same when it is replayed",
              done.returncode == DONE and not done.stdout and not done.stderr, done)


def interrupt(pid: int, path: Path, number: int, delay_s: float) -> str:
    """Sends @number to a loiter that writes a file, after @delay_s. Returns what is wrong."""
    proc = subprocess.Popen([str(lib.LOITER), "dump", "-p", str(pid), "-f", "json", "-o",
                             str(path / "out"), "--save", str(path / "saved")],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(delay_s)
    proc.send_signal(number)
    output, errors = proc.communicate(timeout=lib.DEADLINE_S)
    files = {name: (path / name).read_bytes() for name in os.listdir(path)}
    for name in files:
        (path / name).unlink()
    if proc.returncode not in (DONE, -number, 128 + number) or output or len(errors) > 200:
        return f"status {proc.returncode}, stdout {output[:100]!r}, stderr {errors[:200]!r}"
    if proc.returncode == DONE and len(files) != 2:
        return f"done, but there are {sorted(files)}"
    if not files.keys() <= {"out", "saved"}:
        return f"status {proc.returncode}, left behind {sorted(files)}"
    if "out" in files and herd_in(files["out"].decode()) != BIG_HERD + 1:
        return "half a file"
    return ""


def test_interrupt() -> None:
    with lib.workload("herd", BIG_HERD) as target, lib.scratch_dir() as path:
        started = time.monotonic()
        lib.run_loiter("dump", "-p", target.pid, "-f", "json")
        whole_s = time.monotonic() - started
        note(f"spread over {whole_s:.2f} s")
        for number in (signal.SIGINT, signal.SIGTERM):
            wrong = [f"at moment {part}: {why}" for part in range(MOMENTS)
                     if (why := interrupt(target.pid, path, number,
                                          whole_s * part / (MOMENTS - 1)))]
            check(f"{number.name} at {MOMENTS} moments: it ends, no half file, nothing left",
                  not wrong, "\n".join(wrong))


def main() -> None:
    lib.need_loiter()
    for test in (test_usage, test_no_process, test_not_root, test_check_is_true, test_no_btf,
                 test_damaged_btf, test_stdout, test_output, test_interrupt):
        attempt(test.__name__, test)
    lib.finish()


if __name__ == "__main__":
    main()
