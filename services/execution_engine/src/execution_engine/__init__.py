"""Works big orders over many venues; the only writer of its journal."""
