"""What is measured: a lab's experiment beside the literature, and the framework's own speed."""
