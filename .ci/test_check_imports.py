"""Puts circles of imports into a crate, and sees each found. A call that checks nothing fails.

Usage: python -m unittest (in this folder)
"""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from check_imports import main, problems

# The files of a crate, and the problems that must come of them.
CRATES = [
    ({"lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::B;", "b.rs": "pub struct B;"}, []),
    (
        {"a.rs": "use crate::b::B;", "b.rs": "fn f() -> crate::a::A {}"},
        ["a circle of files: a -> b -> a", "a circle of rooms: a -> b -> a"],
    ),
    # A module and its child.
    ({"a/mod.rs": "mod b;\nuse b::B;", "a/b.rs": "use super::A;"}, ["a circle of files: a -> a::b -> a"]),
    ({"a/mod.rs": "use self::{b::B, c::C};", "a/b.rs": "pub(super) struct B;", "a/c.rs": "use super::b::B;"}, []),
    # Rooms, where no two files import each other.
    (
        {"a/x.rs": "use crate::{b::y::{self, Y}, c};", "b/y.rs": "", "b/z.rs": "use crate::a::w::W;", "a/w.rs": ""},
        ["a circle of rooms: a -> b -> a"],
    ),
    # Tests may import whatever they test.
    ({"a.rs": "use crate::b::B;", "b.rs": "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}"}, []),
    ({"a.rs": "// See crate::b::B.", "b.rs": "use crate::a::A;"}, []),
]


class Circles(unittest.TestCase):
    def test_each_circle_is_named(self):
        for files, expected in CRATES:
            with self.subTest(files=files), tempfile.TemporaryDirectory() as folder:
                for name, text in files.items():
                    file = Path(folder, name)
                    file.parent.mkdir(exist_ok=True)
                    file.write_text(text)
                self.assertEqual(problems(Path(folder)), expected)

    def test_a_call_without_sources_fails(self):
        with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as source:
            Path(source, "lib.rs").write_text("mod a;")
            for roots, expected in [([], 2), ([empty], 1), ([source, f"{source}/missing"], 1), ([source], 0)]:
                with self.subTest(roots=roots), contextlib.redirect_stdout(io.StringIO()):
                    self.assertEqual(main(roots), expected)
