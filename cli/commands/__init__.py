"""The commands, one in each file: parse, call, write."""
