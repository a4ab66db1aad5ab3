"""Names every circle of imports, among the files of a crate and among its rooms, which are the folders of its source."""

import re
import sys
from pathlib import Path

TESTS = re.compile(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod \w+ \{.*", re.S)
NOISE = re.compile(r"//.*|pub\([\w: ]+\)")
PATH = re.compile(r"\b(crate|super|self)((?:::\w+)*)(?:::(\{))?")
NAME = re.compile(r"\s*(\w+(?:::\w+)*)(?:::(\{))?(?: as \w+)?\s*,?")


def group(text, at):
    """The paths in the braces that were opened just before a place, and the place behind them."""
    paths = []
    while text[at] != "}":
        found = NAME.match(text, at)
        if found is None:
            at += 1
            continue
        name, at = found[1].split("::"), found.end()
        if found[2]:
            inner, at = group(text, found.end(2))
            paths += [name + path for path in inner]
        else:
            paths.append(name)
    return paths, at + 1


def imports(text):
    """The paths within the crate that a file names, tests left out."""
    text = TESTS.sub("", NOISE.sub("", text))
    for found in PATH.finditer(text):
        first = [found[1], *found[2].split("::")[1:]]
        if found[3]:
            yield from (first + path for path in group(text, found.end(3))[0])
        else:
            yield first


def module(root, file):
    parts = file.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def graph(root):
    files = {module(root, file): file for file in sorted(root.rglob("*.rs"))}
    files = {name: file for name, file in files.items() if name[:1] != ("bin",) and name[-1:] != ("tests",)}
    arrows = {}
    for name, file in files.items():
        arrows[name] = set()
        for first, *path in imports(file.read_text()):
            base = {"crate": (), "self": name, "super": name[:-1]}[first]
            while path[:1] == ["super"]:
                base, path = base[:-1], path[1:]
            target = (*base, *path)
            while target not in files and target:
                target = target[:-1]
            if target != name and target in files:
                arrows[name].add(target)
    return arrows


def circles(arrows):
    """The sets of nodes of which each leads to each other."""

    def reached(start):
        seen, left = set(), [start]
        while left:
            new = arrows.get(left.pop(), set()) - seen
            seen |= new
            left += new
        return seen

    reach = {node: reached(node) for node in arrows}
    found = {frozenset(other for other in reach[node] if node in reach[other]) for node in arrows if node in reach[node]}
    return sorted(map(sorted, found))


def rooms(arrows):
    folders = {}
    for name, targets in arrows.items():
        inner = {target[0] for target in targets if target} - {name[0] if name else None}
        folders.setdefault(name[0] if name else "", set()).update(inner)
    return folders


def main(roots):
    bad = 0
    for root in map(Path, roots):
        arrows = graph(root)
        for circle in circles(arrows):
            bad += 1
            print(f"{root}: a circle of files: " + ", ".join("::".join(name) or "(root)" for name in circle))
            for name in circle:
                print("   ", "::".join(name), "->", ", ".join("::".join(t) for t in sorted(arrows[name]) if t in circle))
        for circle in circles(rooms(arrows)):
            bad += 1
            print(f"{root}: a circle of rooms: {', '.join(circle)}")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
