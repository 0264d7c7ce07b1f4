"""Accounts at venues over their own protocols: lines, clocks, keys and patience.

What venues say, and how they sign, is pure and in their folders.
"""
