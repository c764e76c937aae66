"""The networks: pure PyTorch, knowing nothing of checkpoint formats."""
