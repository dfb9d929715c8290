"""Graded tests: what they are given, how they run in workers, and how a grading and a proof are made of them."""
