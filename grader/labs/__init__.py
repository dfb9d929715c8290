"""What is graded: labs, their stages, their answers, and what is taken from a hand-in."""
