"""Running: progress, interruption, processes, and one writer for a folder."""
