"""What came of a grading, for whoever reads it: JSON, terminal, HTML, JUnit."""
