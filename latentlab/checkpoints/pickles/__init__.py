"""What the bytes of a pickle or a torch.save file say, read without running anything."""
