"""Accounts, orders and matching of simulated venues; each venue has its protocol for them."""
