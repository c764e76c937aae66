"""What is given as a checkpoint and is none: named for what it is, with what to do.

Nothing here reads a checkpoint. A look at the first bytes, at a directory of members or at a name
tells a web page from a picture; what is compressed is unpacked, within bounds, and read as usual.
"""
