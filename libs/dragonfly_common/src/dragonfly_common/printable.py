"""Text from outside, made fit for a terminal, a log and a message of the bus. Pure.

Imports nothing: `health` needs it, and runs every two seconds.
"""

from __future__ import annotations

__all__ = ["LONGEST_QUOTE", "LONGEST_SENTENCE", "printable"]

LONGEST_QUOTE = 200
"""Characters of what somebody else said, quoted within a sentence of ours."""
LONGEST_SENTENCE = 600
"""Characters of a whole reason, its quotations included."""


def printable(value: object, most: int = LONGEST_QUOTE) -> str:
    """Return `value` as one line of at most `most` characters that moves no cursor.

    Control characters, line ends and marks of direction are written as Python escapes them
    (`\\x1b`): an escape sequence of a terminal can set its title, its clipboard or a false line.
    """
    text = str(value)
    if len(text) <= most and text.isprintable():
        return text
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
