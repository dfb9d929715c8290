"""A person's own machine: the kernel's shell in the terminal, and GDB at the moment that matters."""
