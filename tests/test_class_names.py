"""A class name stands in one package, but for the client's of what others carry to it."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]

PUBLIC = {"Bbo", "Book", "FeedStanding", "Instruments", "IntervalMid", "Market", "Venue"}
"""The client's names, which bots import, for what venues, the bus and the engine carry."""


def test_a_class_name_stands_in_one_package() -> None:
    packages = defaultdict(set)
    for file in [*ROOT.glob("libs/*/src/*/**/*.py"), *ROOT.glob("services/*/src/*/**/*.py")]:
        package = file.relative_to(ROOT).parts[1]
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                packages[node.name].add(package)
    twice = {name: sorted(where) for name, where in packages.items() if len(where) > 1}
    meant = {name for name in PUBLIC & twice.keys() if len(twice[name]) == 2}
    assert twice.keys() == meant, f"give each a name of its own: {twice}"
