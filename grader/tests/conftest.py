"""What all of the grader's own tests need."""

import signal

# A shell's background jobs are started with Ctrl-C ignored, and what they start inherits that; tests of Ctrl-C do not.
signal.signal(signal.SIGINT, signal.default_int_handler)
