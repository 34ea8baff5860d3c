#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Pages in a headless Chromium: what they show is what the folded stacks and the text say, they
zoom, search and sort, nothing in them becomes markup or is fetched, and 25,000 threads are few."""
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from browser import Browser, browser, find_browser, is_without_browsers
from lib import (LOITER, REPO, attempt, check, finish, need_loiter, note, run_loiter,
                 run_loiter_on_terminal, running, scratch_dir, skip, wait_settled, workload)

GOLDEN = REPO / "tests" / "golden"
HERD = 25000
Tree = dict[tuple[str, ...], int]


# --- what there is to be shown ----------------------------------------------------------------

def page_of(scratch: Path, capture: Path, *args: str) -> Path:
    path = scratch / "page.html"
    done = run_loiter("replay", capture, "-f", "html", "-o", path, *args)
    check(f"replay {capture.name} {' '.join(args)} -f html",
          done.returncode == 0 and not done.stderr, done.stderr)
    return path


def folded_tree(capture: Path, *args: str) -> Tree:
    """Returns each path from the root that the folded stacks have, and what it adds up to."""
    tree: Tree = {(): 0}
    for line in run_loiter("replay", capture, "-f", "folded", *args).stdout.splitlines():
        stack, value = line.rsplit(" ", 1)
        path = stack.split(";")
        for depth in range(len(path) + 1):
            key = tuple(path[:depth])
            tree[key] = tree.get(key, 0) + int(value)
    return tree


def frames(page: Browser) -> list[dict[str, Any]]:
    """Returns the frames that are drawn: what they say, where they are, and whether they are
    found."""
    return page.value("""[...document.querySelectorAll("#graph .frame")].map(frame => ({
        says: frame.getAttribute("aria-label"), level: Number(frame.getAttribute("aria-level")),
        left: parseFloat(frame.style.left), width: parseFloat(frame.style.width),
        hit: frame.classList.contains("hit"), above: frame.classList.contains("above")}))""")


def says_count(frame: dict[str, Any]) -> tuple[str, int]:
    match = re.match(r"(.*): ([\d,]+) threads?, ", frame["says"])
    assert match, frame
    return match[1], int(match[2].replace(",", ""))


# --- the graph --------------------------------------------------------------------------------

def test_graph(page: Browser, capture: Path, path: Path) -> None:
    tree = folded_tree(capture)
    page.open(path)
    drawn = frames(page)
    check("each frame of the folded stacks is drawn once", len(drawn) == len(tree), drawn)
    want = sorted((len(key) + 1, key[-1] if key else "all", count) for key, count in tree.items())
    have = sorted((frame["level"], *says_count(frame)) for frame in drawn)
    check("with its name, depth and number of threads", have == want, (have, want))
    check("as wide as its share", all(
        abs(frame["width"] - 100 * says_count(frame)[1] / tree[()]) < 0.01 for frame in drawn), drawn)
    check("the whole width is used",
          max(frame["left"] + frame["width"] for frame in drawn) > 99.99, drawn)


def test_zoom(page: Browser, capture: Path, path: Path) -> None:
    key = ("demo-server", "start_thread", "worker")
    tree = folded_tree(capture)
    inside = [one for one in tree if one[:len(key)] == key]
    page.open(path, "#zoom=" + ";".join(key))
    drawn = frames(page)
    above = [frame for frame in drawn if frame["above"]]
    check("zoomed by the address: what is inside, below its callers",
          len(above) == len(key) and len(drawn) == len(key) + len(inside), drawn)
    check("as wide as the page", all(frame["width"] == 100 for frame in drawn[:len(key) + 1]), drawn)
    check("the table has only what is inside", page.texts("#shown") == ["1 of 3 stacks"] and
          len(page.texts(".row")) == 1, page.texts("#shown"))
    page.value("document.getElementById('reset').click()")
    check("reset shows all of it", len(frames(page)) == len(tree) and
          page.value("location.hash") == "" and len(page.texts(".row")) == 3, frames(page))
    page.value("history.back()")
    page.wait("back zooms again", "document.querySelectorAll('.row').length === 1")
    page.open(path, "#zoom=no;such;path")
    check("an address that leads nowhere shows all of it", len(frames(page)) == len(tree))


def test_search(page: Browser, path: Path) -> None:
    page.open(path, "#search=WAIT_FOR")
    hits = [frame["says"].split(":")[0] for frame in frames(page) if frame["hit"]]
    check("searched by the address: the frames with it", sorted(hits) ==
          ["wait_for_cancel", "wait_for_end"], hits)
    check("with the share of what has one",
          page.texts("#matched") == ["91.7 % matched"], page.texts("#matched"))
    check("and the rows", page.texts("#shown") == ["2 of 3 stacks"], page.texts("#shown"))
    page.open(path, "#search=worker-7")
    check("a thread's name is found", page.texts("#matched") == ["no frame matched"] and
          page.texts("#shown") == ["1 of 3 stacks"], page.texts("#shown"))
    page.value("document.querySelector('.row').click()")
    check("and stands first among the threads",
          page.texts(".threads tbody tr:first-child td:nth-child(2)") == ["worker-7"] and
          len(page.texts(".found")) == 1, page.texts(".threads td"))
    page.open(path)
    for key in ("/", "m", "a", "i", "n"):
        page.press(key)
    check("typed behind a slash", page.value("location.hash") == "#search=main" and
          page.texts(".hit") == ["__libc_start_main", "__libc_start_call_main", "main"],
          page.texts(".hit"))


def focused(page: Browser) -> str:
    return page.value("(document.activeElement.getAttribute('aria-label') || '').split(':')[0]")


def test_keys(page: Browser, path: Path) -> None:
    page.open(path)
    page.value("document.querySelector('#graph [tabindex=\"0\"]').focus()")
    check("one frame can be reached by Tab", focused(page) == "all" and
          len(page.texts('#graph [tabindex="0"]')) == 1, focused(page))
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.press(key)
        seen.append(focused(page))
    check("arrows lead to callees, callers and what stands beside them", seen ==
          ["demo-server", "start_thread", "_start", "start_thread", "worker", "start_thread"], seen)
    check("what is reached is told", page.texts("#status")[0].startswith(
        "start_thread: 11 threads, 91.7 %"), page.texts("#status"))
    page.press("Enter")
    check("Enter zooms, and the frame keeps the focus", focused(page) == "start_thread" and
          page.value("location.hash") == "#zoom=demo-server;start_thread", focused(page))
    page.press("Escape")
    check("Escape zooms out by one", page.value("location.hash") == "#zoom=demo-server" and
          focused(page) == "demo-server", focused(page))


# --- the table --------------------------------------------------------------------------------

def test_table(page: Browser, capture: Path, path: Path) -> None:
    page.open(path)
    column = "#table > tbody > .row > td:nth-child({})"
    check("most threads first", page.texts(column.format(1)) == ["10", "1", "1"] and
          page.value("document.querySelector('th').getAttribute('aria-sort')") == "descending",
          page.texts(column.format(1)))
    page.value("document.querySelector('th:nth-child(3) button').click()")
    waits = page.texts(column.format(3))
    check("sorted by the wait", waits == ["cond wait", "select", "signal wait"], waits)
    page.value("document.querySelector('th:nth-child(3) button').click()")
    check("and the other way round", page.texts(column.format(3)) == waits[::-1],
          page.texts(column.format(3)))
    page.value("document.querySelectorAll('.row').forEach(row => row.click())")
    shown = ["\n".join(page.texts(f".detail:nth-of-type({2 * i}) .stack > div"))
             for i in (3, 2, 1)]
    text = run_loiter("replay", capture).stdout.split("\n\n")[1:]
    check("a row opens to what the text report says of it", sorted(shown) ==
          sorted(block.rstrip("\n") for block in text), (shown, text))
    since = [match[1] for block in text if (match := re.search(r"\[.*, (.*)\]", block))]
    check("rows and text have the same ages", sorted(page.texts(column.format(4))) == sorted(since),
          (page.texts(column.format(4)), since))
    check("and to its threads", page.texts(".threads tbody td:nth-child(2)") ==
          [f"worker-{i + 1}" for i in range(10)], page.texts(".threads td"))
    page.value("document.querySelector('.detail .tools button').click()")
    check("and shows where it is in the graph",
          page.value("location.hash").startswith("#zoom=demo-server;_start;"),
          page.value("location.hash"))


def test_print(page: Browser, path: Path) -> None:
    page.open(path)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.value(paper)
    page.media(prefers_color_scheme="dark")
    check("dark where that is preferred", page.value(paper) != light, light)
    page.media("print", prefers_color_scheme="dark")
    check("printed on white, without what can only be clicked", page.value(paper) == light and
          page.value("getComputedStyle(document.getElementById('find')).display") == "none")
    page.media()


# --- recordings -------------------------------------------------------------------------------

def test_recording(page: Browser, scratch: Path) -> None:
    capture = GOLDEN / "demo-step5-record.loiter"
    for by in ("blocked", "wall", "waker"):
        page.open(page_of(scratch, capture, "--by", by))
        tree = folded_tree(capture, "--by", by)
        check(f"by {by}: each frame is drawn", len(frames(page)) == len(tree), frames(page))
    page.open(page_of(scratch, capture, "--by", "run-queue"))
    check("of nothing the page says so", page.texts("#shown") == ["Nothing to show."] and
          not page.faults, page.faults)
    page.open(page_of(scratch, capture))
    says = [frame["says"] for frame in frames(page)]
    check("frames say the time", any(one == "worker: 20s, 83.3 %" for one in says), says)
    check("the head tells the window", "for 2.0s" in page.texts("#facts span"),
          page.texts("#facts"))
    cells = page.texts(".row:first-child td")
    check("a row has time, count, average and longest",
          cells == ["20s", "83.3 %", "cond wait", "10", "2.0s", "2.0s, not over", "10",
                    "wait_for_cancel"], cells)


def test_leaks(page: Browser, scratch: Path) -> None:
    capture = GOLDEN / "demo-step5-leaks.loiter"
    page.open(page_of(scratch, capture))
    heads = page.texts("#table th button")
    check("columns of leaks", heads[:6] == ["Verdict", "Threads", "Born", "Ended", "A minute",
                                            "Created by"], heads)
    cells = page.texts(".row:first-child td")
    check("the worst is first", cells[:4] == ["leak", "35", "20", "0"] and
          cells[5] == "start_threads", cells)
    says = [frame["says"] for frame in frames(page)]
    check("the graph is of creators, and ends in the verdict",
          any(one.startswith("start_threads: 35 threads, ") for one in says) and
          any(one.startswith("[leak]: 35 threads, ") for one in says), says)
    page.value("document.querySelector('.row').click()")
    text = run_loiter("replay", capture).stdout.split("\n\n")[1]
    shown = "\n".join(page.texts(".detail .stack > div"))
    check("a row opens to what the text report says of it", shown == text.rstrip("\n"),
          (shown, text))
    check("the head tells the time", "for 5.0s" in page.texts("#facts span"),
          page.texts("#facts span"))
    check("and nothing is complained of", not page.faults, page.faults)


# --- what a target chose ----------------------------------------------------------------------

HARMFUL = """
import os, sys
open("/proc/self/comm", "w").write("</script><i>")
name = "<!--<script><img src=x onerror=alert(1)>"
os.mkfifo(name)
pipe = os.open(name, os.O_RDWR)
print("ready", flush=True)
os.read(pipe, 1)
"""
POKE = """new Promise(done => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    const image = new Image();
    image.onerror = () => done(window.ran ?? "refused");
    document.body.append(script);
    image.src = "http://127.0.0.1:9/";
})"""


def test_harmful(page: Browser, scratch: Path) -> None:
    path = scratch / "harmful.html"
    with running("python3", ["/usr/bin/python3", "-c", HARMFUL], cwd=scratch) as target:
        target.read_until("ready")
        wait_settled(target.pid)
        done = run_loiter("dump", "-p", target.pid, "-f", "html", "-o", path)
    check("dump -f html", done.returncode == 0, done.stderr)
    page.open(path)
    check("hostile names are shown as they are",
          page.texts(".frame.process") == ["</script><i>"] and
          page.value("document.title").startswith("</script><i> (pid ") and
          "<!--<script><img src=x onerror=alert(1)>" in page.texts(".row td:nth-child(6)")[0],
          page.texts(".row td"))
    check("and are no elements", page.value("document.querySelectorAll('img, i').length") == 0 and
          page.value("document.scripts.length") == 2)
    check("nothing but the page is fetched", page.fetched == [path.as_uri()], page.fetched)
    check("and nothing is complained of", not page.faults, page.faults)
    poked = page.call("Runtime.evaluate", expression=POKE, awaitPromise=True)["result"]["value"]
    check("nor would another script run, or anything be loaded", poked == "refused" and
          len([one for one in page.faults if "Content Security Policy" in one]) == 2, page.faults)


# --- the rest ---------------------------------------------------------------------------------

def test_scale(page: Browser, scratch: Path) -> None:
    path = scratch / "herd.html"
    with workload("herd", HERD) as target:
        wait_settled(target.pid)
        done = run_loiter("dump", "-p", target.pid, "-f", "html", "-o", path)
        check(f"dump -f html of {HERD} threads", done.returncode == 0, done.stderr)
    page.open(path)
    cells = page.texts(".row:first-child td")
    check("they are one row", cells[0] == f"{HERD:,}" and cells[2] == "cond wait", cells)
    page.value("document.querySelector('.row').click()")
    listed = page.texts(".threads tbody tr")
    check("of which some threads are listed, and more on demand", len(listed) == 100 and
          f"{HERD - 100:,} threads left" in "".join(page.texts(".threads + button")), listed[:3])
    note(f"{HERD} threads: {os.path.getsize(path)} bytes")


def test_without_browser(scratch: Path) -> None:
    capture = GOLDEN / "demo-step5.loiter"
    for args in ((), ("-o", "-")):
        done, shown = run_loiter_on_terminal("replay", capture, "-f", "html", *args)
        check(f"a terminal is refused, {args}", done.returncode == 2 and "-o FILE" in done.stderr and
              not shown, done.stderr)
    done = subprocess.run([str(LOITER), "replay", str(capture), "-f", "html"],
                          stdout=subprocess.PIPE, check=False)
    page = page_of(scratch, capture).read_bytes()
    check("a pipe gets the same bytes as a file", done.stdout == page)
    check("no other file is named in it", not re.search(rb'\b(src|href)=|https?:|url\(', page))


def test_pages(scratch: Path) -> None:
    capture = GOLDEN / "demo-step5.loiter"
    with browser(scratch) as page:
        path = page_of(scratch, capture)
        attempt("graph", test_graph, page, capture, path)
        attempt("zoom", test_zoom, page, capture, path)
        attempt("search", test_search, page, path)
        attempt("keys", test_keys, page, path)
        attempt("table", test_table, page, capture, path)
        attempt("print", test_print, page, path)
        check("nothing is complained of", not page.faults, page.faults)
        attempt("recordings", test_recording, page, scratch)
        attempt("leaks", test_leaks, page, scratch)
        attempt("harmful names", test_harmful, page, scratch)
        attempt("scale", test_scale, page, scratch)


def main() -> None:
    need_loiter()
    with scratch_dir() as scratch:
        attempt("without a browser", test_without_browser, scratch)
        if find_browser():
            attempt("pages", test_pages, scratch)
        elif is_without_browsers():
            note("no page is looked at: this distribution packages no browser")
        else:
            skip("pages", "no Chromium is installed")
    finish()


if __name__ == "__main__":
    main()
