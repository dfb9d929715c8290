"""A course on its way to students and back: published, started by a student, handed in."""
