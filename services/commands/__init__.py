"""The commands of the program, a file each: a docstring that `--help` prints, EXAMPLE, `add_arguments`, `run`."""
