"""Finds circles of imports, among the files of a crate and among its rooms: the folders, and the files beside them, of its source.

Usage: check_imports.py SOURCE...
"""

import re
import sys
from pathlib import Path

TESTS = re.compile(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod \w+ \{.*", re.S)
NOISE = re.compile(r"//.*|pub\([\w: ]+\)")
PATH = re.compile(r"(?<![\w:])(\w+)((?:::\w+)*)(::\{)?")


def group(text, at):
    """The paths in the braces that are open at a place, and the place behind them."""
    paths = []
    while at < len(text) and text[at] != "}":
        found = PATH.match(text, at)
        if found is None:
            at += 1
            continue
        path, at = [found[1], *found[2].split("::")[1:]], found.end()
        inner, at = group(text, at) if found[3] else ([[]], at)
        paths += [path + rest for rest in inner]
    return paths, at + 1


def paths(file):
    """The paths that a file names, those of its tests left out."""
    text = TESTS.sub("", NOISE.sub("", file.read_text()))
    for found in PATH.finditer(text):
        path = [found[1], *found[2].split("::")[1:]]
        inner = group(text, found.end())[0] if found[3] else [[]]
        yield from (path + rest for rest in inner if len(path + rest) > 1)


def module(root, file):
    parts = file.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def imports(root):
    """For each file, the other files of the crate that its paths lead to."""
    files = {module(root, file): file for file in sorted(root.rglob("*.rs"))}
    files = {name: file for name, file in files.items() if name[:1] != ("bin",) and name[-1:] != ("tests",)}
    arrows = {}
    for name, file in files.items():
        arrows[name] = set()
        for first, *path in paths(file):
            base = {"crate": (), "self": name, "super": name[:-1]}.get(first, name)
            path = path if first in ("crate", "self", "super") else [first, *path]
            while path[:1] == ["super"]:
                base, path = base[:-1], path[1:]
            target = (*base, *path)
            while target and target not in files:
                target = target[:-1]
            if target in files and target != name and (first in ("crate", "self", "super") or len(target) > len(name)):
                arrows[name].add(target)
    return arrows


def rooms(arrows):
    """The same among rooms."""
    found = {}
    for name, targets in arrows.items():
        found.setdefault(name[:1], set()).update({target[:1] for target in targets} - {name[:1]})
    return found


def circles(arrows):
    """A shortest way round for each circle, from its first node on."""
    found = {}
    for start in sorted(arrows):
        ways, reached = [[start]], {start}
        while ways:
            way = ways.pop(0)
            if start in arrows.get(way[-1], ()):
                found.setdefault(frozenset(way), way + [start])
                break
            for node in sorted(arrows.get(way[-1], set()) - reached):
                reached.add(node)
                ways.append([*way, node])
    return list(found.values())


def problems(root):
    arrows = imports(root)
    if not arrows:
        return ["no Rust files are there"]
    shown = lambda way: " -> ".join("::".join(name) or "the root" for name in way)
    return [f"a circle of {what}: {shown(way)}" for what, graph in (("files", arrows), ("rooms", rooms(arrows))) for way in circles(graph)]


def main(roots):
    if not roots:
        print(__doc__.strip())
        return 2
    found = [f"{root}: {problem}" for root in roots for problem in problems(Path(root))]
    print("\n".join(found) or "no circles of imports")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
