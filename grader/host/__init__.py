"""What this computer offers: the programs that are needed, and the sandbox that keeps a hand-in's code in."""
