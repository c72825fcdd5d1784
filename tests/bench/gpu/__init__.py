"""`scripts/bench gpu`: everything that is to be known about a GPU, by one command on the machine that has it."""
